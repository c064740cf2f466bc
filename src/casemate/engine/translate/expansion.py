"""References to variables in commands, arguments and values, as Kubernetes expands them.

1. `$(NAME)` is replaced by the variable's value.
2. A reference to an unknown variable stays as it is written.
3. `$$` is one `$`, so `$$(NAME)` is the text `$(NAME)`.
4. Nothing else is special; `$NAME` and `${NAME}` are text.

Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with its references replaced."""

    def value(reference: re.Match[str]) -> str:
        name = reference[1]
        return "$" if name is None else variables.get(name, reference[0])

    return _REFERENCE.sub(value, text)


def references(text: str) -> tuple[str, ...]:
    """The names that `text` refers to, in order."""
    return tuple(found[1] for found in _REFERENCE.finditer(text) if found[1] is not None)
