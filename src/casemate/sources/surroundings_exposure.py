"""Who can reach a workload: Services select it, Ingresses and routes lead to Services, NetworkPolicies guard it.

1. A Service leads to the workloads of its namespace whose Pod labels its selector matches. A selector without entries
   selects nothing.
2. An Ingress, a route of the Gateway API, of OpenShift, Traefik, Contour, Kong, NGINX or Istio makes what its Services
   lead to reachable from outside, as does a Service of type LoadBalancer or NodePort or one with external addresses.
   Istio's count when they name a gateway: without one they are the mesh's own.
3. A LoadBalancer that an annotation of a cloud calls internal is not the internet.
4. A NetworkPolicy guards what its Pod selector matches; an empty one matches all of its namespace. Policies add up: in
   a direction in which one of them allows everything, none guards. On the node's network none does (k8s.io/api
   networking/v1, NetworkPolicySpec). A policy that the API server refuses is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from casemate.model.kube.meta import LabelSelector
from casemate.model.kube.objects import ServiceSpec
from casemate.model.surroundings import Exposure
from casemate.model.workload import Workload
from casemate.sources.fast_decode import decode
from casemate.sources.rules.labels import matches

_INTERNAL: Final = frozenset(
    (
        ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
        ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
        ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
        ("networking.gke.io/load-balancer-type", "Internal"),
        ("cloud.google.com/load-balancer-type", "Internal"),
        ("service.beta.kubernetes.io/oci-load-balancer-internal", "true"),
        ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", "intranet"),
    )
)
ROUTES: Final = {
    "gateway.networking.k8s.io": frozenset(("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")),
    "networking.k8s.io": frozenset(("Ingress",)),
    "extensions": frozenset(("Ingress",)),
    "route.openshift.io": frozenset(("Route",)),
    "traefik.io": frozenset(("IngressRoute", "IngressRouteTCP", "IngressRouteUDP")),
    "projectcontour.io": frozenset(("HTTPProxy",)),
    "configuration.konghq.com": frozenset(("TCPIngress", "UDPIngress")),
    "k8s.nginx.org": frozenset(("VirtualServer", "VirtualServerRoute", "TransportServer")),
    "networking.istio.io": frozenset(("VirtualService",)),
    "traefik.containo.us": frozenset(("IngressRoute", "IngressRouteTCP", "IngressRouteUDP")),
}
_EVERYWHERE: Final = {"ipBlock": {"cidr": "0.0.0.0/0"}}
_BACKENDS: Final = frozenset(
    ("backend", "defaultBackend", "service", "backendRefs", "services", "to", "destination", "upstreams")
)
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class _Service:
    namespace: str
    name: str
    selector: dict[str, str]
    internet: bool


@dataclass(frozen=True, slots=True)
class _Policy:
    namespace: str
    selector: LabelSelector
    guards: frozenset[str]
    opens: frozenset[str]


class Paths:
    """Services, what leads to them, and what guards Pods."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, str], _Service] = {}
        self._routes: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._policies: dict[tuple[str, str], _Policy] = {}

    def take(self, group: str, kind: str, value: dict[str, object]) -> bool:
        """Take an object in, or say that it is nothing of the kind."""
        meta, spec = value.get("metadata"), value.get("spec")
        meta, spec = meta if isinstance(meta, dict) else {}, spec if isinstance(spec, dict) else {}
        name, namespace = _text(meta.get("name")), _text(meta.get("namespace"))
        if (group, kind) == ("", "Service"):
            self._services[namespace, name] = _service(namespace, name, meta, spec)
        elif (group, kind) == ("networking.k8s.io", "NetworkPolicy"):
            if policy := _policy(namespace, spec):
                self._policies[namespace, name] = policy
        elif kind in ROUTES.get(group, ()):
            for target in set(_targets(spec, namespace)) if _is_outward(kind, spec) else ():
                self._routes[target].append(f"{kind} {namespace}/{name}")
        else:
            return False
        return True

    def exposure(self, workloads: Sequence[Workload]) -> dict[str, Exposure]:
        """How each of these workloads is reached, by title. Those that nothing reaches or guards are left out."""
        if not self._services and not self._policies:
            return {}
        labelled = _Labelled(workloads)
        via: dict[str, list[str]] = defaultdict(list)
        internet: set[str] = set()
        for service in self._services.values():
            routes = self._routes.get((service.namespace, service.name), [])
            for title in labelled.having(service.namespace, service.selector):
                via[title] += [f"Service {service.namespace}/{service.name}", *routes]
                if routes or service.internet:
                    internet.add(title)
        guarded = self._guarded(labelled)
        return {
            title: Exposure(
                internet=title in internet,
                via=tuple(dict.fromkeys(via.get(title, ()))),
                network_policy=title in guarded,
            )
            for title in dict.fromkeys((*via, *sorted(guarded)))
        }

    def _guarded(self, labelled: _Labelled) -> set[str]:
        """The titles of workloads that policies guard in one direction at least."""
        guards: dict[str, set[str]] = defaultdict(set)
        opens: dict[str, set[str]] = defaultdict(set)
        for policy in self._policies.values():
            for title in labelled.selected(policy):
                guards[title] |= policy.guards
                opens[title] |= policy.opens
        return {title for title, directions in guards.items() if directions - opens[title]}


def _policy(namespace: str, spec: dict[str, object]) -> _Policy | None:
    """The policy; None when the API server refuses its selector."""
    selector = decode(spec.get("podSelector") or {}, LabelSelector)
    if selector.wrong:
        return None
    types = spec.get("policyTypes")
    guards = {each for each in types if isinstance(each, str)} if isinstance(types, list) and types else {"Ingress"}
    if not types and spec.get("egress"):
        guards.add("Egress")
    opens = (each for each in guards if _allows_all(spec.get(each.lower()), "from" if each == "Ingress" else "to"))
    return _Policy(namespace, selector.struct, frozenset(guards), frozenset(opens))


def _allows_all(rules: object, peers: str) -> bool:
    """Whether a rule leaves all peers and ports, or names every IPv4 address."""
    return any(
        isinstance(rule, dict)
        and not rule.get("ports")
        and (not (named := rule.get(peers)) or (isinstance(named, list) and _EVERYWHERE in named))
        for rule in (rules if isinstance(rules, list) else ())
    )


def _service(namespace: str, name: str, meta: dict[str, object], value: dict[str, object]) -> _Service:
    spec = decode(value, ServiceSpec).struct
    annotations = meta.get("annotations")
    pairs = annotations.items() if isinstance(annotations, dict) else ()
    internal = any((key, text) in _INTERNAL for key, text in pairs if isinstance(text, str))
    open_type = spec.type == "NodePort" or (spec.type == "LoadBalancer" and not internal)
    selector = {} if spec.type == "ExternalName" else spec.selector
    return _Service(namespace, name, selector, open_type or bool(spec.externalIPs))


def _targets(spec: object, namespace: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """The Services that a route leads to, however its API writes them."""
    if depth > _DEEPEST:
        return
    if isinstance(spec, list):
        for each in spec:
            yield from _targets(each, namespace, depth + 1)
    elif isinstance(spec, dict):
        for key, each in spec.items():
            if key in _BACKENDS:
                yield from _named(each, namespace)
            yield from _targets(each, namespace, depth + 1)


def _named(backend: object, namespace: str) -> Iterator[tuple[str, str]]:
    for each in backend if isinstance(backend, list) else [backend]:
        if not isinstance(each, dict):
            continue
        name, host = _text(each.get("service")) or each.get("name") or each.get("serviceName"), each.get("host")
        if isinstance(name, str):
            yield _text(each.get("namespace")) or namespace, name
        elif isinstance(host, str):  # `web`, `web.shop`, `web.shop.svc.cluster.local`
            service, *rest = host.split(".")
            yield rest[0] if rest else namespace, service


def _is_outward(kind: str, spec: dict[str, object]) -> bool:
    gateways = spec.get("gateways")
    return kind != "VirtualService" or (isinstance(gateways, list) and any(each != "mesh" for each in gateways))


class _Labelled:
    """Workloads by namespace and label, so that a selector looks only at those that have its rarest label."""

    def __init__(self, workloads: Sequence[Workload]) -> None:
        self._all: dict[str, list[Workload]] = defaultdict(list)
        self._by_label: dict[tuple[str, str, str], list[Workload]] = defaultdict(list)
        for each in workloads:
            self._all[each.namespace].append(each)
            for key, text in each.metadata.labels.items():
                self._by_label[each.namespace, key, text].append(each)

    def having(self, namespace: str, selector: dict[str, str]) -> Iterator[str]:
        """The titles of those that have all labels of a selector, if it has any."""
        if selector:
            some = min((self._by_label.get((namespace, *pair), []) for pair in selector.items()), key=len)
            wanted = selector.items()
            yield from (each.title for each in some if wanted <= each.metadata.labels.items())

    def selected(self, policy: _Policy) -> Iterator[str]:
        """The titles of those that a policy selects."""
        equal = policy.selector.matchLabels
        if equal:
            some = min((self._by_label.get((policy.namespace, *pair), []) for pair in equal.items()), key=len)
        else:
            some = self._all.get(policy.namespace, [])
        for each in some:
            if not each.spec.hostNetwork and matches(policy.selector, each.metadata.labels):
                yield each.title


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
