"""Random policies and requests as a corpus, with the oracle's verdicts, for a real API server to answer.

`python tests/cluster/native_pairs.py --sets N --requests M --seed S`. What an API server refuses by itself is no pair.
What compiled policies leave to others is left out: whether a class has a node (`fit`), labels that could not be had.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import msgspec
from apiserver import Running

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))

import fuzz_policies
import policy_oracle
import policy_requests
from policy_oracle import Asked, Known

from casemate import catalogue
from casemate.admission.replay_cluster import Trial
from casemate.admission.replay_install import installer
from casemate.model.corpus import Corpus, Force, Played, Try
from casemate.model.policy import Decision
from casemate.sources.cluster_access import access
from casemate.sources.corpus import CLOCK

Object = dict[str, Any]

FLAGS = ("--disable-admission-plugins=ServiceAccount", "--allow-privileged=true")


def drawn(sets: int, requests: int, seed: int) -> Corpus:
    """So many sets of policies with so many requests each, and what the oracle says."""
    rng = random.Random(seed)
    classes = {name: policy_requests.runtime_class(name) for name in policy_requests.CLASSES}
    known = Known(True, classes, (), _rights(rng))
    forces, tries = {}, []
    for number in range(sets):
        policies = [_without_fit(each) for each in policy_requests.policies(rng)]
        exceptions = [_lasting(each, rng) for each in policy_requests.exceptions(rng)]
        forces[f"s{number:03}"] = Force(policies=(), exceptions=(), documents=(*policies, *exceptions))
        asks = [policy_requests.asked(rng, plain=True) for _ in range(requests)]
        tries += [_try(f"s{number:03}", i, policies, exceptions, each, known) for i, each in enumerate(asks)]
    return Corpus(
        tries=tuple(tries), policies=forces, surroundings=fuzz_policies.surroundings(known), setting=_setting(known)
    )


def _without_fit(policy: Object) -> Object:
    return policy | {"spec": policy["spec"] | {"fit": "warn"}}


def _lasting(exception: Object, rng: random.Random) -> Object:
    """With an end that is not a matter of seconds: the run moves it along with the clock."""
    ends = rng.choice(("2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z", "2026-10-01T00:00:00Z", "2028-01-01T00:00:00Z"))
    return exception | {"spec": exception["spec"] | {"expires": ends}}


def _try(name: str, number: int, policies: list[Object], exceptions: list[Object], asked: Asked, known: Known) -> Try:
    right = policy_oracle.verdict(policies, exceptions, asked, known, fuzz_policies.NOW)
    return Try(
        id=f"{name}-{number}",
        tries=f"{asked.pod.kind} as {asked.user}",
        source="native_pairs.py",
        body=msgspec.json.encode(asked.value),
        expect=Decision(right.decision),
        class_name=right.class_name if right.decision == "change" else None,
        namespace=asked.namespace,
        user=asked.user,
        groups=asked.groups,
        clock=CLOCK,
        policies=(name,),
    )


def _setting(known: Known) -> tuple[Object, ...]:
    spaces = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in policy_requests.NAMESPACES.items()
    )
    return (*spaces, *known.classes.values(), *known.rbac)


def _rights(rng: random.Random) -> tuple[Object, ...]:
    """Some, whatever the seed."""
    return policy_requests.rights(rng) or _rights(rng)


def played(corpus: Corpus, folder: Path) -> Iterator[Played]:
    """What a real API server with the compiled policies says, without what it refuses by itself."""
    kubernetes.build()
    with Running(folder, *FLAGS) as cluster:
        install = installer("native", corpus, catalogue.load())
        with Trial(access(cluster.kubeconfig("admin")), install) as trial:
            yield from (each for each in trial.replay(corpus) if not each.by_server)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--requests", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    corpus = drawn(options.sets, options.requests, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        found = list(played(corpus, Path(folder)))
    for each in (one for one in found if one.wrong):
        force = corpus.policies[each.attempt.policies[0]]
        print(each.attempt.id, each.wrong, each.message, each.attempt.user, each.attempt.groups)
        print("  ", msgspec.json.encode(force.documents).decode(), "\n  ", each.attempt.body.decode())
    wrong = sum(bool(each.wrong) for each in found)
    print(f"{len(found)} pairs of {len(corpus.tries)} requests, {wrong} differences")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
