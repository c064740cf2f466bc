"""Patterns of images as regular expressions say what the evaluator says of every name."""

from __future__ import annotations

import re

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.policy.compile import images
from casemate.policy.images import image, pattern

DIGEST = "sha256:" + "0" * 64
REGISTRIES = (
    "",
    "docker.io/",
    "index.docker.io/",
    "ghcr.io/",
    "GHCR.io/",
    "localhost/",
    "localhost:5000/",
    "reg:5000/",
)
PATHS = ("nginx", "library/nginx", "acme/web", "acme/web/deep", "acme", "ghcr.io", "a" * 300, "Upper", "bad__x", "a..b")
TAGS = ("", ":latest", ":1.27", ":bad tag", f"@{DIGEST}", f":1.27@{DIGEST}", "@sha256:short")
PATTERNS = (
    *("nginx", "nginx:latest", "nginx:1.27", f"nginx@{DIGEST}", "docker.io/library/nginx", "docker.io/acme/web"),
    *("ghcr.io/acme/web", "ghcr.io/acme/**", "ghcr.io/**", "acme/**", "library/**", "docker.io/**", "reg:5000/**"),
    *("localhost/acme/web", "localhost:5000/**", "acme/web:1.27", "GHCR.io/acme/web:latest"),
)

NAMES = st.builds("".join, st.tuples(*map(st.sampled_from, (REGISTRIES, PATHS, TAGS))))


def says(expression: str, name: str) -> bool:
    return bool(cel.evaluate(expression, {"each": name}))


@given(NAMES, st.sampled_from(PATTERNS), st.booleans())
def test_a_pattern_fits_the_names_that_it_fits_in_the_evaluator(name: str, written: str, widening: bool) -> None:
    found = image(name)
    compiled = f"({images.readable('each')}) && ({images.fits('each', written, widening=widening)})"
    expected = found is not None and pattern(written).fits(found, widening=widening)
    assert says(compiled, name) == expected


@given(NAMES)
def test_a_name_is_readable_when_the_evaluator_can_read_it(name: str) -> None:
    assert says(images.readable("each"), name) == (image(name) is not None)


@pytest.mark.parametrize("name", ["", "f" * 64, " nginx", "nginx ", "nginx\n", "Nginx", "nginx:", "@sha256:0"])
def test_a_name_that_nobody_can_read_is_not_readable(name: str) -> None:
    assert not says(images.readable("each"), name)


@pytest.mark.parametrize("written", PATTERNS)
def test_expressions_are_anchored_at_both_ends(written: str) -> None:
    found = images.expression(pattern(written), widening=False)
    assert found.startswith("^")
    assert found.endswith("$")
    re.compile(found)
