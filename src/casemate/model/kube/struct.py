"""What every Kubernetes struct has in common: immutable, strict, and written back without defaults."""

from __future__ import annotations

import msgspec

Quantity = int | float | str
"""A resource quantity as written, such as ``500m`` or ``1Gi`` (see `casemate.model.quantity`)."""

IntOrString = int | str
"""A number or a name, such as a port."""


class KubeStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of all Kubernetes structs. Attribute names are the API's JSON names.

    Lists are tuples, empty when unset; optional values are None when unset. The collector need not walk them: nothing
    in them leads back to them.
    """
