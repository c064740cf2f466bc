"""Which class a workload gets that names none, of those that an engine has."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from casemate import catalogue
from casemate.engine.choose import Offer, choose
from casemate.model.boundary import Boundary
from casemate.model.decision import Decision
from casemate.model.handler import Handler, NodeFacts
from casemate.model.inventory import Inventory
from casemate.model.support import EngineFeatures
from casemate.sources.files import load
from casemate.sources.inventory import inventory

NODE = NodeFacts(
    name="here",
    address="192.0.2.1",
    cgroups="v2",
    lsms=(),
    can_lower_oom_score=True,
    user_namespaces=True,
    seccomp=True,
    cpus=2,
    memory=1 << 30,
)


def handler(name: str, boundary: Boundary) -> Handler:
    return Handler(name=name, runtime=name, version="1", path=f"/usr/bin/{name}", boundary=boundary, works=True)


RUNC, RUNSC = handler("runc", Boundary.SHARED), handler("runsc", Boundary.SANDBOX)


def offer(*handlers: Handler) -> Offer:
    features = {each.name: EngineFeatures(version="1.6.20") for each in handlers}
    return Offer({each.name: each for each in handlers}, features, NODE, catalogue.load(), "6.1.0")


def pod(*, need: str = "", runtime_class: str | None = None, container: object = None, **spec: object) -> Inventory:
    labels = {"casemate.dev/need": need} if need else {}
    main = {
        "name": "main",
        "image": "shop/web@sha256:" + "0" * 64,
        **(container if isinstance(container, dict) else {}),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "labels": labels},
        "spec": {
            "containers": [main],
            **({} if runtime_class is None else {"runtimeClassName": runtime_class}),
            **spec,
        },
    }
    return inventory(load(["-"], io.BytesIO(json.dumps(document).encode())))


def decided(found: Inventory, *handlers: Handler, consent: bool = False) -> tuple[str | None, list[Decision]]:
    told: list[Decision] = []
    (changed,) = choose(found, offer(*handlers), consent=consent, tell=told.append).pods
    assert changed.spec is not None
    return changed.spec.runtimeClassName, told


@pytest.mark.parametrize("unset", [None, ""])
def test_a_workload_without_a_class_gets_the_one_that_closes_its_gap(unset: str | None) -> None:
    name, (told,) = decided(pod(need="sandbox", runtime_class=unset), RUNC, RUNSC)
    assert name == told.runtime_class == "gvisor"
    assert told.boundary is told.need is Boundary.SANDBOX
    assert (told.workload, told.reason.partition(" (")[0]) == ("Pod default/web", "it needs sandbox")


def test_a_class_that_is_named_stays_and_is_not_spoken_of() -> None:
    assert decided(pod(need="sandbox", runtime_class="runc"), RUNC, RUNSC) == ("runc", [])


def test_what_has_enough_stays_under_the_default_handler() -> None:
    name, (told,) = decided(pod(need="shared"), RUNC, RUNSC)
    assert (name, told.runtime_class, told.boundary) == (None, "", Boundary.SHARED)


def test_a_runtime_that_is_not_here_is_never_given() -> None:
    name, (told,) = decided(pod(need="sandbox"), RUNC)
    assert name is None
    assert told.boundary < told.need


def test_the_nearest_is_given_when_nothing_here_reaches_the_need() -> None:
    name, (told,) = decided(pod(need="vm"), RUNC, RUNSC)
    assert name == "gvisor"
    assert "nothing here gives it more" in told.reason


def test_what_the_engine_refuses_under_a_runtime_keeps_the_workload_from_it() -> None:
    name, (told,) = decided(pod(need="sandbox", hostNetwork=True), RUNC, RUNSC)
    assert name is None
    assert "gvisor does not honour hostNetwork" in told.reason


PTRACING = {"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}


def test_what_behaves_differently_needs_consent() -> None:
    name, (told,) = decided(pod(need="sandbox", container=PTRACING), RUNC, RUNSC)
    assert name is None
    assert "--allow-degraded accepts that" in told.reason
    assert decided(pod(need="sandbox", container=PTRACING), RUNC, RUNSC, consent=True)[0] == "gvisor"


def test_a_difference_that_hardly_anyone_notices_needs_no_consent() -> None:
    limited = {"resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}
    assert decided(pod(need="sandbox", container=limited), RUNC, RUNSC)[0] == "gvisor"


def test_a_runtime_class_of_the_input_is_preferred_to_a_built_in_name() -> None:
    document = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "walled"},
        "handler": "runsc",
    }
    (known,) = inventory(load(["-"], io.BytesIO(json.dumps(document).encode()))).runtime_classes
    import msgspec

    found = msgspec.structs.replace(pod(need="sandbox"), runtime_classes=(known,))
    assert decided(found, RUNC, RUNSC)[0] == "walled"


SHOP = Path(__file__).parents[3] / "examples" / "shop" / "manifests"


def test_the_shop_names_no_class_and_each_part_gets_its_own() -> None:
    shop = inventory(load([str(SHOP)], io.BytesIO()))
    told: list[Decision] = []
    choose(shop, offer(RUNC, RUNSC, handler("wasm", Boundary.SANDBOX)), consent=False, tell=told.append)
    assert {each.workload: each.runtime_class for each in told} == {
        "Deployment shop/api": "",
        "Deployment shop/tax": "wasm",
        "Deployment shop/web": "",
        "Deployment shop/worker": "gvisor",
        "Job shop/report": "",
    }
    assert all(each.boundary >= each.need for each in told)
