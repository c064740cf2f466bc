"""Admission policies as files that an API server loads from its disk (KEP-5793), where nobody removes them by the API.

1. They are the native ones: expressions that stand for themselves, without parameters, as files demand.
2. Names end with the reserved `.static.k8s.io`, also those that bindings refer to.
3. Policies that validate and such that mutate lie in folders of their own; a file of any other kind keeps the API
   server from starting. Every API server needs the same files.
4. The feature gate ManifestBasedAdmissionControlConfig is alpha in Kubernetes 1.36 and beta in 1.37.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from casemate.errors import InputError
from casemate.policy.compile.native import MUTATING_SINCE, Compiled, parse_version
from casemate.policy.compile.objects import Object, name_of, part, spec_of

SUFFIX: Final = ".static.k8s.io"
VALIDATING: Final = "validating"
MUTATING: Final = "mutating"
_CONFIGURATION: Final = "apiserver.config.k8s.io/v1"
_PLUGINS: Final = {VALIDATING: "ValidatingAdmissionPolicy", MUTATING: "MutatingAdmissionPolicy"}


def static(compiled: Compiled, version: str) -> Compiled:
    """The native objects as an API server takes them from disk. Raises `InputError` when the version takes none."""
    if parse_version(version) < MUTATING_SINCE:
        raise InputError(
            f"Kubernetes {version} loads no admission policies from disk", fix="1.36 does; use --to native"
        )
    return Compiled(tuple(map(_renamed, compiled.objects)), compiled.gaps)


def folder(made: Object) -> str:
    """The folder that the object belongs into."""
    return MUTATING if str(made["kind"]).startswith("Mutating") else VALIDATING


def configuration(root: PurePosixPath, folders: Iterable[str]) -> Object:
    """What `--admission-control-config-file` has to name, with the folders below an absolute path."""
    return {
        "apiVersion": _CONFIGURATION,
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": _PLUGINS[each],
                "configuration": {
                    "apiVersion": _CONFIGURATION,
                    "kind": f"{_PLUGINS[each]}Configuration",
                    "staticManifestsDir": str(root / each),
                },
            }
            for each in sorted(set(folders))
        ],
    }


def _renamed(made: Object) -> Object:
    spec = spec_of(made)
    renamed: Object = {**made, "metadata": {**part(made, "metadata"), "name": f"{name_of(made)}{SUFFIX}"}}
    if "policyName" in spec:
        renamed["spec"] = {**spec, "policyName": f"{spec['policyName']}{SUFFIX}"}
    return renamed
