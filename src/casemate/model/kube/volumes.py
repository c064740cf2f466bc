"""Volumes, their sources and mounts, and claims.

Field names, types and meaning are those of the Kubernetes API, v1.36 (k8s.io/api).
"""

from __future__ import annotations

from casemate.model.kube.meta import (
    LabelSelector,
    LocalObjectReference,
    ObjectFieldSelector,
    ObjectMeta,
    ResourceFieldSelector,
)
from casemate.model.kube.struct import KubeStruct, Quantity


class VolumeDevice(KubeStruct, frozen=True, kw_only=True):
    devicePath: str
    name: str


class VolumeMount(KubeStruct, frozen=True, kw_only=True):
    mountPath: str
    name: str
    mountPropagation: str | None = None
    readOnly: bool | None = None
    recursiveReadOnly: str | None = None
    subPath: str | None = None
    subPathExpr: str | None = None


class AWSElasticBlockStoreVolumeSource(KubeStruct, frozen=True, kw_only=True):
    volumeID: str
    fsType: str | None = None
    partition: int | None = None
    readOnly: bool | None = None


class AzureDiskVolumeSource(KubeStruct, frozen=True, kw_only=True):
    diskName: str
    diskURI: str
    cachingMode: str | None = None
    fsType: str | None = None
    kind: str | None = None
    readOnly: bool | None = None


class AzureFileVolumeSource(KubeStruct, frozen=True, kw_only=True):
    secretName: str
    shareName: str
    readOnly: bool | None = None


class CephFSVolumeSource(KubeStruct, frozen=True, kw_only=True):
    monitors: tuple[str, ...]
    path: str | None = None
    readOnly: bool | None = None
    secretFile: str | None = None
    secretRef: LocalObjectReference | None = None
    user: str | None = None


class CinderVolumeSource(KubeStruct, frozen=True, kw_only=True):
    volumeID: str
    fsType: str | None = None
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None


class KeyToPath(KubeStruct, frozen=True, kw_only=True):
    key: str
    path: str
    mode: int | None = None


class ConfigMapVolumeSource(KubeStruct, frozen=True, kw_only=True):
    defaultMode: int | None = None
    items: tuple[KeyToPath, ...] = ()
    name: str | None = None
    optional: bool | None = None


class CSIVolumeSource(KubeStruct, frozen=True, kw_only=True):
    driver: str
    fsType: str | None = None
    nodePublishSecretRef: LocalObjectReference | None = None
    readOnly: bool | None = None
    volumeAttributes: dict[str, str] = {}


class DownwardAPIVolumeFile(KubeStruct, frozen=True, kw_only=True):
    path: str
    fieldRef: ObjectFieldSelector | None = None
    mode: int | None = None
    resourceFieldRef: ResourceFieldSelector | None = None


class DownwardAPIVolumeSource(KubeStruct, frozen=True, kw_only=True):
    defaultMode: int | None = None
    items: tuple[DownwardAPIVolumeFile, ...] = ()


class EmptyDirVolumeSource(KubeStruct, frozen=True, kw_only=True):
    medium: str | None = None
    sizeLimit: Quantity | None = None


class TypedLocalObjectReference(KubeStruct, frozen=True, kw_only=True):
    kind: str
    name: str
    apiGroup: str | None = None


class TypedObjectReference(KubeStruct, frozen=True, kw_only=True):
    kind: str
    name: str
    apiGroup: str | None = None
    namespace: str | None = None


class VolumeResourceRequirements(KubeStruct, frozen=True, kw_only=True):
    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class PersistentVolumeClaimSpec(KubeStruct, frozen=True, kw_only=True):
    accessModes: tuple[str, ...] = ()
    dataSource: TypedLocalObjectReference | None = None
    dataSourceRef: TypedObjectReference | None = None
    resources: VolumeResourceRequirements | None = None
    selector: LabelSelector | None = None
    storageClassName: str | None = None
    volumeAttributesClassName: str | None = None
    volumeMode: str | None = None
    volumeName: str | None = None


class PersistentVolumeClaimTemplate(KubeStruct, frozen=True, kw_only=True):
    spec: PersistentVolumeClaimSpec
    metadata: ObjectMeta | None = None


class EphemeralVolumeSource(KubeStruct, frozen=True, kw_only=True):
    volumeClaimTemplate: PersistentVolumeClaimTemplate | None = None


class FCVolumeSource(KubeStruct, frozen=True, kw_only=True):
    fsType: str | None = None
    lun: int | None = None
    readOnly: bool | None = None
    targetWWNs: tuple[str, ...] = ()
    wwids: tuple[str, ...] = ()


class FlexVolumeSource(KubeStruct, frozen=True, kw_only=True):
    driver: str
    fsType: str | None = None
    options: dict[str, str] = {}
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None


class FlockerVolumeSource(KubeStruct, frozen=True, kw_only=True):
    datasetName: str | None = None
    datasetUUID: str | None = None


class GCEPersistentDiskVolumeSource(KubeStruct, frozen=True, kw_only=True):
    pdName: str
    fsType: str | None = None
    partition: int | None = None
    readOnly: bool | None = None


class GitRepoVolumeSource(KubeStruct, frozen=True, kw_only=True):
    repository: str
    directory: str | None = None
    revision: str | None = None


class GlusterfsVolumeSource(KubeStruct, frozen=True, kw_only=True):
    endpoints: str
    path: str
    readOnly: bool | None = None


class HostPathVolumeSource(KubeStruct, frozen=True, kw_only=True):
    path: str
    type: str | None = None


class ImageVolumeSource(KubeStruct, frozen=True, kw_only=True):
    pullPolicy: str | None = None
    reference: str | None = None


class ISCSIVolumeSource(KubeStruct, frozen=True, kw_only=True):
    iqn: str
    lun: int
    targetPortal: str
    chapAuthDiscovery: bool | None = None
    chapAuthSession: bool | None = None
    fsType: str | None = None
    initiatorName: str | None = None
    iscsiInterface: str | None = None
    portals: tuple[str, ...] = ()
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None


class NFSVolumeSource(KubeStruct, frozen=True, kw_only=True):
    path: str
    server: str
    readOnly: bool | None = None


class PersistentVolumeClaimVolumeSource(KubeStruct, frozen=True, kw_only=True):
    claimName: str
    readOnly: bool | None = None


class PhotonPersistentDiskVolumeSource(KubeStruct, frozen=True, kw_only=True):
    pdID: str
    fsType: str | None = None


class PortworxVolumeSource(KubeStruct, frozen=True, kw_only=True):
    volumeID: str
    fsType: str | None = None
    readOnly: bool | None = None


class ClusterTrustBundleProjection(KubeStruct, frozen=True, kw_only=True):
    path: str
    labelSelector: LabelSelector | None = None
    name: str | None = None
    optional: bool | None = None
    signerName: str | None = None


class ConfigMapProjection(KubeStruct, frozen=True, kw_only=True):
    items: tuple[KeyToPath, ...] = ()
    name: str | None = None
    optional: bool | None = None


class DownwardAPIProjection(KubeStruct, frozen=True, kw_only=True):
    items: tuple[DownwardAPIVolumeFile, ...] = ()


class PodCertificateProjection(KubeStruct, frozen=True, kw_only=True):
    keyType: str
    signerName: str
    certificateChainPath: str | None = None
    credentialBundlePath: str | None = None
    keyPath: str | None = None
    maxExpirationSeconds: int | None = None
    userAnnotations: dict[str, str] = {}


class SecretProjection(KubeStruct, frozen=True, kw_only=True):
    items: tuple[KeyToPath, ...] = ()
    name: str | None = None
    optional: bool | None = None


class ServiceAccountTokenProjection(KubeStruct, frozen=True, kw_only=True):
    path: str
    audience: str | None = None
    expirationSeconds: int | None = None


class VolumeProjection(KubeStruct, frozen=True, kw_only=True):
    clusterTrustBundle: ClusterTrustBundleProjection | None = None
    configMap: ConfigMapProjection | None = None
    downwardAPI: DownwardAPIProjection | None = None
    podCertificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    serviceAccountToken: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(KubeStruct, frozen=True, kw_only=True):
    defaultMode: int | None = None
    sources: tuple[VolumeProjection, ...] = ()


class QuobyteVolumeSource(KubeStruct, frozen=True, kw_only=True):
    registry: str
    volume: str
    group: str | None = None
    readOnly: bool | None = None
    tenant: str | None = None
    user: str | None = None


class RBDVolumeSource(KubeStruct, frozen=True, kw_only=True):
    image: str
    monitors: tuple[str, ...]
    fsType: str | None = None
    keyring: str | None = None
    pool: str | None = None
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None
    user: str | None = None


class ScaleIOVolumeSource(KubeStruct, frozen=True, kw_only=True):
    gateway: str
    secretRef: LocalObjectReference
    system: str
    fsType: str | None = None
    protectionDomain: str | None = None
    readOnly: bool | None = None
    sslEnabled: bool | None = None
    storageMode: str | None = None
    storagePool: str | None = None
    volumeName: str | None = None


class SecretVolumeSource(KubeStruct, frozen=True, kw_only=True):
    defaultMode: int | None = None
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None
    secretName: str | None = None


class StorageOSVolumeSource(KubeStruct, frozen=True, kw_only=True):
    fsType: str | None = None
    readOnly: bool | None = None
    secretRef: LocalObjectReference | None = None
    volumeName: str | None = None
    volumeNamespace: str | None = None


class VsphereVirtualDiskVolumeSource(KubeStruct, frozen=True, kw_only=True):
    volumePath: str
    fsType: str | None = None
    storagePolicyID: str | None = None
    storagePolicyName: str | None = None


class Volume(KubeStruct, frozen=True, kw_only=True):
    name: str
    awsElasticBlockStore: AWSElasticBlockStoreVolumeSource | None = None
    azureDisk: AzureDiskVolumeSource | None = None
    azureFile: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    configMap: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downwardAPI: DownwardAPIVolumeSource | None = None
    emptyDir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flexVolume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gcePersistentDisk: GCEPersistentDiskVolumeSource | None = None
    gitRepo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    hostPath: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    persistentVolumeClaim: PersistentVolumeClaimVolumeSource | None = None
    photonPersistentDisk: PhotonPersistentDiskVolumeSource | None = None
    portworxVolume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scaleIO: ScaleIOVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphereVolume: VsphereVirtualDiskVolumeSource | None = None
