"""Compare the evaluator with the oracle on random policies, exceptions and requests.

`python tests/corpus/fuzz_policies.py --pairs N --seed S [--state FILE]`. A round has its own seed: one cluster, some
sets of policies and exceptions, some requests; every set is asked about every request, and each is one pair. With a
state file a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import policy_oracle as oracle
import policy_requests
from policy_oracle import Answer, Asked, Known

from casemate import catalogue
from casemate.catalogue.tables import Catalogue
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import EXCEPTABLE, Decision, Operation, PolicySettings, Request, Rule, Verdict
from casemate.model.surroundings import Node, Surroundings
from casemate.policy.evaluate import PolicySet
from casemate.sources.fast_decode import decode
from casemate.sources.policies import decode_exception, decode_policy
from casemate.sources.requests import workloads
from casemate.sources.surroundings import Neighbours

Object = dict[str, Any]

SETS, REQUESTS = 32, 64
NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
COMPARED = {*map(str, EXCEPTABLE), str(Rule.NAMESPACE_UNKNOWN), str(Rule.MALFORMED)}


@dataclass(frozen=True)
class Difference:
    """One pair on which the two disagree, with all that is needed to see why."""

    seed: int
    policies: list[Object]
    exceptions: list[Object]
    asked: Asked
    known: Known
    evaluator: Answer
    oracle: Answer

    def document(self) -> str:
        """Everything as JSON, for a case of the corpus."""
        request = {name: getattr(self.asked, name) for name in self.asked.__dataclass_fields__}
        shown = {
            "seed": self.seed,
            "evaluator": _shown(self.evaluator),
            "oracle": _shown(self.oracle),
            "policies": self.policies,
            "exceptions": self.exceptions,
            "request": request,
            "known": self.known.__dict__,
        }
        return json.dumps(shown, default=list, indent=1)


def _shown(answer: Answer) -> Object:
    return {"decision": answer.decision, "class": answer.class_name, "broken": sorted(answer.broken)}


def facts() -> Catalogue:
    """The catalogue without the rows that say what breaks, which the oracle knows nothing of."""
    return replace(catalogue.load(), fits=())


def rounds(seed: int, known_facts: Catalogue) -> Iterator[Difference | None]:
    """All pairs of one round: None where both agree."""
    known, asks, sets = drawn(seed)
    around = surroundings(known)
    requests = [(each, request(each)) for each in asks]
    for policies, exceptions in sets:
        judge = policy_set(policies, exceptions, around, known_facts)
        for asked, made in requests:
            said = answer(judge.evaluate(made, NOW), asked)
            right = oracle.verdict(policies, exceptions, asked, known, NOW)
            agree = said == right
            yield None if agree else Difference(seed, policies, exceptions, asked, known, said, right)


def drawn(seed: int) -> tuple[Known, list[Asked], list[tuple[list[Object], list[Object]]]]:
    """What a round is made of: the cluster, the requests, the sets of policies and exceptions."""
    rng = random.Random(seed)
    known = policy_requests.cluster(rng)
    asks = [policy_requests.asked(rng) for _ in range(REQUESTS)]
    return known, asks, [(policy_requests.policies(rng), policy_requests.exceptions(rng)) for _ in range(SETS)]


def answers(seed: int) -> Iterator[Answer]:
    """What the oracle says of the pairs of a round."""
    known, asks, sets = drawn(seed)
    return (oracle.verdict(*each, asked, known, NOW) for each in sets for asked in asks)


def policy_set(policies: list[Object], exceptions: list[Object], around: Surroundings, known: Catalogue) -> PolicySet:
    """The evaluator's side of a set."""
    return PolicySet(
        [decode_policy(each, "") for each in policies],
        [decode_exception(each, "") for each in exceptions],
        around,
        known,
        PolicySettings(),
    )


def surroundings(known: Known) -> Surroundings:
    """The evaluator's side of a cluster."""
    neighbours = Neighbours()
    for each in known.rbac:
        neighbours.take(each)
    return Surroundings(
        complete=known.complete,
        runtime_classes=tuple(decode(each, RuntimeClass).struct for each in known.classes.values()),
        nodes=tuple(_node(each) for each in known.nodes),
        use=neighbours.around((), complete=known.complete).use,
    )


def _node(written: Object) -> Node:
    handlers = written.get("status", {}).get("runtimeHandlers")
    told = None if handlers is None else tuple(each["name"] for each in handlers)
    return Node(name=written["metadata"]["name"], labels=written["metadata"].get("labels", {}), handlers=told)


def request(asked: Asked) -> Request:
    """The evaluator's side of a request."""
    return Request(
        workload=workloads(asked.value, asked.namespace)[0],
        operation=Operation(asked.operation),
        namespace_labels=asked.labels,
        user=asked.user,
        groups=asked.groups,
        old=workloads(asked.old, asked.namespace)[0] if asked.old else None,
    )


def answer(verdict: Verdict, asked: Asked) -> Answer:
    """A verdict in the oracle's words."""
    written = [each.value for each in verdict.patch if each.path.endswith("/runtimeClassName")]
    name = str(written[0]) if written else asked.pod.class_name
    broken = frozenset((r.policy, str(r.rule), str(r.mode)) for r in verdict.reasons if str(r.rule) in COMPARED)
    return Answer(str(verdict.decision), name if verdict.decision is Decision.CHANGE else asked.pod.class_name, broken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--stop", type=int, default=5, help="after so many differences")
    options = parser.parse_args()
    state = {"next": options.seed, "pairs": 0, "differences": 0}
    if options.state and options.state.exists():
        state = json.loads(options.state.read_text())
    known, began = facts(), time.monotonic()
    while state["pairs"] < options.pairs and state["differences"] < options.stop:
        for each in rounds(state["next"], known):
            state["pairs"] += 1
            if each is not None:
                state["differences"] += 1
                print(each.document(), flush=True)
                if state["differences"] >= options.stop:
                    break
        state["next"] += 1
        if options.state:
            options.state.write_text(json.dumps(state))
    print(f"{state['pairs']} pairs, {state['differences']} differences, {time.monotonic() - began:.0f} s")
    return int(bool(state["differences"]))


if __name__ == "__main__":
    sys.exit(main())
