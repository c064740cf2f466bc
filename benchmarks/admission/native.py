"""What compiled policies cost the API server.

1. A real kube-apiserver and etcd, one client on a kept connection, Pods that are really created, all on one machine.
2. Rounds are interleaved: in each one every setting gets its block, in another order: a busy machine is busy for
   all. A setting's policies are taken away before the next.
3. Reported is the difference to the baseline without any policy, of median, 90th and 99th percentile over all rounds;
   and the lowest and highest difference of a round's 99th percentile.
4. Beside it stands what the API server says that its policies took, on average: other work on the machine is not in it.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "cluster"))

import kubernetes
from apiserver import Running
from native import FLAGS, PATHS, Force, Guarded, policy, surroundings

from casemate.catalogue import tables
from casemate.model.policy import Policy, PolicySettings
from casemate.policy.evaluate import PolicySet

BLOCK, WARM = 300, 25
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


def measure(rounds: int, namespaces: Sequence[int], settings: Sequence[str] = tuple(SETTINGS)) -> dict[str, Any]:
    """By number of namespaces and setting, the figures; and what compiling takes."""
    kubernetes.build()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder), *FLAGS) as cluster:
        guarded = Guarded(cluster)
        for count in sorted(namespaces):
            _namespaces(guarded, count)
            found[f"{count} namespaces"] = _measured(guarded, rounds, settings)
    found["compile"] = {name: _compiled(make()) for name in settings if (make := SETTINGS[name])}
    return found


def _measured(guarded: Guarded, rounds: int, settings: Sequence[str]) -> dict[str, dict[str, float]]:
    times: dict[str, list[list[float]]] = {f"{name}{suffix}": [] for name in settings for suffix in SUFFIXES}
    for number in range(rounds):
        order = list(settings)
        random.Random(number).shuffle(order)
        for name in order:
            make = SETTINGS[name]
            guarded.install(Force(make()).compiled()) if make else guarded.clear()
            for suffix, class_name in SUFFIXES.items():
                _block(guarded, f"w{number}", class_name, WARM)
                times[name + suffix].append(_block(guarded, f"b{number}", class_name, BLOCK))
    return {name: _figures(found, times["none" + name[len(name.split(" ")[0]) :]]) for name, found in times.items()}


def _block(guarded: Guarded, tag: str, class_name: str | None, count: int) -> list[float]:
    path, found = f"/{PATHS['Pod'].format('team-a')}", []
    for number in range(count):
        spec = {"containers": [{"name": "app", "image": "nginx"}]} | (
            {"runtimeClassName": class_name} if class_name else {}
        )
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{tag}-{number}"}, "spec": spec}
        start = time.perf_counter()
        answer = guarded.client.post(path, json=body)
        found.append(time.perf_counter() - start)
        assert answer.status_code == 201, answer.text
    guarded.client.delete(path, params={"gracePeriodSeconds": 0})
    return found


def _figures(rounds: Sequence[Sequence[float]], base: Sequence[Sequence[float]]) -> dict[str, float]:
    values, plain, found = list(chain(*rounds)), list(chain(*base)), {}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        mine = _quantile(values, share)
        found[f"{name}_ms"] = round(mine * 1000, 3)
        found[f"{name}_over_baseline_percent"] = _over(mine, _quantile(plain, share))
    each = [_over(_quantile(mine, 0.99), _quantile(other, 0.99)) for mine, other in zip(rounds, base, strict=True)]
    return found | {"lowest_p99_over_baseline_percent": min(each), "highest_p99_over_baseline_percent": max(each)}


def _over(mine: float, plain: float) -> float:
    return round((mine / plain - 1) * 100, 1)


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


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
