"""What handlers and classes are held to when they are proven."""

from __future__ import annotations

import pytest

from casemate.catalogue import runtimes
from casemate.errors import InputError
from casemate.model.boundary import Boundary
from casemate.prove import targets
from casemate.prove.configuration import Configured

KNOWN = {name: Configured(name, None, f"sha256:{name}", (), False) for name in ("runc", "runsc", "wasm")}


@pytest.mark.parametrize(
    ("name", "documents", "handler", "named"),
    [
        ("gvisor", {}, "runsc", Boundary.SANDBOX),
        ("gvisor", {"gvisor": "runc"}, "runc", Boundary.SANDBOX),
        ("kata-prod", {"kata-prod": "runc"}, "runc", Boundary.VM),
        ("prod", {"prod": "runc"}, "runc", Boundary.SHARED),
    ],
)
def test_a_class_is_held_to_its_name(name: str, documents: dict[str, str], handler: str, named: Boundary) -> None:
    (found,) = targets.classes((name,), documents, KNOWN, runtimes.load())
    assert (found.subject, found.handler, found.named) == (f"class/{name}", handler, named)


def test_handlers_come_in_the_order_of_their_names() -> None:
    found = targets.handlers((), KNOWN, runtimes.load())
    assert [(each.subject, each.wasm_only) for each in found] == [
        ("handler/runc", False),
        ("handler/runsc", False),
        ("handler/wasm", True),
    ]


def test_a_class_that_means_no_handler_is_told_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"class 'kata' means no handler of this engine\n.*runc, runsc, wasm"):
        targets.classes(("kata",), {}, KNOWN, runtimes.load())
