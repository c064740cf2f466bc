"""containerd's configuration, read back as TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine.containerd.config import PAUSE_IMAGE, ContainerdConfig, RuntimeTable, render
from casemate.engine.paths import EnginePaths

BOOKWORM, FIRST_2, CURRENT = (1, 6, 20), (2, 0, 0), (2, 4, 2)
LAUNCHER = "/var/lib/casemate/e/runtimes/runsc/containerd-shim-runsc-v1"
RUNTIMES = (
    RuntimeTable("runc", options={"BinaryName": "/usr/sbin/runc"}),
    RuntimeTable("runsc", LAUNCHER),
    RuntimeTable("wasm", options={"BinaryName": "/wasm"}, container_annotations=("casemate.dev/wasm-listen",)),
)
CRI_1 = "io.containerd.grpc.v1.cri"
CRI_2_RUNTIME, CRI_2_IMAGES = "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"


def rendered(version: tuple[int, ...], *, can_lower: bool = False) -> dict[str, Any]:
    config = ContainerdConfig(EnginePaths("e"), RUNTIMES, "runc", Path("/usr/lib/cni"), can_lower)
    return tomllib.loads(render(version, config))


def cri(version: tuple[int, ...], **settings: bool) -> dict[str, Any]:
    plugins = rendered(version, **settings)["plugins"]
    return plugins[CRI_1] if version < (2,) else plugins[CRI_2_RUNTIME]


ALL = pytest.mark.parametrize("version", [BOOKWORM, FIRST_2, CURRENT])


@pytest.mark.parametrize(("version", "schema"), [(BOOKWORM, 2), ((1, 7, 27), 2), (FIRST_2, 3), (CURRENT, 3)])
def test_each_containerd_gets_the_schema_that_it_reads(version: tuple[int, ...], schema: int) -> None:
    assert rendered(version)["version"] == schema


@ALL
def test_nothing_is_shared_with_the_machines_containerd(version: tuple[int, ...]) -> None:
    config = rendered(version)
    assert config["root"] == "/var/lib/casemate/e/containerd"
    assert config["state"] == "/run/casemate/e/containerd"
    assert config["grpc"]["address"] == "/run/casemate/e/containerd.sock"
    assert "io.containerd.internal.v1.opt" in config["disabled_plugins"]
    assert cri(version)["cni"]["conf_dir"] == "/var/lib/casemate/e/cni"


def test_nri_is_off_where_it_would_be_on() -> None:
    assert rendered(CURRENT)["plugins"]["io.containerd.nri.v1.nri"] == {"disable": True}


@ALL
def test_a_pod_that_asks_for_no_seccomp_profile_gets_the_runtimes_default(version: tuple[int, ...]) -> None:
    assert cri(version)["unset_seccomp_profile"] == "runtime/default"


@ALL
@pytest.mark.parametrize("can_lower", [True, False])
def test_scores_are_clamped_where_they_cannot_be_lowered(version: tuple[int, ...], can_lower: bool) -> None:
    assert cri(version, can_lower=can_lower)["restrict_oom_score_adj"] is not can_lower


def test_the_pause_image_is_ours_in_either_schema() -> None:
    assert rendered(BOOKWORM)["plugins"][CRI_1]["sandbox_image"] == PAUSE_IMAGE
    assert rendered(CURRENT)["plugins"][CRI_2_IMAGES]["pinned_images"] == {"sandbox": PAUSE_IMAGE}


def test_registries_are_configured_by_folder() -> None:
    folder = "/var/lib/casemate/e/certs.d"
    assert rendered(BOOKWORM)["plugins"][CRI_1]["registry"]["config_path"] == folder
    assert rendered(CURRENT)["plugins"][CRI_2_IMAGES]["registry"]["config_path"] == folder


@pytest.mark.parametrize(
    ("version", "plugins"),
    [
        (BOOKWORM, {"bin_dir": "/usr/lib/cni"}),
        (FIRST_2, {"bin_dir": "/usr/lib/cni"}),
        ((2, 1, 0), {"bin_dirs": ["/usr/lib/cni"]}),
        (CURRENT, {"bin_dirs": ["/usr/lib/cni"]}),
    ],
)
def test_cni_plugins_are_named_as_that_version_wants_it(version: tuple[int, ...], plugins: dict[str, Any]) -> None:
    found = cri(version)["cni"]
    assert {key: found[key] for key in found if key.startswith("bin_")} == plugins


@ALL
def test_handlers_are_started_by_the_shim_that_they_name(version: tuple[int, ...]) -> None:
    runtimes = cri(version)["containerd"]["runtimes"]
    assert runtimes["runc"] == {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "/usr/sbin/runc"}}
    assert runtimes["runsc"] == {"runtime_type": LAUNCHER}
    assert runtimes["wasm"]["container_annotations"] == ["casemate.dev/wasm-listen"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_as_a_toml_string(text: str) -> None:
    table = RuntimeTable("runc", options={"BinaryName": text})
    config = ContainerdConfig(EnginePaths("e"), (table,), "runc", Path("/x"), can_lower_oom_score=True)
    read = tomllib.loads(render(CURRENT, config))["plugins"][CRI_2_RUNTIME]["containerd"]["runtimes"]["runc"]
    assert read["options"]["BinaryName"] == text
