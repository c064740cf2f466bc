"""Fields written with another type: what a real API server refuses is not assessed, what it reads is read alike."""

from __future__ import annotations

import io

import pytest
from apiserver import Cluster

from casemate.errors import InputError
from casemate.model.kube.container import Container
from casemate.model.workload import Workload
from casemate.sources.parse import parse
from casemate.sources.workloads import collect

_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: main, namespace: default}
spec:
  %s
  containers:
  - name: main
    image: busybox
    securityContext: {%s}
"""
_BOOLEANS = (
    """false true no n off N Off FALSE yes y on ~ "false" 'no' "0" "" 0 1 oFF falsE .false [] {} !!str=no !!bool=no"""
)
_NUMBERS = """0 1000 1000.0 1e3 0x3E8 01750 0o1750 1_000 00 -0 .0 08 +1000 "0" '1000' 1000.5 1:30 true [1000] 1e-1"""
_LISTS = """[ALL] ["ALL"] [all] [null] ALL {ALL:=true} [true] [1]"""


def _cases() -> list[tuple[str, str]]:
    pairs = [(field, each) for field in ("hostUsers", "hostPID") for each in _BOOLEANS.split()]
    for field in ("allowPrivilegeEscalation", "readOnlyRootFilesystem", "runAsNonRoot"):
        pairs += [(f"securityContext.{field}", each) for each in _BOOLEANS.split()]
    pairs += [("securityContext.runAsUser", each) for each in _NUMBERS.split()]
    pairs += [("securityContext.capabilities", f"{{drop:={each}}}") for each in _LISTS.split()]
    return [(field, each.replace("=", " ")) for field, each in pairs]


@pytest.mark.parametrize(("field", "written"), _cases())
def test_a_value_of_another_type_is_read_or_refused_as_the_api_server_does(
    cluster: Cluster, field: str, written: str
) -> None:
    inner = field.removeprefix("securityContext.")
    said = f"{inner}: {written}"
    text = _POD % (("restartPolicy: Always", said) if inner != field else (said, ""))
    (document,), _ = parse(text.encode(), "pod.yaml")
    with cluster.client() as client:
        answer = client.post("/api/v1/namespaces/default/pods?dryRun=All", json=document.value)
    found = _read(text)
    assert (found is not None) == answer.is_success, answer.text
    if found is not None:
        made = answer.json()["spec"]
        theirs = made["containers"][0].get("securityContext", {}) if inner != field else made
        ours = _plain(_ours(found, field))
        # The API server leaves out `hostPID: false`.
        assert (bool(ours) if inner == "hostPID" else ours) == theirs.get(inner, False if inner == "hostPID" else None)


def _read(text: str) -> Workload | None:
    try:
        return collect(["-"], io.BytesIO(text.encode())).workloads[0]
    except InputError:
        return None


def _ours(found: Workload, field: str) -> object:
    inner = field.removeprefix("securityContext.")
    main = found.spec.containers[0]
    assert isinstance(main, Container)
    return getattr(found.spec if inner == field else main.securityContext, inner)


def _plain(value: object) -> object:
    drop = getattr(value, "drop", None)
    return {"drop": list(drop)} if drop is not None else value
