"""The smallest edit of a configuration file: what was there stays, byte for byte where TOML allows it."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.errors import InputError, RefusedError
from casemate.node import containerd
from casemate.node.handlers import Wanted, rows

CRUN = Wanted(row=rows()["crun"], program="/usr/bin/crun")
TABLES = containerd.tables(3, [CRUN])
CRUN_TABLE = {
    "runtime_type": "io.containerd.runc.v2",
    "options": {"BinaryName": "/usr/bin/crun", "SystemdCgroup": False},
}
INLINE = """# kept
version = 3 # three
plugins."io.containerd.cri.v1.runtime".containerd.runtimes = {runc = {runtime_type = "io.containerd.runc.v2"}}
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 3",
        "version = 3\n",
        "# only a comment",
        "version = 3\r\nroot = '/x'  # with CRLF\r\n",
        '[plugins."io.containerd.cri.v1.runtime".containerd]\n  default_runtime_name = "runc"\n',
        "[[later]]\nx = 1\n",
    ],
)
def test_what_was_there_is_the_beginning_of_what_is_there(text: str) -> None:
    after = containerd.added(text, TABLES, "config.toml")
    assert after.startswith(text)
    assert containerd.runtimes(3, tomllib.loads(after))["crun"] == CRUN_TABLE


def test_an_inline_table_is_changed_in_place_with_its_comments() -> None:
    after = containerd.added(INLINE, TABLES, "config.toml")
    assert "# kept\nversion = 3 # three\n" in after
    assert set(containerd.runtimes(3, tomllib.loads(after))) == {"runc", "crun"}


def test_what_is_no_toml_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match=r"config\.toml: this is no TOML"):
        containerd.added("version = ", TABLES, "config.toml")


def test_a_value_where_a_table_must_be_is_refused() -> None:
    with pytest.raises(RefusedError):
        containerd.added("plugins = 3\n", TABLES, "config.toml")


KEYS = st.text("abcdefgh-_", min_size=1, max_size=6)
VALUES = st.one_of(st.integers(0, 99), st.booleans(), st.text("abc #\"'\\[]", max_size=8))
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(DOCUMENTS, st.dictionaries(KEYS, DOCUMENTS, max_size=3), st.text("abc #[]=", max_size=12))
def test_an_edit_adds_the_handler_and_nothing_else(
    top: dict[str, object], plugins: dict[str, dict[str, object]], comment: str
) -> None:
    import tomlkit

    text = tomlkit.dumps({**top, "plugins": plugins}) + f"\n# {comment}\n"
    after = tomllib.loads(containerd.added(text, TABLES, "config.toml"))
    assert containerd.runtimes(3, after)["crun"] == CRUN_TABLE
    del after["plugins"][containerd.RUNTIME_3]
    assert after == tomllib.loads(text)
