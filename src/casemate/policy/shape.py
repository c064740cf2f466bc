"""What a verdict on a workload depends on beside `match`: workloads of one shape share their verdict.

1. The shape has the template's place and kind, its class, where it may run and with which overhead, and the namespaces
   of the host that it is in.
2. It has those security contexts that lack a part of `hardened` which a policy asks for, with their containers' names:
   messages name them.
3. Of all else it has what a row of the catalogue's fits, or a sandbox, may ask for: annotations of runtimes, host
   paths, devices, odd volumes, and those capabilities, images, commands, variables and resources that some row asks
   for. What no row asks for is left out.
4. The first workload of a shape is judged in full. So it does not matter what a row says, only that it cannot say
   different things of two workloads of one shape: `_ASKED` lists the predicates for which that was thought through.
   Where the catalogue has a row that fails for another predicate, nothing has a shape.
5. Nor has anything for policies with a field that is not listed here, for those that ask for need, or for labels which
   could not be had. In doubt it is judged in full.
6. Where a policy asks for rights, workloads of one shape are told apart by namespace and service account as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from casemate.catalogue.conditions import asked, predicates
from casemate.catalogue.rows import Fit
from casemate.catalogue.tables import Catalogue
from casemate.decide import matching
from casemate.decide.capabilities import named
from casemate.decide.containers import AnyContainer, every_container, runs_probes
from casemate.decide.fit import families
from casemate.decide.images import image
from casemate.images.reference import is_tag
from casemate.model.assessment import Outcome
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import PodSecurityContext, SecurityContext
from casemate.model.kube.volumes import Volume
from casemate.model.policy import SANDBOX_ANNOTATIONS, Match, Part, Permit, PolicySpec
from casemate.model.workload import Workload
from casemate.policy.hardening import APPARMOR, parts_lacking
from casemate.policy.judge import CompiledPolicy

_OF_CLASSES: Final = frozenset({"class", "node"})
_ASKED: Final = frozenset(
    {
        *("host-network", "host-pid", "host-ipc", "user-namespace", "shared-processes", "exec-probe", "sub-path"),
        *("host-path", "host-path-writable", "host-path-type", "host-socket", "volume", "volume-devices"),
        *("capability-added", "privileged", "selinux-options", "sysctl", "windows", "static-pod", "wasm-image"),
        *("resource", "resource-claims", "mount-propagation", "image", "command", "env"),
        *("never", "profile"),  # That a row asks for these two never holds here: `fit.Fits` does not tell them.
    }
)
_PLAIN_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_PLAIN_VOLUMES: Final = ("configMap", "projected", "emptyDir", "secret", "persistentVolumeClaim")
_SOURCES: Final = tuple(each for each in Volume.__struct_fields__ if each != "name")
_ANNOTATIONS: Final = (*SANDBOX_ANNOTATIONS, APPARMOR, "module.wasm.image/", "kubernetes.io/config.")
_MATCH: Final = ("namespaces", "podLabels", "serviceAccounts", "users", "groups", "images", "kinds")
_SPEC: Final = ("match", "default", "permitted", "rbac", "minimum", "hardening", "upgrade", "fit", "mode")
_PERMIT: Final = ("name", "boundary", "labels", "annotations")
_KEPT: Final = 20_000

_encode = msgspec.json.Encoder().encode


def is_known(policy: CompiledPolicy) -> bool:
    """Whether everything that the policy says is thought of here (rule 5)."""
    spec = policy.document.spec
    permits = (each for each in spec.permitted or () if isinstance(each, Permit))
    says = _says_only(spec, _SPEC) and _says_only(spec.match, _MATCH)
    return says and not policy.asks_need and all(_says_only(each, _PERMIT) for each in permits)


def _says_only(said: PolicySpec | Match | Permit, known: tuple[str, ...]) -> bool:
    return type(said)(**{name: getattr(said, name) for name in known}) == said


class Shapes:
    """The shapes of workloads, as far as one catalogue tells them apart."""

    def __init__(self, catalogue: Catalogue) -> None:
        rows = tuple(_failing(catalogue))
        self._able = all(_thought_of(row) for row in rows)
        images = _any(map(matching.images, _arguments(rows, "image")))
        commands = _any(map(matching.patterns, _arguments(rows, "command")))
        variables = [matching.keyed(each) for each in _arguments(rows, "env")]
        self._repositories = _Quiet(lambda text: _is_repository(text) and not images(image(text).name))
        self._images = _Quiet(lambda text: not (image(text).wasm or images(image(text).name)))
        self._words = _Quiet(lambda text: not commands(text))
        self._variables = _Quiet(lambda name: all(of(name.partition("=")[0]) is None for of in variables))
        added = _any(map(matching.added, _arguments(rows, "capability-added")))
        self._added = _Quiet(lambda name: not added(named(name)))
        self._contexts = _Contexts()

    def of(self, workload: Workload, wanted: frozenset[Part], account: str) -> bytes | None:
        """The shape of a workload, of which policies want these parts of `hardened`; None when it has none.

        `account` is its service account, where verdicts depend on that.
        """
        spec = workload.spec
        if not self._able or workload.source.file:
            return None
        said: list[object] = []
        for key, text in workload.metadata.annotations.items():
            if key.startswith(_ANNOTATIONS):
                said.append(("annotation", key, text))
        if not all(map(_is_plain_volume, spec.volumes)):
            if len({each.name for each in spec.volumes}) < len(spec.volumes):
                return None
            said.extend(_odd_volumes(spec))
        _note_pod(spec, said)
        lists: tuple[tuple[AnyContainer, ...], ...] = (spec.initContainers, spec.containers, spec.ephemeralContainers)
        for number, containers in enumerate(lists):
            for index, each in enumerate(containers):
                self._note(each, said)
                context = each.securityContext
                if wanted and self._contexts.lacks(context, spec.securityContext, wanted):
                    said.append(("lacks", number, index, each.name, context, spec.securityContext))
        owners = workload.owners if workload.kind == "ReplicaSet" else ()
        host = (spec.hostUsers, spec.hostNetwork, spec.hostPID, spec.hostIPC, spec.shareProcessNamespace)
        return _encode((workload.kind, workload.path, owners, spec.runtimeClassName, account, host, said))

    def _note(self, container: AnyContainer, said: list[object]) -> None:
        """Note what a container says that a row might ask for."""
        resources, context = container.resources, container.securityContext
        if not self._is_quiet(container.image or ""):
            said.append(("image", container.image))
        if container.volumeDevices:
            said.append(("devices",))
        if runs_probes(container):
            said.append(("probes",))
        if context is not None and (
            context.privileged
            or context.seLinuxOptions is not None
            or context.windowsOptions is not None
            or (context.capabilities is not None and not all(map(self._added.__getitem__, context.capabilities.add)))
        ):
            said.append(("context", context))
        if resources is not None and (
            resources.claims
            or not _PLAIN_RESOURCES.issuperset(resources.limits)
            or not _PLAIN_RESOURCES.issuperset(resources.requests)
        ):
            said.append(("resources", sorted({*resources.limits, *resources.requests}), bool(resources.claims)))
        self._note_words(container, said)
        for mount in container.volumeMounts:
            if mount.mountPropagation or mount.subPath or mount.subPathExpr:
                nested = bool(mount.subPath or mount.subPathExpr)
                said.append(("mount", mount.mountPropagation, nested))

    def _note_words(self, container: AnyContainer, said: list[object]) -> None:
        """Note those of its variables and words that a row asks for. On every request, so without comprehensions."""
        variables, words = self._variables, self._words
        for variable in container.env:
            if not variables[variable.name]:
                said.append(("env", variable.name, variable.value))  # noqa: PERF401
        for word in (*container.command, *container.args):
            if not words[word]:
                said.append(("command", word))  # noqa: PERF401

    def _is_quiet(self, text: str) -> bool:
        """Whether an image is one that no row asks for. Its tag says nothing to them but that it holds a module."""
        known = self._images.get(text)
        if known is not None:
            return known
        head, colon, tag = text.rpartition(":")
        if colon and is_tag(tag) and self._repositories[head]:
            lower = tag.lower()
            if "wasm" not in lower and "spin" not in lower:
                return self._images.note(text, found=True)
        return self._images[text]


class _Quiet(dict[str, bool]):
    """Texts, and whether no row asks for them."""

    def __init__(self, judge: Callable[[str], bool]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, text: str) -> bool:
        return self.note(text, found=self._judge(text))

    def note(self, text: str, *, found: bool) -> bool:
        """Keep an answer as long as there is room."""
        if len(self) >= _KEPT:
            self.clear()
        self[text] = found
        return found


class _Contexts:
    """Pairs of security contexts, and what they lack."""

    def __init__(self) -> None:
        self._known: dict[tuple[SecurityContext | None, PodSecurityContext | None], frozenset[Part]] = {}

    def lacks(self, own: SecurityContext | None, pod: PodSecurityContext | None, wanted: frozenset[Part]) -> bool:
        """Whether a container with these lacks one of the parts."""
        parts = self._known.get((own, pod))
        if parts is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            parts = self._known[own, pod] = parts_lacking(own, pod)
        return not parts.isdisjoint(wanted)


def _note_pod(spec: PodSpec, said: list[object]) -> None:
    """Note what the Pod itself says that a row might ask for, and where it runs."""
    context = spec.securityContext
    if context is not None and (
        context.sysctls or context.seLinuxOptions is not None or context.windowsOptions is not None
    ):
        said.append(("pod", context))
    if spec.nodeSelector or spec.nodeName or spec.overhead or spec.resourceClaims or spec.os is not None:
        said.append(("place", spec.nodeSelector, spec.nodeName, spec.overhead, bool(spec.resourceClaims), spec.os))


def _is_plain_volume(volume: Volume) -> bool:
    return volume.hostPath is None and (
        volume.projected is not None
        or volume.configMap is not None
        or volume.emptyDir is not None
        or volume.secret is not None
        or volume.persistentVolumeClaim is not None
    )


def _odd_volumes(spec: PodSpec) -> Iterator[object]:
    """Volumes of which a row might ask: which sources they have, and whether a container may write to them."""
    for index, volume in enumerate(spec.volumes):
        if not _is_plain_volume(volume):
            sources = [name for name in _SOURCES if getattr(volume, name) is not None]
            mounts = (mount for each, _, _ in every_container(spec) for mount in each.volumeMounts)
            written = any(mount.name == volume.name and not mount.readOnly for mount in mounts)
            yield ("volume", index, sources, volume.hostPath, written)


def _failing(catalogue: Catalogue) -> Iterator[Fit]:
    """The rows that fail under some runtime."""
    mapped = (True, False)
    stands = {families(row, user_namespace=each) for row in catalogue.runtimes.runtimes for each in mapped}
    return (row for row in catalogue.fits if any(row.cell(each).outcome is Outcome.FAILS for each in stands))


def _thought_of(row: Fit) -> bool:
    known = predicates()
    for each in asked(row.when):
        if each.predicate not in _ASKED and known[each.predicate].scope not in _OF_CLASSES:
            return False
        if each.predicate == "resource" and any(map(matching.patterns(each.arguments), _PLAIN_RESOURCES)):
            return False
        if each.predicate == "volume" and any(map(matching.exact(each.arguments), _PLAIN_VOLUMES)):
            return False
    return True


def _arguments(rows: Iterable[Fit], predicate: str) -> Iterator[tuple[str, ...]]:
    return (each.arguments for row in rows for each in asked(row.when) if each.predicate == predicate)


def _any(matchers: Iterable[matching.Matcher]) -> matching.Matcher:
    tests = tuple(matchers)
    return lambda text: any(test(text) for test in tests)


def _is_repository(text: str) -> bool:
    """Whether it is a repository without tag and digest, and whatever tag follows leaves its name as it is."""
    found = image(text)
    return bool(found.registry) and not found.wasm and "@" not in text and ":" not in text.rpartition("/")[2]
