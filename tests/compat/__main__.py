"""Run every probe under every runtime that it names, on an engine of its own, and write what they showed.

    python tests/compat            all of them; writes src/casemate/catalogue/tested.yaml
    python tests/compat R1 R16     only these rows; the others' results stay

Ends with 1 when a result contradicts the table of fits.
"""

from __future__ import annotations

import datetime
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import images
from msgspec import structs
from probes import Header, probes, verdict
from results import Result, as_rows, contradictions, disagreements, merged, text

from casemate.catalogue import reading
from casemate.catalogue.rows import Fit
from casemate.engine import known_handlers, lifecycle, preflight
from casemate.engine.compare_run import Trials
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.supervise.progress import Goal
from casemate.errors import CasemateError
from casemate.model.boundary import Boundary
from casemate.model.comparison import Ending, Trial
from casemate.model.handler import Handler
from casemate.model.inventory import Inventory, PodTemplate
from casemate.model.kube.pod import PodSpec
from casemate.sources.files import load

ENGINE = "compat"
TESTED = Path(reading.__file__).with_name("tested.yaml")
TIMEOUT = 60.0


def main(wanted: Sequence[str]) -> int:
    paths = EnginePaths(ENGINE)
    settings = lifecycle.start(paths)
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = run(paths, settings, images.build(Path(folder)), wanted)
    finally:
        lifecycle.stop(paths)
        shutil.rmtree(paths.root)
    fits = [each.row for each in reading.shipped("fits") if isinstance(each.row, Fit)]
    rows = merged(reading.tests(), as_rows(results, fits, datetime.date.today()))
    TESTED.write_text(text(rows), encoding="utf-8")
    found = [*disagreements(results), *contradictions(results, fits)]
    print(
        "\n".join(["", *(found or ["nothing contradicts the catalogue"]), f"{len(results)} results in {TESTED.name}"])
    )
    return 1 if found else 0


def run(paths: EnginePaths, settings: EngineSettings, built: dict[str, str], wanted: Sequence[str]) -> list[Result]:
    """The results of all probes, or of those wanted."""
    seccomp = paths.root / "seccomp"
    seccomp.mkdir(exist_ok=True)
    (seccomp / "no-mkdir.json").write_text(json.dumps(NO_MKDIR))
    handlers = {each.name: each for each in known_handlers.load(paths) if each.works}
    results = []
    for manifest, probe in probes():
        for name in probe.handlers:
            if name in handlers and (not wanted or probe.fit in wanted):
                trial = try_out(manifest, probe, handlers[name], paths, settings, built)
                found = verdict(trial, probe)
                print(f"{probe.fit:5} {name:6} {found.outcome:8} {found.text}", flush=True)
                results.append(Result(probe.fit, handlers[name], found))
    return results


def try_out(
    manifest: Path,
    probe: Header,
    handler: Handler,
    paths: EnginePaths,
    settings: EngineSettings,
    built: dict[str, str],
) -> Trial:
    """One run of a probe. Fields that the engine would refuse there are tried all the same: that is the point."""
    filled = manifest.read_text().replace("@ENGINE@", paths.name).encode()
    documents = [replace(each, file=manifest.name) for each in load(["-"], BytesIO(filled))]
    trials = Trials("compat", documents, paths, settings, Goal.COMPLETED, TIMEOUT, given=built)

    def change(found: Inventory) -> Inventory:
        return found.with_pod_specs(lambda template: _under(template, handler, probe))

    try:
        flight = preflight.check(documents, "compat", paths, settings, now=True, change=change)
        return trials.observe(flight.plan, handler.name, handler)
    except CasemateError as error:
        return Trial(
            runtime=handler.name,
            handler=handler.name,
            version=handler.version,
            boundary=Boundary.UNKNOWN,
            ending=Ending.NOT_STARTED,
            reason=error.what,
        )


def _under(template: PodTemplate, handler: Handler, probe: Header) -> PodSpec:
    """The probe under the handler, as a module where there is one for it; other Pods as they are."""
    if template.name != "probe":
        return template.spec
    spec = structs.replace(template.spec, runtimeClassName=handler.name)
    if handler.name != "wasm" or not probe.module:
        return spec
    main = next(each for each in spec.containers if each.name == "main")
    module = structs.replace(main, image="casemate.local/module:1", command=(), args=probe.module)
    return structs.replace(spec, containers=(module,))


NO_MKDIR = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
