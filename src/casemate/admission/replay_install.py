"""What puts a case's documents in force in a trial cluster.

1. The webhook watches the documents themselves.
2. Everybody else gets what `casemate policy compile` makes of them, for the classes that the corpus sets up. Gaps are
   allowed here: what they leave open is what the run shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from casemate.catalogue.tables import Catalogue
from casemate.model.corpus import Corpus, Object
from casemate.model.policy import PolicySettings
from casemate.policy.compile import gatekeeper, kyverno, native
from casemate.policy.compile.native import Compiled
from casemate.policy.compile.tables import Tables, tabulated
from casemate.sources.policies import decode_exception, decode_policy

Install: TypeAlias = Callable[[Sequence[Object]], Sequence[Object]]
"""From documents to the objects that put them in force."""

_VERSION: Final = "1.36"
_EXCEPTION: Final = "IsolationException"


class _Compile(Protocol):
    def __call__(self, made: Tables, *, partial: bool, version: str) -> Compiled: ...


_COMPILERS: Final[Mapping[str, _Compile]] = {
    "native": native.compile,
    "kyverno": kyverno.compile,
    "gatekeeper": gatekeeper.compile,
}


def installer(against: str, corpus: Corpus, catalogue: Catalogue) -> Install:
    """How documents are put in force for that engine."""
    return _compiler(_COMPILERS[against], corpus, catalogue) if against in _COMPILERS else tuple


def _compiler(compile_: _Compile, corpus: Corpus, catalogue: Catalogue) -> Install:
    def install(documents: Sequence[Object]) -> Sequence[Object]:
        policies = [decode_policy(each, "") for each in documents if each["kind"] != _EXCEPTION]
        exceptions = [decode_exception(each, "") for each in documents if each["kind"] == _EXCEPTION]
        made = tabulated(policies, exceptions, corpus.surroundings, catalogue, PolicySettings())
        return compile_(made, partial=True, version=_VERSION).objects

    return install
