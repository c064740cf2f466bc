"""What the packages of this folder have in common: objects as YAML, and what a Helm chart fills in of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from casemate import __version__

Object = dict[str, Any]


class Dumper(yaml.SafeDumper):
    """No anchors; a script is a block of text."""

    def ignore_aliases(self, _: Any) -> bool:
        """Always: what two objects share is written twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def documents(note: str, objects: Iterable[Object]) -> str:
    """The objects after a note that says who wrote them."""
    return note + yaml.dump_all(objects, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)


def templated(text: str, values: Mapping[str, str]) -> str:
    """The objects as a chart's template: each of these texts, all of which must be there, replaced."""
    for plain, value in values.items():
        if plain not in text:
            raise ValueError(f"the chart's {plain!r} is not in the objects")
        text = text.replace(plain, value)
    return text


def chart(name: str, description: str) -> Object:
    """A chart's own description, of casemate's version."""
    return {
        "apiVersion": "v2",
        "name": name,
        "description": description,
        "type": "application",
        "version": __version__,
        "appVersion": __version__,
        "kubeVersion": ">=1.30.0-0",
    }


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of a package, each by its path in the folder."""
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")
