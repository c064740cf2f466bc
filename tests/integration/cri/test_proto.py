"""Our subset of CRI against the real one."""

import json
import subprocess
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

from casemate.engine.cri import cri_pb2 as pb

pytestmark = pytest.mark.root

MODULE = "k8s.io/cri-api@v0.36.3"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorProto:
    """CRI as Kubernetes 1.36 defines it."""
    folder = tmp_path_factory.mktemp("cri")
    (folder / "go.mod").write_text("module scratch\n")
    found = subprocess.run(["go", "mod", "download", "-json", MODULE], cwd=folder, capture_output=True, check=True)
    source = Path(json.loads(found.stdout)["Dir"]) / "pkg/apis/runtime/v1"
    assert protoc.main(["protoc", f"-I{source}", f"-o{folder}/cri", f"{source}/api.proto"]) == 0
    return FileDescriptorSet.FromString((folder / "cri").read_bytes()).file[0]


def ours() -> FileDescriptorProto:
    message = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(message)
    return message


def fields(message: DescriptorProto) -> set[tuple[object, ...]]:
    """What is on the wire: there, text and bytes are the same (environment values became bytes in 1.36)."""
    text = (FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES)
    kinds = dict.fromkeys(text, FieldDescriptorProto.TYPE_BYTES)
    return {
        (each.name, each.number, kinds.get(each.type, each.type), each.label, each.type_name) for each in message.field
    }


def test_every_field_has_the_name_number_and_type_of_the_real_one(real: FileDescriptorProto) -> None:
    messages = {each.name: each for each in real.message_type}
    for message in ours().message_type:
        assert fields(message) <= fields(messages[message.name]), message.name


def test_every_enumeration_is_whole(real: FileDescriptorProto) -> None:
    enums = {each.name: {(value.name, value.number) for value in each.value} for each in real.enum_type}
    for enum in ours().enum_type:
        assert {(value.name, value.number) for value in enum.value} == enums[enum.name]


def test_every_call_takes_and_gives_what_the_real_one_does(real: FileDescriptorProto) -> None:
    calls = {each.name: {str(method) for method in each.method} for each in real.service}
    for service in ours().service:
        for method in service.method:
            method.ClearField("options")
            assert any(f'name: "{method.name}"' in call for call in calls[service.name])
            assert {method.input_type, method.output_type} <= {
                kind for each in real.service for one in each.method for kind in (one.input_type, one.output_type)
            }


def test_what_a_kubelet_sets_on_linux_is_all_there(real: FileDescriptorProto) -> None:
    messages = {each.name: each for each in real.message_type}
    whole = ("PodSandboxConfig", "LinuxPodSandboxConfig", "LinuxSandboxSecurityContext", "ContainerConfig", "Mount")
    whole += ("LinuxContainerSecurityContext", "LinuxContainerResources", "NamespaceOption", "ImageSpec", "AuthConfig")
    outdated = {"windows", "seccomp_profile_path", "apparmor_profile"}
    for message in (each for each in ours().message_type if each.name in whole):
        missing = {each[0] for each in fields(messages[message.name]) - fields(message)}
        assert missing <= outdated, message.name
