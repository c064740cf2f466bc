"""Reads a workload and what its surroundings know of it into facts.

1. What the surroundings do not know is no fact: it is neither good nor bad news.
2. A hostPath is writable unless every mount of it says `readOnly: true`. A socket answers a read-only mount too, and
   what is mounted below stays writable without `recursiveReadOnly: Enabled` (KEP-3857).
3. Paths are compared as the kernel would walk them, so that spelling hides nothing (`casemate.catalogue.doors`).
4. A namespace's labels `casemate.dev/…` are those of all its workloads. Labels that differ all hold: the strictest
   wins.
5. A claim that leads to a directory of a node is a door where a hostPath of it would be one.
"""

from __future__ import annotations

from typing import Final

from casemate.catalogue.doors import normal_path, opened
from casemate.decide import placement
from casemate.decide.containers import Mounted, containers
from casemate.decide.facts import POD, Facts
from casemate.decide.images import image
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import PodSecurityContext
from casemate.model.kube.volumes import Volume
from casemate.model.surroundings import Surroundings
from casemate.model.workload import KUBELET, Workload


def gather(workload: Workload, surroundings: Surroundings) -> Facts:
    """Everything that rules may ask of the workload, but for what its class resolves to."""
    facts, spec = Facts({"always": POD}), workload.spec
    _identity(facts, workload)
    _labels(facts, workload, surroundings.namespaces.get(workload.namespace, {}))
    _around(facts, workload, surroundings)
    _pod(facts, spec)
    if spec.securityContext:
        _pod_context(facts, spec.securityContext)
    placement.note(facts, spec)
    kinds = {volume.name: _source(volume) for volume in spec.volumes}
    mounted = containers(facts, spec, workload.metadata.annotations, kinds)
    _wasm(facts, workload)
    for index, volume in enumerate(spec.volumes):
        _volume(facts, volume, f"volumes[{index}].{kinds[volume.name]}", kinds[volume.name])
        if volume.hostPath:
            _host_path(facts, volume, f"volumes[{index}].hostPath", mounted)
    if surroundings.claims or surroundings.unclaimed:
        _claims(facts, workload, surroundings, mounted)
    return facts


def _identity(facts: Facts, workload: Workload) -> None:
    facts.values.update(
        {
            "name": ((workload.name, ""),),
            "namespace": ((workload.namespace, ""),),
            "api-version": ((workload.api_version, ""),),
            "kind": ((workload.kind, ""), *((owner.partition("/")[0], "") for owner in workload.owners)),
        }
    )
    if annotations := workload.metadata.annotations:
        facts.values["annotation"] = tuple((f"{key}={text}", "") for key, text in annotations.items())
        if any(key.startswith(_RECONFIGURING) and not key.startswith(_SIZING) for key in annotations):
            facts.mark("reconfigured")
    if "helm.sh/hook" in workload.object_annotations or "helm.sh/hook" in annotations:
        facts.mark("helm-test")
    if workload.kind == "Pod" and _is_static(workload):
        facts.mark("static-pod")
    for name in workload.unknown_fields:
        facts.mark("unknown-field", name)


_RECONFIGURING: Final = ("io.katacontainers.", "dev.gvisor.", "run.oci.", "com.github.containers.virtcontainers.")
_SIZING: Final = (
    *(f"io.katacontainers.config.hypervisor.default_{size}" for size in ("vcpus", "max_vcpus", "memory", "maxmemory")),
    *("io.katacontainers.config.runtime.create_container_timeout", "io.katacontainers.config.hypervisor.memory_slots"),
    *("dev.gvisor.spec.mount.", "dev.gvisor.empty-dir."),
)


def _labels(facts: Facts, workload: Workload, namespace: dict[str, str]) -> None:
    """Labels of the Pod template and its object; casemate's own also of the namespace (rule 4)."""
    found = [*workload.metadata.labels.items()]
    found += (each for each in workload.object_labels.items() if each not in found)
    if namespace:
        facts.values["namespace-label"] = tuple((f"{key}={text}", "") for key, text in namespace.items())
        found += (each for each in namespace.items() if each[0].startswith(_OWN) and each not in found)
    if found:
        facts.values["label"] = tuple((f"{key}={text}", "") for key, text in found)


_OWN: Final = "casemate.dev/"


def _around(facts: Facts, workload: Workload, surroundings: Surroundings) -> None:
    spec = workload.spec
    account = spec.serviceAccountName or spec.serviceAccount or "default"
    if account == "default":
        facts.mark("default-service-account", "serviceAccountName")
    exposure = surroundings.exposure.get(workload.title) if surroundings.exposure else None
    if exposure and exposure.internet:
        facts.mark("internet")
    if exposure and (exposure.internet or exposure.via):
        facts.mark("exposed")
    if _gets_token(spec, f"{workload.namespace}/{account}", surroundings):
        facts.mark("service-account-token", "automountServiceAccountToken")
    if surroundings.complete and not (exposure and exposure.network_policy):
        facts.mark("network-policy-missing")
    rights = surroundings.rights.get(f"{workload.namespace}/{account}") if surroundings.rights else None
    if rights and rights.cluster_admin:
        facts.mark("cluster-admin", "serviceAccountName")
    for grant in rights.broad if rights else ():
        facts.value("broad-rights", grant, "serviceAccountName")


def _gets_token(spec: PodSpec, account: str, surroundings: Surroundings) -> bool:
    """The Pod's word outranks its service account's; where both are silent, there is one (ServiceAccount admission)."""
    said = spec.automountServiceAccountToken
    return account not in surroundings.tokenless if said is None else said


def _wasm(facts: Facts, workload: Workload) -> None:
    """`wasm-only`: nothing but Wasm modules, because somebody said so. A word in an image's name proves nothing."""
    annotations, selector = workload.metadata.annotations, workload.spec.nodeSelector
    said = "module.wasm.image/variant" in annotations or annotations.get("run.oci.handler", "").startswith("wasm")
    if said or selector.get("kubernetes.io/arch", "").startswith("wasm"):
        facts.mark("wasm-image")
        facts.mark("wasm-only")


def _is_static(workload: Workload) -> bool:
    """Whether a kubelet started it from a file. In a manifest the annotations of mirror Pods are anybody's to write."""
    if "etc/kubernetes/manifests/" in workload.source.file or workload.creator == KUBELET:
        return True
    annotations = workload.metadata.annotations
    mirror = "kubernetes.io/config.mirror" in annotations or annotations.get("kubernetes.io/config.source") == "file"
    return mirror and not workload.source.file


def _pod(facts: Facts, spec: PodSpec) -> None:
    mark = facts.mark
    if spec.hostNetwork:
        mark("host-network", "hostNetwork")
    if spec.hostPID:
        mark("host-pid", "hostPID")
    if spec.hostIPC:
        mark("host-ipc", "hostIPC")
    if spec.hostUsers is False:
        mark("user-namespace", "hostUsers")
    if spec.shareProcessNamespace:
        mark("shared-processes", "shareProcessNamespace")
    if spec.resourceClaims:
        mark("resource-claims", "resourceClaims")
    if spec.overhead:
        mark("overhead-set", "overhead")
    if spec.restartPolicy:
        facts.value("restart-policy", spec.restartPolicy, "restartPolicy")


def _pod_context(facts: Facts, context: PodSecurityContext) -> None:
    for index, sysctl in enumerate(context.sysctls):
        name = sysctl.name.replace("/", ".")
        facts.value("sysctl", name, f"securityContext.sysctls[{index}]")
        if name not in _SAFE_SYSCTLS:
            facts.mark("unsafe-sysctl", f"securityContext.sysctls[{index}]")
    if context.windowsOptions and context.windowsOptions.hostProcess:
        facts.mark("host-process", "securityContext.windowsOptions.hostProcess")
    if context.fsGroup is not None:
        facts.mark("fs-group", "securityContext.fsGroup")


# pkg/kubelet/sysctl/safe_sysctls.go, v1.36
_SAFE_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)


def _volume(facts: Facts, volume: Volume, place: str, kind: str) -> None:
    facts.value("volume", kind, place)
    if volume.csi:
        facts.value("csi-driver", volume.csi.driver, place)
    elif volume.secret:
        facts.value("secret", volume.secret.secretName or "", place)
    elif volume.emptyDir and volume.emptyDir.medium:
        facts.value("empty-dir-medium", volume.emptyDir.medium, place)
    elif volume.image:
        _image_volume(facts, volume.image.reference or "", f"{place}.reference")
    elif volume.projected:
        for index, source in enumerate(volume.projected.sources):
            if source.serviceAccountToken:
                facts.mark("service-account-token", f"{place}.sources[{index}]")
            if source.secret:
                facts.value("secret", source.secret.name or "", f"{place}.sources[{index}]")


def _image_volume(facts: Facts, reference: str, place: str) -> None:
    """Where the image comes from; it names no program that runs."""
    found = image(reference)
    facts.value("image-registry", found.registry, place)
    if not found.digest:
        facts.mark("image-by-tag", place)
        if found.tag == "latest":
            facts.mark("image-latest", place)


def _host_path(facts: Facts, volume: Volume, place: str, mounted: Mounted) -> None:
    source = volume.hostPath
    if source is None:
        return
    path = normal_path(source.path)
    facts.value("host-path", path, f"{place}.path")
    if volume.name in mounted.writable:
        facts.value("host-path-writable", path, f"{place}.path")
    _doors(facts, path, volume.name, mounted, f"{place}.path")
    if source.type:
        facts.value("host-path-type", source.type, f"{place}.type")
    if source.type == "Socket" or path.endswith(".sock"):
        facts.mark("host-socket", f"{place}.path")


def _claims(facts: Facts, workload: Workload, surroundings: Surroundings, mounted: Mounted) -> None:
    """Doors behind claims (rule 5). A StatefulSet's own claims are volumes of its Pods that its template lacks."""
    claims = surroundings.claims
    volumes = {each.name: each.persistentVolumeClaim for each in workload.spec.volumes}
    named = [(name, claim.claimName) for name, claim in volumes.items() if claim]
    if workload.kind == "StatefulSet":
        mounts = mounted.writable | mounted.shallow | mounted.deep
        named += [(name, f"{name}-{workload.name}-0") for name in sorted(mounts - volumes.keys())]
    for name, claim in named:
        for path in claims.get(f"{workload.namespace}/{claim}", ()):
            _doors(facts, normal_path(path), name, mounted, "volumes")
    for each in workload.spec.volumes:
        if each.ephemeral and each.ephemeral.volumeClaimTemplate:
            own = claims.get(f"{workload.namespace}/{workload.name}-{each.name}", ())
            wanted = each.ephemeral.volumeClaimTemplate.spec.storageClassName or ""
            for path in (*own, *surroundings.unclaimed.get(wanted, ())):
                _doors(facts, normal_path(path), each.name, mounted, "volumes")


def _doors(facts: Facts, path: str, volume: str, mounted: Mounted, place: str) -> None:
    for door in opened(path, writable=volume in mounted.writable, deeply=volume not in mounted.shallow):
        facts.value("host-door", door, place)


def _source(volume: Volume) -> str:
    """The volume's kind, such as `hostPath`. A volume without a source is an emptyDir, as the API server reads it."""
    return next((name for name in _SOURCES if getattr(volume, name) is not None), "emptyDir")


_COMMON: Final = ("configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "hostPath", "csi")
_SOURCES: Final = (*_COMMON, *sorted(set(Volume.__struct_fields__) - {"name", *_COMMON}))
