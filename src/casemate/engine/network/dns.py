"""Answers to DNS queries about an engine's names.

1. A query that is no single question of class IN gets an error: FORMERR, NOTIMP, REFUSED.
2. A name that the zone knows nothing of is not answered here (None): it is asked upstream.
3. A name that exists has its records of the asked type, or none (NODATA, with the SOA). That includes AAAA: clients
   that ask for both families go on with A. A name that does not exist gives NXDOMAIN, with the SOA.
4. A CNAME is followed within the zone; where it leads out of it, `continuation` says what to ask upstream, since
   clients expect the whole chain.
5. Several addresses come in turning order, by the query's number.

Source: RFC 1034, 2308, 8020; kubernetes/dns specification 1.1.0.
"""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from casemate.engine.network.zone import Zone

TTL = 5
"""Seconds; what a client may still believe after an endpoint is gone."""

_LONGEST_CHAIN = 8


def answer(query: dns.message.Message, zone: Zone) -> dns.message.Message | None:
    """The response from `zone`, or None when the question is not about its names."""
    refused = _refusal(query)
    if refused is not None:
        return _response(query, refused)
    question = query.question[0]
    name = _text(question.name)
    if name not in zone.records and not zone.origin_of(name):
        return None
    response = _response(query, dns.rcode.NOERROR)
    response.flags |= dns.flags.AA
    _resolve(response, question.name, question.rdtype, zone)
    return response


def continuation(response: dns.message.Message, zone: Zone) -> dns.name.Name | None:
    """The name outside of `zone` at which the response's chain of CNAMEs ends; None when it needs no more."""
    if not response.answer or response.answer[-1].rdtype != dns.rdatatype.CNAME:
        return None
    if response.question[0].rdtype in (dns.rdatatype.CNAME, dns.rdatatype.ANY):
        return None
    target = response.answer[-1][0].target
    return None if zone.origin_of(_text(target)) else target


def failure(query: dns.message.Message, code: dns.rcode.Rcode = dns.rcode.SERVFAIL) -> dns.message.Message:
    """The response that says that nothing could be found out."""
    return _response(query, code)


def _refusal(query: dns.message.Message) -> dns.rcode.Rcode | None:
    if query.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if len(query.question) != 1:
        return dns.rcode.FORMERR
    return None if query.question[0].rdclass == dns.rdataclass.IN else dns.rcode.REFUSED


def _response(query: dns.message.Message, code: dns.rcode.Rcode) -> dns.message.Message:
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(code)
    return response


def _resolve(response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType, zone: Zone) -> None:
    for _ in range(_LONGEST_CHAIN):
        records = zone.records.get(_text(name))
        if records is None:
            if zone.origin_of(_text(name)):
                response.set_rcode(dns.rcode.NXDOMAIN)
                _add_soa(response, name, zone)
            return
        if "CNAME" not in records or kind in (dns.rdatatype.CNAME, dns.rdatatype.ANY):
            _add_records(response, name, kind, zone)
            return
        response.answer.append(_rrset(name, "CNAME", records["CNAME"]))
        name = dns.name.from_text(records["CNAME"][0])


def _add_records(response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType, zone: Zone) -> None:
    records = zone.records[_text(name)]
    wanted = list(records) if kind == dns.rdatatype.ANY else [dns.rdatatype.to_text(kind)]
    found = [_rrset(name, each, _turned(records[each], response.id)) for each in wanted if each in records]
    response.answer.extend(found)
    if not found:
        _add_soa(response, name, zone)
    for rrset in found:
        if rrset.rdtype == dns.rdatatype.SRV:
            _add_targets(response, rrset, zone)


def _add_targets(response: dns.message.Message, services: dns.rrset.RRset, zone: Zone) -> None:
    for target in {each.target for each in services}:
        addresses = zone.records.get(_text(target), {}).get("A", ())
        if addresses:
            response.additional.append(_rrset(target, "A", addresses))


def _add_soa(response: dns.message.Message, name: dns.name.Name, zone: Zone) -> None:
    origin = zone.origin_of(_text(name))
    if origin:
        data = f"ns.dns.{origin} hostmaster.{origin} 1 7200 1800 86400 {TTL}"
        response.authority.append(_rrset(dns.name.from_text(origin), "SOA", (data,)))


def _rrset(name: dns.name.Name, kind: str, data: tuple[str, ...]) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, TTL, "IN", kind, *data)


def _turned(data: tuple[str, ...], number: int) -> tuple[str, ...]:
    first = number % len(data)
    return data[first:] + data[:first]


def _text(name: dns.name.Name) -> str:
    return name.to_text().lower()
