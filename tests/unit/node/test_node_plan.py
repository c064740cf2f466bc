"""Where and how a handler is written, in each schema version and distribution."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from casemate.catalogue import runtimes
from casemate.errors import RefusedError
from casemate.model.node import Daemon, Toml
from casemate.model.node_plan import FileChange
from casemate.node import containerd, crio, crio_tree, layouts, plan, tree
from casemate.node.document import at
from casemate.node.handlers import Wanted, crio_rows, rows
from casemate.node.tree import Source, Tree

CONTAINERD = layouts.named("containerd")
ROOT = "/etc/containerd/config.toml"
CRUN = Wanted(row=rows()["crun"], program="/usr/bin/crun", systemd_cgroup=True)
RUNSC = Wanted(
    row=rows()["runsc"], shim="/b/containerd-shim-runsc-v1", program="/b/runsc", config="/etc/containerd/runsc.toml"
)
FIRECRACKER = Wanted(row=rows()["kata-fc"], shim="/opt/kata/bin/containerd-shim-kata-v2", config="/fc.toml")
RUNC = {"runc": {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": True, "BinaryName": ""}}}


def source(text: str | None, path: str = ROOT, pattern: str = "") -> Source:
    return Source(path, text, tomllib.loads(text or ""), pattern)


def of(text: str | None, *imports: Source, patterns: tuple[str, ...] = ()) -> Tree:
    return Tree(source(text), imports, patterns)


def decided(
    found: Tree, major: int, *wanted: Wanted, layout: str = "containerd", **texts: str
) -> tuple[FileChange, ...]:
    there = {path.replace("_", "/"): text for path, text in texts.items()}
    return plan.decide(found, layouts.named(layout), major, RUNC, wanted or (CRUN,), there)  # type: ignore[arg-type]


def handler(change: FileChange, version: int, name: str = "crun") -> object:
    return containerd.runtimes(version, tomllib.loads(change.after))[name]


def test_every_handler_names_a_runtime_of_the_catalogue() -> None:
    known = runtimes.load()
    assert [row.name for row in rows().values() if known.of_handler(row.name) is None] == []


@pytest.mark.parametrize("version", [3, 4])
def test_a_drop_in_has_the_roots_version_and_never_a_higher_one(version: int) -> None:
    pattern = "/etc/containerd/conf.d/*.toml"
    (change,) = decided(of(f'version = {version}\nimports = ["{pattern}"]', patterns=(pattern,)), 2)
    assert change.path == "/etc/containerd/conf.d/50-casemate.toml"
    assert tomllib.loads(change.after)["version"] == version
    assert handler(change, version) == {
        "runtime_type": "io.containerd.runc.v2",
        "options": {"BinaryName": "/usr/bin/crun", "SystemdCgroup": True},
    }


def test_containerd_1_gets_no_drop_in_because_it_would_replace_the_plugin() -> None:
    pattern = "/etc/containerd/conf.d/*.toml"
    (change,) = decided(of(f'version = 2\nimports = ["{pattern}"]', patterns=(pattern,)), 1)
    assert change.path == ROOT


def test_containerd_1_is_changed_in_the_import_that_replaces_the_plugin() -> None:
    last = source('[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "x"', "/etc/containerd/conf.d/z.toml", "*")
    (change,) = decided(of("version = 2", last), 1)
    assert change.path == "/etc/containerd/conf.d/z.toml"


def test_the_handler_that_containerd_1_has_built_in_is_written_along() -> None:
    (change,) = decided(of("version = 2"), 1)
    assert handler(change, 2, "runc") == {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": True}}


def test_a_handler_that_the_file_names_itself_is_not_written_again() -> None:
    table = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]'
    text = f'version = 2\n{table}\nruntime_type = "io.containerd.runc.v2"'
    (change,) = decided(of(text), 1)
    assert change.after.count("runtimes.runc]") == 1


def test_without_a_file_one_is_made_of_the_version_that_the_runtime_has_always_had() -> None:
    assert tomllib.loads(decided(of(None), 1)[0].after)["version"] == 2
    assert tomllib.loads(decided(of(None), 2)[0].after)["version"] == 3


def test_an_import_of_one_file_is_no_folder_for_drop_ins() -> None:
    (change,) = decided(of('version = 3\nimports = ["/etc/x.toml"]', patterns=("/etc/x.toml",)), 2)
    assert change.path == ROOT


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (of('version = 3\nimports = ["/gone.toml"]', source(None, "/gone.toml")), "not there"),
        (of('[plugins.cri]\nsandbox_image = "x"'), "schema version 1"),
    ],
)
def test_a_tree_that_the_runtime_would_not_start_with_is_refused(found: Tree, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        plan.check(found)


def test_gvisors_options_come_before_the_configuration_that_names_them() -> None:
    options, change = decided(of("version = 3"), 2, RUNSC)
    assert options.path == "/etc/containerd/runsc.toml"
    assert tomllib.loads(options.after) == {"binary_name": "/b/runsc"}
    assert handler(change, 3, "runsc") == {
        "runtime_type": "io.containerd.runsc.v1",
        "runtime_path": "/b/containerd-shim-runsc-v1",
        "privileged_without_host_devices": True,
        "options": {"TypeUrl": "io.containerd.runsc.v1.options", "ConfigPath": "/etc/containerd/runsc.toml"},
    }


@pytest.mark.parametrize(("version", "places"), [(2, 1), (3, 2), (4, 2)])
def test_a_handlers_own_snapshotter_stands_where_each_version_looks(version: int, places: int) -> None:
    text = containerd.drop_in(version, containerd.tables(version, [FIRECRACKER]))
    assert text.count('snapshotter = "devmapper"') == places


@pytest.mark.parametrize(
    ("layout", "version", "path"),
    [
        ("k3s", 2, "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl"),
        ("k3s", 3, "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl"),
        ("rke2", 3, "/var/lib/rancher/rke2/agent/etc/containerd/config-v3.toml.tmpl"),
        ("microk8s", 2, "/var/snap/microk8s/current/args/containerd-template.toml"),
        ("k0s", 3, "/etc/k0s/containerd.d/50-casemate.toml"),
    ],
)
def test_a_generated_configuration_is_changed_where_it_comes_from(layout: str, version: int, path: str) -> None:
    (change,) = decided(of(f"version = {version}"), 1 if version == 2 else 2, layout=layout)
    assert change.path == path


def test_a_new_template_of_k3s_begins_with_its_own() -> None:
    (change,) = decided(of("version = 3"), 2, layout="k3s")
    assert change.after.startswith('{{ template "base" . }}\n')


def test_k3s_takes_a_drop_in_where_its_file_imports_them() -> None:
    pattern = "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/*.toml"
    (change,) = decided(of(f'version = 3\nimports = ["{pattern}"]', patterns=(pattern,)), 2, layout="k3s")
    assert change.path == "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/50-casemate.toml"


@pytest.mark.parametrize(
    ("table", "there"),
    [
        ({"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "/usr/bin/crun"}}, True),
        ({"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "crun"}}, True),
        ({"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "/usr/sbin/runc"}}, None),
        ({"runtime_type": "io.containerd.runc.v2"}, None),
    ],
)
def test_a_handler_that_is_there_must_start_the_same_program(table: dict[str, object], there: bool | None) -> None:
    if there is None:
        with pytest.raises(RefusedError, match="starts something else"):
            plan.is_there(CRUN, {"crun": table})
    else:
        assert plan.is_there(CRUN, {"crun": table}) is there


def test_nothing_is_planned_for_what_is_there() -> None:
    there = {"crun": {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "/usr/bin/crun"}}}
    assert plan.decide(of("version = 3"), CONTAINERD, 2, there, [CRUN], {}) == ()


CONMON = {"runtime_path": "/usr/libexec/crio/runc", "monitor_path": "/usr/libexec/crio/conmon"}


def test_crio_gets_a_drop_in_that_it_reads_last() -> None:
    _, change = plan.decide_crio("/etc/crio/crio.conf.d", "1.37.0", CONMON, {}, [CRUN, RUNSC], {})
    assert change.path == "/etc/crio/crio.conf.d/99-casemate.conf"
    assert crio.runtimes(tomllib.loads(change.after)) == {
        "crun": {
            "runtime_path": "/usr/bin/crun",
            "runtime_type": "oci",
            "runtime_root": "/run/crun",
            "monitor_path": "/usr/libexec/crio/conmon",
        },
        "runsc": {
            "runtime_path": "/b/containerd-shim-runsc-v1",
            "runtime_type": "vm",
            "runtime_root": "/run/runsc",
            "runtime_config_path": "/etc/containerd/runsc.toml",
            "privileged_without_host_devices": True,
        },
    }


@pytest.mark.parametrize("version", ["1.36.3", "1.30.0", "", "1.37.0-rc.1"])
def test_gvisor_is_refused_on_a_crio_that_would_ignore_it(version: str) -> None:
    with pytest.raises(RefusedError, match=r"CRI-O cannot start handler runsc.*ignores gVisor's shim"):
        crio.table(RUNSC, {}, version)


def test_crio_keeps_the_handlers_that_were_added_before() -> None:
    before = crio.drop_in([CRUN], {}, "1.36.3")
    after = crio.drop_in([CRUN, FIRECRACKER], {}, "1.36.3", before)
    assert after.startswith(before)
    assert set(crio.runtimes(tomllib.loads(after))) == {"crun", "kata-fc"}


def test_crio_has_no_handler_for_a_shim_of_wasm() -> None:
    assert set(rows()) - set(crio_rows()) == {name for name, row in rows().items() if row.wasm}
    with pytest.raises(RefusedError, match="CRI-O cannot start"):
        crio.table(Wanted(row=rows()["wasmtime"], shim="/usr/bin/containerd-shim-wasmtime-v1"), {}, "1.36.3")


@pytest.mark.parametrize(
    ("table", "there"),
    [
        ({"runtime_type": "oci", "runtime_path": "/usr/bin/crun"}, True),
        ({"runtime_path": "/usr/bin/crun"}, True),
        ({"runtime_path": "/usr/libexec/crio/crun"}, None),
        ({"runtime_type": "vm", "runtime_path": "/usr/bin/crun"}, None),
        ({"runtime_path": ""}, None),
    ],
)
def test_a_handler_of_crio_that_is_there_must_start_the_same_program(table: Toml, there: bool | None) -> None:
    if there is None:
        with pytest.raises(RefusedError, match="starts something else"):
            crio.is_there(CRUN, {"crun": table})
    else:
        assert crio.is_there(CRUN, {"crun": table}) is there


def test_crios_later_files_win() -> None:
    first = {"crio": {"runtime": {"default_runtime": "runc", "runtimes": {"runc": {"runtime_path": "/a"}}}}}
    later = {"crio": {"runtime": {"default_runtime": "crun", "runtimes": {"crun": {"runtime_path": "/b"}}}}}
    found = crio.merge([first, later])
    assert crio.default_runtime(found) == "crun"
    assert set(crio.runtimes(found)) == {"runc", "crun"}


def test_a_later_table_of_a_handler_replaces_the_earlier_one() -> None:
    strict = {"runtime_path": "/k", "privileged_without_host_devices": True}
    first: Toml = {"crio": {"runtime": {"runtimes": {"kata": strict, "runc": {"runtime_path": "/r"}}}}}
    later: Toml = {"crio": {"runtime": {"runtimes": {"kata": {"runtime_path": "/other"}}}}}
    found = crio.runtimes(crio.merge([first, later]))
    assert found == {"kata": {"runtime_path": "/other"}, "runc": {"runtime_path": "/r"}}
    assert crio.runtimes(first)["kata"] == strict


def test_crios_program_without_a_path_is_found_by_the_handlers_name(tmp_path: Path) -> None:
    (tmp_path / "crun").touch()
    config: Toml = {"crio": {"runtime": {"runtimes": {"crun": {"runtime_path": ""}, "gone": {}}}}}
    found = crio_tree.handlers(config, [str(tmp_path)])
    assert {name: each["runtime_path"] for name, each in found.items()} == {"crun": f"{tmp_path}/crun", "gone": ""}


def test_imports_are_merged_as_each_major_version_does(tmp_path: Path) -> None:
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    text = f'imports = ["{tmp_path}/conf.d/*.toml"]\n{cri}]\nsandbox_image = "x"\n'
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text(f'{cri}.containerd.runtimes.crun]\nruntime_type = "t"\n')
    old, new = (tree.merge(tree.read(tmp_path / "config.toml", major), major) for major in (1, 2))
    assert "sandbox_image" not in at(old, ("plugins", containerd.CRI_2))
    assert at(new, ("plugins", containerd.CRI_2))["sandbox_image"] == "x"
    assert "containerd" in at(new, ("plugins", containerd.CRI_2))


def test_a_relative_pattern_is_the_files_from_containerd_2_on(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('imports = ["conf.d/*.toml"]')
    assert tree.read(tmp_path / "config.toml", 1).patterns == ("/conf.d/*.toml",)
    assert tree.read(tmp_path / "config.toml", 2).patterns == (f"{tmp_path}/conf.d/*.toml",)


def test_an_import_without_a_file_is_dangling_and_a_pattern_is_not(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('imports = ["gone.toml", "none.d/*.toml"]')
    found = tree.read(tmp_path / "config.toml", 2)
    assert [each.path for each in found.dangling] == [str(tmp_path / "gone.toml")]


def test_imports_of_imports_come_after_all_others(tmp_path: Path) -> None:
    for name, imports in (("config", '"a.toml", "b.toml"'), ("a", '"c.toml"'), ("b", ""), ("c", '"config.toml"')):
        (tmp_path / f"{name}.toml").write_text(f"imports = [{imports}]")
    found = tree.read(tmp_path / "config.toml", 1)
    assert [Path(each.path).name for each in found.imports] == ["a.toml", "b.toml", "c.toml"]


def of_crio(folder: Path) -> Daemon:
    (folder / "crio.conf.d").mkdir()
    drop_ins = f"{folder}/crio.conf.d"
    return Daemon(kind="crio", flavour="crio", socket="", config_file=f"{folder}/crio.conf", drop_ins=drop_ins)


def test_crios_effective_configuration_is_as_planned(tmp_path: Path) -> None:
    daemon = of_crio(tmp_path)
    (tmp_path / "crio.conf").write_text('[crio.runtime]\ndefault_runtime = "runc"\n')
    (tmp_path / "crio.conf.d" / "10-own.conf").write_text('[crio.runtime.runtimes.runc]\nruntime_path = "/r/runc"\n')
    before, text = crio_tree.read(daemon), crio.drop_in([CRUN], {}, "1.36.3")
    change = FileChange(path=f"{daemon.drop_ins}/{crio.DROP_IN}", before=None, after=text, why="")
    planned = crio_tree.with_changes(before, [change], daemon.drop_ins)
    Path(change.path).write_text(change.after)
    assert crio_tree.read(daemon) == planned
    assert set(crio.runtimes(planned)) == {"runc", "crun"}
    assert crio.default_runtime(planned) == "runc"


def test_crio_reads_folders_in_its_folder_too(tmp_path: Path) -> None:
    daemon = of_crio(tmp_path)
    for name in ("50-b.conf", "10.d/z.conf", "10-a.conf"):
        file = Path(daemon.drop_ins, name)
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert [each.name for each in crio_tree.files(daemon)] == ["10-a.conf", "z.conf", "50-b.conf"]
