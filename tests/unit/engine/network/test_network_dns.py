from __future__ import annotations

from ipaddress import IPv4Network

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import pytest

from casemate.engine.network.dns import answer, continuation
from casemate.engine.network.services import Backend, Endpoint, PodState, PortRules, ServiceKey, ServiceRules
from casemate.engine.network.zone import build

ONE, TWO = Backend("10.9.0.2", "db-0"), Backend("10.9.0.3")
SERVICES = (
    ServiceRules(
        ServiceKey("shop", "web"), "10.9.128.9", ports=(PortRules("http", "TCP", 80), PortRules("", "TCP", 81))
    ),
    ServiceRules(
        ServiceKey("shop", "db"),
        ports=(PortRules("sql", "TCP", 5432, 0, (Endpoint(ONE, 5433), Endpoint(TWO, 5433))),),
        backends=(ONE, TWO),
    ),
    ServiceRules(ServiceKey("shop", "empty")),
    ServiceRules(ServiceKey("shop", "out"), external_name="www.Example.com"),
    ServiceRules(ServiceKey("shop", "alias"), external_name="web.shop.svc.cluster.local."),
    ServiceRules(ServiceKey("shop", "round"), external_name="round.shop.svc.cluster.local"),
)
PODS = (PodState("shop", "db-0", "10.9.0.2"), PodState("shop", "late"))
ZONE = build(SERVICES, PODS, IPv4Network("10.9.0.0/16"))

SVC = "shop.svc.cluster.local"
# name, type → rcode, sorted data of the answer
ANSWERS = {
    f"web.{SVC} A": ("NOERROR", ["10.9.128.9"]),
    "WEB.Shop.svc.Cluster.LOCAL A": ("NOERROR", ["10.9.128.9"]),
    f"web.{SVC} AAAA": ("NOERROR", []),
    f"web.{SVC} MX": ("NOERROR", []),
    f"nope.{SVC} A": ("NXDOMAIN", []),
    f"nope.{SVC} AAAA": ("NXDOMAIN", []),
    f"x.web.{SVC} A": ("NXDOMAIN", []),
    f"db.{SVC} A": ("NOERROR", ["10.9.0.2", "10.9.0.3"]),
    f"db-0.db.{SVC} A": ("NOERROR", ["10.9.0.2"]),
    f"10-9-0-3.db.{SVC} A": ("NOERROR", ["10.9.0.3"]),
    f"10-9-0-2.db.{SVC} A": ("NXDOMAIN", []),
    f"empty.{SVC} A": ("NXDOMAIN", []),
    f"_http._tcp.web.{SVC} SRV": ("NOERROR", [f"0 100 80 web.{SVC}."]),
    f"_sql._tcp.db.{SVC} SRV": ("NOERROR", [f"0 100 5433 10-9-0-3.db.{SVC}.", f"0 100 5433 db-0.db.{SVC}."]),
    f"_http._udp.web.{SVC} SRV": ("NXDOMAIN", []),
    f"_tcp.web.{SVC} SRV": ("NOERROR", []),
    f"{SVC} A": ("NOERROR", []),
    "svc.cluster.local A": ("NOERROR", []),
    "cluster.local A": ("NOERROR", []),
    "nowhere.svc.cluster.local A": ("NXDOMAIN", []),
    f"out.{SVC} A": ("NOERROR", ["www.example.com."]),
    f"out.{SVC} CNAME": ("NOERROR", ["www.example.com."]),
    f"alias.{SVC} A": ("NOERROR", ["10.9.128.9", f"web.{SVC}."]),
    f"alias.{SVC} AAAA": ("NOERROR", [f"web.{SVC}."]),
    "10-9-0-2.shop.pod.cluster.local A": ("NOERROR", ["10.9.0.2"]),
    "10-9-0-9.shop.pod.cluster.local A": ("NXDOMAIN", []),
    "9.128.9.10.in-addr.arpa PTR": ("NOERROR", [f"web.{SVC}."]),
    "2.0.9.10.in-addr.arpa PTR": ("NOERROR", [f"db-0.db.{SVC}."]),
    "3.0.9.10.in-addr.arpa PTR": ("NXDOMAIN", []),
    "dns-version.cluster.local TXT": ("NOERROR", ['"1.1.0"']),
}


def ask(name: str, kind: str = "A") -> dns.message.Message | None:
    return answer(dns.message.make_query(name, kind), ZONE)


@pytest.mark.parametrize(("question", "expected"), ANSWERS.items(), ids=list(ANSWERS))
def test_names_of_the_engine_are_answered(question: str, expected: tuple[str, list[str]]) -> None:
    response = ask(*question.split())

    assert response is not None
    data = sorted(str(each) for rrset in response.answer for each in rrset)
    assert (dns.rcode.to_text(response.rcode()), data) == expected
    assert response.flags & dns.flags.AA
    assert response.flags & dns.flags.RA


@pytest.mark.parametrize("name", ["example.com", "cluster.local.example.com", "notcluster.local", "web", "."])
def test_other_names_are_not_answered_here(name: str) -> None:
    assert ask(name) is None


@pytest.mark.parametrize("name", [f"web.{SVC}", f"nope.{SVC}"])
def test_what_does_not_exist_comes_with_the_soa_that_bounds_its_caching(name: str) -> None:
    response = ask(name, "AAAA")

    assert response is not None
    assert [str(each.name) for each in response.authority] == ["cluster.local."]
    assert response.authority[0].ttl == 5


def test_a_chain_that_leads_out_is_continued_upstream() -> None:
    outward, inward, asked = ask(f"out.{SVC}"), ask(f"alias.{SVC}"), ask(f"out.{SVC}", "CNAME")
    assert outward
    assert inward
    assert asked

    assert str(continuation(outward, ZONE)) == "www.example.com."
    assert continuation(inward, ZONE) is None
    assert continuation(asked, ZONE) is None


def test_a_chain_that_leads_to_itself_ends() -> None:
    response = ask(f"round.{SVC}")

    assert response is not None
    assert continuation(response, ZONE) is None


def test_addresses_come_in_turning_order() -> None:
    first = set()
    for number in range(4):
        query = dns.message.make_query(f"db.{SVC}", "A", id=number)
        response = answer(query, ZONE)
        assert response is not None
        first.add(str(response.answer[0][0]))

    assert first == {"10.9.0.2", "10.9.0.3"}


def test_srv_brings_the_addresses_of_its_targets() -> None:
    response = ask(f"_sql._tcp.db.{SVC}", "SRV")

    assert response is not None
    assert sorted(str(each[0]) for each in response.additional) == ["10.9.0.2", "10.9.0.3"]


def test_what_is_no_plain_question_is_refused() -> None:
    update = dns.message.make_query("cluster.local", "SOA")
    update.set_opcode(dns.opcode.NOTIFY)
    chaos = dns.message.make_query("version.bind", "TXT", rdclass=dns.rdataclass.CH)
    empty = dns.message.Message()

    codes = [
        dns.rcode.to_text(response.rcode()) for query in (update, chaos, empty) if (response := answer(query, ZONE))
    ]

    assert codes == ["NOTIMP", "REFUSED", "FORMERR"]
