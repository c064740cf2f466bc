"""What an engine's runs leave on this machine, as far as it can be seen: compared before and after."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from commandline import ENGINE

from casemate.engine.paths import EnginePaths
from casemate.engine.settings import load_settings

PATHS = EnginePaths(ENGINE)
NAMESPACES = ("cni-", f"casemate-{ENGINE}")
"""How containerd and we call them; podman's are named otherwise."""
KINDS = ("containerd-shim", "runsc", "casemate-wasm", "conmon")

Traces = dict[str, frozenset[str]]


def traces() -> Traces:
    """Processes, mounts, network namespaces, interfaces, firewall rules, routes, cgroups and folders."""
    return {
        "processes": frozenset(processes()),
        "mounts of the machine": frozenset(mounts("self")),
        "mounts of the engine": frozenset(mounts(str(containerd()))),
        "network namespaces": frozenset(name for name in names(Path("/run/netns")) if name.startswith(NAMESPACES)),
        "interfaces": names(Path("/sys/class/net")) - foreign_interfaces(),
        "firewall rules": frozenset(rule for rule in firewall_rules() if is_ours(rule)),
        "routes": frozenset(route for route in said("ip", "route").splitlines() if is_ours(route)),
        "cgroups": frozenset(map(str, Path("/sys/fs/cgroup").glob(f"**/casemate/{ENGINE}/pod*"))),
        "folders": names(PATHS.pods) | names(PATHS.logs) | names(PATHS.runs),
    }


def is_ours(line: str) -> bool:
    """Whether a rule or route is about this engine: other engines may run on the same machine."""
    prefix = load_settings(PATHS).pod_network.rpartition(".0.0/")[0]
    return f"casemate-{ENGINE}" in line or f"{prefix}." in line


def foreign_interfaces() -> frozenset[str]:
    """Interfaces that only have routes of others, and those in a bridge: we make none."""
    routes = [line for line in said("ip", "route").splitlines() if " dev " in line]
    routed = frozenset(route.split(" dev ")[1].split()[0] for route in routes if not is_ours(route))
    return routed | frozenset(path.parent.name for path in Path("/sys/class/net").glob("*/master"))


def left(before: Traces, after: Traces) -> dict[str, list[str]]:
    """What is there now and was not before."""
    return {kind: sorted(after[kind] - before[kind]) for kind in before if after[kind] - before[kind]}


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """Process id and arguments of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                yield int(entry.name), (entry / "cmdline").read_text(errors="replace").rstrip("\0").split("\0")
            except OSError:
                continue


def processes() -> Iterator[str]:
    """Shims, sandboxes and their helpers of this engine."""
    for pid, arguments in command_lines():
        text = " ".join(arguments)
        if Path(arguments[0]).name.startswith(KINDS) and f"/{ENGINE}/" in text:
            yield f"{pid} {text[:200]}"


def containerd() -> int:
    """The process id of the engine's containerd."""
    found = [
        pid
        for pid, arguments in command_lines()
        if Path(arguments[0]).name == "containerd" and any(f"/casemate/{ENGINE}/" in each for each in arguments)
    ]
    assert len(found) == 1, found
    return found[0]


def mounts(process: str) -> Iterator[str]:
    """Mount points that the process sees; those of other engines and of podman do not count."""
    for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines():
        if f"casemate/{ENGINE}" in line:
            yield line.split()[4]


def firewall_rules() -> Iterator[str]:
    """Rules of iptables and nftables, without counters."""
    for line in said("iptables-save").splitlines():
        if line.startswith("-A"):
            yield line
    yield from (line.strip() for line in said("nft", "list", "ruleset").splitlines() if "counter" not in line)


def names(folder: Path) -> frozenset[str]:
    """Names of what is in a folder; none when there is no folder."""
    return frozenset(each.name for each in folder.iterdir()) if folder.exists() else frozenset()


def said(*command: str) -> str:
    """What a command printed; nothing where it is not installed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
