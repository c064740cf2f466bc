"""What single fields may hold, as a table by struct, and the walk that applies it to every field of an object.

Rules that look at more than one field stand in the modules named after what they check.
"""

from __future__ import annotations

from typing import Final

import msgspec

from casemate.model.kube import container, meta, objects, pod, scheduling, security, volumes, workloads
from casemate.sources.rules import formats as f
from casemate.sources.rules.formats import Rule
from casemate.sources.rules.place import Place

_PROTOCOL = f.one_of("TCP", "UDP", "SCTP")
_PULL_POLICY = f.one_of("Always", "IfNotPresent", "Never")
_PROFILE = f.exactly("RuntimeDefault", "Localhost", "Unconfined")
_REQUIREMENT = f.exactly("In", "NotIn", "Exists", "DoesNotExist")
_ACCESS_MODE = f.exactly("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")

RULES: Final[dict[type[msgspec.Struct], dict[str, Rule]]] = {
    container.Container: {
        "name": f.dns_label,
        "image": f.trimmed,
        "imagePullPolicy": _PULL_POLICY,
        "restartPolicy": f.exactly("Always", "OnFailure", "Never"),
        "terminationMessagePolicy": f.one_of("File", "FallbackToLogsOnError"),
    },
    container.ContainerPort: {
        "containerPort": f.between(1, 65535),
        "hostPort": f.between(0, 65535),
        "hostIP": f.optional(f.ip_address),
        "name": f.optional(f.port),
        "protocol": _PROTOCOL,
    },
    container.EnvVar: {"name": f.env_name},
    container.EnvFromSource: {"prefix": f.optional(f.env_name)},
    container.ConfigMapEnvSource: {"name": f.dns_subdomain},
    container.SecretEnvSource: {"name": f.dns_subdomain},
    container.ConfigMapKeySelector: {"name": f.dns_subdomain, "key": f.data_key},
    container.SecretKeySelector: {"name": f.dns_subdomain, "key": f.data_key},
    container.FileKeySelector: {"key": f.env_name, "path": f.file_path, "volumeName": f.dns_label},
    container.HTTPGetAction: {"port": f.port, "scheme": f.one_of("HTTP", "HTTPS")},
    container.HTTPHeader: {"name": f.header_name},
    container.TCPSocketAction: {"port": f.port},
    container.GRPCAction: {"port": f.port},
    container.Probe: {
        **dict.fromkeys(
            ("failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"), f.count
        ),
        "terminationGracePeriodSeconds": f.between(1, f.INT64),
    },
    container.ContainerResizePolicy: {
        "resourceName": f.exactly("cpu", "memory"),
        "restartPolicy": f.exactly("NotRequired", "RestartContainer"),
    },
    container.ContainerRestartRule: {"action": f.exactly("Restart", "RestartAllContainers")},
    container.ContainerRestartRuleOnExitCodes: {"operator": f.exactly("In", "NotIn"), "values": f.count},
    security.SecurityContext: {
        "runAsUser": f.identity,
        "runAsGroup": f.identity,
        "procMount": f.exactly("Default", "Unmasked"),
    },
    security.PodSecurityContext: {
        "runAsUser": f.identity,
        "runAsGroup": f.identity,
        "fsGroup": f.identity,
        "supplementalGroups": f.identity,
        "fsGroupChangePolicy": f.exactly("OnRootMismatch", "Always"),
        "supplementalGroupsPolicy": f.exactly("Merge", "Strict"),
        "seLinuxChangePolicy": f.exactly("Recursive", "MountOption"),
    },
    security.SeccompProfile: {"type": _PROFILE},
    security.AppArmorProfile: {"type": _PROFILE},
    security.Sysctl: {"name": f.sysctl_name},
    pod.PodSpec: {
        "activeDeadlineSeconds": f.between(1, f.INT32),
        "dnsPolicy": f.one_of("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
        "hostname": f.optional(f.dns_label),
        "hostnameOverride": f.dns_subdomain,
        "nodeName": f.optional(f.dns_subdomain),
        "preemptionPolicy": f.exactly("PreemptLowerPriority", "Never"),
        "priorityClassName": f.optional(f.dns_subdomain),
        "restartPolicy": f.one_of("Always", "OnFailure", "Never"),
        "runtimeClassName": f.optional(f.dns_subdomain),
        "serviceAccountName": f.optional(f.dns_subdomain),
        "serviceAccount": f.optional(f.dns_subdomain),
        "subdomain": f.optional(f.dns_label),
        "terminationGracePeriodSeconds": f.seconds,
    },
    pod.HostAlias: {"ip": f.ip_address, "hostnames": f.dns_subdomain},
    pod.PodResourceClaim: {
        "name": f.dns_label,
        "resourceClaimName": f.dns_subdomain,
        "resourceClaimTemplateName": f.dns_subdomain,
    },
    pod.PodReadinessGate: {"conditionType": f.qualified_name},
    pod.PodDNSConfig: {"nameservers": f.ip_address, "searches": f.search_domain},
    scheduling.PodOS: {"name": f.exactly("linux", "windows")},
    scheduling.PodSchedulingGate: {"name": f.qualified_name},
    scheduling.Toleration: {
        "operator": f.one_of("Exists", "Equal", "Lt", "Gt"),
        "effect": f.one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
        "key": f.optional(f.qualified_name),
    },
    scheduling.TopologySpreadConstraint: {
        "maxSkew": f.between(1, f.INT32),
        "minDomains": f.between(1, f.INT32),
        "topologyKey": f.not_empty,
        "whenUnsatisfiable": f.exactly("DoNotSchedule", "ScheduleAnyway"),
        "nodeAffinityPolicy": f.exactly("Honor", "Ignore"),
        "nodeTaintsPolicy": f.exactly("Honor", "Ignore"),
    },
    scheduling.NodeSelectorRequirement: {
        "key": f.qualified_name,
        "operator": f.exactly("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    },
    scheduling.PreferredSchedulingTerm: {"weight": f.between(1, 100)},
    scheduling.WeightedPodAffinityTerm: {"weight": f.between(1, 100)},
    scheduling.PodAffinityTerm: {"topologyKey": f.qualified_name},
    meta.LabelSelectorRequirement: {"key": f.qualified_name, "operator": _REQUIREMENT},
    volumes.Volume: {"name": f.dns_label},
    volumes.VolumeMount: {
        "name": f.not_empty,
        "mountPath": f.not_empty,
        "mountPropagation": f.exactly("None", "HostToContainer", "Bidirectional"),
        "recursiveReadOnly": f.exactly("Disabled", "IfPossible", "Enabled"),
        "subPath": f.relative_path,
        "subPathExpr": f.relative_path,
    },
    volumes.VolumeDevice: {"name": f.not_empty, "devicePath": f.no_backsteps},
    volumes.HostPathVolumeSource: {
        "path": f.no_backsteps,
        "type": f.one_of(
            "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
        ),
    },
    volumes.EmptyDirVolumeSource: {"sizeLimit": f.not_negative_quantity},
    volumes.ConfigMapVolumeSource: {"defaultMode": f.file_mode},
    volumes.SecretVolumeSource: {"defaultMode": f.file_mode, "secretName": f.not_empty},
    volumes.ProjectedVolumeSource: {"defaultMode": f.file_mode},
    volumes.DownwardAPIVolumeSource: {"defaultMode": f.file_mode},
    volumes.DownwardAPIVolumeFile: {"mode": f.file_mode, "path": f.file_path},
    volumes.KeyToPath: {"mode": f.file_mode, "path": f.file_path, "key": f.not_empty},
    volumes.ServiceAccountTokenProjection: {"path": f.file_path, "expirationSeconds": f.between(600, 1 << 32)},
    volumes.PersistentVolumeClaimVolumeSource: {"claimName": f.not_empty},
    volumes.ImageVolumeSource: {"pullPolicy": _PULL_POLICY},
    volumes.PersistentVolumeClaimSpec: {
        "accessModes": _ACCESS_MODE,
        "storageClassName": f.optional(f.dns_subdomain),
        "volumeMode": f.exactly("Filesystem", "Block"),
    },
    workloads.DeploymentSpec: dict.fromkeys(
        ("minReadySeconds", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit"), f.count
    ),
    workloads.DeploymentStrategy: {"type": f.one_of("Recreate", "RollingUpdate")},
    workloads.RollingUpdateDeployment: {"maxSurge": f.count_or_percent, "maxUnavailable": f.count_or_percent},
    workloads.ReplicaSetSpec: {"minReadySeconds": f.count, "replicas": f.count},
    workloads.StatefulSetSpec: {
        **dict.fromkeys(("minReadySeconds", "replicas", "revisionHistoryLimit"), f.count),
        "podManagementPolicy": f.one_of("OrderedReady", "Parallel"),
        "serviceName": f.optional(f.dns_label),
    },
    workloads.StatefulSetOrdinals: {"start": f.count},
    workloads.StatefulSetUpdateStrategy: {"type": f.one_of("RollingUpdate", "OnDelete")},
    workloads.RollingUpdateStatefulSetStrategy: {"partition": f.count, "maxUnavailable": f.count_or_percent},
    workloads.StatefulSetPersistentVolumeClaimRetentionPolicy: dict.fromkeys(
        ("whenDeleted", "whenScaled"), f.one_of("Retain", "Delete")
    ),
    workloads.DaemonSetSpec: {"minReadySeconds": f.count, "revisionHistoryLimit": f.count},
    workloads.DaemonSetUpdateStrategy: {"type": f.one_of("RollingUpdate", "OnDelete")},
    workloads.RollingUpdateDaemonSet: {"maxSurge": f.count_or_percent, "maxUnavailable": f.count_or_percent},
    workloads.JobSpec: {
        **dict.fromkeys(
            ("backoffLimit", "backoffLimitPerIndex", "completions", "parallelism", "ttlSecondsAfterFinished"), f.count
        ),
        "activeDeadlineSeconds": f.seconds,
        "maxFailedIndexes": f.between(0, 100_000),
        "completionMode": f.exactly("NonIndexed", "Indexed"),
        "podReplacementPolicy": f.exactly("TerminatingOrFailed", "Failed"),
    },
    workloads.PodFailurePolicyRule: {"action": f.exactly("FailJob", "FailIndex", "Ignore", "Count")},
    workloads.PodFailurePolicyOnExitCodesRequirement: {"operator": f.exactly("In", "NotIn")},
    workloads.PodFailurePolicyOnPodConditionsPattern: {
        "status": f.exactly("True", "False", "Unknown"),
        "type": f.qualified_name,
    },
    workloads.CronJobSpec: {
        "concurrencyPolicy": f.one_of("Allow", "Forbid", "Replace"),
        "startingDeadlineSeconds": f.seconds,
        "failedJobsHistoryLimit": f.count,
        "successfulJobsHistoryLimit": f.count,
    },
    objects.ServiceSpec: {
        "type": f.one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
        "sessionAffinity": f.one_of("ClientIP", "None"),
        "externalTrafficPolicy": f.one_of("Cluster", "Local"),
        "internalTrafficPolicy": f.exactly("Cluster", "Local"),
        "ipFamilies": f.exactly("IPv4", "IPv6"),
        "ipFamilyPolicy": f.exactly("SingleStack", "PreferDualStack", "RequireDualStack"),
        "externalIPs": f.ip_address,
        "loadBalancerSourceRanges": f.network,
        "trafficDistribution": f.exactly("PreferClose", "PreferSameZone", "PreferSameNode"),
    },
    objects.ServicePort: {
        "port": f.between(1, 65535),
        "nodePort": f.between(0, 65535),
        "targetPort": f.optional(f.port),
        "name": f.optional(f.dns_label),
        "protocol": _PROTOCOL,
        "appProtocol": f.qualified_name,
    },
    objects.ClientIPConfig: {"timeoutSeconds": f.between(1, 86400)},
    objects.RuntimeClass: {"handler": f.dns_label},
}
"""Struct → field → what the field may hold. A list's rule holds for each of its items. Unset fields are not asked."""


def check_fields(struct: msgspec.Struct, place: Place) -> None:
    """Apply `RULES` to every field that is set, at every depth."""
    rules = RULES.get(type(struct), {})
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if value is None:
            continue
        rule = rules.get(name)
        if isinstance(value, msgspec.Struct):
            check_fields(value, place.at(name))
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, msgspec.Struct):
                    check_fields(item, place.at(name, index))
                elif rule:
                    place.at(name, index).check(item, rule)
        elif rule:
            wrong = rule(value)
            if wrong:
                place.at(name).note(wrong)
