import tomllib
from pathlib import Path

import pytest

from casemate.errors import InputError
from casemate.images.registries import name_as_plain


@pytest.mark.parametrize("host", ["registry.lan", "registry.lan:5000", "10.0.0.1:5000", "[fd00::1]:5000"])
def test_a_named_registry_is_spoken_to_without_tls(tmp_path: Path, host: str) -> None:
    name_as_plain(tmp_path, host)
    name_as_plain(tmp_path, host)
    written = tomllib.loads((tmp_path / host / "hosts.toml").read_text())
    assert written == {"server": f"http://{host}", "host": {f"http://{host}": {"capabilities": ["pull", "resolve"]}}}
    assert [path.name for path in (tmp_path / host).iterdir()] == ["hosts.toml"]


@pytest.mark.parametrize("host", ["", "..", "a/..", "http://a", "a b", 'a"\n', "a/b", "-a", "a..b"])
def test_what_is_no_host_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError):
        name_as_plain(tmp_path, host)
    assert list(tmp_path.iterdir()) == []
