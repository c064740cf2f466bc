"""The definitions of reports as their projects publish them, from Go modules: `python tests/cluster/report_apis.py`.

OpenReports has a module of its own. That of PolicyReports is not published; Kyverno's has the definition of
`wgpolicyk8s.io/v1alpha2` that it installs.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

_FILES: Final = {
    "github.com/openreports/reports-api@v0.2.1": "config/crd/openreports.io_reports.yaml",
    "github.com/kyverno/kyverno@v1.19.1": "config/crds/policyreport/wgpolicyk8s.io_policyreports.yaml",
}


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of Report and PolicyReport."""
    return [yaml.safe_load(Path(_folder(module), file).read_text()) for module, file in _FILES.items()]


def _folder(module: str) -> str:
    command = ["go", "mod", "download", "-json", module]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout)
    return str(found["Dir"])


if __name__ == "__main__":
    print(*(each["metadata"]["name"] for each in definitions()), sep="\n")
