"""Which boundary a workload has today.

1. It is that of the runtime that its class resolves to (`classes`). What is unknown, or cannot start, is `unknown`.
2. On a shared kernel, `hardened` is earned by all of its parts, in every container: a user namespace of its own, a
   seccomp profile, no new privileges, all capabilities dropped (but NET_BIND_SERVICE), no root, no namespace of the
   host, `/proc` masked, no confinement switched off. One part short is `shared` (runc's advisories; KEP-127;
   Pod Security Standards, Restricted).
3. A user namespace counts where nodes are not known (declared), or where every node says that the Pod's handler has
   them. Older container runtimes ignore `hostUsers: false` without a word (KEP-127).
   A runtime that always makes one (Sysbox) needs no word of the Pod.
4. A door in the wall is no wall: files of the node that hold its keys or decide what it runs, and sockets through which
   its runtimes or its init start what they are asked to, make any boundary `shared` (doors.yaml). What stays writable
   below a read-only mount only costs `hardened`: sandboxes and guests hold the whole tree.
5. Shims that run native programs as plain containers (containerd/runwasi, container/executor.rs) draw no boundary
   unless every image is known to be a Wasm module. Where only the class's name says Wasm, it may be one of those.
6. Annotations that reconfigure a sandbox from within the Pod (`io.katacontainers.*`, `dev.gvisor.*`) make its boundary
   unknown, but for those that are known to change sizes and caches only: whether the node honours them is not known
   here. For the same reason `hardened` is not earned with annotations that give a container of runc or crun devices,
   hooks or another profile.
7. A process of a Windows host has no boundary, and no runtime of the catalogue draws one for Windows.
8. A runtime whose version, where known, lacks the fix of an escape that it alone stands against is `shared`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from casemate.catalogue.conditions import AnyOf, Is, Not, When
from casemate.catalogue.doors import Door, doors
from casemate.catalogue.rows import Runtime
from casemate.decide.classes import Resolved
from casemate.decide.predicates import Answers, Condition, Questions
from casemate.model.assessment import Has, Reason, State
from casemate.model.boundary import Boundary

_HOST_NAMESPACES: Final = AnyOf((Is("host-network"), Is("host-pid"), Is("host-ipc"), Is("host-process")))
_CONFIGURING: Final = (
    *("run.oci.*", "org.systemd.property.*", "io.kubernetes.cri-o.*", "io.kubernetes.cri.*", "cdi.k8s.io/*"),
    *("*.crio.io", "*.crio.io/*", "*.cri-o.io", "*.cri-o.io/*", "*.nri.io/*", "*.nri.containerd.io/*"),
)


@dataclass(frozen=True)
class Part:
    """One part of `hardened`: it is missing where `lacks` holds, `text` says so, `remedy` gives it."""

    id: str
    lacks: When
    text: str
    remedy: str = ""


PARTS: Final = (
    Part("user-namespace", Not(Is("user-namespace")), "no user namespace of its own", "set hostUsers: false"),
    Part("user-namespace-offered", Is("user-namespace-unconfirmed"), "a node does not say that it has user namespaces"),
    Part(
        "seccomp",
        Is("seccomp", ("unset", "Unconfined")),
        "no seccomp profile",
        "use seccomp RuntimeDefault",
    ),
    Part("no-new-privileges", Is("privilege-escalation"), "may gain privileges", "set allowPrivilegeEscalation: false"),
    Part("capabilities-dropped", Is("capabilities-kept"), "keeps capabilities", "drop all capabilities"),
    Part("capabilities-added", Is("capability-added"), "adds capabilities"),
    Part("non-root", Is("may-be-root"), "may run as root", "set runAsNonRoot: true"),
    Part("unprivileged", Is("privileged"), "is privileged"),
    Part("own-namespaces", _HOST_NAMESPACES, "shares namespaces of the host"),
    Part("masked-proc", Is("proc-mount", ("Unmasked",)), "sees /proc unmasked", "mask /proc"),
    Part("apparmor", Is("apparmor", ("Unconfined",)), "has AppArmor switched off", "leave AppArmor on"),
    Part("selinux", Is("selinux-beyond"), "has an SELinux label that may confine nothing"),
    Part("own-configuration", Is("annotation", _CONFIGURING), "has annotations that may change how it is confined"),
    Part("own-sockets", Is("host-socket"), "talks to a program of the node"),
    Part("own-mounts", Is("host-door", ("door-below",)), "may write what is mounted below a directory of the node"),
    Part("safe-sysctls", Is("unsafe-sysctl"), "sets kernel parameters beyond the safe set"),
)
"""All parts that `hardened` is earned by."""


_MAPPED: Final = frozenset({"user-namespace", "user-namespace-offered"})


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules above, compiled."""

    parts: tuple[tuple[Part, Condition], ...]
    doors: tuple[tuple[Door, Condition], ...]
    weakened: Condition
    windows: Condition
    native: Condition


def rules(questions: Questions) -> Rules:
    """Compile the rules among the other questions."""
    return Rules(
        tuple((part, questions.condition(part.lacks)) for part in PARTS),
        tuple(
            (door, questions.condition(Is("host-door", (door.id,)))) for door in doors().values() if door.by != "below"
        ),
        questions.condition(Is("reconfigured")),
        questions.condition(AnyOf((Is("host-process"), Is("windows")))),
        questions.condition(AnyOf((Is("class-runs-native"), Is("class-may-run-native")))),
    )


def has(resolved: Resolved, answers: Answers, compiled: Rules, broken: tuple[Reason, ...] = ()) -> Has:
    """The boundary of a workload with these answers. `broken`: escapes that its runtime's version does not fix."""
    boundary, reasons = _bounded(resolved, answers, compiled)
    if boundary > Boundary.SHARED and broken:
        boundary, reasons = Boundary.SHARED, broken
    # A proof is of what the runtime draws: what the workload adds or takes away, it does not show.
    other = resolved.row is None or boundary != resolved.row.boundary
    return Has(
        class_name=resolved.name,
        handler=resolved.handler,
        runtime=resolved.row.id if resolved.row else "",
        boundary=boundary,
        state=State.RESOLVED if other and resolved.state is State.PROVEN else resolved.state,
        reasons=(*resolved.reasons, *reasons),
    )


def _bounded(resolved: Resolved, answers: Answers, compiled: Rules) -> tuple[Boundary, tuple[Reason, ...]]:
    if resolved.row is None or not resolved.starts:
        return Boundary.UNKNOWN, ()
    boundary = resolved.row.boundary
    if boundary > Boundary.HARDENED and (places := compiled.weakened(answers)):
        text = "an annotation reconfigures the sandbox; whether the node honours it is not known"
        return Boundary.UNKNOWN, (Reason(id="reconfigured", text=text, path=places[0]),)
    if places := compiled.windows(answers):
        text = "it is for Windows, where its runtime draws no boundary"
        return min(boundary, Boundary.SHARED), (Reason(id="windows", text=text, path=places[0]),)
    if reasons := tuple(_opened(answers, compiled)):
        return min(boundary, Boundary.SHARED), reasons
    if compiled.native(answers):
        text = "a class for Wasm may run native programs as plain containers"
        return min(boundary, Boundary.SHARED), (Reason(id="class-runs-native", text=text, path="runtimeClassName"),)
    if boundary <= Boundary.HARDENED:
        return _hardened(resolved.row, answers, compiled)
    return boundary, ()


def _opened(answers: Answers, compiled: Rules) -> Iterator[Reason]:
    for door, condition in compiled.doors:
        if places := condition(answers):
            text = f"what it mounts of the node opens every boundary: {door.gives}"
            yield Reason(id="host-door", text=text, path=places[0])


def _hardened(row: Runtime, answers: Answers, compiled: Rules) -> tuple[Boundary, tuple[Reason, ...]]:
    lacking = tuple(
        Reason(id=part.id, text=part.text, path=places[0])
        for part, condition in compiled.parts
        if (places := condition(answers)) and not (row.defence == "userns" and part.id in _MAPPED)
    )
    if lacking:
        return Boundary.SHARED, lacking
    return Boundary.HARDENED, (Reason(id="hardened", text="every part of hardened is there"),)
