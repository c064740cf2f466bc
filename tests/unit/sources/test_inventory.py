"""An inventory holds what an API server would accept, and nothing that a Pod would wait for in vain."""

import io
import re

import pytest

from casemate.errors import InputError
from casemate.sources.files import load
from casemate.sources.inventory import inventory


def take(text: str, suffix=lambda: "abcde"):
    return inventory(load(["-"], io.BytesIO(text.encode())), suffix)


def container(fields: str = "", rest: str = "") -> str:
    """A Pod with these fields in its container, and these in its spec. The container stands in line 5."""
    inner = f", {fields}" if fields else ""
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers: [{{name: c, image: i{inner}}}]\n"
    return text + "".join(f"  {line}\n" for line in rest.splitlines())


def spec(rest: str) -> str:
    return container("", rest)


def workload(kind: str, fields: str, template: str = "", version: str = "apps/v1") -> str:
    pod = f"{{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: i}}]{template}}}}}"
    text = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w}}\nspec:\n  template: {pod}\n"
    return text + "".join(f"  {line}\n" for line in fields.splitlines())


def job(fields: str = "", template: str = ", restartPolicy: Never") -> str:
    return workload("Job", fields, template, "batch/v1")


def thing(kind: str, fields: str, version: str = "v1", name: str = "x") -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\n{fields}\n"


SELECTOR = "selector: {matchLabels: {a: b}}"
EMPTY_DIR = "volumes: [{name: v, emptyDir: {}}]"

# what is wrong: (input, words of the message)
WRONG = {
    "a Pod without a name": ("apiVersion: v1\nkind: Pod\nspec: {containers: []}", "metadata.name: is missing"),
    "a name in upper case": (thing("ConfigMap", "", name="Web"), 'name: "Web" must be lower-case'),
    "a name that is too long": (thing("ConfigMap", "", name="a" * 254), "longer than 253"),
    "a label with a space": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, labels: {a: b c}}",
        "labels.a: .* must be letters",
    ),
    "an annotation with two slashes": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, annotations: {a/b/c: d}}",
        "annotations",
    ),
    "a namespaced Namespace": (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns, namespace: m}",
        "a Namespace has no namespace",
    ),
    "a Pod without a spec": (thing("Pod", ""), "spec: is missing"),
    "a Pod without containers": (thing("Pod", "spec: {containers: []}"), "containers: there are none"),
    "a container without an image": (thing("Pod", "spec: {containers: [{name: c}]}"), "image: is missing"),
    "a container's name with a dot": (thing("Pod", "spec: {containers: [{name: a.b, image: i}]}"), "DNS label"),
    "two containers of one name": (
        spec("initContainers: [{name: c, image: i}]"),
        r'initContainers\[0\].name: "c" is used twice',
    ),
    "an unknown pull policy": (container("imagePullPolicy: Sometimes"), "must be one of Always, IfNotPresent, Never"),
    "a port of 0": (container("ports: [{containerPort: 0}]"), "between 1 and 65535"),
    "a port's name of digits": (container("ports: [{containerPort: 1, name: '80'}]"), r"ports\[0\].name"),
    "two ports of one name": (
        container("ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]"),
        r"ports\[1\].name: .a. is used twice",
    ),
    "a host port that is taken": (
        container("ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]"),
        "hostPort.*used twice",
    ),
    "a host port unlike the host network's": (
        container("ports: [{containerPort: 1, hostPort: 2}]", "hostNetwork: true"),
        "must equal containerPort",
    ),
    "an unknown protocol": (container("ports: [{containerPort: 1, protocol: tcp}]"), "TCP, UDP, SCTP"),
    "a variable with =": (container("env: [{name: 'a=b'}]"), "without ="),
    "a variable with two sources": (
        container(
            "env: [{name: a, valueFrom: {fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: s, key: k}}}]"
        ),
        "exclude each other",
    ),
    "a variable with no source": (container("env: [{name: a, valueFrom: {}}]"), "nothing is chosen"),
    "a value and a source": (
        container("env: [{name: a, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"),
        "value and valueFrom exclude",
    ),
    "a field that cannot be shown": (
        container("env: [{name: a, valueFrom: {fieldRef: {fieldPath: spec.hostname}}}]"),
        "must be one of metadata.name",
    ),
    "a label without quotes": (
        container('env: [{name: a, valueFrom: {fieldRef: {fieldPath: "metadata.labels[app]"}}}]'),
        "write it as",
    ),
    "a divisor of 3": (
        container("env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 3}}}]"),
        "divisor: 3 must be one of 1, 1m",
    ),
    "an envFrom of nothing": (container("envFrom: [{prefix: a}]"), "set one of configMapRef, secretRef"),
    "no quantity": (container("resources: {limits: {cpu: lots}}"), r'limits.cpu: "lots" is no quantity'),
    "a negative quantity": (container("resources: {limits: {cpu: -1}}"), "must not be negative"),
    "a request over its limit": (
        container("resources: {limits: {cpu: 1}, requests: {cpu: 1001m}}"),
        "1001m is more than the limit of 1",
    ),
    "an unknown resource": (container("resources: {limits: {gpu: 1}}"), "none of cpu, memory"),
    "half a device": (container("resources: {limits: {a.b/gpu: 0.5}}"), "must be a whole number"),
    "a request of pages without a limit": (
        container("resources: {requests: {hugepages-2Mi: 2Mi, cpu: 1}}"),
        "cannot be overcommitted",
    ),
    "part of a page": (container("resources: {limits: {hugepages-2Mi: 3Mi, cpu: 1}}"), "no multiple of the page size"),
    "pages alone": (container("resources: {limits: {hugepages-2Mi: 2Mi}}"), "need a request or limit of cpu"),
    "a claim of no device": (container("resources: {claims: [{name: gpu}]}"), "none of the Pod's resourceClaims"),
    "a probe of nothing": (container("livenessProbe: {periodSeconds: 3}"), "set one of exec, httpGet"),
    "a probe of two": (container("livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}"), "exclude each other"),
    "a probe's empty command": (container("livenessProbe: {exec: {}}"), "command: is missing"),
    "a liveness threshold of 2": (
        container("livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}"),
        "2 must be 1",
    ),
    "a grace period in a readiness probe": (
        container("readinessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 3}"),
        "must not be set for a readinessProbe",
    ),
    "a probe's scheme": (container("livenessProbe: {httpGet: {port: 1, scheme: http}}"), "one of HTTP, HTTPS"),
    "a sleep longer than the grace period": (
        container("lifecycle: {preStop: {sleep: {seconds: 31}}}"),
        "between 0 and the grace period of 30",
    ),
    "a stop signal without an OS": (container("lifecycle: {stopSignal: SIGTERM}"), "needs spec.os.name"),
    "a signal that is none": (container("lifecycle: {stopSignal: SIGFOO}", "os: {name: linux}"), "is no signal"),
    "a probe of a plain init container": (
        spec("initContainers: [{name: i, image: i, readinessProbe: {tcpSocket: {port: 1}}}]"),
        "restartPolicy: Always .sidecars",
    ),
    "restart rules without a policy": (
        container("restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]"),
        "restartPolicyRules refine it",
    ),
    "a mount of no volume": (container("volumeMounts: [{name: v, mountPath: /v}]"), '"v" is no volume of this Pod'),
    "two mounts in one place": (
        container("volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /v}]", EMPTY_DIR),
        r"volumeMounts\[1\].mountPath: ./v. is used twice",
    ),
    "a subPath that leaves": (
        container("volumeMounts: [{name: v, mountPath: /v, subPath: a/../../b}]", EMPTY_DIR),
        r'must not contain "\.\."',
    ),
    "an absolute subPath": (
        container("volumeMounts: [{name: v, mountPath: /v, subPath: /etc}]", EMPTY_DIR),
        "must be a relative path",
    ),
    "two subPaths": (
        container("volumeMounts: [{name: v, mountPath: /v, subPath: a, subPathExpr: b}]", EMPTY_DIR),
        "exclude each other",
    ),
    "propagation without privilege": (
        container("volumeMounts: [{name: v, mountPath: /v, mountPropagation: Bidirectional}]", EMPTY_DIR),
        "privileged containers only",
    ),
    "recursive read-only that is writable": (
        container("volumeMounts: [{name: v, mountPath: /v, recursiveReadOnly: Enabled}]", EMPTY_DIR),
        "needs readOnly: true",
    ),
    "a device that is no claim": (container("volumeDevices: [{name: v, devicePath: /d}]", EMPTY_DIR), "is no claim"),
    "two volumes of one name": (
        spec("volumes: [{name: v, emptyDir: {}}, {name: v, emptyDir: {}}]"),
        r"volumes\[1\].name: .v. is used twice",
    ),
    "a volume of two kinds": (
        spec("volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}]"),
        "emptyDir and hostPath exclude each other",
    ),
    "a hostPath of no type": (spec("volumes: [{name: v, hostPath: {path: /, type: Folder}}]"), "DirectoryOrCreate"),
    "a file mode in decimal": (
        spec("volumes: [{name: v, emptyDir: {}}, {name: w, secret: {secretName: s, defaultMode: 777}}]"),
        "777 must be between 0 and 511",
    ),
    "a projected file written twice": (
        spec(
            "volumes: [{name: v, projected: {sources: ["
            "{downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.name}}]}}, "
            "{downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.uid}}]}}]}}]"
        ),
        '"a" is written twice',
    ),
    "escalation denied to the privileged": (
        container("securityContext: {privileged: true, allowPrivilegeEscalation: false}"),
        "contradicts privileged",
    ),
    "an unmasked /proc on the node's ids": (container("securityContext: {procMount: Unmasked}"), "hostUsers: false"),
    "a local profile without a name": (container("securityContext: {seccompProfile: {type: Localhost}}"), "is missing"),
    "a named default profile": (
        container("securityContext: {seccompProfile: {type: RuntimeDefault, localhostProfile: a}}"),
        "only for type: Localhost",
    ),
    "a profile that leaves its folder": (
        container("securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../a}}"),
        r"must not contain",
    ),
    "a negative user": (container("securityContext: {runAsUser: -1}"), "-1 must be between 0 and 2147483647"),
    "a sysctl of the host's network": (
        spec("hostNetwork: true\nsecurityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}"),
        "would change the host",
    ),
    "a drop that would drop nothing": (
        container("securityContext: {capabilities: {drop: [NET_RAWW]}}"),
        '"NET_RAWW" is no capability',
    ),
    "host processes and own users": (spec("hostPID: true\nhostUsers: false"), "contradicts hostUsers: false"),
    "shared and host processes": (spec("hostPID: true\nshareProcessNamespace: true"), "contradicts hostPID"),
    "a restart policy that is none": (spec("restartPolicy: Maybe"), "Always, OnFailure, Never"),
    "DNS of nothing": (spec("dnsPolicy: None"), "needs at least one name server"),
    "four name servers": (spec("dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}"), "more than 3"),
    "a name server by name": (spec("dnsConfig: {nameservers: [localhost]}"), "is no IP address"),
    "ephemeral containers": (spec("ephemeralContainers: [{name: e, image: i}]"), "cannot be part of a new Pod"),
    "a toleration of nothing": (spec("tolerations: [{value: a}]"), "must be Exists when key is empty"),
    "a Pod's limit below its container's": (
        container("resources: {limits: {cpu: 2}}", "resources: {limits: {cpu: 1}}"),
        'less than that of container "c"',
    ),
    "a selector that misses": (
        workload("Deployment", "selector: {matchLabels: {a: x}}"),
        "do not match spec.selector",
    ),
    "an empty selector": (workload("Deployment", "selector: {}"), "selector: is empty"),
    "a Deployment that ends": (workload("Deployment", SELECTOR, ", restartPolicy: Never"), "must be Always"),
    "a roll-out that cannot move": (
        workload("Deployment", SELECTOR + "\nstrategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}"),
        "are both 0",
    ),
    "negative replicas": (workload("Deployment", SELECTOR + "\nreplicas: -1"), "-1 must be between"),
    "a claim template without a name": (
        workload("StatefulSet", SELECTOR + "\nvolumeClaimTemplates: [{spec: {}}]"),
        "it names the volume",
    ),
    "a claim of nothing": (thing("PersistentVolumeClaim", "spec: {}"), "accessModes: is missing"),
    "a Job that never ends": (job(template=""), "cannot restart Always, which unset means"),
    "an indexed Job without a count": (job("completionMode: Indexed"), "completions: is missing"),
    "a limit by index without indexes": (job("backoffLimitPerIndex: 1"), "needs completionMode: Indexed"),
    "exit codes out of order": (
        job("podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [3, 2]}}]}"),
        "must rise",
    ),
    "a schedule of six fields": (
        thing("CronJob", "spec: {schedule: '* * * * * *', jobTemplate: {}}", "batch/v1"),
        "must have five fields",
    ),
    "a minute of 60": (
        thing("CronJob", "spec: {schedule: '60 * * * *', jobTemplate: {}}", "batch/v1"),
        "is no minute",
    ),
    "a Service without ports": (thing("Service", "spec: {selector: {a: b}}"), "ports: there are none"),
    "two ports without names": (thing("Service", "spec: {ports: [{port: 1}, {port: 2}]}"), "several ports need names"),
    "one port twice": (thing("Service", "spec: {ports: [{port: 1, name: a}, {port: 1, name: b}]}"), "used twice"),
    "a node port of a ClusterIP": (
        thing("Service", "spec: {ports: [{port: 1, nodePort: 30000}]}"),
        "needs type: NodePort",
    ),
    "an external name of nothing": (thing("Service", "spec: {type: ExternalName}"), "externalName: is missing"),
    "a key that leaves the folder": (thing("ConfigMap", "data: {../a: b}"), r"data\[\.\./a\]"),
    "binary data in plain text": (thing("ConfigMap", "binaryData: {a: 'hello world'}"), "is not base64"),
    "a secret in plain text": (thing("Secret", "data: {a: 'pass word'}"), "use stringData"),
    "a ConfigMap over 1 MiB": (thing("ConfigMap", f"data: {{a: {'x' * (1 << 20)}x}}"), "larger than 1 MiB"),
    "TLS without a key": (thing("Secret", "type: kubernetes.io/tls\ndata: {tls.crt: ''}"), "tls.key.*is missing"),
    "registry credentials that are no JSON": (
        thing("Secret", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: x}"),
        "no JSON object",
    ),
    "a RuntimeClass without a handler": (thing("RuntimeClass", "handler: ''", "node.k8s.io/v1"), "handler"),
    "a missing ConfigMap": (
        container("envFrom: [{configMapRef: {name: m}}]"),
        'ConfigMap "m" is not in the input .namespace default',
    ),
    "a missing key": (
        container("env: [{name: a, valueFrom: {configMapKeyRef: {name: x, key: z}}}]")
        + "---\n"
        + thing("ConfigMap", "data: {k: v}"),
        'has no key "z"; its keys: k|has no key "z"\n.*its keys: k',
    ),
    "a missing Secret": (spec("volumes: [{name: v, secret: {secretName: s}}]"), 'Secret "s" is not in the input'),
    "a missing claim": (spec("volumes: [{name: v, persistentVolumeClaim: {claimName: s}}]"), "PersistentVolumeClaim"),
    "a missing account": (spec("serviceAccountName: robot"), 'ServiceAccount "robot" is not in the input'),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_api_server_would_reject_is_an_error_with_its_place(name):
    text, words = WRONG[name]
    with pytest.raises(InputError) as caught:
        take(text)
    message = str(caught.value)
    assert re.search(words, message), message
    assert re.search(r"<stdin>:\d+:\d+: ", message), message


def test_the_place_is_that_of_the_field():
    with pytest.raises(InputError) as caught:
        take(container("imagePullPolicy: Sometimes"))
    assert caught.value.where == "<stdin>:5:36"


RIGHT = {
    "optional references": container(
        "env: [{name: a, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}]",
        "imagePullSecrets: [{name: none}]\nvolumes: [{name: v, configMap: {name: m, optional: true}}]",
    ),
    "an empty class": spec("runtimeClassName: ''"),
    "a sidecar with probes": spec(
        "initContainers: [{name: s, image: i, restartPolicy: Always, startupProbe: {exec: {command: [a]}}}]"
    ),
    "a claim by template": workload(
        "StatefulSet",
        SELECTOR
        + "\nserviceName: ''\nvolumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], "
        "resources: {requests: {storage: 1Gi}}}}]",
    ).replace("image: i", "image: i, volumeMounts: [{name: d, mountPath: /d}]"),
    "a cron job": thing(
        "CronJob",
        "spec: {schedule: '*/5 1-3 ? jan,mar mon-fri', jobTemplate: {spec: {template: {spec: "
        "{restartPolicy: Never, containers: [{name: c, image: i}]}}}}}",
        "batch/v1",
    ),
    "a headless service": thing("Service", "spec: {clusterIP: None, selector: {a: b}}"),
    "a service whose name begins with a digit": thing("Service", "spec: {ports: [{port: 1}]}", name="1web"),
    "an object of another namespace": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: ''}",
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_an_api_server_would_take_is_taken(name):
    take(RIGHT[name])


def test_an_unset_namespace_is_default_and_classes_have_none():
    found = take(thing("ConfigMap", "") + "---\n" + thing("RuntimeClass", "handler: runc", "node.k8s.io/v1"))
    assert found.config_map("default", "x")
    assert found.runtime_class("x").metadata.namespace is None


def test_a_generated_name_gets_a_suffix():
    found = take("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: web-}")
    assert found.config_maps[0].metadata.name == "web-abcde"


def test_generated_names_differ():
    text = "---\n".join(["apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: web-}\n"] * 50)
    found = inventory(load(["-"], io.BytesIO(text.encode())))
    assert len({each.metadata.name for each in found.config_maps}) == 50


def test_one_name_twice_is_an_error_that_shows_both_places():
    with pytest.raises(InputError) as caught:
        take(thing("ConfigMap", "") + "---\n" + thing("Secret", "") + "---\n" + thing("ConfigMap", ""))
    assert str(caught.value).startswith(
        '<stdin>:13:12: metadata.name: ConfigMap "x" is there twice, first at <stdin>:3:12'
    )


def test_one_name_in_two_namespaces_is_no_mistake():
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: b}\n"
    assert len(take(thing("ConfigMap", "") + "---\n" + other).config_maps) == 2


@pytest.mark.parametrize("text", [spec("volumes: [{name: v}]"), spec("volumes: [{name: v, emptyDir: }]")])
def test_a_volume_of_no_kind_is_an_empty_dir(text):
    assert take(text).pods[0].spec.volumes[0].emptyDir is not None


def test_a_volume_of_no_kind_in_a_template_is_an_empty_dir_too():
    found = take(job(template=", restartPolicy: Never, volumes: [{name: v}, {name: w, hostPath: {path: /tmp}}]"))
    volumes = found.jobs[0].spec.template.spec.volumes
    assert [each.emptyDir is not None for each in volumes] == [True, False]


def test_mistakes_of_all_objects_are_raised_together():
    with pytest.raises(InputError) as caught:
        take(container("imagePullPolicy: x") + "---\n" + thing("Service", "spec: {}") + "---\n" + spec("hostname: A"))
    message = str(caught.value)
    assert all(part in message for part in ("imagePullPolicy", "spec.ports", "spec.hostname", "is there twice"))
