"""Workloads made at random: what people write, and what nobody would.

`plausible` picks from what manifests really say, so that decisions differ. `arbitrary` fills any field of the Pod's
specification with any value of its type, or of none.
"""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from casemate.model.kube.pod import PodSpec
from casemate.sources.workloads import Collected, collect

Json = dict[str, Any]
_DIGEST = "@sha256:" + "ab" * 32
_IMAGES = (
    *(f"registry.example.com/shop/web{tail}" for tail in ("", ":1", _DIGEST)),
    *("redis:7", "nginx:latest", "docker:dind", "moby/buildkit:master", "gcr.io/kaniko-project/executor:v1"),
    *("ghcr.io/actions/actions-runner:latest", "quay.io/jupyter/base-notebook:latest", "darthsim/imgproxy:v3"),
    *("quay.io/cilium/cilium:v1.18.4", "ghcr.io/spinkube/app.wasm:1"),
)
_CLASSES = (
    None,
    "",
    "gvisor",
    "kata",
    "kata-qemu",
    "kata-qemu-snp",
    "wasmtime",
    "isolated-sandbox",
    "runc",
    "nobody-knows",
)
_LABELS = (
    {},
    {"app.kubernetes.io/name": "prometheus-node-exporter"},
    {"casemate.dev/trust": "third-party"},
    {"casemate.dev/need": "sandbox"},
    {"casemate.dev/need": "nonsense"},
)
KINDS = ("Deployment", "DaemonSet", "Job", "Pod", "StatefulSet")


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def _kept(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(fields).map(lambda made: {key: each for key, each in made.items() if each is not None})


_FLAG = st.sampled_from((None, None, True, False))
_SECCOMP = st.sampled_from((None, {"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost"}))
_USER = st.sampled_from((None, 0, 1000))
_CAPABILITIES = st.sampled_from(
    (
        None,
        {"drop": ["ALL"]},
        {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        {"add": ["NET_ADMIN"]},
        {"drop": ["NET_RAW"]},
    )
)
_CONTAINER_SECURITY = _kept(
    privileged=_FLAG,
    allowPrivilegeEscalation=_FLAG,
    runAsNonRoot=_FLAG,
    runAsUser=_USER,
    seccompProfile=_SECCOMP,
    capabilities=_CAPABILITIES,
    readOnlyRootFilesystem=_FLAG,
)
_CONTAINER = _kept(
    image=st.sampled_from(_IMAGES),
    securityContext=_maybe(_CONTAINER_SECURITY),
    resources=st.sampled_from((None, {"limits": {"cpu": "1", "memory": "1Gi"}}, {"limits": {"nvidia.com/gpu": "1"}})),
)
_VOLUMES = (
    {"emptyDir": {}},
    {"configMap": {"name": "c"}},
    {"hostPath": {"path": "/var/log"}},
    {"hostPath": {"path": "/var/run/docker.sock"}},
    {"hostPath": {"path": "/"}},
    {"persistentVolumeClaim": {"claimName": "c"}},
)
_SPEC = _kept(
    runtimeClassName=st.sampled_from(_CLASSES),
    hostUsers=_FLAG,
    hostNetwork=_FLAG,
    hostPID=_FLAG,
    automountServiceAccountToken=_FLAG,
    securityContext=_maybe(_kept(runAsNonRoot=_FLAG, runAsUser=_USER, seccompProfile=_SECCOMP)),
    containers=st.lists(_CONTAINER, min_size=1, max_size=2),
    initContainers=_maybe(st.lists(_CONTAINER, max_size=1)),
    volumes=_maybe(st.lists(st.sampled_from(_VOLUMES), max_size=2)),
)


def _named(spec: Json) -> Json:
    for group in ("containers", "initContainers"):
        for number, each in enumerate(spec.get(group, ())):
            each["name"] = f"{group[:1]}{number}"
    spec["volumes"] = [{"name": f"v{number}", **each} for number, each in enumerate(spec.get("volumes", ()))]
    return spec


def owned(kind: str, labels: dict[str, str], spec: Json) -> Json:
    """A Pod, or an object of another kind with that Pod as its template."""
    metadata = {"name": "it", "namespace": "there", "labels": labels}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    template = {"metadata": {"labels": {"app": "it"}}, "spec": spec}
    group = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": {"template": template}}


def plausible(kinds: tuple[str, ...] = KINDS) -> st.SearchStrategy[Json]:
    """Objects as people write them."""
    return st.builds(owned, st.sampled_from(kinds), st.sampled_from(_LABELS), _SPEC.map(_named))


def pod_spec(written: Json) -> Json:
    """The Pod's specification in an object that `owned` made."""
    spec: Json = written["spec"]
    return spec if written["kind"] == "Pod" else spec["template"]["spec"]


_WORDS = st.one_of(
    st.sampled_from(
        (
            "",
            "ALL",
            "RuntimeDefault",
            "Unconfined",
            "/",
            "/dev/kvm",
            "gvisor",
            "1Gi",
            "-1",
            "\x00",
            "é",
            "a" * 300,
            "..",
        )
    ),
    st.text(max_size=8),
)
_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), _WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_WORDS, inner, max_size=2)),
    max_leaves=4,
)


def _of_type(info: msgspec.inspect.Type, depth: int) -> st.SearchStrategy[Any]:
    match info:
        case msgspec.inspect.StructType():
            return _struct(info, depth - 1) if depth else st.just({})
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType() | msgspec.inspect.CollectionType():
            return st.lists(_of_type(info.item_type, depth), max_size=2)
        case msgspec.inspect.DictType():
            return st.dictionaries(_WORDS, _of_type(info.value_type, depth), max_size=2)
        case msgspec.inspect.UnionType():
            return st.one_of([_of_type(each, depth) for each in info.types])
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType():
            return st.integers(-(2**40), 2**70)
        case msgspec.inspect.NoneType():
            return st.none()
        case _:
            return _WORDS


def _struct(info: msgspec.inspect.StructType, depth: int) -> st.SearchStrategy[Json]:
    def few(names: list[str]) -> st.SearchStrategy[Json]:
        types = {field.encode_name: field.type for field in info.fields}
        return st.fixed_dictionaries({name: _of_type(types[name], depth) for name in names})

    names = [field.encode_name for field in info.fields]
    return st.lists(st.sampled_from(names), max_size=4, unique=True).flatmap(few) if names else st.just({})


def arbitrary() -> st.SearchStrategy[Json]:
    """Objects in which any field may hold any value of its type, or one of no type at all."""
    info = msgspec.inspect.type_info(PodSpec)
    assert isinstance(info, msgspec.inspect.StructType)
    spec = st.builds(
        lambda made, odd, image: {
            **made,
            **odd,
            "containers": [{"name": "c", "image": image}, *made.get("containers", ())],
        },
        _struct(info, 3),
        st.dictionaries(st.sampled_from([field.encode_name for field in info.fields]), _ANYTHING, max_size=1),
        st.sampled_from(_IMAGES),
    )
    labels = st.dictionaries(st.sampled_from(("casemate.dev/need", "casemate.dev/trust", "app")), _WORDS, max_size=2)
    return st.builds(owned, st.sampled_from(KINDS), labels, spec)


def collected(*written: Json) -> Collected:
    """What casemate reads of these objects."""
    text = "\n---\n".join(json.dumps(each) for each in written)
    return collect(["-"], io.BytesIO(text.encode()))
