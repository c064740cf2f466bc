"""What compiled policies cost the API server.

1. Two kube-apiservers on one etcd: one admits by policies, the other has both plugins for admission policies off. Each
   Pod is really created on the one and on the other, in an order that is drawn, one after the other, by one client on
   kept connections: whatever else the machine does, it does to both.
2. With `none` no policy is there, on either: what differs then is the two servers, and chance. It says how finely this
   can tell anything apart.
3. Rounds are interleaved: in each one every setting gets its block, in another order.
4. Reported are the difference of the medians, and that of the 99th percentiles with the interval that holds it with
   95 % certainty, by drawing as many pairs from those that were measured, with replacement, again and again.
5. Beside it stands what the API server itself says that its policies took for each Pod: no other work is in that.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "cluster"))

import kubernetes
from apiserver import Running
from native import FLAGS, PATHS, Force, Guarded, policy, surroundings

from casemate.catalogue import tables
from casemate.model.policy import Policy, PolicySettings
from casemate.policy.evaluate import PolicySet

PAIRS, WARM = 500, 25
RESAMPLED = 400
WITHOUT = ("--disable-admission-plugins=ServiceAccount,MutatingAdmissionPolicy,ValidatingAdmissionPolicy", FLAGS[1])
SUFFIXES = {"": "gvisor", " default": None}
DEFAULTED = " default"
_SPENT = re.compile(
    r"^apiserver_admission_controller_admission_duration_seconds_sum"
    r'{(.*name="(?:Validating|Mutating)AdmissionPolicy".*)} (\S+)$',
    re.MULTILINE,
)
SHARED = {"match": {"namespaces": {"labels": {"tenancy": "shared"}}}}
RULES = {"default": "gvisor", "permitted": ["gvisor", {"boundary": ">=vm"}], "fit": "warn"}


def one() -> tuple[Policy, ...]:
    """One policy that chooses by a label."""
    return (policy("tenants", {**SHARED, **RULES}),)


def hundred() -> tuple[Policy, ...]:
    """The same among 99 that name 40 namespaces each: 4,000 names in the tables."""
    others = (
        policy(f"t{number:02}", {"match": {"namespaces": {"names": _names(number)}}, **RULES}) for number in range(99)
    )
    return (*one(), *others)


def everywhere() -> tuple[Policy, ...]:
    """A hundred policies that are all about every Pod."""
    return tuple(policy(f"t{number:02}", RULES) for number in range(100))


def _names(number: int) -> list[str]:
    return [f"ns-{number}-{index}" for index in range(40)]


SETTINGS = {"none": None, "one": one, "hundred": hundred, "everywhere": everywhere}


Pair = tuple[float, float]
"""Seconds with policies, and without."""


@dataclass(frozen=True)
class Twins:
    """Both servers: policies come and go on the one, and do nothing on the other."""

    guarded: Guarded
    plain: httpx.Client

    def spent(self) -> float:
        """Seconds that the plugins for policies have taken so far."""
        text = self.guarded.client.get("/metrics").text
        return sum(float(found[2]) for found in _SPENT.finditer(text) if 'operation="CREATE"' in found[1])


def measure(rounds: int, namespaces: Sequence[int], settings: Sequence[str] = tuple(SETTINGS)) -> dict[str, Any]:
    """By number of namespaces and setting, the figures; and what compiling takes."""
    kubernetes.build()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder), *FLAGS)
        with running as cluster, running.beside(*WITHOUT).client() as plain:
            plain.timeout = httpx.Timeout(30)
            twins = Twins(Guarded(cluster), plain)
            for count in sorted(namespaces):
                _namespaces(twins.guarded, count)
                found[f"{count} namespaces"] = _measured(twins, rounds, settings)
    found["compile"] = {name: _compiled(make()) for name in settings if (make := SETTINGS[name])}
    return found


def _measured(twins: Twins, rounds: int, settings: Sequence[str]) -> dict[str, dict[str, float]]:
    pairs: dict[str, list[Pair]] = {f"{name}{suffix}": [] for name in settings for suffix in SUFFIXES}
    spent = dict.fromkeys(pairs, 0.0)
    for number in range(rounds):
        order = list(settings)
        random.Random(number).shuffle(order)
        for name in order:
            make = SETTINGS[name]
            twins.guarded.install(Force(make()).compiled()) if make else twins.guarded.clear()
            for suffix, class_name in SUFFIXES.items():
                _block(twins, f"w{number}", class_name, WARM)
                before = twins.spent()
                pairs[name + suffix] += _block(twins, f"b{number}", class_name, PAIRS)
                spent[name + suffix] += twins.spent() - before
    return {name: _figures(found, spent[name]) for name, found in pairs.items()}


def _block(twins: Twins, tag: str, class_name: str | None, count: int) -> list[Pair]:
    """So many Pods on both."""
    path, chance = f"/{PATHS['Pod'].format('team-a')}", random.Random(tag)
    servers, found = (twins.guarded.client, twins.plain), []
    for number in range(count):
        took = [0.0, 0.0]
        for which in chance.sample((0, 1), 2):
            body = _pod(f"{tag}-{number}-{which}", class_name)
            start = time.perf_counter()
            answer = servers[which].post(path, json=body)
            took[which] = time.perf_counter() - start
            assert answer.status_code == 201, answer.text
        found.append((took[0], took[1]))
    twins.plain.delete(path, params={"gracePeriodSeconds": 0})
    return found


def _pod(name: str, class_name: str | None) -> dict[str, Any]:
    chosen = {"runtimeClassName": class_name} if class_name else {}
    spec = {"containers": [{"name": "app", "image": "nginx"}]} | chosen
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _figures(pairs: Sequence[Pair], spent: float) -> dict[str, float]:
    found: dict[str, float] = {"pods": len(pairs), "policies_ms": round(spent / len(pairs) * 1000, 3)}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        mine, plain = _quantiles(pairs, share)
        found[f"{name}_ms"], found[f"{name}_baseline_ms"] = round(mine * 1000, 3), round(plain * 1000, 3)
        found[f"{name}_over_baseline_percent"] = _over(mine, plain)
    chance = random.Random(0)
    drawn = sorted(_over(*_quantiles(chance.choices(pairs, k=len(pairs)), 0.99)) for _ in range(RESAMPLED))
    edge = RESAMPLED // 40
    return found | {
        "lowest_p99_over_baseline_percent": drawn[edge],
        "highest_p99_over_baseline_percent": drawn[-edge - 1],
    }


def _quantiles(pairs: Sequence[Pair], share: float) -> Pair:
    """The quantile with policies, and that without."""
    place = min(len(pairs) - 1, int(len(pairs) * share))
    return sorted(each for each, _ in pairs)[place], sorted(each for _, each in pairs)[place]


def _over(mine: float, plain: float) -> float:
    return round((mine / plain - 1) * 100, 1)


def _namespaces(guarded: Guarded, count: int) -> None:
    for number in range(count):
        labels = {"tenancy": "shared" if number % 2 else "private"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n-{number}", "labels": labels}}
        guarded.client.post("/api/v1/namespaces", json=body)


def _compiled(policies: tuple[Policy, ...]) -> dict[str, object]:
    start = time.perf_counter()
    compiled = Force(policies).compiled()
    seconds = time.perf_counter() - start
    PolicySet(policies, (), surroundings(), tables.load(), PolicySettings())
    size = sum(len(json.dumps(each)) for each in compiled.objects)
    return {"seconds": round(seconds, 3), "objects": len(compiled.objects), "bytes": size}
