"""What an engine's verbose status says of its handlers."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.prove import tasks
from casemate.prove.bench import Bench
from casemate.prove.configuration import configured
from casemate.prove.image import Prober
from casemate.prove.sandbox import Place

RUNC = {"RuntimePath": "/usr/libexec/crio/runc", "RuntimeType": "", "MonitorPath": "/usr/libexec/crio/conmon"}
KATA = {"RuntimePath": "/opt/kata/bin/containerd-shim-kata-v2", "RuntimeType": "vm"}


def status(**runtimes: dict[str, object]) -> pb.StatusResponse:
    crio = {"DefaultRuntime": "runc", "Runtimes": runtimes}
    return pb.StatusResponse(info={"config": json.dumps({"sandboxImage": "pause:1", "crio": crio})})


def test_crios_handlers_have_programs_and_monitors() -> None:
    found = configured(status(runc=RUNC))["runc"]
    assert (found.program, found.monitor) == (Path("/usr/libexec/crio/runc"), Path("/usr/libexec/crio/conmon"))
    assert found.default


def test_a_shim_of_crio_starts_what_its_configuration_names(tmp_path: Path) -> None:
    file = tmp_path / "kata.toml"
    file.write_text('[hypervisor.qemu]\npath = "/opt/kata/bin/qemu-system-x86_64"\n')
    found = configured(status(kata={**KATA, "RuntimeConfigPath": str(file)}))["kata"]
    assert (found.program, found.monitor) == (Path("/opt/kata/bin/qemu-system-x86_64"), None)
    assert found.files == (file,)


def test_the_order_in_which_crio_tells_what_it_refuses_changes_nothing() -> None:
    first, second = (
        configured(status(runc={**RUNC, "DisallowedAnnotations": refused}))["runc"] for refused in (["a"], ["b", "a"])
    )
    assert first.digest == second.digest
    allowed = configured(status(runc={**RUNC, "AllowedAnnotations": ["devices.crio.io"]}))["runc"]
    assert allowed.digest != first.digest


@pytest.mark.parametrize(("watching", "counted"), [(False, 1), (True, 0)])
def test_an_engines_monitor_is_no_part_of_a_sandbox(watching: bool, counted: int, tmp_path: Path) -> None:
    place = Place("node", "", tmp_path, systemd=False, kept=tmp_path / "kept", configuration=tmp_path / "none")
    mine = [each for each in tasks.scan() if each.pid == os.getpid()]
    monitors = frozenset({tasks.identity(Path("/proc/self/exe"))} if watching else ())

    async def count() -> int:
        async with CriClient("/none") as client:  # which wants a loop, though nothing is asked here
            return len(Bench(client, place, "n", Prober("", {}), monitors).processes(mine, 0, None).tasks)

    assert asyncio.run(count()) == counted
