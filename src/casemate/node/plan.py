"""What `node apply` will change. Pure: `prepare` reads what is there and tries the plan out.

Rules (containerd#12891 and #13939 on versions, #12323 on conf.d; NVIDIA/gpu-operator#301 on imports of 1.x):

1. A drop-in only where it is really read: a folder that the root file imports by a pattern (containerd 2), or that the
   runtime reads by itself (CRI-O, k0s). Its version is the root's, never another.
2. Else the smallest edit of the file that has the handlers: the root; with containerd 1.x the last import that names
   the CRI plugin, since it replaces what the root says of it. A file that is generated is changed in its template.
3. Without a root file containerd reads no drop-in: one is made, of the version that this containerd has had since its
   first release (2 for 1.x, 3 for 2.x).
4. A handler that is there and starts the same program stays as it is. One that starts another program is refused.
5. A tree that the runtime would not start with (a dangling import, schema version 1) is refused as it is.
6. Supporting files come before the configuration that names them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from casemate.errors import RefusedError
from casemate.model.node import Toml
from casemate.model.node_plan import FileChange, PlannedHandler
from casemate.node import containerd, crio
from casemate.node.containerd import MARK, Tables, added, block, drop_in, plugin
from casemate.node.document import at
from casemate.node.handlers import Wanted
from casemate.node.layouts import Layout
from casemate.node.tree import Source, Tree

Texts: TypeAlias = dict[str, str | None]
"""What is in files that may be written; None where there is none."""

DROP_IN: Final = "50-casemate.toml"
_BASE: Final = '{{ template "base" . }}\n'


def decide(
    tree: Tree,
    layout: Layout,
    major: int,
    there: dict[str, Toml],
    wanted: Sequence[Wanted],
    texts: Texts,
) -> tuple[FileChange, ...]:
    """The changes for these handlers. `there` are the effective tables of handlers, `texts` the files that may be
    written beside the tree's own (None: not there). Raises `RefusedError` (rule 4)."""
    new = tuple(each for each in wanted if not is_there(each, there))
    if not new:
        return ()
    return (*_supporting(new, texts), _configured(tree, layout, major, new, texts, there))


def decide_crio(
    drop_ins: str, version: str, default: Toml, there: dict[str, Toml], wanted: Sequence[Wanted], texts: Texts
) -> tuple[FileChange, ...]:
    """The same for CRI-O of that version, in its folder of drop-ins; `default` is the default handler's table."""
    new = [each for each in wanted if not crio.is_there(each, there)]
    if not new:
        return ()
    path = f"{drop_ins}/{crio.DROP_IN}"
    before, names = texts.get(path), ", ".join(each.name for each in new)
    change = _change(path, before, crio.drop_in(new, default, version, before), f"CRI-O reads it last: {names}")
    return (*_supporting(new, texts), change)


def planned(wanted: Sequence[Wanted], there: Collection[str]) -> tuple[PlannedHandler, ...]:
    """The handlers for the record; `there` are the names of those that are configured as wanted."""
    return tuple(
        PlannedHandler(
            name=each.name,
            runtime=each.row.runtime,
            class_name=each.row.class_name,
            there=each.name in there,
            programs=each.programs,
        )
        for each in wanted
    )


def is_there(wanted: Wanted, there: dict[str, Toml]) -> bool:
    """Whether the handler is configured as wanted. Raises `RefusedError` when it starts something else (rule 4)."""
    table = there.get(wanted.name)
    if table is None:
        return False
    kind, starts = _starts(table, wanted)
    mine = wanted.shim or wanted.program
    by_name = starts == "" and bool(wanted.shim or wanted.name == "runc")
    if kind == wanted.row.type and (by_name or starts == mine or starts == PurePosixPath(mine).name):
        return True
    raise RefusedError(
        f"handler {wanted.name!r} is configured already, and starts something else: {kind} {starts}, not {mine}",
        fix=f"remove it from the configuration, or leave out --handler {wanted.name}",
    )


def _starts(table: Toml, wanted: Wanted) -> tuple[str, str]:
    """A table's runtime type and the program that it names; a type that is a path names the shim."""
    kind = str(table.get("runtime_type") or "")
    program = table.get("runtime_path") or at(table, ("options",)).get("BinaryName") or ""
    return (wanted.row.type, kind) if kind.startswith("/") else (kind, str(program))


def check(tree: Tree) -> None:
    """Refuse files of containerd that it would not start with (rule 5). Raises `RefusedError`."""
    if tree.dangling:
        raise RefusedError(
            "an imported file is not there: the runtime would not start again",
            where=tree.dangling[0].path,
            fix="remove it from `imports`, or name it with a pattern",
        )
    if tree.root.text is not None and tree.root.version not in (2, 3, 4):
        version = tree.root.version or 1
        raise RefusedError(
            f"the configuration has schema version {version}, which containerd 2 only converts",
            where=tree.root.path,
            fix="containerd config migrate > config.new, check it, and put it in place",
        )


def _supporting(new: Sequence[Wanted], texts: Texts) -> Iterator[FileChange]:
    for each in new:
        path = each.config
        if each.row.written and texts.get(path) is None:
            why = f"handler {each.name}: its shim's configuration"
            yield FileChange(path=path, before=None, after=gvisor_options(each), why=why)


def gvisor_options(wanted: Wanted) -> str:
    """gVisor's shim options: every flag stays at its default, which is the strict one, but the cgroup driver."""
    systemd = '\n[runsc_config]\nsystemd-cgroup = "true"\n' if wanted.systemd_cgroup else ""
    return f'{MARK}\nbinary_name = "{wanted.program}"\n{systemd}'


def _configured(
    tree: Tree,
    layout: Layout,
    major: int,
    new: Sequence[Wanted],
    texts: Texts,
    there: dict[str, Toml],
) -> FileChange:
    names = ", ".join(each.name for each in new)
    version = tree.root.version or (2 if major < 2 else 3)
    tables = containerd.tables(version, new)
    folder = _drop_in_folder(tree, layout, major)
    if folder:
        path = f"{folder}/{DROP_IN}"
        before = texts.get(path)
        after = drop_in(version, tables) if before is None else added(before, tables, path)
        return _change(path, before, after, f"a drop-in that the configuration imports: {names}")
    template = layout.template.get(min(version, 3))
    if template:
        before = texts.get(template)
        return _change(template, before, _templated(before, tables), f"the template of a generated file: {names}")
    source = _holder(tree, major, version)
    if major < 2 and not containerd.runtimes(version, source.table):
        tables = (*containerd.carried(version, there), *tables)
    if source.text is None:
        return _change(source.path, None, drop_in(version, tables), f"there is no configuration file yet: {names}")
    return _change(
        source.path, source.text, added(source.text, tables, source.path), f"no drop-in is read here: {names}"
    )


def _change(path: str, before: str | None, after: str, why: str) -> FileChange:
    return FileChange(path=path, before=before, after=after, why=why)


def _templated(before: str | None, tables: Tables) -> str:
    """A template with the tables at its end: it is no TOML, so nothing else of it is read."""
    kept = _BASE if before is None else before.rstrip("\n") + "\n"
    return f"{kept}\n{MARK}\n{block(tables)}"


def _drop_in_folder(tree: Tree, layout: Layout, major: int) -> str:
    """The folder in which a drop-in of our name is read; empty when there is none."""
    if layout.drop_ins:
        return layout.drop_ins
    if major < 2 or tree.root.text is None:
        return ""
    folders = (PurePosixPath(each) for each in tree.patterns)
    return next((str(each.parent) for each in folders if fnmatchcase(DROP_IN, each.name) and _plain(each)), "")


def _plain(pattern: PurePosixPath) -> bool:
    """Whether a pattern names one folder, and matches files in it."""
    return not set("*?[") & set(str(pattern.parent)) and bool(set("*?[") & set(pattern.name))


def _holder(tree: Tree, major: int, version: int) -> Source:
    """The file whose table of the CRI plugin counts (rule 2)."""
    name = plugin(version)
    if major < 2:
        return next((each for each in reversed(tree.imports) if at(each.table, ("plugins",)).get(name)), tree.root)
    return tree.root
