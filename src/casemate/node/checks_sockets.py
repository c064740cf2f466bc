"""Sockets and addresses on which the runtime can be reached: whoever reaches them is root on the node."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from casemate.model.node import FileFact, NodeFacts, Settings
from casemate.node.judge import Judged, could_not_look, holds, masked, none_of, not_applicable, owned, seen, settings

_BEYOND_GROUP = 0o117
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


def cri_socket_owned(facts: NodeFacts) -> Judged:
    """Owner and group."""
    return _socket(facts, lambda files: none_of(owned(files)))


def cri_socket_mode(facts: NodeFacts) -> Judged:
    """No execution, nothing for others."""
    return _socket(facts, lambda files: none_of(masked(files, _BEYOND_GROUP)))


def other_sockets(facts: NodeFacts) -> Judged:
    """Debug and ttrpc."""
    found = (*facts.files.get("debug socket", ()), *facts.files.get("ttrpc socket", ()))
    sockets = [each for each in found if each.kind == "socket"]
    if not sockets:
        return settings(facts, lambda _: not_applicable("there are no such sockets"))
    return none_of(chain(owned(sockets), masked(sockets, _BEYOND_GROUP)))


def no_tcp_api(facts: NodeFacts) -> Judged:
    """The runtime's own API."""
    return settings(facts, lambda each: holds(not each.tcp_address, f"the API is served on {each.tcp_address}"))


def stream_loopback(facts: NodeFacts) -> Judged:
    """The address of streams."""
    return settings(facts, lambda each: holds(_is_loopback(each), f"streams are served on {each.stream_address}"))


def stream_protected(facts: NodeFacts) -> Judged:
    """TLS where others reach it. CRI-O has no switch for TCP: its address alone counts."""
    return settings(
        facts,
        lambda each: holds(
            _is_loopback(each) or each.stream_tls, f"streams are served on {each.stream_address} without TLS"
        ),
    )


def metrics_loopback(facts: NodeFacts) -> Judged:
    """Metrics tell names of images and Pods."""

    def judge(each: Settings) -> Judged:
        address = each.metrics_address
        if not address:
            return not_applicable("metrics are off")
        return holds(_host(address) in _LOOPBACK or address.startswith("/"), f"metrics are served on {address}")

    return settings(facts, judge)


def no_open_listeners(facts: NodeFacts) -> Judged:
    """What the process really listens on."""
    return seen(
        facts.listeners,
        lambda found: none_of(f"{each.address}:{each.port}" for each in found if not each.is_loopback),
    )


def debug_socket_off(facts: NodeFacts) -> Judged:
    """Profiles and traces."""

    def judge(each: Settings) -> Judged:
        # containerd 2.3 serves its debug socket by default, at a path below its state folder, for root alone.
        is_default = each.debug_address == "/run/containerd/debug.sock"
        return holds(not each.debug_address or is_default, f"a debug socket is served on {each.debug_address}")

    return settings(facts, judge)


def _is_loopback(found: Settings) -> bool:
    return found.stream_address in ("", *_LOOPBACK)


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _socket(facts: NodeFacts, judge: Callable[[list[FileFact]], Judged]) -> Judged:
    files = [each for each in facts.files.get("CRI socket", ()) if each.kind == "socket"]
    return judge(files) if files else could_not_look("the CRI socket is not there: the runtime does not run")
