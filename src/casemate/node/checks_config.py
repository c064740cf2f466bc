"""The configuration as a whole: its files, its data, its history, and the cluster's classes."""

from __future__ import annotations

from typing import Final

from casemate.model.node import Configuration, NodeFacts
from casemate.node.judge import Judged, configured, holds, none_of, not_applicable, seen, settings

_AUDITED: Final = ("/etc/containerd", "/var/lib/containerd", "/usr/bin/containerd")


def cri_enabled(facts: NodeFacts) -> Judged:
    """The plugin that the kubelet speaks to."""
    return settings(facts, lambda each: holds(each.cri_enabled, "disabled_plugins has the CRI plugin"))


def no_dangling_imports(facts: NodeFacts) -> Judged:
    """Imported files that are not there."""
    return configured(
        facts, lambda each: none_of(f"{file.path} is not there" for file in each.imports if not file.exists)
    )


def versions_equal(facts: NodeFacts) -> Judged:
    """Schema versions of all files."""

    def judge(each: Configuration) -> Judged:
        there = [file for file in each.imports if file.exists]
        if facts.daemon.kind != "containerd" or not there:
            return not_applicable("there are no drop-ins")
        return none_of(
            f"{file.path} has version {file.version or 1}, the root file {each.version or 1}"
            for file in there
            if (file.version or 1) != (each.version or 1)
        )

    return configured(facts, judge)


def no_unread_drop_ins(facts: NodeFacts) -> Judged:
    """Files that look like drop-ins."""
    return configured(facts, lambda each: none_of(f"{path} is not imported" for path in each.unread))


def imports_by_pattern(facts: NodeFacts) -> Judged:
    """How drop-ins are named."""

    def judge(each: Configuration) -> Judged:
        if not each.imports:
            return not_applicable("nothing is imported")
        return none_of(f"{file.pattern} is one file" for file in each.imports if not file.is_glob)

    return configured(facts, judge)


def files_unchanged(facts: NodeFacts) -> Judged:
    """Digests against the journal."""
    if facts.prepared is None:
        return not_applicable("casemate wrote nothing here")
    changed = [path for path, digest in facts.prepared.files.items() if facts.digests.get(path) != digest]
    return none_of(f"{path} was changed since casemate wrote it" for path in changed)


def root_filesystem(facts: NodeFacts) -> Judged:
    """A filesystem of the runtime's own."""
    return seen(
        facts.root_filesystem_shared, lambda shared: holds(not shared, "its root is on the node's own filesystem")
    )


def audited(facts: NodeFacts) -> Judged:
    """Audit rules for what decides over containers."""
    own = (facts.daemon.config_file, facts.daemon.binary)
    wanted = [each for each in own if each] or list(_AUDITED)
    return seen(
        facts.audit_rules,
        lambda rules: none_of(f"no audit rule covers {path}" for path in wanted if not _covered(path, rules)),
    )


def no_left_overs(facts: NodeFacts) -> Judged:
    """What still needs Docker."""
    if not facts.left_overs:
        return seen(facts.kubelet, lambda _: none_of(()))
    return none_of(f"{where}: {what}" for where, what, _, _ in facts.left_overs)


def classes_served(facts: NodeFacts) -> Judged:
    """RuntimeClasses whose handler this node lacks, and which may schedule Pods here."""
    names = {each.name for each in facts.handlers}
    return seen(
        facts.classes,
        lambda classes: none_of(
            f"RuntimeClass {each.name} names handler {each.handler}, which is not here"
            for each in classes
            if each.handler not in names and not each.selects
        ),
    )


def handlers_classed(facts: NodeFacts) -> Judged:
    """Handlers that no class names."""

    def judge(config: Configuration) -> Judged:
        others = [each.name for each in facts.handlers if each.name != config.settings.default_handler]
        return seen(
            facts.classes,
            lambda classes: none_of(
                f"no RuntimeClass names handler {name}" for name in others if name not in {c.handler for c in classes}
            ),
        )

    return configured(facts, judge)


def _covered(path: str, rules: str) -> bool:
    """Whether a watch (`-w PATH`, `-F path=`, `-F dir=`) is on the path or on a folder above it."""
    parts = path.split("/")
    places = {"/".join(parts[:end]) for end in range(2, len(parts) + 1)}
    words = (word.removeprefix("path=").removeprefix("dir=").rstrip("/") for word in rules.split())
    return any(word in places for word in words)
