"""Variables and downward API values are those that a kubelet gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine.instance import PodInstance
from casemate.engine.translate.environment import EnvironmentSources, environment, parse_env_file
from casemate.engine.translate.fields import metadata_field, quote
from casemate.engine.translate.sandbox import pod_spec
from casemate.errors import InputError
from casemate.model.handler import NodeFacts
from casemate.model.inventory import Inventory

MakePod = Callable[..., PodInstance]

INVENTORY = msgspec.convert(
    yaml.safe_load(
        """
config_maps: [{metadata: {name: cm, namespace: shop}, data: {a: "1", b: two}, binaryData: {bin: AAE=}}]
secrets: [{metadata: {name: s, namespace: shop}, data: {k: aGk=, raw: /w==}, stringData: {t: text}}]
"""
    ),
    Inventory,
)
SERVICES = {"API_SERVICE_HOST": "10.0.0.7", "A": "service"}
FILES = {("vol", "env"): "# c\nX='one'\n  Y='two\nlines' # c\nZ= 'gone'\nX='again'\n"}


def variables(
    make_pod: MakePod, node: NodeFacts, container: str, fields: str = "", metadata: str = "{}"
) -> dict[str, str]:
    spec = {
        "containers": [{"name": "main", "image": "i", **yaml.safe_load(container)}],
        **(yaml.safe_load(fields) or {}),
    }
    instance = make_pod(cast("str", yaml.safe_dump(spec)), metadata)
    sources = EnvironmentSources(INVENTORY, node, ("10.1.0.2", "fd00::2"), SERVICES, FILES)
    return environment(instance, pod_spec(instance).containers[0], sources)


CASES = [
    ("{env: [{name: A, value: x}, {name: B, value: $(A)$(API_SERVICE_HOST)$(C)}]}", {"A": "x", "B": "x10.0.0.7$(C)"}),
    ("{env: [{name: A, value: x}, {name: A, value: $(A)y}]}", {"A": "xy"}),
    ("{env: [{name: E}]}", {"E": ""}),
    ("{envFrom: [{configMapRef: {name: cm}, prefix: P_}]}", {"P_a": "1", "P_b": "two"}),
    ("{envFrom: [{configMapRef: {name: cm}}], env: [{name: a, value: $(a)$(b)}]}", {"a": "1two", "b": "two"}),
    ("{envFrom: [{secretRef: {name: gone, optional: true}}]}", {}),
    ("{env: [{name: K, valueFrom: {secretKeyRef: {name: s, key: k}}}]}", {"K": "hi"}),
    ("{env: [{name: K, valueFrom: {secretKeyRef: {name: s, key: t}}}]}", {"K": "text"}),
    ("{env: [{name: K, valueFrom: {configMapKeyRef: {name: cm, key: gone, optional: true}}}]}", {}),
    ("{env: [{name: K, valueFrom: {fileKeyRef: {volumeName: vol, path: env, key: Y}}}]}", {"K": "two\nlines"}),
    ("{env: [{name: K, valueFrom: {fileKeyRef: {volumeName: vol, path: gone, key: Y, optional: true}}}]}", {}),
    ("{env: [{name: K, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}", {"K": "10.1.0.2"}),
    ("{env: [{name: K, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]}", {"K": "10.1.0.2,fd00::2"}),
    ("{env: [{name: K, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}", {"K": "node-1"}),
    ("{env: [{name: K, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}]}", {"K": "192.0.2.1"}),
    ("{env: [{name: K, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}]}", {"K": "default"}),
    ("{env: [{name: K, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}]}", {"K": "uid-1"}),
    ("""{env: [{name: K, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}]}""", {"K": "x"}),
    ("{env: [{name: K, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]}", {"K": "2"}),
    (
        "{env: [{name: K, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Gi}}}]}",
        {"K": "8"},
    ),
    (
        "{resources: {limits: {cpu: 1500m}}, "
        "env: [{name: K, valueFrom: {resourceFieldRef: {resource: requests.cpu}}}]}",
        {"K": "2"},
    ),
    (
        "{resources: {limits: {cpu: 1500m}}, "
        "env: [{name: K, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}]}",
        {"K": "1500"},
    ),
]


@pytest.mark.parametrize(("container", "expected"), CASES)
def test_a_variable_has_its_value(make_pod: MakePod, node: NodeFacts, container: str, expected: dict[str, str]) -> None:
    found = variables(make_pod, node, container, metadata="labels: {app: x}")
    assert found == {**SERVICES, **expected}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ("{envFrom: [{configMapRef: {name: gone}}]}", "ConfigMap shop/gone is not in the input"),
        ("{env: [{name: K, valueFrom: {secretKeyRef: {name: gone, key: k}}}]}", "Secret shop/gone"),
        ("{env: [{name: K, valueFrom: {secretKeyRef: {name: s, key: gone}}}]}", "Secret s has no key 'gone'"),
        ("{env: [{name: K, valueFrom: {secretKeyRef: {name: s, key: raw}}}]}", "no UTF-8 text"),
        ("{env: [{name: K, valueFrom: {configMapKeyRef: {name: cm, key: bin}}}]}", "no key 'bin'"),
        ("{env: [{name: K, valueFrom: {fileKeyRef: {volumeName: vol, path: env, key: Z}}}]}", "no key 'Z'"),
        ("{env: [{name: K, valueFrom: {fieldRef: {fieldPath: spec.secrets}}}]}", "not offered"),
        ("{env: [{name: K, valueFrom: {resourceFieldRef: {resource: cpu}}}]}", "not offered"),
        (
            "{env: [{name: K, valueFrom: {resourceFieldRef: {resource: limits.cpu, containerName: gone}}}]}",
            "not offered",
        ),
    ],
)
def test_a_reference_to_nothing_is_an_error(make_pod: MakePod, node: NodeFacts, container: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        variables(make_pod, node, container)


def test_service_links_can_be_left_out(make_pod: MakePod, node: NodeFacts) -> None:
    assert variables(make_pod, node, "{env: [{name: B, value: $(A)}]}", "enableServiceLinks: false") == {"B": "$(A)"}


@pytest.mark.parametrize("text", ["X=1", "X = 'a'", "='a'", "X='a", "X='a' b", "word"])
def test_a_file_of_variables_must_be_quoted(text: str) -> None:
    with pytest.raises(InputError, match="line 2 is not NAME='value'"):
        parse_env_file(f"A='b'\n{text}\n")


def test_maps_are_written_as_go_writes_them(make_pod: MakePod) -> None:
    instance = make_pod(metadata="""annotations: {b: "x\\ny", a: 'q"\\'}""")
    assert metadata_field(instance, "metadata.annotations") == 'a="q\\"\\\\"\nb="x\\ny"'


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("é☺", '"é☺"'),
        ("\x00\x7f", '"\\x00\\x7f"'),
        ("\u200b", '"\\u200b"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("\v", '"\\v"'),
    ],
)
def test_what_does_not_print_is_escaped(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_any_text_becomes_one_line(text: str) -> None:
    assert "\n" not in quote(text)
