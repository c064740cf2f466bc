"""Which registries CRI-O would take for whatever they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate.errors import InputError
from casemate.node import registries


def laid_out(folder: Path, **files: str) -> Path:
    (folder / "registries.conf.d").mkdir()
    for name, text in files.items():
        place = folder / "registries.conf" if name == "root" else folder / "registries.conf.d" / f"{name}.conf"
        place.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "insecure"),
    [
        ({}, ()),
        ({"root": '[[registry]]\nlocation = "r.example"\n'}, ()),
        ({"root": '[[registry]]\nlocation = "r.example"\ninsecure = true\n'}, ("r.example",)),
        ({"a": '[[registry]]\nprefix = "*.r.example"\ninsecure = true\n'}, ("*.r.example",)),
        (
            {"a": '[[registry]]\nprefix = "r.example"\n[[registry.mirror]]\nlocation = "m.example"\ninsecure = true\n'},
            ("m.example",),
        ),
        (
            {
                "a": '[[registry]]\nlocation = "r.example"\ninsecure = true\n',
                "b": '[[registry]]\nlocation = "r.example"\n',
            },
            (),
        ),
        ({"root": '[registries.insecure]\nregistries = ["old.example"]\n'}, ("old.example",)),
    ],
)
def test_registries_without_proof_of_who_they_are(
    files: dict[str, str], insecure: tuple[str, ...], tmp_path: Path
) -> None:
    assert registries.insecure(laid_out(tmp_path, **files)) == insecure


def test_a_file_that_cannot_be_read_is_not_taken_for_a_secure_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no TOML"):
        registries.insecure(laid_out(tmp_path, root="[[registry"))
