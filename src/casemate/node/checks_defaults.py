"""What every container gets when nobody asks for anything: profiles, registries, plugins, images."""

from __future__ import annotations

import tomllib
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

from casemate.model.node import NodeFacts, Seen, Settings, Unseen
from casemate.node.judge import Judged, could_not_look, holds, masked, none_of, not_applicable, owned, settings

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_DEBUG: Final = ("debug", "trace")


def seccomp_by_default(facts: NodeFacts) -> Judged:
    """The runtime's own default or the kubelet's; one of them is enough."""
    if isinstance(facts.configuration, Seen) and facts.configuration.value.settings.seccomp_default_on:
        return none_of(())
    if isinstance(facts.kubelet, Unseen):
        return could_not_look(f"the runtime sets none, and of the kubelet: {facts.kubelet.reason}")
    if facts.kubelet.value.get("seccompDefault") is True:
        return none_of(())
    return settings(facts, lambda _: holds(False, "neither unset_seccomp_profile nor seccompDefault is set"))


def apparmor_on(facts: NodeFacts) -> Judged:
    """AppArmor where it is active."""
    if "apparmor" not in facts.host.lsms:
        return not_applicable("AppArmor is not active on this node")
    return settings(facts, lambda each: holds(not each.apparmor_disabled, "the runtime has AppArmor disabled"))


def selinux_on(facts: NodeFacts) -> Judged:
    """SELinux where it enforces."""
    if not facts.host.selinux_enforcing:
        return not_applicable("SELinux does not enforce on this node")
    return settings(facts, lambda each: holds(each.selinux, "the runtime has SELinux disabled"))


def registries_verified(facts: NodeFacts) -> Judged:
    """Certificates of registries."""
    return settings(
        facts,
        lambda each: none_of(
            (
                *(f"{name}: insecure_skip_verify" for name in each.insecure_registries),
                *(f"{path}: skip_verify" for path, table in facts.hosts.items() if _skips(table)),
            )
        ),
    )


def registries_encrypted(facts: NodeFacts) -> Judged:
    """TLS to registries that are not on this node."""
    return settings(
        facts,
        lambda each: none_of(
            (
                *(url for url in each.plain_http_registries if _is_plain(url)),
                *(f"{path}: {url}" for path, table in facts.hosts.items() for url in _hosts(table) if _is_plain(url)),
            )
        ),
    )


def no_inline_credentials(facts: NodeFacts) -> Judged:
    """Credentials in the configuration."""
    return settings(facts, lambda each: none_of(f"credentials of {name}" for name in each.inline_credentials))


def nri_controlled(facts: NodeFacts) -> Judged:
    """Plugins that may change any container."""

    def judge(each: Settings) -> Judged:
        if not each.nri_enabled:
            return none_of(())
        files = (*facts.files.get("NRI socket", ()), *facts.files.get("NRI plugins", ()))
        sockets = [file for file in files if file.kind == "socket"]
        return none_of(chain(owned(files), masked(sockets, 0o117), masked(set(files) - set(sockets), 0o022)))

    return settings(facts, judge)


def verifiers_owned(facts: NodeFacts) -> Judged:
    """Programs that decide which images may run."""
    files = facts.files.get("image verifiers", ())
    if not files:
        return settings(facts, lambda _: not_applicable("there are no image verifiers"))
    return none_of(chain(owned(files), masked(files, 0o022)))


def images_verified(facts: NodeFacts) -> Judged:
    """A verifier that is there, or a policy that rejects."""
    if facts.daemon.kind == "crio":
        policy = facts.files.get("signature policy", ())
        if not policy:
            return settings(facts, lambda _: holds(False, "there is no signature policy"))
        return holds(not facts.accepts_any_image, f"{policy[0].path} accepts anything")
    programs = [each for each in facts.files.get("image verifiers", ()) if each.kind == "file" and each.mode & 0o111]
    return settings(facts, lambda _: holds(bool(programs), "no program verifies images"))


def log_level(facts: NodeFacts) -> Judged:
    """Debug logs hold what containers are given."""
    return settings(facts, lambda each: holds(each.log_level not in _DEBUG, f"the level is {each.log_level}"))


def _table(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _skips(text: str) -> bool:
    table = _table(text)
    hosts = table.get("host")
    tables = (
        [table, *(each for each in hosts.values() if isinstance(each, dict))] if isinstance(hosts, dict) else [table]
    )
    return any(each.get("skip_verify") is True for each in tables)


def _hosts(text: str) -> list[str]:
    table = _table(text)
    hosts, server = table.get("host"), table.get("server")
    return [*(hosts if isinstance(hosts, dict) else ()), *([server] if isinstance(server, str) else [])]


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK
