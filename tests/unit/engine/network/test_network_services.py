from __future__ import annotations

from dataclasses import replace

import pytest

from casemate.engine.network.links import environment
from casemate.engine.network.services import PodState, ServiceRules, resolve
from casemate.model.kube.container import ContainerPort
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import (
    ClientIPConfig,
    Service,
    ServicePort,
    ServiceSpec,
    SessionAffinityConfig,
)

POD = PodState(
    "default", "web-0", "10.0.0.2", True, {"app": "web", "tier": "front"},
    ports=(ContainerPort(containerPort=8080, name="http"), ContainerPort(containerPort=53, name="dns", protocol="UDP")),
)  # fmt: skip


def service(**spec: object) -> Service:
    settled: dict[str, object] = {"selector": {"app": "web"}, "ports": (ServicePort(port=80),)}
    return Service(metadata=ObjectMeta(name="web", namespace="default"), spec=ServiceSpec(**{**settled, **spec}))  # type: ignore[arg-type]


def rules(pod: PodState = POD, **spec: object) -> ServiceRules:
    return resolve(service(**spec), "10.0.128.9", [pod], {})


BACKED = {
    "ready and labelled": (POD, {}, True),
    "more labels than asked": (POD, {"selector": {"app": "web", "tier": "front"}}, True),
    "a label of another value": (POD, {"selector": {"app": "db"}}, False),
    "one label of two": (POD, {"selector": {"app": "web", "zone": "a"}}, False),
    "no selector": (POD, {"selector": {}}, False),
    "another namespace": (replace(POD, namespace="other"), {}, False),
    "no address yet": (replace(POD, ip=""), {}, False),
    "not ready": (replace(POD, ready=False), {}, False),
    "not ready but published": (replace(POD, ready=False), {"publishNotReadyAddresses": True}, True),
    "published without address": (replace(POD, ip="", ready=False), {"publishNotReadyAddresses": True}, False),
}


@pytest.mark.parametrize(("pod", "spec", "backed"), BACKED.values(), ids=list(BACKED))
def test_which_pods_back_a_service(pod: PodState, spec: dict[str, object], backed: bool) -> None:
    assert bool(rules(pod, **spec).backends) is backed


TARGETS = {
    "unset is the port itself": (ServicePort(port=80), [80]),
    "a number": (ServicePort(port=80, targetPort=8080), [8080]),
    "a name": (ServicePort(port=80, targetPort="http"), [8080]),
    "a name of the other protocol": (ServicePort(port=80, targetPort="dns"), []),
    "a name with its protocol": (ServicePort(port=80, targetPort="dns", protocol="UDP"), [53]),
    "an unknown name": (ServicePort(port=80, targetPort="grpc"), []),
}


@pytest.mark.parametrize(("port", "numbers"), TARGETS.values(), ids=list(TARGETS))
def test_where_a_port_leads(port: ServicePort, numbers: list[int]) -> None:
    assert [each.port for each in rules(ports=(port,)).ports[0].endpoints] == numbers


def test_a_pod_is_named_under_the_service_that_its_subdomain_names() -> None:
    named = replace(POD, hostname="web-0", subdomain="web")

    assert rules(named).backends[0].hostname == "web-0"
    assert rules(replace(named, subdomain="other")).backends[0].hostname == ""


def test_session_affinity_lasts_three_hours_unless_set() -> None:
    brief = SessionAffinityConfig(clientIP=ClientIPConfig(timeoutSeconds=5))

    assert rules().affinity_seconds == 0
    assert rules(sessionAffinity="ClientIP").affinity_seconds == 10800
    assert rules(sessionAffinity="ClientIP", sessionAffinityConfig=brief).affinity_seconds == 5


def test_an_external_name_has_no_endpoints() -> None:
    found = rules(type="ExternalName", externalName="example.com")

    assert (found.external_name, found.cluster_ip, found.ports) == ("example.com", "", ())


def test_the_environment_is_a_kubelets() -> None:
    ports = (ServicePort(port=80, name="http"), ServicePort(port=53, name="dns-udp", protocol="UDP"))
    found = resolve(
        Service(metadata=ObjectMeta(name="my-web", namespace="default"), spec=ServiceSpec(ports=ports)),
        "10.0.0.9",
        [],
        {},
    )

    assert environment([found], "default") == {
        "MY_WEB_SERVICE_HOST": "10.0.0.9",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP": "80",
        "MY_WEB_SERVICE_PORT_DNS_UDP": "53",
        "MY_WEB_PORT": "tcp://10.0.0.9:80",
        "MY_WEB_PORT_80_TCP": "tcp://10.0.0.9:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "10.0.0.9",
        "MY_WEB_PORT_53_UDP": "udp://10.0.0.9:53",
        "MY_WEB_PORT_53_UDP_PROTO": "udp",
        "MY_WEB_PORT_53_UDP_PORT": "53",
        "MY_WEB_PORT_53_UDP_ADDR": "10.0.0.9",
    }


def test_headless_services_and_other_namespaces_are_not_in_the_environment() -> None:
    headless = resolve(service(clusterIP="None"), "", [], {})

    assert environment([headless], "default") == {}
    assert environment([rules()], "other") == {}
