"""Make the plan of an apply: read what is there, decide, and have the runtime itself try the result out.

1. What is there must be a configuration that the runtime starts with; else nothing is planned on top of it.
2. The planned files are laid out in a folder of their own and dumped by the runtime: what changes between the two dumps
   is exactly the wanted handlers. Anything else (a setting lost in a merge, a table that is not read) is refused.
3. The configuration that others wrote meanwhile is noticed at the time of writing (`apply`), by its digest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from casemate.errors import InputError, MissingError, RefusedError
from casemate.model.node import Daemon, Toml
from casemate.model.node_plan import FileChange, Plan
from casemate.node import containerd, crio, crio_tree, daemon, effective, handlers, layouts, plan, tree
from casemate.node.daemon import Where
from casemate.node.document import merged
from casemate.node.handlers import Wanted

_DEFAULT = "there is no configuration file"


@dataclass(frozen=True)
class Prepared:
    """A plan with the effective configuration before and after it."""

    plan: Plan
    daemon: Daemon
    before: Toml
    after: Toml


def prepare(where: Where, names: Sequence[str]) -> Prepared:
    """The plan for these handlers, or for all whose files are there. Nothing is written that the runtime reads."""
    found = daemon.find(where)
    known = handlers.crio_rows() if found.kind == "crio" else handlers.rows()
    chosen = tuple(names) or handlers.present(known, found.search_path)
    if not chosen:
        raise MissingError(
            "no runtime that casemate can prepare is on this node", fix="install one, such as crun or runsc"
        )
    if not found.binary and found.kind == "containerd":
        raise MissingError("the runtime's own program was not found: a plan could not be checked", where=found.socket)
    return _crio(found, where, chosen) if found.kind == "crio" else _containerd(found, where, chosen)


def _containerd(found: Daemon, where: Where, names: Sequence[str]) -> Prepared:
    file = Path(os.path.realpath(found.config_file))  # A loop of links is told by who reads it.
    files = tree.read(file, major(found))
    plan.check(files)
    before = effective.without_imports(effective.dump(found.binary, str(file)))
    there = effective.runtimes(before)
    wanted = handlers.find(
        names,
        handlers.rows(),
        found.search_path,
        str(file.parent),
        systemd_cgroup=effective.systemd_cgroup(before),
    )
    layout = layouts.named(found.flavour)
    changes = plan.decide(files, layout, major(found), there, wanted, _texts(files, layout, wanted))
    after = _tried(found, files, changes, layout) if changes else before
    new = {each.name for each in wanted if each.name not in there}
    _check(
        without_handlers(before, new),
        without_handlers(after, new),
        missing=[name for name in new if name not in effective.runtimes(after)],
    )
    return Prepared(_plan(found, where, changes, wanted, there), found, before, after)


def _crio(found: Daemon, where: Where, names: Sequence[str]) -> Prepared:
    before = effective.crio_dump(found) if found.binary else crio_tree.read(found)
    there = crio_tree.handlers(before, found.search_path)
    wanted = handlers.find(
        names,
        handlers.crio_rows(),
        found.search_path,
        str(Path(found.config_file).parent),
        systemd_cgroup=crio_tree.systemd_cgroup(before),
    )
    default = there.get(crio.default_runtime(before), {})
    places = [f"{found.drop_ins}/{crio.DROP_IN}", *(each.config for each in wanted if each.row.written)]
    texts = {place: _text(Path(place)) for place in places}
    changes = plan.decide_crio(found.drop_ins, found.version, default, there, wanted, texts)
    after = _tried_crio(found, before, changes)
    new = {each.name for each in wanted if each.name not in there}
    _check(
        crio.without_handlers(before, new),
        crio.without_handlers(after, new),
        missing=[name for name in new if name not in crio.runtimes(after)],
    )
    return Prepared(_plan(found, where, changes, wanted, there), found, before, after)


def _tried_crio(found: Daemon, before: Toml, changes: Sequence[FileChange]) -> Toml:
    """What CRI-O says of its drop-ins as they will be (rule 2); without its program, what casemate makes of them."""
    if not changes or not found.binary:
        return crio_tree.with_changes(before, changes, found.drop_ins)
    with tempfile.TemporaryDirectory(prefix="casemate-plan-") as folder:
        copy = Path(folder, "drop-ins")
        if Path(found.drop_ins).is_dir():
            shutil.copytree(found.drop_ins, copy)
        copy.mkdir(exist_ok=True)
        for change in (each for each in changes if Path(each.path).parent == Path(found.drop_ins)):
            (copy / Path(change.path).name).write_text(change.after, encoding="utf-8")
        return effective.crio_dump(found, str(copy))


def major(found: Daemon) -> int:
    """The runtime's major version. Raises `MissingError` when it does not tell."""
    number = found.version.partition(".")[0]
    if not number.isdecimal():
        raise MissingError("the runtime does not tell its version", where=found.binary)
    return int(number)


def _plan(
    found: Daemon, where: Where, changes: tuple[FileChange, ...], wanted: Sequence[Wanted], there: Collection[str]
) -> Plan:
    is_made = any(each.path == found.config_file and each.before is None for each in changes)
    notes = [] if not is_made else [f"{_DEFAULT}: {found.config_file} is made"]
    return Plan(
        config_file=found.config_file,
        socket=found.socket,
        changes=changes,
        handlers=plan.planned(wanted, there),
        restart=daemon.restart_of(found, where),
        notes=tuple(notes),
    )


def _texts(files: tree.Tree, layout: layouts.Layout, wanted: Sequence[Wanted]) -> dict[str, str | None]:
    """What is at the places that a plan may write to, beside the tree's own files."""
    places = [each.config for each in wanted if each.row.written]
    places += [str(Path(pattern).parent / plan.DROP_IN) for pattern in files.patterns]
    places += [*layout.template.values()]
    places += [f"{layout.drop_ins}/{plan.DROP_IN}"] if layout.drop_ins else []
    return {place: _text(Path(place)) for place in places}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None


def _tried(found: Daemon, files: tree.Tree, changes: Sequence[FileChange], layout: layouts.Layout) -> Toml:
    """The dump of the configuration as it will be (rule 2)."""
    with tempfile.TemporaryDirectory(prefix="casemate-plan-") as folder:
        root = Path(folder, "config.toml")
        texts = {change.path: change.after for change in changes}
        tables = _generated(changes, layout)
        root.write_text(_root(files, texts, Path(folder)) + tables, encoding="utf-8")
        return effective.without_imports(effective.dump(found.binary, str(root)))


def _generated(changes: Sequence[FileChange], layout: layouts.Layout) -> str:
    """What a template, or a folder that the runtime reads by itself, adds to the root file."""
    made = {*layout.template.values(), *([f"{layout.drop_ins}/{plan.DROP_IN}"] if layout.drop_ins else [])}
    texts = (change.after.rpartition(containerd.MARK)[2] for change in changes if change.path in made)
    return "".join("\n".join(line for line in text.split("\n") if not line.startswith("version =")) for text in texts)


def _root(files: tree.Tree, texts: Mapping[str, str], folder: Path) -> str:
    """The root file with its imports named one by one, each changed one being a copy (sorted as it will be)."""
    text = texts.get(files.root.path, files.root.text) or ""
    if not files.patterns:
        return text
    paths = [each.path for each in files.imports]
    for path in texts:
        places = [index for index, each in enumerate(paths) if Path(each).parent == Path(path).parent]
        if path not in paths and any(Path(path).match(pattern) for pattern in files.patterns):
            after = [index + 1 for index in places if paths[index] < path]
            paths.insert(max(after, default=min(places, default=len(paths))), path)
    return _with_imports(text, [_copied(path, texts, folder) for path in paths])


def _copied(path: str, texts: Mapping[str, str], folder: Path) -> str:
    if path not in texts:
        return path
    copy = folder / f"{len(list(folder.iterdir()))}.toml"
    copy.write_text(texts[path], encoding="utf-8")
    return str(copy)


def _with_imports(text: str, paths: Sequence[str]) -> str:
    document = tomlkit.parse(text)
    document["imports"] = list(paths)
    return tomlkit.dumps(document)


def _check(before: Toml, after: Toml, missing: Sequence[str]) -> None:
    """Only the wanted handlers may differ between the two dumps, which are here without them; none may be `missing`."""
    if missing:
        raise RefusedError(
            f"the runtime does not read the planned change: {', '.join(sorted(missing))} would not be there",
            fix="casemate node doctor shows which files it reads",
        )
    if before != after:
        raise RefusedError(
            "the planned change would also change other settings of the runtime",
            fix="its files have different schema versions: make them equal (containerd config migrate)",
        )


def without_handlers(config: Toml, names: set[str]) -> Toml:
    """A dump without these handlers, nor what the version of its file may be."""
    result = merged(config, {})
    for path in (
        ("plugins", containerd.CRI_2, "containerd", "runtimes"),
        ("plugins", containerd.RUNTIME_3, "containerd", "runtimes"),
        ("plugins", containerd.IMAGES_3, "runtime_platforms"),
    ):
        _drop(result, path, names)
    return result


def _drop(table: Toml, path: Sequence[str], names: set[str]) -> None:
    """Remove entries of the table at `path`, empty values of the others, and the table when it had no others."""
    chain: list[Toml] = [table]
    for step in path:
        found = chain[-1].get(step)
        if not isinstance(found, dict):
            return
        chain[-1][step] = found = dict(found)
        chain.append(found)
    kept = {name: _without_empty(each) for name, each in chain[-1].items() if name not in names}
    if kept:
        chain[-2][path[-1]] = kept
    else:
        chain[-2].pop(path[-1])


def _without_empty(value: object) -> object:
    """A dump fills in the defaults of options only where a file does not name them: empty is as not there."""
    if not isinstance(value, dict):
        return value
    pruned = {key: _without_empty(each) for key, each in value.items()}
    return {key: each for key, each in pruned.items() if each}
