"""What `node doctor` saw, as a table for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from casemate.model.node import Configuration, NodeFacts, NodeHandler, Program, Seen, Unseen
from casemate.model.node_check import Checked, Verdict
from casemate.report.answer import answer, encoded

_MARKS = {
    Verdict.FAIL: "✗ fail",
    Verdict.COULD_NOT_LOOK: "? could not look",
    Verdict.PASS: "✓ pass",
    Verdict.NOT_APPLICABLE: "- not applicable",
}
_SHOWN = 5


def doctor_text(facts: NodeFacts, checks: Sequence[Checked]) -> str:
    """The node, its handlers, what failed and what could not be looked at, and the count of the rest."""
    return "\n".join(_lines(facts, checks)) + "\n"


def doctor_json(facts: NodeFacts, checks: Sequence[Checked]) -> str:
    """`kind: NodeReport` with one item per check (DESIGN.md section 4)."""
    document = answer(
        "NodeReport",
        node=facts.name,
        runtime=_runtime(facts),
        host=msgspec.to_builtins(facts.host),
        handlers=[_handler(each) for each in facts.handlers],
        programs=[_program(each) for each in facts.programs],
        leftOvers=[dict(zip(("where", "what", "fix", "source"), each, strict=True)) for each in facts.left_overs],
        items=[
            {
                "id": each.id,
                "title": each.title,
                "result": str(each.verdict),
                "evidence": list(each.evidence),
                "fix": each.fix,
                "source": each.source,
            }
            for each in checks
        ],
    )
    return encoded(document) + "\n"


def _lines(facts: NodeFacts, checks: Sequence[Checked]) -> Iterator[str]:
    yield from _about(facts)
    yield ""
    yield from _handlers(facts.handlers)
    for each in checks:
        if each.verdict is Verdict.FAIL:
            yield from _failed(each)
    yield from _not_looked_at(checks)
    if facts.left_overs:
        yield ""
        yield "Left-overs of Docker:"
        for where, what, fix, _ in facts.left_overs:
            yield from (f"  {where}: {what}", f"    → {fix}")
    yield ""
    count = Counter(each.verdict for each in checks)
    yield ", ".join(f"{count[verdict]} {verdict}" for verdict in _MARKS if count[verdict]) + f" of {len(checks)} checks"


def _about(facts: NodeFacts) -> Iterator[str]:
    daemon, host = facts.daemon, facts.host
    running = f"process {daemon.pid}" if daemon.pid else "does not run"
    unit = f", {daemon.unit}" if daemon.unit else ""
    version = daemon.version or "of unknown version"
    yield f"node {facts.name}: {daemon.kind} {version} ({daemon.flavour}), {running}{unit}"
    yield f"  socket {daemon.socket}; configuration {daemon.config_file}"
    if isinstance(facts.configuration, Unseen):
        yield f"  configuration could not be looked at: {facts.configuration.reason}"
    else:
        yield f"  {_configuration(facts.configuration.value)}"
    lsms = ", ".join(host.lsms) or "none"
    yield f"  kernel {host.kernel}; cgroups {host.cgroups}; LSMs {lsms}; seccomp {_yes(host.seccomp)}"
    kvm = f"KVM {_yes(host.kvm is not None)}{f' (nested {host.nested})' if host.nested else ''}"
    machine = "in a virtual machine" if host.virtual_machine else "on bare metal"
    tee = ", ".join(host.tee) or "none"
    yield f"  {machine}; {kvm}; memory encryption {tee}; user namespaces {host.max_user_namespaces}"


def _configuration(found: Configuration) -> str:
    version = f"version {found.version}" if found.version else "no version"
    imports = f"{len(found.imports)} imported" if found.imports else "nothing imported"
    return (
        f"{version}, {imports}, as told by {found.said_by}; default handler {found.settings.default_handler or 'none'}"
    )


def _handlers(handlers: Sequence[NodeHandler]) -> Iterator[str]:
    if not handlers:
        yield "no handlers are known"
        return
    rows = [("HANDLER", "BOUNDARY", "RUNTIME", "VERSION", "STARTS"), *(_row(each) for each in handlers)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(handler: NodeHandler) -> tuple[str, str, str, str, str]:
    found = handler.program or handler.shim
    starts = " → ".join(each.path for each in (handler.shim, handler.program) if each)
    if handler.missing:
        starts = f"{starts} missing: {', '.join(handler.missing)}".strip()
    if handler.ignored:
        starts = f"{starts} ignored: {handler.ignored}"
    return (
        handler.name,
        str(handler.boundary),
        handler.runtime or "unknown",
        found.version if found else "",
        starts,
    )


def _failed(each: Checked) -> Iterator[str]:
    yield ""
    yield f"{_MARKS[each.verdict]}  {each.id} {each.title}"
    yield from (f"    {line}" for line in each.evidence[:_SHOWN])
    if len(each.evidence) > _SHOWN:
        yield f"    and {len(each.evidence) - _SHOWN} more (-o json has all)"
    yield f"    → {each.fix}"


def _not_looked_at(checks: Sequence[Checked]) -> Iterator[str]:
    """What could not be looked at, by reason: one missing kubelet is one line, not thirteen."""
    ids: dict[tuple[str, ...], list[str]] = {}
    for each in checks:
        if each.verdict is Verdict.COULD_NOT_LOOK:
            ids.setdefault(each.evidence, []).append(each.id)
    for evidence, found in ids.items():
        yield ""
        yield f"{_MARKS[Verdict.COULD_NOT_LOOK]}  {', '.join(found)}"
        yield from (f"    {line}" for line in evidence)


def _runtime(facts: NodeFacts) -> dict[str, object]:
    daemon = facts.daemon
    found: dict[str, object] = {
        "kind": daemon.kind,
        "flavour": daemon.flavour,
        "version": daemon.version,
        "binary": daemon.binary,
        "pid": daemon.pid,
        "unit": daemon.unit,
        "socket": daemon.socket,
        "config": daemon.config_file,
    }
    if isinstance(facts.configuration, Unseen):
        return found | {"unseen": facts.configuration.reason}
    return found | _known(facts.configuration)


def _known(configuration: Seen[Configuration]) -> dict[str, object]:
    found = configuration.value
    return {
        "configVersion": found.version,
        "saidBy": found.said_by,
        "imports": msgspec.to_builtins(found.imports),
        "unread": list(found.unread),
        "defaultHandler": found.settings.default_handler,
        "settings": msgspec.to_builtins(found.settings),
    }


def _handler(handler: NodeHandler) -> dict[str, object]:
    return {
        "name": handler.name,
        "runtimeType": handler.runtime_type,
        "runtime": handler.runtime,
        "boundary": str(handler.boundary),
        "namedBoundary": str(handler.named_boundary),
        "shim": handler.shim.path if handler.shim else "",
        "program": handler.program.path if handler.program else "",
        "version": (handler.program or handler.shim or Program(name="", path="")).version,
        "config": handler.config_path,
        "missing": list(handler.missing),
        "ignored": handler.ignored,
        "features": None if handler.features is None else list(handler.features),
    }


def _program(program: Program) -> dict[str, object]:
    return {
        "name": program.name,
        "path": program.path,
        "component": program.component,
        "version": program.version,
        "sha256": program.sha256,
        "knownBad": list(program.known_bad),
    }


def _yes(found: bool) -> str:
    return "yes" if found else "no"
