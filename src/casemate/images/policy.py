"""When an image is pulled (kubernetes.io/docs/concepts/containers/images, kubelet's image manager).

1. An unset imagePullPolicy is Always when the tag is `latest` (also by default), else IfNotPresent.
2. Always asks the registry each time a container is made; what is already here is not sent again.
3. IfNotPresent pulls what the engine does not have; Never pulls nothing.
4. An image that the user gave with the run (`--image NAME=PATH`) is used as given, under any policy: its registry is
   not asked.
"""

from __future__ import annotations

from enum import StrEnum

from casemate.images.reference import Reference


class PullPolicy(StrEnum):
    """The values of imagePullPolicy."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Step(StrEnum):
    """What is to be done before a container of the image can be made."""

    USE = "use"
    PULL = "pull"
    FAIL = "fail"


def effective(written: str | None, image: Reference) -> PullPolicy:
    """The policy of a container: as `written`, or what Kubernetes fills in for `image`."""
    if written:
        return PullPolicy(written)
    return PullPolicy.ALWAYS if image.tag == "latest" and not image.digest else PullPolicy.IF_NOT_PRESENT


def next_step(policy: PullPolicy, *, present: bool, given: bool = False) -> Step:
    """What to do for an image that the engine has (`present`) and that came with the run (`given`)."""
    if present and (given or policy is not PullPolicy.ALWAYS):
        return Step.USE
    return Step.FAIL if policy is PullPolicy.NEVER else Step.PULL
