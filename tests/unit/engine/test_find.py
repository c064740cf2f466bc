import pytest

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.find import FoundPod, choose_sandbox, container_order
from casemate.errors import InputError
from casemate.model.kube.container import Container
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.workloads import Pod


def sandbox(namespace: str, created: int, ready: bool = True, run: str = "r") -> pb.PodSandbox:
    return pb.PodSandbox(
        id=f"{namespace}-{created}",
        metadata=pb.PodSandboxMetadata(name="web", namespace=namespace),
        created_at=created,
        state=pb.SANDBOX_READY if ready else pb.SANDBOX_NOTREADY,
        labels={"casemate.dev/run": run} if run else {},
    )


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([sandbox("a", 1)], "a-1"),
        ([sandbox("a", 1), sandbox("a", 2)], "a-2"),
        ([sandbox("a", 1), sandbox("a", 2, ready=False)], "a-1"),
        ([sandbox("a", 1), sandbox("b", 2, run="")], "a-1"),
    ],
)
def test_the_pod_made_last_counts_and_only_ours(found: list[pb.PodSandbox], chosen: str) -> None:
    assert choose_sandbox(found, "web").id == chosen


@pytest.mark.parametrize(
    ("found", "said"),
    [([], "no Pod 'web'"), ([sandbox("a", 1, run="")], "no Pod"), ([sandbox("a", 1), sandbox("b", 1)], "a, b")],
)
def test_no_pod_or_several_namespaces_are_an_error(found: list[pb.PodSandbox], said: str) -> None:
    with pytest.raises(InputError, match=said):
        choose_sandbox(found, "web")


def container(name: str, attempt: int) -> pb.Container:
    metadata = pb.ContainerMetadata(name=name, attempt=attempt)
    return pb.Container(id=f"{name}{attempt}", metadata=metadata, labels={"io.kubernetes.container.name": name})


def test_the_last_restart_comes_first() -> None:
    pod = FoundPod("default", "web", (container("a", 0), container("b", 0), container("a", 1)))
    assert [each.id for each in pod.attempts("a")] == ["a1", "a0"]
    assert pod.names == ("a", "b")
    with pytest.raises(InputError, match="a, b"):
        pod.attempts("c")


def pod_of() -> Pod:
    spec = PodSpec(initContainers=(Container(name="init"),), containers=(Container(name="one"), Container(name="two")))
    return Pod(spec=spec)


def test_the_default_container_is_the_first_or_the_annotated_one() -> None:
    assert container_order(pod_of()) == ("one", "two", "init")
    chosen = Pod(
        metadata=ObjectMeta(annotations={"kubectl.kubernetes.io/default-container": "two"}), spec=pod_of().spec
    )
    assert container_order(chosen) == ("two", "one", "init")
