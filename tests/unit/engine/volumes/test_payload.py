"""Volumes of files hold what a kubelet would write into them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import yaml

from casemate.engine.instance import PodInstance
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.volumes.nested import nested_mount_points
from casemate.engine.volumes.payload import FileContent, PayloadSources, clean, payload
from casemate.errors import InputError, RefusedError
from casemate.model.handler import NodeFacts
from casemate.model.inventory import Inventory
from casemate.model.kube.volumes import Volume

MakePod = Callable[..., PodInstance]

INVENTORY = msgspec.convert(
    yaml.safe_load(
        """
config_maps: [{metadata: {name: cm, namespace: shop}, data: {a: "1"}, binaryData: {b: AAE=}}]
secrets: [{metadata: {name: s, namespace: shop}, data: {k: aGk=}, stringData: {t: text}}]
"""
    ),
    Inventory,
)
SPEC = "containers: [{name: main, image: i, resources: {limits: {memory: 64Mi}}}]"


def files(make_pod: MakePod, node: NodeFacts, source: str) -> dict[str, FileContent] | None:
    volume = msgspec.convert({"name": "v", **yaml.safe_load(source)}, Volume)
    instance = make_pod(SPEC, "labels: {app: x}")
    return payload(volume, PayloadSources(instance, INVENTORY, node))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("configMap: {name: cm}", {"a": FileContent(b"1"), "b": FileContent(b"\x00\x01")}),
        ("configMap: {name: cm, defaultMode: 256}", {"a": FileContent(b"1", 0o400), "b": FileContent(b"\0\1", 0o400)}),
        ("configMap: {name: cm, items: [{key: a, path: x/y, mode: 0}]}", {"x/y": FileContent(b"1", 0)}),
        ("configMap: {name: gone, optional: true}", {}),
        ("configMap: {name: cm, optional: true, items: [{key: gone, path: x}]}", {}),
        ("secret: {secretName: s}", {"k": FileContent(b"hi"), "t": FileContent(b"text")}),
        (
            "downwardAPI: {items: [{path: n, fieldRef: {fieldPath: metadata.name}}]}",
            {"n": FileContent(b"web")},
        ),
        (
            "downwardAPI: {items: [{path: m, mode: 256, "
            "resourceFieldRef: {containerName: main, resource: limits.memory, divisor: 1Mi}}]}",
            {"m": FileContent(b"64", 0o400)},
        ),
        (
            "projected: {defaultMode: 256, sources: [{configMap: {name: cm, items: [{key: a, path: x}]}}, "
            "{secret: {name: s, items: [{key: k, path: x}]}}, {clusterTrustBundle: {path: t, optional: true}}]}",
            {"x": FileContent(b"hi", 0o400)},
        ),
        ("emptyDir: {}", None),
    ],
)
def test_a_volume_has_its_files(
    make_pod: MakePod, node: NodeFacts, source: str, expected: dict[str, FileContent] | None
) -> None:
    assert files(make_pod, node, source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("configMap: {name: gone}", "ConfigMap shop/gone is not in the input"),
        ("secret: {secretName: gone}", "Secret shop/gone is not in the input"),
        ("configMap: {name: cm, items: [{key: gone, path: x}]}", "has no key 'gone'"),
        ("configMap: {name: cm, items: [{key: a, path: ../x}]}", "no path within"),
        ("secret: {secretName: s, items: [{key: k, path: /etc/x}]}", "no path within"),
        ("downwardAPI: {items: [{path: n, fieldRef: {fieldPath: status.podIP}}]}", "not offered"),
    ],
)
def test_what_is_missing_or_escapes_is_an_error(make_pod: MakePod, node: NodeFacts, source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        files(make_pod, node, source)


def test_a_token_that_nobody_can_issue_is_refused(make_pod: MakePod, node: NodeFacts) -> None:
    with pytest.raises(RefusedError, match="API server"):
        files(make_pod, node, "projected: {sources: [{serviceAccountToken: {path: token}}]}")


@pytest.mark.parametrize(("path", "expected"), [("a", "a"), ("a//b/./c", "a/b/c"), ("a/..b", "a/..b")])
def test_a_path_is_cleaned(path: str, expected: str) -> None:
    assert clean(path) == expected


@pytest.mark.parametrize("path", ["", "/", "/a", "..", "../a", "a/../b", "..data", "..a/b", "."])
def test_a_path_that_leaves_or_hides_in_the_volume_is_an_error(path: str) -> None:
    with pytest.raises(InputError, match="no path within"):
        clean(path)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("[{name: v, mountPath: /a}]", ()),
        ("[{name: v, mountPath: /a}, {name: w, mountPath: /a/b}]", ("b",)),
        ("[{name: v, mountPath: /a}, {name: w, mountPath: /a/b/c}, {name: x, mountPath: /a/b/c/d}]", ("b/c",)),
        ("[{name: v, mountPath: /a}, {name: w, mountPath: /ab}, {name: x, mountPath: /a/b-c}]", ("b-c",)),
        ("[{name: w, mountPath: /a}, {name: v, mountPath: /a/b}]", ()),
    ],
)
def test_folders_for_mounts_inside_a_volume(make_pod: MakePod, mounts: str, expected: tuple[str, ...]) -> None:
    spec = pod_spec(make_pod(f"containers: [{{name: main, image: i, volumeMounts: {mounts}}}]"))
    assert nested_mount_points("v", spec) == expected
