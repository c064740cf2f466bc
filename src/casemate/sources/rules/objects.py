"""Objects that Pods refer to: ConfigMaps, Secrets, Services, claims, RuntimeClasses."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final

from casemate.model.kube.objects import ConfigMap, RuntimeClass, Secret, Service, ServiceSpec
from casemate.sources.rules import formats as f
from casemate.sources.rules.labels import check_labels
from casemate.sources.rules.place import Place
from casemate.sources.rules.resources import check_amounts
from casemate.sources.rules.scheduling import check_tolerations

MAX_DATA = 1 << 20

_KEYS_BY_TYPE: Final = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def check_config_map(config_map: ConfigMap, place: Place) -> None:
    """Keys, base64 and size of a ConfigMap."""
    total = 0
    for key, text in config_map.data.items():
        place.at("data", key).check(key, f.data_key)
        total += len(text.encode())
        if key in config_map.binaryData:
            place.at("binaryData", key).note("is in data too", "keep one of them")
    for key, text in config_map.binaryData.items():
        place.at("binaryData", key).check(key, f.data_key)
        total += len(_decoded(text, place.at("binaryData", key)))
    if total > MAX_DATA:
        place.note(f"the data are larger than {MAX_DATA >> 20} MiB", "split them")


def check_secret(secret: Secret, place: Place) -> None:
    """Keys, base64, size and what the type asks for."""
    values = {key: _decoded(text, place.at("data", key)) for key, text in secret.data.items()}
    values |= {key: text.encode() for key, text in secret.stringData.items()}
    for field, keys in (("data", secret.data), ("stringData", secret.stringData)):
        for key in keys:
            place.at(field, key).check(key, f.data_key)
    if sum(map(len, values.values())) > MAX_DATA:
        place.note(f"the data are larger than {MAX_DATA >> 20} MiB", "split them")
    for key in _KEYS_BY_TYPE.get(secret.type or "", ()):
        here = place.at("data", key)
        if key not in values:
            here.note(f"is missing: type {secret.type} asks for it")
        elif key.startswith(".docker") and not _is_json_object(values[key]):
            here.note("is no JSON object")
    if secret.type == "kubernetes.io/basic-auth" and not values.keys() & {"username", "password"}:
        place.at("data").note(f"has neither username nor password, which type {secret.type} asks for")


def check_service(service: Service, place: Place) -> None:
    """A Service's type, addresses and ports."""
    spec = service.spec
    here = place.at("spec")
    if spec is None:
        here.note("is missing", "add selector and ports")
        return
    check_labels(spec.selector, here.at("selector"))
    headless = spec.clusterIP == "None" or spec.clusterIPs[:1] == ("None",)
    kind = spec.type or "ClusterIP"
    if not spec.ports and not headless and kind != "ExternalName":
        here.at("ports").note("there are none", "add at least one")
    if headless and kind in ("NodePort", "LoadBalancer"):
        here.at("clusterIP").note(f"None contradicts type: {kind}")
    if spec.externalTrafficPolicy and kind not in ("NodePort", "LoadBalancer") and not spec.externalIPs:
        here.at("externalTrafficPolicy").note("needs type: NodePort or LoadBalancer")
    _check_addresses(spec, kind, here)
    _check_service_ports(spec, kind, here.at("ports"))


def _check_addresses(spec: ServiceSpec, kind: str, place: Place) -> None:
    if kind == "ExternalName":
        if place.at("externalName").require(spec.externalName):
            place.at("externalName").check((spec.externalName or "").removesuffix("."), f.dns_subdomain)
        if spec.clusterIP or spec.clusterIPs:
            place.at("clusterIP").note("contradicts type: ExternalName")
        return
    for address in (spec.clusterIP, *spec.clusterIPs):
        if address not in (None, "", "None"):
            place.at("clusterIP").check(address, f.ip_address)
    if spec.clusterIP and spec.clusterIPs and spec.clusterIP != spec.clusterIPs[0]:
        place.at("clusterIPs").note("the first must equal clusterIP")
    for name in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if getattr(spec, name) not in (None, ()) and kind != "LoadBalancer":
            place.at(name).note("needs type: LoadBalancer")


def _check_service_ports(spec: ServiceSpec, kind: str, place: Place) -> None:
    place.unique(each.name for each in spec.ports)
    place.unique((f"{each.protocol or 'TCP'}/{each.port}" for each in spec.ports), "port")
    node_ports = (f"{each.protocol or 'TCP'}/{each.nodePort}" if each.nodePort else None for each in spec.ports)
    place.unique(node_ports, "nodePort")
    for index, each in enumerate(spec.ports):
        if len(spec.ports) > 1 and not each.name:
            place.at(index, "name").note("is missing", "several ports need names")
        if each.nodePort and kind not in ("NodePort", "LoadBalancer"):
            place.at(index, "nodePort").note("needs type: NodePort or LoadBalancer")


def check_runtime_class(runtime_class: RuntimeClass, place: Place) -> None:
    """A RuntimeClass's overhead and where it schedules to."""
    if runtime_class.overhead:
        check_amounts(runtime_class.overhead.podFixed, place.at("overhead", "podFixed"))
    if runtime_class.scheduling:
        check_labels(runtime_class.scheduling.nodeSelector, place.at("scheduling", "nodeSelector"))
        check_tolerations(runtime_class.scheduling.tolerations, place.at("scheduling", "tolerations"))


def _decoded(text: str, place: Place) -> bytes:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        place.note("is not base64", "encode it, or use stringData (Secret) or data (ConfigMap) for plain text")
        return b""


def _is_json_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False
