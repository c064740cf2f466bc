"""Write the manifests of this folder: `python deploy/admit/generate.py`. Kustomize and Helm get the same objects.

The CRDs mirror `casemate.model.policy`, the webhook configurations come from `casemate.admission.webhooks`; a test
checks that the files are what this makes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from crds import definitions
from objects import IMAGE, cluster_objects, own_policy, workload_objects

from casemate.admission import webhooks

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent))

import package  # noqa: E402

NAMESPACE = "casemate-system"
_NOTE = "# Written by deploy/admit/generate.py.\n"
_ABOUT = "Isolation policies, enforced where Kubernetes accepts objects"

# What the chart fills in, by the text that stands there in the objects.
_VALUES = {
    NAMESPACE: "{{ .Release.Namespace }}",
    IMAGE: '"{{ .Values.image }}"',
    "replicas: 3": "replicas: {{ .Values.replicas }}",
    "minAvailable: 2": "minAvailable: {{ .Values.minAvailable }}",
    "        - --workers=2\n": "        - --workers={{ .Values.workers }}\n"
    "{{- range .Values.arguments }}\n        - {{ . | quote }}\n{{- end }}\n",
}


def files() -> dict[str, str]:
    """The text of each file, by its path in this folder."""
    hooks = webhooks.configurations(NAMESPACE)
    namespace, *workload = workload_objects(NAMESPACE)
    running = [*cluster_objects(NAMESPACE), *workload]
    kinds = ("crds", "namespace", "casemate", "webhooks", "policy")
    return {
        "kustomize/crds.yaml": _documents(definitions()),
        "kustomize/namespace.yaml": _documents([namespace]),
        "kustomize/casemate.yaml": _documents(running),
        "kustomize/webhooks.yaml": _documents(hooks),
        "kustomize/policy.yaml": _documents([own_policy(NAMESPACE)]),
        "kustomize/kustomization.yaml": _NOTE
        + yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [f"{each}.yaml" for each in kinds],
            },
            sort_keys=False,
        ),
        "helm/crds/crds.yaml": _documents(definitions()),
        "helm/templates/casemate.yaml": _chart(_documents(running)),
        "helm/templates/webhooks.yaml": _chart(_with_custom(_documents(hooks))),
        "helm/templates/policy.yaml": _chart(_documents([own_policy(NAMESPACE)])),
        "helm/Chart.yaml": _documents([package.chart("casemate", _ABOUT)]),
        "helm/values.yaml": _DEFAULTS,
    }


_DEFAULTS = f"""{_NOTE}
# The image to run; by digest, if you can.
image: {IMAGE}
replicas: 3
minAvailable: 2
# Processes that answer, in each replica.
workers: 2
# More of `casemate admit`, such as --guardian=platform-team.
arguments: []
# Custom resources with Pod templates, each as {{group: argoproj.io, version: v1alpha1, resource: rollouts}}.
kinds: []
"""

_CUSTOM = """{{- range .Values.kinds }}
  - apiGroups:
    - {{ .group | quote }}
    apiVersions:
    - {{ .version | quote }}
    resources:
    - {{ .resource | quote }}
    operations:
    - CREATE
    - UPDATE
    scope: '*'
{{- end }}
"""


def _with_custom(text: str) -> str:
    """Let the rules of workloads end with those of the chart's custom resources."""
    ends = "    - cronjobs\n    operations:\n    - CREATE\n    - UPDATE\n    scope: '*'\n"
    assert text.count(ends) >= 4
    return text.replace(ends, ends + _CUSTOM)


def _documents(objects: list[dict[str, Any]]) -> str:
    return _NOTE + "---\n".join(yaml.dump(each, Dumper=package.Dumper, sort_keys=False, width=110) for each in objects)


def _chart(text: str) -> str:
    for plain, value in _VALUES.items():
        text = text.replace(plain, value)
    return text


def main() -> None:
    """Write what differs; with --check, say so instead."""
    stale = [path for path, text in files().items() if not _has(FOLDER / path, text)]
    if "--check" in sys.argv:
        sys.exit("\n".join(f"stale: {each}" for each in stale) or 0)
    for path in stale:
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(files()[path])
        sys.stdout.write(f"{path}\n")


def _has(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    main()
