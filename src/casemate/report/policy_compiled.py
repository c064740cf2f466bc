"""Compiled policies as YAML or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import yaml

API_VERSION = "v1"


class _Dumper(yaml.SafeDumper):
    """Never an anchor: whoever reads an object should see all of it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def compiled_yaml(objects: Iterable[Mapping[str, object]], title: str, remarks: Iterable[str]) -> str:
    """The objects as one stream, with a comment on top that says what made them and what they leave open."""
    head = "".join(f"# {line}\n" for text in (title, *remarks) for line in text.splitlines())
    return head + "---\n".join(map(document, objects))


def document(value: Mapping[str, object]) -> str:
    """One YAML document."""
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def compiled_json(objects: Sequence[Mapping[str, object]]) -> str:
    """The objects as a List, which kubectl applies."""
    return json.dumps({"apiVersion": API_VERSION, "kind": "List", "items": list(objects)}, indent=2) + "\n"
