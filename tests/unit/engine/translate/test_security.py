"""Security contexts reach CRI as a kubelet with seccompDefault would send them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.instance import PodInstance
from casemate.engine.translate.namespaces import IdRange, namespace_options
from casemate.engine.translate.sandbox import pod_spec
from casemate.engine.translate.security import (
    ROOT_USER,
    ImageUser,
    check_non_root,
    container_security,
    effective,
    image_user,
)
from casemate.errors import InputError, RefusedError
from casemate.model.handler import NodeFacts

MakePod = Callable[..., PodInstance]

SECCOMP = Path("/profiles")
DEFAULT, UNCONFINED, LOCALHOST = (
    pb.SecurityProfile.RuntimeDefault,
    pb.SecurityProfile.Unconfined,
    pb.SecurityProfile.Localhost,
)


def pod(make_pod: MakePod, of_pod: str, of_container: str) -> PodInstance:
    spec = f"securityContext: {of_pod}\ncontainers: [{{name: main, image: i, securityContext: {of_container}}}]"
    return make_pod(spec)


def translated(
    instance: PodInstance, node: NodeFacts, image: ImageUser = ROOT_USER
) -> pb.LinuxContainerSecurityContext:
    spec = pod_spec(instance)
    return container_security(effective(spec, spec.containers[0]), spec, node, image, SECCOMP)


@pytest.mark.parametrize(
    ("of_pod", "of_container", "kind", "reference"),
    [
        ("{}", "{}", DEFAULT, ""),
        ("{seccompProfile: {type: RuntimeDefault}}", "{}", DEFAULT, ""),
        ("{seccompProfile: {type: Unconfined}}", "{}", UNCONFINED, ""),
        ("{seccompProfile: {type: Unconfined}}", "{seccompProfile: {type: RuntimeDefault}}", DEFAULT, ""),
        ("{seccompProfile: {type: RuntimeDefault}}", "{seccompProfile: {type: Unconfined}}", UNCONFINED, ""),
        ("{}", "{seccompProfile: {type: Localhost, localhostProfile: a/b.json}}", LOCALHOST, "/profiles/a/b.json"),
    ],
)
def test_an_unset_seccomp_profile_is_runtime_default_and_the_containers_wins(
    make_pod: MakePod, node: NodeFacts, of_pod: str, of_container: str, kind: int, reference: str
) -> None:
    profile = translated(pod(make_pod, of_pod, of_container), node).seccomp
    assert (profile.profile_type, profile.localhost_ref) == (kind, reference)


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/passwd", "a/../../b", "", "..", "a/.."])
def test_a_localhost_profile_outside_the_folder_is_refused(make_pod: MakePod, node: NodeFacts, path: str) -> None:
    instance = pod(make_pod, "{}", f"{{seccompProfile: {{type: Localhost, localhostProfile: '{path}'}}}}")
    with pytest.raises(InputError, match="below /profiles"):
        translated(instance, node)


@pytest.mark.parametrize(
    ("of_pod", "of_container", "image", "user", "name"),
    [
        ("{}", "{}", ROOT_USER, 0, ""),
        ("{}", "{}", ImageUser(uid=7), 7, ""),
        ("{}", "{}", ImageUser(name="www"), None, "www"),
        ("{runAsUser: 5}", "{}", ImageUser(name="www"), 5, ""),
        ("{runAsUser: 5}", "{runAsUser: 6}", ImageUser(uid=7), 6, ""),
        ("{runAsUser: 5}", "{runAsUser: 0}", ImageUser(uid=7), 0, ""),
    ],
)
def test_the_user_is_the_containers_or_the_pods_or_the_images(
    make_pod: MakePod, node: NodeFacts, of_pod: str, of_container: str, image: ImageUser, user: int | None, name: str
) -> None:
    found = translated(pod(make_pod, of_pod, of_container), node, image)
    assert (found.run_as_user.value if found.HasField("run_as_user") else None, found.run_as_username) == (user, name)


@pytest.mark.parametrize(
    ("context", "image"),
    [
        ("{runAsNonRoot: true}", ROOT_USER),
        ("{runAsNonRoot: true}", ImageUser(uid=0)),
        ("{runAsNonRoot: true}", ImageUser(name="nobody")),
        ("{runAsNonRoot: true, runAsUser: 0}", ImageUser(uid=7)),
    ],
)
def test_what_may_run_as_root_is_refused_under_run_as_non_root(
    make_pod: MakePod, context: str, image: ImageUser
) -> None:
    instance = pod(make_pod, "{}", context)
    spec = pod_spec(instance)
    with pytest.raises(RefusedError, match="runAsNonRoot"):
        check_non_root(instance, spec.containers[0], effective(spec, spec.containers[0]), image)


@pytest.mark.parametrize(
    ("of_pod", "of_container", "image"),
    [
        ("{}", "{}", ROOT_USER),
        ("{runAsNonRoot: true}", "{runAsNonRoot: false}", ROOT_USER),
        ("{runAsNonRoot: true}", "{}", ImageUser(uid=7)),
        ("{runAsNonRoot: true}", "{runAsUser: 8}", ImageUser(name="nobody")),
    ],
)
def test_another_user_passes_run_as_non_root(
    make_pod: MakePod, of_pod: str, of_container: str, image: ImageUser
) -> None:
    instance = pod(make_pod, of_pod, of_container)
    spec = pod_spec(instance)
    check_non_root(instance, spec.containers[0], effective(spec, spec.containers[0]), image)


@pytest.mark.parametrize(
    ("context", "expected"),
    [("{}", False), ("{allowPrivilegeEscalation: true}", False), ("{allowPrivilegeEscalation: false}", True)],
)
def test_no_new_privs_is_set_only_when_escalation_is_forbidden(
    make_pod: MakePod, node: NodeFacts, context: str, expected: bool
) -> None:
    assert translated(pod(make_pod, "{}", context), node).no_new_privs is expected


def test_capabilities_pass_as_written(make_pod: MakePod, node: NodeFacts) -> None:
    found = translated(pod(make_pod, "{}", "{capabilities: {add: [NET_ADMIN], drop: [ALL]}}"), node).capabilities
    assert (list(found.add_capabilities), list(found.drop_capabilities)) == (["NET_ADMIN"], ["ALL"])


def test_proc_is_masked_unless_the_container_says_unmasked(make_pod: MakePod, node: NodeFacts) -> None:
    masked = translated(pod(make_pod, "{}", "{}"), node)
    assert {"/proc/kcore", "/sys/devices/system/cpu/cpu1/thermal_throttle"} <= set(masked.masked_paths)
    assert "/proc/sys" in masked.readonly_paths
    unmasked = translated(pod(make_pod, "{}", "{procMount: Unmasked}"), node)
    assert not unmasked.masked_paths
    assert not unmasked.readonly_paths


def test_fs_group_and_supplemental_groups_are_groups_of_the_process(make_pod: MakePod, node: NodeFacts) -> None:
    context = "{fsGroup: 0, supplementalGroups: [10, 20], supplementalGroupsPolicy: Strict}"
    found = translated(pod(make_pod, context, "{}"), node)
    assert list(found.supplemental_groups) == [0, 10, 20]
    assert found.supplemental_groups_policy == pb.Strict


@pytest.mark.parametrize(
    ("profile", "kind", "reference"),
    [
        ("{type: RuntimeDefault}", DEFAULT, ""),
        ("{type: Unconfined}", UNCONFINED, ""),
        ("{type: Localhost, localhostProfile: mine}", LOCALHOST, "mine"),
    ],
)
def test_an_apparmor_profile_is_passed(
    make_pod: MakePod, node: NodeFacts, profile: str, kind: int, reference: str
) -> None:
    found = translated(pod(make_pod, f"{{appArmorProfile: {profile}}}", "{}"), node).apparmor
    assert (found.profile_type, found.localhost_ref) == (kind, reference)


def test_no_apparmor_profile_leaves_the_choice_to_the_engine(make_pod: MakePod, node: NodeFacts) -> None:
    assert not translated(pod(make_pod, "{}", "{}"), node).HasField("apparmor")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (pb.Image(), ROOT_USER),
        (pb.Image(username="www"), ImageUser(name="www")),
        (pb.Image(uid=pb.Int64Value(value=0)), ImageUser(uid=0)),
    ],
)
def test_an_images_user_is_read_from_its_status(image: pb.Image, expected: ImageUser) -> None:
    assert image_user(image) == expected


@pytest.mark.parametrize(
    ("field", "network", "pid", "ipc"),
    [
        ("{}", pb.POD, pb.CONTAINER, pb.POD),
        ("{hostNetwork: true}", pb.NODE, pb.CONTAINER, pb.POD),
        ("{hostPID: true}", pb.POD, pb.NODE, pb.POD),
        ("{hostIPC: true}", pb.POD, pb.CONTAINER, pb.NODE),
        ("{shareProcessNamespace: true}", pb.POD, pb.POD, pb.POD),
        ("{shareProcessNamespace: true, hostPID: true}", pb.POD, pb.NODE, pb.POD),
    ],
)
def test_namespaces_are_shared_as_asked(make_pod: MakePod, field: str, network: int, pid: int, ipc: int) -> None:
    spec = pod_spec(make_pod(field.replace("{", "{containers: [{name: a, image: i}], ", 1)))
    found = namespace_options(spec, None)
    assert (found.network, found.pid, found.ipc, found.userns_options.mode) == (network, pid, ipc, pb.NODE)


def test_a_user_namespace_maps_root_to_the_first_id(make_pod: MakePod) -> None:
    found = namespace_options(pod_spec(make_pod()), IdRange(131072)).userns_options
    assert found.mode == pb.POD
    assert list(found.uids) == list(found.gids) == [pb.IDMapping(host_id=131072, container_id=0, length=65536)]
