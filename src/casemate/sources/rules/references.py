"""What Pods refer to must be in the input, as nothing adds it later: a cluster would let such a Pod wait forever.

Optional references may be missing, and so may secrets for pulling images, as in a cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from casemate.model.inventory import Inventory
from casemate.model.kube.container import Container, EnvVarSource
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.volumes import KeyToPath, Volume, VolumeProjection
from casemate.sources.rules.place import Place

DEFAULT_ACCOUNT = "default"


def check_references(
    spec: PodSpec, namespace: str, inventory: Inventory, place: Place, claims: frozenset[str] = frozenset()
) -> None:
    """ConfigMaps, Secrets, claims and the service account that a Pod uses. `claims` are those made for its volumes."""
    look = _Look(namespace, inventory)
    account = spec.serviceAccountName or spec.serviceAccount or DEFAULT_ACCOUNT
    if account != DEFAULT_ACCOUNT and not inventory.service_account(namespace, account):
        _missing("ServiceAccount", account, namespace, place.at("serviceAccountName"))
    for index, volume in enumerate(spec.volumes):
        if volume.name not in claims:
            look.volume(volume, place.at("volumes", index))
    for container, here in _containers(spec, place):
        look.container(container, here)


def _containers(spec: PodSpec, place: Place) -> Iterator[tuple[Container, Place]]:
    for index, container in enumerate(spec.containers):
        yield container, place.at("containers", index)
    for index, container in enumerate(spec.initContainers):
        yield container, place.at("initContainers", index)


def _missing(kind: str, name: str, namespace: str, place: Place) -> None:
    place.note(f'{kind} "{name}" is not in the input (namespace {namespace})', f"add the {kind}")


class _Look:
    """Looks references up in one namespace."""

    def __init__(self, namespace: str, inventory: Inventory) -> None:
        self._namespace = namespace
        self._inventory = inventory

    def container(self, container: Container, place: Place) -> None:
        """The environment of a container."""
        for index, variable in enumerate(container.env):
            if variable.valueFrom:
                self._value(variable.valueFrom, place.at("env", index, "valueFrom"))
        for index, source in enumerate(container.envFrom):
            here = place.at("envFrom", index)
            if source.configMapRef:
                ref = source.configMapRef
                self._config_map(ref.name, (), here.at("configMapRef", "name"), optional=bool(ref.optional))
            if source.secretRef:
                self._secret(source.secretRef.name, (), here.at("secretRef", "name"), bool(source.secretRef.optional))

    def volume(self, volume: Volume, place: Place) -> None:
        """The source of a volume."""
        if volume.configMap:
            optional = bool(volume.configMap.optional)
            self._config_map(
                volume.configMap.name, _keys(volume.configMap.items), place.at("configMap", "name"), optional
            )
        if volume.secret:
            optional = bool(volume.secret.optional)
            self._secret(
                volume.secret.secretName, _keys(volume.secret.items), place.at("secret", "secretName"), optional
            )
        if volume.persistentVolumeClaim:
            name = volume.persistentVolumeClaim.claimName
            if name and not self._inventory.claim(self._namespace, name):
                here = place.at("persistentVolumeClaim", "claimName")
                _missing("PersistentVolumeClaim", name, self._namespace, here)
        if volume.projected:
            for index, source in enumerate(volume.projected.sources):
                self._projection(source, place.at("projected", "sources", index))

    def _projection(self, source: VolumeProjection, place: Place) -> None:
        if source.configMap:
            optional = bool(source.configMap.optional)
            self._config_map(
                source.configMap.name, _keys(source.configMap.items), place.at("configMap", "name"), optional
            )
        if source.secret:
            optional = bool(source.secret.optional)
            self._secret(source.secret.name, _keys(source.secret.items), place.at("secret", "name"), optional)

    def _value(self, source: EnvVarSource, place: Place) -> None:
        if source.configMapKeyRef:
            ref = source.configMapKeyRef
            self._config_map(ref.name, (ref.key,), place.at("configMapKeyRef", "name"), optional=bool(ref.optional))
        if source.secretKeyRef:
            secret = source.secretKeyRef
            self._secret(secret.name, (secret.key,), place.at("secretKeyRef", "name"), optional=bool(secret.optional))

    def _config_map(self, name: str | None, keys: Collection[str], place: Place, optional: bool) -> None:
        if not name or optional:
            return
        found = self._inventory.config_map(self._namespace, name)
        if found is None:
            _missing("ConfigMap", name, self._namespace, place)
        else:
            _check_keys(f'ConfigMap "{name}"', keys, found.data.keys() | found.binaryData.keys(), place)

    def _secret(self, name: str | None, keys: Collection[str], place: Place, optional: bool) -> None:
        if not name or optional:
            return
        found = self._inventory.secret(self._namespace, name)
        if found is None:
            _missing("Secret", name, self._namespace, place)
        else:
            _check_keys(f'Secret "{name}"', keys, found.data.keys() | found.stringData.keys(), place)


def _keys(items: tuple[KeyToPath, ...]) -> tuple[str, ...]:
    return tuple(each.key for each in items)


def _check_keys(owner: str, wanted: Collection[str], there: Collection[str], place: Place) -> None:
    for key in wanted:
        if key not in there:
            place.note(f'{owner} has no key "{key}"', f"its keys: {', '.join(sorted(there)) or 'none'}")
