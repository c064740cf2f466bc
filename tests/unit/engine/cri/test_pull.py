import pytest

from casemate.engine.cri import pull
from casemate.errors import CasemateError, IncompleteError
from casemate.images.reference import parse

IMAGE = parse("registry.lan:5000/team/app:1")

# As containerd 1.6 and 2.4 say it.
MESSAGES = [
    ('Head "https://r/v2/": http: server gave HTTP response to HTTPS client', pull.PullFailed, "plain HTTP"),
    (
        'Head "https://r/v2/": x509: certificate signed by unknown authority',
        pull.PullFailed,
        "certificate",
    ),
    (
        "pull access denied: authorization failed",
        pull.Refused,
        "let",
    ),
    ("unexpected status from HEAD request to https://r/v2/: 401 Unauthorized", pull.Refused, "without credentials"),
    ("write /var/lib/x: no space left on device", pull.PullFailed, "no room"),
    ("dial tcp: lookup registry.lan: no such host", IncompleteError, "cannot be reached"),
    ("dial tcp 10.0.0.1:5000: connect: connection refused", IncompleteError, "cannot be reached"),
    ("dial tcp 10.0.0.1:5000: i/o timeout", IncompleteError, "cannot be reached"),
    ("httpReadSeeker: failed open: unexpected EOF", IncompleteError, "was cut"),
    ("unexpected commit digest sha256:a, expected sha256:b: failed precondition", pull.PullFailed, "not of its digest"),
    ("no match for platform in manifest: not found", pull.PullFailed, "no image for this platform"),
    ("registry.lan:5000/team/app:1: not found", pull.PullFailed, "no such image"),
    ("something new", pull.PullFailed, "something new"),
]


@pytest.mark.parametrize(("message", "kind", "said"), MESSAGES)
def test_each_failure_of_a_pull_is_explained(message: str, kind: type[CasemateError], said: str) -> None:
    error = pull.explain(f'failed to pull and unpack image "x": {message}', IMAGE)
    assert type(error) is kind
    assert said in error.what
    assert error.where == str(IMAGE)
    assert "failed to pull and unpack" not in error.what


def test_with_credentials_the_refusal_says_so() -> None:
    assert "with the credentials" in pull.explain("401 Unauthorized", IMAGE, with_credentials=True).what
