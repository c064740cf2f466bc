"""Laws of the decisions, over workloads and surroundings at random and the catalogue that casemate ships."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from workloads import node, runtime_class, workload

from casemate.catalogue import tables
from casemate.decide.assess import Assessor
from casemate.decide.gather import gather
from casemate.decide.hardened import hardened
from casemate.decide.predicates import Questions
from casemate.model.boundary import Boundary
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import (
    AppArmorProfile,
    Capabilities,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
)
from casemate.model.kube.volumes import HostPathVolumeSource, Volume, VolumeMount
from casemate.model.surroundings import Exposure, Rights, Surroundings
from casemate.model.workload import Workload

CATALOGUE = tables.load()
maybe = st.sampled_from([None, True, False])
seccomp = st.sampled_from(
    [
        None,
        *(SeccompProfile(type=each) for each in ("RuntimeDefault", "Unconfined", "Localhost")),
        SeccompProfile(type="Localhost", localhostProfile="own.json"),
    ]
)
apparmor = st.sampled_from([None, *(AppArmorProfile(type=each) for each in ("RuntimeDefault", "Unconfined"))])
names = st.lists(st.sampled_from(["ALL", "NET_RAW", "CAP_SYS_ADMIN", "NET_BIND_SERVICE"]), max_size=2).map(tuple)
images = st.sampled_from(
    [
        "nginx",
        "ghcr.io/x/actions-runner:1",
        "jupyter/base-notebook",
        f"r.example/a@sha256:{'0' * 64}",
        "x/hello-wasm:1",
        "",
    ]
)
contexts = st.none() | st.builds(
    SecurityContext,
    allowPrivilegeEscalation=maybe,
    privileged=maybe,
    runAsNonRoot=maybe,
    runAsUser=st.sampled_from([None, 0, 1000]),
    readOnlyRootFilesystem=maybe,
    procMount=st.sampled_from([None, "Default", "Unmasked"]),
    seccompProfile=seccomp,
    appArmorProfile=apparmor,
    seLinuxOptions=st.sampled_from([None, SELinuxOptions(type="spc_t"), SELinuxOptions(level="s0")]),
    capabilities=st.none() | st.builds(Capabilities, add=names, drop=names),
)
mounts = st.lists(
    st.builds(
        VolumeMount, name=st.just("v"), mountPath=st.just("/v"), readOnly=maybe, subPath=st.sampled_from([None, "x"])
    ),
    max_size=1,
).map(tuple)
containers = st.builds(Container, name=st.just("c"), image=images, securityContext=contexts, volumeMounts=mounts)
paths = st.sampled_from(["/", "/etc", "/data", "/var/run/docker.sock", "/var/log", "relative/../x", ""])
volumes = st.lists(
    st.builds(Volume, name=st.just("v"), hostPath=st.none() | st.builds(HostPathVolumeSource, path=paths)), max_size=1
).map(tuple)
specs = st.builds(
    PodSpec,
    containers=st.lists(containers, min_size=1, max_size=2).map(tuple),
    initContainers=st.lists(containers, max_size=1).map(tuple),
    volumes=volumes,
    hostNetwork=maybe,
    hostPID=maybe,
    hostIPC=maybe,
    hostUsers=maybe,
    automountServiceAccountToken=maybe,
    runtimeClassName=st.sampled_from([None, "", "gvisor", "kata", "kata-qemu-snp", "wasmtime", "sysbox", "own"]),
    nodeSelector=st.sampled_from([{}, {"pool": "a"}]),
    securityContext=st.none()
    | st.builds(
        PodSecurityContext, runAsNonRoot=maybe, runAsUser=st.sampled_from([None, 0, 7]), seccompProfile=seccomp
    ),
)
kinds = st.sampled_from(["Deployment", "DaemonSet", "Pod", "Job", "Sandbox"])
labels = st.dictionaries(
    st.sampled_from(["casemate.dev/need", "casemate.dev/trust", "casemate.dev/data", "app"]),
    st.sampled_from(["sandbox", "vm", "shared", "untrusted", "internal", "system", "x"]),
    max_size=2,
)
annotations = st.dictionaries(
    st.sampled_from(["io.katacontainers.config.hypervisor.kernel_params", "dev.gvisor.flag.debug", "x"]),
    st.just("1"),
    max_size=1,
)
workloads = st.builds(
    lambda spec, kind, said, noted: replace(workload(labels=said, annotations=noted, kind=kind), spec=spec),
    specs,
    kinds,
    labels,
    annotations,
)
handlers = st.sampled_from([None, ("", "runc"), ("", "runc", "runsc"), ("runsc",)])
nodes = st.builds(
    lambda said, mapped: node(handlers=said, user_namespace_handlers=("", "runc") if mapped else ()),
    handlers,
    st.booleans(),
)
surroundings = st.builds(
    Surroundings,
    complete=st.booleans(),
    runtime_classes=st.lists(
        st.sampled_from([runtime_class("gvisor", "runsc"), runtime_class("kata", "runc"), runtime_class("own", "x")]),
        unique_by=id,
        max_size=2,
    ).map(tuple),
    nodes=st.lists(nodes, max_size=2).map(tuple),
    exposure=st.sampled_from([{}, {"Deployment shop/app": Exposure(internet=True)}]),
    rights=st.sampled_from([{}, {"shop/default": Rights(cluster_admin=True)}]),
    namespaces=st.sampled_from([{}, {"shop": {"casemate.dev/tenancy": "shared"}}]),
)
FILES = Assessor(CATALOGUE, Surroundings())


def each_container(change: Callable[[SecurityContext], SecurityContext]) -> Callable[[PodSpec], PodSpec]:
    def changed(spec: PodSpec) -> PodSpec:
        def one(container: Container) -> Container:
            return replace(container, securityContext=change(container.securityContext or SecurityContext()))

        return replace(
            spec, containers=tuple(map(one, spec.containers)), initContainers=tuple(map(one, spec.initContainers))
        )

    return changed


def all_dropped(context: SecurityContext) -> SecurityContext:
    return replace(context, capabilities=replace(context.capabilities or Capabilities(), drop=("ALL",)))


HARDENINGS: dict[str, Callable[[PodSpec], PodSpec]] = {
    "own users": lambda spec: replace(spec, hostUsers=False),
    "own network": lambda spec: replace(spec, hostNetwork=None),
    "own pids": lambda spec: replace(spec, hostPID=None),
    "no volumes": lambda spec: replace(spec, volumes=()),
    "no token": lambda spec: replace(spec, automountServiceAccountToken=False),
    "unprivileged": each_container(lambda context: replace(context, privileged=None)),
    "no escalation": each_container(lambda context: replace(context, allowPrivilegeEscalation=False)),
    "non-root": each_container(lambda context: replace(context, runAsUser=1000)),
    "seccomp": each_container(lambda context: replace(context, seccompProfile=SeccompProfile(type="RuntimeDefault"))),
    "capabilities": each_container(all_dropped),
    "nothing added": each_container(lambda context: replace(context, capabilities=Capabilities(drop=("ALL",)))),
    "read-only root": each_container(lambda context: replace(context, readOnlyRootFilesystem=True)),
    "masked": each_container(lambda context: replace(context, procMount=None)),
}
DOOR = Volume(name="door", hostPath=HostPathVolumeSource(path="/"))
RISKS: dict[str, Callable[[PodSpec], PodSpec]] = {
    "host network": lambda spec: replace(spec, hostNetwork=True),
    "host pids": lambda spec: replace(spec, hostPID=True),
    "host ipc": lambda spec: replace(spec, hostIPC=True),
    "privileged": each_container(lambda context: replace(context, privileged=True)),
    "escalation": each_container(lambda context: replace(context, allowPrivilegeEscalation=True)),
    "root": each_container(lambda context: replace(context, runAsUser=0)),
    "no seccomp": each_container(lambda context: replace(context, seccompProfile=SeccompProfile(type="Unconfined"))),
    "capability": each_container(lambda context: replace(context, capabilities=Capabilities(add=("SYS_ADMIN",)))),
    "the node's files": lambda spec: replace(spec, volumes=(*spec.volumes, DOOR)),
    "runner beside": lambda spec: replace(spec, containers=(*spec.containers, Container(name="r", image="dind"))),
    "token": lambda spec: replace(spec, automountServiceAccountToken=True),
}


@given(workloads, surroundings, st.sampled_from(sorted(HARDENINGS)))
def test_adding_a_hardening_never_lowers_has_nor_opens_a_gap(subject, around, name):
    assessor = Assessor(CATALOGUE, around)
    before = assessor.assess(subject)
    after = assessor.assess(replace(subject, spec=HARDENINGS[name](subject.spec)))
    assert after.has.boundary >= before.has.boundary
    assert before.gap or not after.gap


@given(workloads, surroundings, st.sampled_from(sorted(RISKS)))
def test_adding_a_risk_never_lowers_need_nor_raises_has(subject, around, name):
    assessor = Assessor(CATALOGUE, around)
    before = assessor.assess(subject)
    after = assessor.assess(replace(subject, spec=RISKS[name](subject.spec)))
    assert after.need.boundary >= before.need.boundary
    assert after.has.boundary <= before.has.boundary


@given(workloads)
def test_a_recommendation_that_closes_the_gap_does_so(subject):
    found = FILES.assess(subject)
    advice = found.recommendation
    spec = replace(subject.spec, runtimeClassName=advice.runtime_class or subject.spec.runtimeClassName)
    changed = replace(subject, spec=spec)
    if found.gap and not advice.runtime_class and advice.boundary is Boundary.HARDENED:
        changed = hardened(changed)
    again = FILES.assess(changed)
    assert again.has.boundary >= found.need.boundary or not advice.closes
    assert not again.gap or not advice.closes
    assert again.gap or advice.closes or advice.hardening  # hardening lowers need too: it may close more than it says


@given(workloads, surroundings)
def test_a_recommended_runtime_breaks_nothing_that_is_known(subject, around):
    found = Assessor(CATALOGUE, around).assess(subject)
    if found.gap and found.recommendation.closes:
        chosen = found.recommendation.runtime
        today = found.has.runtime
        assert chosen == today or not [b for b in found.blockers if b.runtime == chosen and b.outcome == "fails"]


@given(workloads, surroundings)
def test_unknown_is_never_strong(subject, around):
    found = Assessor(CATALOGUE, around).assess(subject)
    if not found.has.runtime:
        assert found.has.boundary is Boundary.UNKNOWN
        assert found.gap
        assert found.escapes.now == sum(row.now == "stopped" for row in found.escapes.rows)


@given(workloads, surroundings)
def test_a_resolved_strong_boundary_has_a_node_that_gives_it(subject, around):
    found = Assessor(CATALOGUE, around).assess(subject)
    if found.has.state == "resolved":
        assert around.nodes
        assert all(each.handlers and found.has.handler in each.handlers for each in around.nodes)


@given(st.lists(workloads, min_size=1, max_size=3), surroundings)
@settings(max_examples=30)
def test_what_is_decided_of_a_workload_does_not_depend_on_others(subjects, around):
    together = Assessor(CATALOGUE, around)
    for subject in (*subjects, *reversed(subjects)):
        assert together.assess(subject) == Assessor(CATALOGUE, around).assess(subject)


@given(workloads)
def test_a_table_holds_what_its_conditions_hold_one_by_one(subject):
    questions = Questions()
    whens = [row.when for row in (*CATALOGUE.rules, *CATALOGUE.fits, *CATALOGUE.escapes, *CATALOGUE.criteria)]
    table, conditions = questions.table(whens), [questions.condition(when) for when in whens]
    answers = questions.answers(gather(subject, Surroundings()))
    one_by_one = [(index, places) for index, holds in enumerate(conditions) if (places := holds(answers))]
    assert table.holding(answers) == one_by_one


@given(workloads, surroundings)
def test_the_advice_is_one_sentence(subject: Workload, around: Surroundings) -> None:
    sentence = Assessor(CATALOGUE, around).assess(subject).recommendation.sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert ". " not in sentence
