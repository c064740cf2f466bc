"""Whether an image is one that a policy or an exception names, by parsed references, never by the beginning of a text.

1. A pattern is a repository (any tag and digest), a repository with a tag or a digest, or everything below a path
   (`ghcr.io/acme/**`).
2. Names are completed as runtimes complete them: `nginx` is `docker.io/library/nginx:latest` (distribution/reference).
   So a pattern `nginx` is about every tag of it, `nginx:latest` also about the image without a tag.
3. Registries are names of hosts, so upper and lower case are the same. Other names for the same image (a mirror, an
   address) are other images: a rule about images is for those who do not hide theirs.
4. A digest decides what runs. In an exception a pattern with a tag is not about an image that has a digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from casemate.decide.containers import every_container
from casemate.errors import InputError
from casemate.images import reference
from casemate.images.reference import Reference
from casemate.model.kube.pod import PodSpec

BELOW: Final = "/**"


@dataclass(frozen=True, slots=True)
class ImagePattern:
    """`name` is registry and repository, or with `below` a path from a registry on. Empty tag and digest are any."""

    name: str
    tag: str = ""
    digest: str = ""
    below: bool = False

    def fits(self, image: Reference, *, widening: bool) -> bool:
        """Whether the image is one of these. `widening`: the answer grants something."""
        name = _name(image)
        if self.below:
            return name.startswith(f"{self.name}/")
        if name != self.name:
            return False
        if self.digest:
            return image.digest == self.digest
        return not self.tag or (image.tag == self.tag and not (widening and image.digest))


def pattern(text: str) -> ImagePattern:
    """A pattern as written. Raises `InputError`."""
    if text.endswith(BELOW):
        # Read with a name below the path, so that registry and defaults are found as in an image's name.
        found = reference.parse(f"{text.removesuffix(BELOW)}/x/x")
        return ImagePattern(_name(found).removesuffix("/x/x"), below=True)
    found = reference.parse(text)
    named = ":" in text.rpartition("/")[2]
    return ImagePattern(_name(found), found.tag if named and not found.digest else "", found.digest)


def _name(image: Reference) -> str:
    """Registry and repository. Registries are hosts: upper and lower case are the same."""
    return f"{image.registry.lower()}/{image.repository}"


@lru_cache(maxsize=8192)
def image(text: str) -> Reference | None:
    """The image of that name; None where it cannot be read."""
    head, colon, tag = text.rpartition(":")
    if colon and reference.is_tag(tag) and (found := _untagged(head)):
        return Reference(found.registry, found.repository, tag, "")  # Tags are many, repositories few.
    return _parsed(text)


@lru_cache(maxsize=8192)
def _untagged(text: str) -> Reference | None:
    """The image of a name without tag and digest; None where it is none."""
    return None if "@" in text or ":" in text.rpartition("/")[2] else _parsed(text)


@lru_cache(maxsize=8192)
def _parsed(text: str) -> Reference | None:
    try:
        return reference.parse(text)
    except InputError:
        return None


def images(spec: PodSpec) -> Iterator[str]:
    """The names of all images of a Pod: init, main and ephemeral containers, image volumes. Unset is empty."""
    for container, _, _ in every_container(spec):
        yield container.image or ""
    for volume in spec.volumes:
        if volume.image is not None:
            yield volume.image.reference or ""
