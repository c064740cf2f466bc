import base64
import json

import pytest

from casemate.errors import InputError
from casemate.images.credentials import CONFIG_JSON, CONFIG_LEGACY, Credential, for_image
from casemate.images.reference import parse
from casemate.model.kube.objects import Secret


def secret(*keys: str) -> Secret:
    auths = {key: {"username": key, "password": "p"} for key in keys}
    raw = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    return Secret(type=CONFIG_JSON, data={".dockerconfigjson": raw})


# As kubelet's credentialprovider matches them (keyring_test.go).
MATCHES = [
    ("example.org", "example.org/app", True),
    ("https://example.org", "example.org/app", True),
    ("http://example.org/v2/", "example.org/app", True),
    ("example.org/team", "example.org/team/app", True),
    ("example.org/team", "example.org/teammate/app", False),
    ("example.org/other", "example.org/team/app", False),
    ("example.org:5000", "example.org:5000/app", True),
    ("example.org", "example.org:5000/app", False),
    ("*.example.org", "a.example.org/app", True),
    ("*.example.org", "example.org/app", False),
    ("*.example.org", "a.b.example.org/app", False),
    ("pre*.example.org", "prefix.example.org/app", True),
    ("*.*.org", "a.example.org/app", True),
    ("https://index.docker.io/v1/", "busybox", True),
    ("index.docker.io", "me/app", True),
    ("docker.io", "busybox", True),
    ("example.org", "busybox", False),
    ("evil.org", "example.org/evil.org/app", False),
]


@pytest.mark.parametrize(("key", "image", "fits"), MATCHES)
def test_a_key_fits_the_images_that_a_kubelet_would_use_it_for(key: str, image: str, fits: bool) -> None:
    assert bool(for_image([secret(key)], parse(image))) is fits


def test_the_longest_key_comes_first() -> None:
    found = for_image(
        [secret("example.org"), secret("example.org/team/app", "example.org/team")], parse("example.org/team/app")
    )
    assert [each.username for each in found] == ["example.org/team/app", "example.org/team", "example.org"]


def test_auth_is_base64_of_user_and_password() -> None:
    entry = {"auth": base64.b64encode(b"me:pass:word").decode(), "identitytoken": "t"}
    config = Secret(type=CONFIG_LEGACY, stringData={".dockercfg": json.dumps({"example.org": entry})})
    assert for_image([config], parse("example.org/a")) == (Credential("me", "pass:word", "t", ""),)


def test_a_credential_never_shows_itself() -> None:
    assert "secret" not in repr(Credential("user", "secret"))


BAD_SECRETS = [
    (Secret(type="Opaque", data={}), "must be of type"),
    (Secret(type=CONFIG_JSON, data={}), "has no .dockerconfigjson"),
    (Secret(type=CONFIG_JSON, data={".dockerconfigjson": "***"}), "no base64"),
    (Secret(type=CONFIG_JSON, stringData={".dockerconfigjson": "{"}), "not Docker's"),
    (Secret(type=CONFIG_JSON, stringData={".dockerconfigjson": '{"auths": []}'}), "not Docker's"),
    (
        Secret(type=CONFIG_JSON, stringData={".dockerconfigjson": '{"auths": {"a": {"auth": "%"}}}'}),
        "no base64",
    ),
    (Secret(type=CONFIG_JSON, stringData={".dockerconfigjson": "[" * 100_000}), "not Docker's"),
]


@pytest.mark.parametrize(("wrong", "said"), BAD_SECRETS)
def test_a_malformed_secret_is_refused_by_name(wrong: Secret, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        for_image([wrong], parse("example.org/a"))
    assert raised.value.where.startswith("Secret ")
