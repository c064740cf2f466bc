"""A small run of the fuzzer; `python tests/corpus/fuzz_policies.py` makes long ones."""

from __future__ import annotations

from collections import Counter

import fuzz_policies as fuzz
import policy_oracle as oracle

from casemate.catalogue.tables import Catalogue

ROUNDS = range(8)
FACTS: Catalogue = fuzz.facts()


def test_the_evaluator_says_what_the_oracle_says() -> None:
    pairs = [each for seed in ROUNDS[:2] for each in fuzz.rounds(seed, FACTS)]
    assert len(pairs) >= 2_000
    assert not [each.document() for each in pairs if each]


def test_the_rounds_meet_every_rule_and_decision() -> None:
    """What never comes up is not compared."""
    met: Counter[str] = Counter()
    for seed in ROUNDS:
        for said in fuzz.answers(seed):
            met[said.decision] += 1
            met.update(rule for _, rule, _ in said.broken)
    rules = oracle.CLASS_RULES | {"sandbox-annotation", "hardening", "no-node", "namespace-unknown"}
    assert (rules | {"allow", "deny", "change"}) <= met.keys()
