"""What stands next to workloads: how they are reached, what their accounts may do, where they may land."""

from __future__ import annotations

import io

import pytest

from casemate.model.surroundings import Exposure, Rights, Surroundings
from casemate.sources.workloads import collect

_WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {serviceAccountName: web, containers: [{name: main, image: busybox}]}
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def around(*documents: str) -> Surroundings:
    return collect(["-"], io.BytesIO("\n---\n".join((_WORKLOAD, *documents)).encode())).surroundings


def exposed(*documents: str) -> Exposure | None:
    return around(*documents).exposure.get("Deployment shop/web")


def test_a_service_leads_to_the_workloads_that_it_selects() -> None:
    assert exposed(_SERVICE) == Exposure(via=("Service shop/web",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("namespace: shop", "namespace: other"),
        ("{app: web}", "{app: other}"),
        ("{app: web}", "{app: web, tier: back}"),
        ("{app: web}", "{}"),
        ("selector: {app: web}", "type: ExternalName, externalName: test, selector: {app: web}"),
    ],
)
def test_a_service_leads_nowhere_else(old: str, new: str) -> None:
    assert exposed(_SERVICE.replace(old, new)) is None


@pytest.mark.parametrize(
    ("change", "internet"),
    [
        ("type: LoadBalancer", True),
        ("type: NodePort", True),
        ("externalIPs: [192.0.2.1]", True),
        ("type: ClusterIP", False),
    ],
)
def test_services_that_open_a_door(change: str, internet: bool) -> None:
    found = exposed(_SERVICE.replace("spec: {", f"spec: {{{change}, "))
    assert found
    assert found.internet is internet


def test_a_load_balancer_that_a_cloud_keeps_inside_is_not_the_internet() -> None:
    annotation = "annotations: {networking.gke.io/load-balancer-type: Internal}"
    service = _SERVICE.replace("spec: {", "spec: {type: LoadBalancer, ").replace(
        "name: web,", f"name: web, {annotation},"
    )
    found = exposed(service)
    assert found
    assert not found.internet


@pytest.mark.parametrize(
    ("version", "kind", "spec"),
    [
        ("networking.k8s.io/v1", "Ingress", "{rules: [{http: {paths: [{path: /, backend: {service: {name: web}}}]}}]}"),
        ("networking.k8s.io/v1", "Ingress", "{defaultBackend: {service: {name: web, port: {number: 80}}}}"),
        ("extensions/v1beta1", "Ingress", "{backend: {serviceName: web, servicePort: 80}}"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", "{rules: [{backendRefs: [{name: web, port: 80}]}]}"),
        ("route.openshift.io/v1", "Route", "{to: {kind: Service, name: web}}"),
        ("traefik.io/v1alpha1", "IngressRoute", "{routes: [{match: Host(`a`), services: [{name: web, port: 80}]}]}"),
        ("projectcontour.io/v1", "HTTPProxy", "{routes: [{services: [{name: web, port: 80}]}]}"),
        ("configuration.konghq.com/v1", "TCPIngress", "{rules: [{backend: {serviceName: web, servicePort: 80}}]}"),
        ("k8s.nginx.org/v1", "VirtualServer", "{upstreams: [{name: up, service: web, port: 80}]}"),
        (
            "networking.istio.io/v1",
            "VirtualService",
            "{gateways: [mesh, g], http: [{route: [{destination: {host: web.shop.svc}}]}]}",
        ),
    ],
)
def test_routes_lead_to_the_internet(version: str, kind: str, spec: str) -> None:
    route = f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: door, namespace: shop}}, spec: {spec}}}"
    assert exposed(_SERVICE, route) == Exposure(internet=True, via=("Service shop/web", f"{kind} shop/door"))
    elsewhere = (
        route.replace("ame: web", "ame: other").replace("service: web", "service: x").replace("web.shop", "x.shop")
    )
    assert exposed(_SERVICE, elsewhere) == Exposure(via=("Service shop/web",))


@pytest.mark.parametrize("gateways", ["", "gateways: [mesh], "])
def test_a_route_of_the_mesh_alone_is_not_the_internet(gateways: str) -> None:
    spec = f"{{{gateways}http: [{{route: [{{destination: {{host: web}}}}]}}]}}"
    head = "apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a, namespace: shop}"
    assert exposed(_SERVICE, f"{{{head}, spec: {spec}}}") == Exposure(via=("Service shop/web",))


def test_a_route_may_cross_namespaces() -> None:
    refs = "{rules: [{backendRefs: [{name: web, namespace: shop}]}]}"
    metadata = "{name: door, namespace: gateways}"
    route = f"{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {metadata}, spec: {refs}}}"
    assert exposed(_SERVICE, route) == Exposure(internet=True, via=("Service shop/web", "HTTPRoute gateways/door"))


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("{}", True),
        ("{matchLabels: {app: web}}", True),
        ("{matchLabels: {app: other}}", False),
        ("{matchExpressions: [{key: tier, operator: In, values: [front, back]}]}", True),
        ("{matchExpressions: [{key: tier, operator: NotIn, values: [front]}]}", False),
        ("{matchExpressions: [{key: tier, operator: Exists}]}", True),
        ("{matchExpressions: [{key: tier, operator: DoesNotExist}]}", False),
        ("{matchLabels: {app: web}, matchExpressions: [{key: none, operator: Exists}]}", False),
    ],
)
def test_network_policies_guard_what_they_select(selector: str, selected: bool) -> None:
    policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, "
    found = exposed(policy + f"spec: {{podSelector: {selector}}}}}")
    assert bool(found and found.network_policy) is selected


_ALLOW = "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]"


@pytest.mark.parametrize(
    ("spec", "guarded"),
    [
        ("podSelector: {}", True),
        ("podSelector: {}, ingress: [{}]", False),
        ("podSelector: {}, ingress: [{}], egress: [{}]", False),
        ("podSelector: {}, ingress: [{}], policyTypes: [Ingress, Egress]", True),
        ("podSelector: {}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}], policyTypes: [Egress]", False),
        ("podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}], policyTypes: [Egress]", True),
        ("podSelector: {}, ingress: [{ports: [{port: 80}]}]", True),
        (_ALLOW, True),
        ("podSelector: {matchLabels: {app: 1}}", False),
        ("podSelector: web", False),
    ],
)
def test_a_policy_that_allows_all_guards_nothing(spec: str, guarded: bool) -> None:
    policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: one, namespace: shop}, "
    found = exposed(f"{policy}spec: {{{spec}}}}}")
    assert bool(found and found.network_policy) is guarded


def test_policies_add_up_and_do_not_guard_on_the_nodes_network() -> None:
    def policy(name: str, spec: str) -> str:
        start = (
            f"{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, "
        )
        return f"{start}spec: {{{spec}}}}}"

    found = exposed(policy("deny", "podSelector: {}"), policy("allow", "podSelector: {}, ingress: [{}]"))
    assert not (found and found.network_policy)
    documents = (_WORKLOAD.replace("spec: {service", "spec: {hostNetwork: true, service"), policy("deny", _ALLOW))
    around = collect(["-"], io.BytesIO("\n---\n".join(documents).encode())).surroundings
    assert not around.exposure


_GROUP = "rbac.authorization.k8s.io"
_ACCOUNT = "{kind: ServiceAccount, name: web, namespace: shop}"


def role(rules: str, kind: str = "ClusterRole", more: str = "") -> str:
    namespace = ", namespace: shop" if kind == "Role" else ""
    return f"{{apiVersion: {_GROUP}/v1, kind: {kind}, metadata: {{name: some{namespace}{more}}}, rules: [{rules}]}}"


def binding(
    kind: str = "ClusterRoleBinding", subject: str = _ACCOUNT, ref: str = "ClusterRole", name: str = "some"
) -> str:
    namespace = ", namespace: shop" if kind == "RoleBinding" else ""
    to = f"{{apiGroup: {_GROUP}, kind: {ref}, name: {name}}}"
    meta = f"{{name: some{namespace}}}"
    return f"{{apiVersion: {_GROUP}/v1, kind: {kind}, metadata: {meta}, roleRef: {to}, subjects: [{subject}]}}"


def rights(*documents: str) -> Rights | None:
    return around(*documents).rights.get("shop/web")


_SECRETS = '{apiGroups: [""], resources: [secrets], verbs: [list]}'


@pytest.mark.parametrize(
    ("rule", "broad"),
    [
        (_SECRETS, ("secrets: list",)),
        ('{apiGroups: [""], resources: [secrets], verbs: [get], resourceNames: [own]}', None),
        ('{apiGroups: [""], resources: [configmaps], verbs: ["*"]}', None),
        ("{apiGroups: [apps], resources: [secrets], verbs: [list]}", None),
        ('{apiGroups: [""], resources: [pods/exec], verbs: [create]}', ("pods/exec: create",)),
        ('{apiGroups: [""], resources: ["*/exec"], verbs: [create]}', ("pods/exec: create",)),
        ('{apiGroups: ["*"], resources: [runtimeclasses], verbs: [delete]}', ("runtimeclasses: delete",)),
        (
            f"{{apiGroups: [{_GROUP}], resources: [roles], verbs: [escalate], resourceNames: [one]}}",
            ("roles: escalate",),
        ),
    ],
)
def test_dangerous_grants_are_named(rule: str, broad: tuple[str, ...] | None) -> None:
    found = rights(role(rule), binding())
    assert (found.broad if found else None) == broad


@pytest.mark.parametrize(
    "subject",
    [
        _ACCOUNT,
        "{kind: ServiceAccount, name: web}",
        f"{{kind: User, apiGroup: {_GROUP}, name: 'system:serviceaccount:shop:web'}}",
        f"{{kind: Group, apiGroup: {_GROUP}, name: 'system:serviceaccounts:shop'}}",
        f"{{kind: Group, apiGroup: {_GROUP}, name: 'system:serviceaccounts'}}",
        f"{{kind: Group, apiGroup: {_GROUP}, name: 'system:authenticated'}}",
    ],
)
def test_a_service_account_is_bound_by_all_its_names(subject: str) -> None:
    found = rights(role(_SECRETS, "Role"), binding("RoleBinding", subject, "Role"))
    assert found == Rights(broad=("secrets: list",))


@pytest.mark.parametrize(
    ("kind", "name"), [("User", "system:serviceaccounts"), ("Group", "system:serviceaccount:shop:web")]
)
def test_a_name_of_the_wrong_kind_is_somebody_elses(kind: str, name: str) -> None:
    assert rights(role(_SECRETS), binding(subject=f"{{kind: {kind}, apiGroup: {_GROUP}, name: '{name}'}}")) is None


def test_another_namespaces_account_is_not_bound() -> None:
    assert rights(role(_SECRETS), binding(subject="{kind: ServiceAccount, name: web, namespace: other}")) is None


def test_everything_everywhere_is_cluster_admin() -> None:
    everything = '{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}'
    for found in (rights(role(everything), binding()), rights(binding(name="cluster-admin"))):
        assert found
        assert found.cluster_admin
    inside = rights(role(everything), binding("RoleBinding"))
    assert inside
    assert not inside.cluster_admin
    assert "secrets: get" in inside.broad


def test_the_roles_that_every_cluster_has_are_known() -> None:
    found = rights(binding("RoleBinding", name="edit"))
    assert found
    assert {"secrets: get", "pods: create", "pods/exec: create"} <= set(found.broad)
    assert rights(binding("RoleBinding", name="view")) is None


def test_aggregated_roles_have_the_rules_of_those_that_they_select() -> None:
    selectors = "aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: sum}}]}"
    total = f"{{apiVersion: {_GROUP}/v1, kind: ClusterRole, metadata: {{name: sum}}, {selectors}}}"
    found = rights(total, role(_SECRETS, more=", labels: {to: sum}"), binding(name="sum"))
    assert found == Rights(broad=("secrets: list",))


def test_classes_nodes_and_namespaces_are_kept() -> None:
    runtime_class = "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: gvisor}, handler: runsc}"
    namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tenancy: shared}}}"
    info = "nodeInfo: {kernelVersion: 6.12.0, kubeletVersion: v1.36.3, containerRuntimeVersion: 'containerd://2.1.0'}"
    handlers = "runtimeHandlers: [{name: ''}, {name: runsc, features: {userNamespaces: true}}]"
    node = f"{{apiVersion: v1, kind: Node, metadata: {{name: one}}, status: {{{info}, {handlers}}}}}"
    old = f"{{apiVersion: v1, kind: Node, metadata: {{name: old}}, status: {{{info}}}}}"
    found = around(runtime_class, namespace, node, old)
    gvisor = found.runtime_class("gvisor")
    assert gvisor
    assert gvisor.handler == "runsc"
    assert found.namespaces == {"shop": {"tenancy": "shared"}}
    assert [(each.name, each.handlers, each.user_namespace_handlers, each.kernel) for each in found.nodes] == [
        ("one", ("", "runsc"), ("runsc",), "6.12.0"),
        ("old", None, (), "6.12.0"),
    ]
    assert not found.complete


@pytest.mark.parametrize("handler", ["", ", handler: ''", ", spec: {runtimeHandler: runsc}"])
def test_a_class_without_a_handler_is_not_what_its_name_says(handler: str) -> None:
    found = around(f"{{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {{name: gvisor}}{handler}}}")
    assert [each.handler for each in found.runtime_classes] == ["no handler"]


def test_a_class_with_two_handlers_has_neither_for_sure() -> None:
    classes = [
        f"{{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {{name: gvisor}}, handler: {handler}}}"
        for handler in ("runc", "runsc", "runc")
    ]
    gvisor = around(*classes).runtime_class("gvisor")
    assert gvisor
    assert gvisor.handler == "either runc or runsc"


@pytest.mark.parametrize(
    "broken", ["[]", "{a: 1}", "7", "null", "{selector: {app: 7}, ports: x, type: []}", "{podSelector: 1}"]
)
@pytest.mark.parametrize("kind", ["v1, kind: Service", "networking.k8s.io/v1, kind: Ingress", "v1, kind: Node"])
def test_broken_surroundings_are_no_evidence(kind: str, broken: str) -> None:
    assert not around(
        f"{{apiVersion: {kind}, metadata: {{name: a, labels: 7}}, spec: {broken}, status: {broken}}}"
    ).exposure


@pytest.mark.parametrize(("said", "tokenless"), [("false", {"shop/web"}), ("true", set()), ("null", set())])
def test_an_account_may_give_its_pods_no_token(said: str, tokenless: set[str]) -> None:
    meta = "metadata: {name: web, namespace: shop}"
    found = around(f"{{apiVersion: v1, kind: ServiceAccount, {meta}, automountServiceAccountToken: {said}}}")
    assert found.tokenless == tokenless


def test_an_account_that_stands_twice_gives_a_token_if_one_does() -> None:
    meta = "apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop}"
    assert not around(f"{{{meta}}}", f"{{{meta}, automountServiceAccountToken: false}}").tokenless
