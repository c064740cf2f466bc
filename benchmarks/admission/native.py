"""What compiled policies cost the API server: `python -m benchmarks.admission.native [--rounds N]`.

1. A real kube-apiserver and etcd, one client on a kept connection, Pods that are really created, all on one machine.
2. Rounds are interleaved: in each one every setting gets its block, in another order: a busy machine is busy for
   all. A setting's policies are taken away before the next.
3. Reported is the difference to the baseline without any policy, of median, 90th and 99th percentile.
4. Beside it stands what the API server says that its policies took, on average: other work on the machine is not in it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "cluster"))

import kubernetes
from apiserver import Running
from native import FLAGS, PATHS, Force, Guarded, policy, surroundings

from casemate.catalogue import tables
from casemate.model.policy import Policy, PolicySettings
from casemate.policy.evaluate import PolicySet

BLOCK, WARM = 150, 25
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


def main() -> None:
    """Run and print the figures as JSON."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--namespaces", type=int, nargs="+", default=[10, 4000])
    given = options.parse_args()
    kubernetes.build()
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder), *FLAGS) as cluster:
        guarded = Guarded(cluster)
        found = {}
        for count in sorted(given.namespaces):
            _namespaces(guarded, count)
            found[f"{count} namespaces"] = _measured(guarded, given.rounds)
    found["compile"] = {name: _compiled(make()) for name, make in SETTINGS.items() if make}
    json.dump(found, sys.stdout, indent=2)
    print()


def _measured(guarded: Guarded, rounds: int) -> dict[str, object]:
    names = [f"{name}{suffix}" for name in SETTINGS for suffix in ("", DEFAULTED)]
    times: dict[str, list[float]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    for number in range(rounds):
        order = list(SETTINGS)
        random.Random(number).shuffle(order)
        for name in order:
            make = SETTINGS[name]
            guarded.install(Force(make()).compiled()) if make else guarded.clear()
            for suffix, class_name in (("", "gvisor"), (DEFAULTED, None)):
                _block(guarded, f"w{number}", class_name, WARM)
                before = _spent(guarded)
                times[name + suffix] += _block(guarded, f"b{number}", class_name, BLOCK)
                spent[name + suffix] += _spent(guarded) - before
    base = {suffix: times[f"none{suffix}"] for suffix in ("", DEFAULTED)}
    found: dict[str, object] = {}
    for name in names:
        plain = base[DEFAULTED if name.endswith(DEFAULTED) else ""]
        in_policies = {"in_policies_us": round(spent[name] / len(times[name]) * 1e6)}
        found[name] = _figures(times[name], plain) | in_policies
    return found


def _spent(guarded: Guarded) -> float:
    """Seconds that admission policies took so far on CREATE, by the API server's own account."""
    found = _SPENT.findall(guarded.client.get("/metrics").text)
    return sum(float(seconds) for labels, seconds in found if 'operation="CREATE"' in labels)


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


def _figures(values: Sequence[float], base: Sequence[float]) -> dict[str, float]:
    found = {}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        mine, plain = _quantile(values, share), _quantile(base, share)
        found[f"{name}_ms"] = round(mine * 1000, 3)
        found[f"{name}_over_baseline_percent"] = round((mine / plain - 1) * 100, 1)
    return found


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


if __name__ == "__main__":
    main()
