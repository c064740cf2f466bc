from __future__ import annotations

import json
from ipaddress import IPv4Network

from casemate.engine.network.rules import Leftover, transaction
from casemate.engine.network.services import Backend, Endpoint, PortRules, ServiceKey, ServiceRules

NETWORK = IPv4Network("10.9.128.0/18")


def service(name: str = "web", endpoints: int = 2, seconds: int = 0, port: int = 80) -> ServiceRules:
    behind = tuple(Endpoint(Backend(f"10.9.0.{number + 2}"), 8080) for number in range(endpoints))
    return ServiceRules(
        ServiceKey("default", name), "10.9.128.9", "", seconds, (PortRules("", "TCP", port, 0, behind),)
    )


def commands(services: list[ServiceRules], before: Leftover = Leftover()) -> list[str]:  # noqa: B008 - frozen
    return [json.dumps(each) for each in transaction(services, NETWORK, before).commands]


def test_what_is_not_wanted_any_more_is_deleted_after_its_last_use() -> None:
    first = transaction([service(seconds=9)], NETWORK, Leftover())
    second = transaction([], NETWORK, first.after)
    deleted = [each["delete"] for each in second.commands if "delete" in each]

    assert len(deleted) == len(first.after.chains) + len(first.after.sets) == 5
    assert second.after == Leftover()
    assert "delete" in list(second.commands)[-1]


def test_the_memory_of_affinity_is_kept_while_its_endpoint_stays() -> None:
    first = transaction([service(seconds=9)], NETWORK, Leftover())
    again = commands([service(seconds=9), service("db")], first.after)

    assert not any('"add": {"set"' in each for each in again)
    assert not any("flush" in each and '"set"' in each for each in again)


def test_another_time_of_affinity_makes_another_memory() -> None:
    first = transaction([service(seconds=9)], NETWORK, Leftover())
    second = transaction([service(seconds=10)], NETWORK, first.after)

    assert not first.after.sets & second.after.sets


def test_a_service_without_endpoints_leads_nowhere() -> None:
    assert not any("element" in each for each in commands([service(endpoints=0)]))


def test_names_of_any_length_stay_within_nfts_limit_and_apart() -> None:
    long = "x" * 63
    chains = transaction(
        [ServiceRules(ServiceKey(long, long), "10.9.128.9", "", 9, service(port=number).ports) for number in (80, 81)],
        NETWORK,
        Leftover(),
    ).after.chains

    assert len(chains) == 6
    assert max(len(each) for each in chains) < 128
