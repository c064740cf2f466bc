"""Calls the running shop over HTTP as a customer would, and checks every answer.

`python examples/shop/try.py [ADDRESS]`; the address is http://127.0.0.1:30080 when left out.
Ends with 0 when every answer is right.
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.request
from typing import Protocol


class Ask(Protocol):
    """A question to the front end: a path, and a body to post."""

    def __call__(self, path: str, body: str | None = None, /) -> str:
        """The answer's text. Raises `OSError` when there is none."""
        ...


DEFAULT = "http://127.0.0.1:30080"
ENDLESS = "while true; do :; done"
HOSTILE = "rm -rf / 2>/dev/null; cat /etc/shadow 2>&1; echo still here"


def over_http(address: str) -> Ask:
    """Asks the front end for a path; with a body it posts."""

    def ask(path: str, body: str | None = None) -> str:
        request = urllib.request.Request(address + path, data=None if body is None else body.encode())  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return str(answer.read().decode())

    return ask


def the_front_page_is_served(ask: Ask) -> str:
    """The front end itself."""
    assert "casemate tea shop" in ask("/")
    return "web serves its page"


def products_come_from_the_api(ask: Ask) -> str:
    """The front end reaches the API by its Service's name."""
    names = [each["name"] for each in json.loads(ask("/cgi-bin/products"))]
    assert names == ["tea", "teapot", "kettle"], names
    return f"api offers {', '.join(names)}"


def an_order_is_taxed_and_signed(ask: Ask) -> str:
    """The API asks the tax function (Wasm) and signs with the Secret's key."""
    order = {"product": "tea", "quantity": 2, "country": "DE"}
    text = ask("/cgi-bin/order", json.dumps(order))
    bill = json.loads(text)
    assert (bill["net"], bill["tax"], bill["gross"]) == (900, 171, 1071), text
    assert re.fullmatch("[0-9a-f]{64}", bill["receipt"]), text
    return f"tax (wasm) adds {bill['tax']} cents to {bill['net']}"


def an_uploaded_script_runs_on_a_kernel_of_its_own(ask: Ask) -> str:
    """The worker (gVisor) runs what a customer sends."""
    output = ask("/cgi-bin/run", "dmesg | grep -o 'Starting gVisor'; echo $((6 * 7))")
    assert output.splitlines() == ["Starting gVisor", "42", "exit code 0"], output
    return "worker (gVisor) runs an uploaded script; its kernel says: Starting gVisor"


def a_hostile_script_finds_nothing_to_take(ask: Ask) -> str:
    """Neither the image nor the node can be read or removed."""
    output = ask("/cgi-bin/run", HOSTILE)
    assert "still here" in output, output
    assert "root:" not in output, output
    assert "42" in ask("/cgi-bin/run", "echo 42"), "the worker no longer works"
    return "worker survives a hostile script"


def an_endless_script_is_stopped(ask: Ask) -> str:
    """The worker's own time limit."""
    started = time.monotonic()
    output = ask("/cgi-bin/run", ENDLESS)
    seconds = time.monotonic() - started
    assert "exit code 137" in output, output
    assert seconds < 15, seconds
    return f"worker stops an endless script after {seconds:.0f} seconds"


def the_batch_job_filed_its_report(ask: Ask) -> str:
    """The Job ran to its end and told the API."""
    text = ask("/cgi-bin/report")
    assert text.strip() == "The shop has 3 products.", text
    return f"report (a Job): {text.strip()}"


STEPS = (
    the_front_page_is_served,
    products_come_from_the_api,
    an_order_is_taxed_and_signed,
    an_uploaded_script_runs_on_a_kernel_of_its_own,
    a_hostile_script_finds_nothing_to_take,
    an_endless_script_is_stopped,
    the_batch_job_filed_its_report,
)


def main(address: str) -> int:
    """Tries every step, prints one line for each, and gives the number that went wrong."""
    ask = over_http(address)
    wrong = 0
    for step in STEPS:
        try:
            print(f"ok     {step(ask)}")  # noqa: T201
        except (AssertionError, OSError, ValueError, KeyError) as error:
            wrong += 1
            print(f"WRONG  {step.__name__.replace('_', ' ')}: {error}")  # noqa: T201
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1] if sys.argv[1:] else DEFAULT) else 0)
