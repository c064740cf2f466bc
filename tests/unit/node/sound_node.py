"""A node on which every check passes, and how to change one thing of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from casemate.model.boundary import Boundary
from casemate.model.node import (
    ClassFact,
    Configuration,
    Daemon,
    FileFact,
    Host,
    ImportFact,
    Listener,
    NodeFacts,
    NodeHandler,
    Prepared,
    Program,
    RunningContainer,
    Seen,
    Settings,
)


def file(path: str, mode: int = 0o644, uid: int = 0, gid: int = 0, kind: str = "file") -> FileFact:
    return FileFact(path=path, kind=kind, uid=uid, gid=gid, mode=mode)


def folder(path: str, mode: int = 0o755, uid: int = 0) -> FileFact:
    return file(path, mode, uid, kind="folder")


def socket(path: str, mode: int = 0o660, uid: int = 0) -> FileFact:
    return file(path, mode, uid, kind="socket")


def program(name: str, component: str, version: str) -> Program:
    path = f"/usr/bin/{name}"
    files = (file(path, 0o755), folder("/usr/bin"), folder("/"))
    return Program(name=name, path=path, component=component, version=version, sha256="1" * 64, files=files)


RUNC = program("runc", "runc", "1.5.2")
SHIM = program("containerd-shim-runc-v2", "containerd", "2.4.2")
RUNSC = program("runsc", "gvisor", "20261101.0")
RUNSC_SHIM = program("containerd-shim-runsc-v1", "gvisor", "20261101.0")
KATA = program("containerd-shim-kata-v2", "kata", "4.1.0")
QEMU = program("qemu-system-x86_64", "", "10.1.0")

HANDLERS = (
    NodeHandler(
        name="runc",
        runtime_type="io.containerd.runc.v2",
        runtime="runc",
        boundary=Boundary.SHARED,
        named_boundary=Boundary.SHARED,
        shim=SHIM,
        program=RUNC,
        options={"SystemdCgroup": True},
    ),
    NodeHandler(
        name="runsc",
        runtime_type="io.containerd.runsc.v1",
        runtime="gvisor",
        boundary=Boundary.SANDBOX,
        named_boundary=Boundary.SANDBOX,
        shim=RUNSC_SHIM,
        program=RUNSC,
        config_path="/etc/containerd/runsc.toml",
        config={"runsc_config": {"platform": "systrap"}},
        privileged_without_host_devices=True,
        pod_annotations=("dev.gvisor.spec.mount.*",),
    ),
    NodeHandler(
        name="kata-qemu",
        runtime_type="io.containerd.kata-qemu.v2",
        runtime="kata",
        boundary=Boundary.VM,
        named_boundary=Boundary.VM,
        shim=KATA,
        program=QEMU,
        config_path="/etc/kata-containers/configuration-qemu.toml",
        config={"hypervisor": {"qemu": {"enable_annotations": []}}, "runtime": {"disable_guest_seccomp": False}},
        privileged_without_host_devices=True,
        snapshotter="devmapper",
        image_snapshotter="devmapper",
    ),
)
SETTINGS = Settings(
    default_handler="runc",
    root="/var/lib/containerd",
    grpc_address="/run/containerd/containerd.sock",
    stream_address="127.0.0.1",
    metrics_address="127.0.0.1:1338",
    unset_seccomp_profile="runtime/default",
    seccomp_default_on=True,
    selinux=True,
    log_level="info",
)
KUBELET: dict[str, object] = {
    "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}},
    "authorization": {"mode": "Webhook"},
    "readOnlyPort": 0,
    "streamingConnectionIdleTimeout": "4h0m0s",
    "makeIPTablesUtilChains": True,
    "eventRecordQPS": 50,
    "rotateCertificates": True,
    "protectKernelDefaults": True,
    "podPidsLimit": 4096,
    "allowedUnsafeSysctls": [],
    "runtimeRequestTimeout": "10m0s",
    "seccompDefault": True,
    "cgroupDriver": "systemd",
}
WORKLOAD = RunningContainer(
    pod="shop/web",
    name="main",
    handler="runc",
    handler_boundary=Boundary.SHARED,
    seccomp=2,
    no_new_privileges=True,
)
SYSCTLS = {
    "kernel/unprivileged_userns_clone": "0",
    "kernel/unprivileged_bpf_disabled": "2",
    "kernel/kptr_restrict": "1",
    "kernel/dmesg_restrict": "1",
    "kernel/yama/ptrace_scope": "1",
    "kernel/kexec_load_disabled": "1",
    "kernel/io_uring_disabled": "1",
    "vm/unprivileged_userfaultfd": "0",
    "fs/protected_symlinks": "1",
    "fs/protected_hardlinks": "1",
    "fs/suid_dumpable": "0",
}
FILES: dict[str, tuple[FileFact, ...]] = {
    "configuration": (file("/etc/containerd/config.toml"), folder("/etc/containerd/conf.d")),
    "folders of the configuration": (folder("/etc/containerd"), folder("/etc"), folder("/")),
    "units": (file("/lib/systemd/system/containerd.service"),),
    "handlers": (file("/etc/containerd/runsc.toml"),),
    "kubelet": (file("/var/lib/kubelet/config.yaml", 0o600),),
    "registries": (folder("/etc/containerd/certs.d"), file("/etc/containerd/certs.d/r.example/hosts.toml")),
    "registry certificates": (file("/etc/containerd/certs.d/r.example/ca.crt", 0o444),),
    "CDI": (folder("/etc/cdi"),),
    "CNI": (file("/etc/cni/net.d/10-net.conflist"),),
    "CNI plugins": (file("/opt/cni/bin/bridge", 0o755),),
    "image verifiers": (file("/opt/containerd/image-verifier/bin/verify", 0o755),),
    "root": (folder("/var/lib/containerd", 0o711),),
    "CRI socket": (socket("/run/containerd/containerd.sock"),),
    "ttrpc socket": (socket("/run/containerd/containerd.sock.ttrpc"),),
}
CONFIGURATION = Configuration(
    version=3,
    effective={},
    said_by="config dump",
    imports=(ImportFact(path="/etc/containerd/conf.d/a.toml", pattern="/etc/containerd/conf.d/*.toml", version=3),),
    settings=SETTINGS,
)
NODE = NodeFacts(
    name="node-1",
    daemon=Daemon(
        kind="containerd",
        flavour="containerd",
        socket="/run/containerd/containerd.sock",
        config_file="/etc/containerd/config.toml",
        binary="/usr/bin/containerd",
        version="2.4.2",
        pid=100,
        unit="containerd.service",
    ),
    configuration=Seen(CONFIGURATION),
    host=Host(
        kernel="6.12.1",
        cgroups="v2",
        lsms=("selinux", "apparmor"),
        selinux_enforcing=True,
        seccomp=True,
        max_user_namespaces=10_000,
        kvm=file("/dev/kvm", 0o660, kind="device"),
        nested="off",
        shared_memory_huge_pages="advise",
        sysctls=SYSCTLS,
    ),
    handlers=HANDLERS,
    programs=(RUNC, SHIM, RUNSC, RUNSC_SHIM, KATA, QEMU),
    files=FILES,
    hosts={"/etc/containerd/certs.d/r.example/hosts.toml": 'server = "https://r.example"'},
    listeners=Seen((Listener(address="127.0.0.1", port=1338),)),
    kubelet=Seen(KUBELET),
    kubelet_version="1.36.3",
    containers=Seen((WORKLOAD,)),
    classes=Seen((ClassFact(name="gvisor", handler="runsc"), ClassFact(name="kata", handler="kata-qemu"))),
    prepared=Prepared(files={"/etc/containerd/conf.d/a.toml": "a"}, programs={"/usr/bin/runsc": "b"}),
    digests={"/etc/containerd/conf.d/a.toml": "a", "/usr/bin/runsc": "b"},
    root_filesystem_shared=Seen(False),
    audit_rules=Seen("-w /etc/containerd -p wa\n-w /usr/bin/containerd -p x"),
)


def with_file(kind: str, *found: FileFact) -> NodeFacts:
    """The node with these files of that kind."""
    return replace(NODE, files={**FILES, kind: found})


def with_settings(**changed: Any) -> NodeFacts:
    return with_configuration(settings=replace(SETTINGS, **changed))


def with_configuration(**changed: Any) -> NodeFacts:
    return replace(NODE, configuration=Seen(replace(CONFIGURATION, **changed)))


def with_handler(name: str, **changed: Any) -> NodeFacts:
    return replace(NODE, handlers=tuple(replace(h, **changed) if h.name == name else h for h in HANDLERS))


def with_gvisor(**flags: str) -> NodeFacts:
    return with_handler(
        "runsc", config={"runsc_config": {key.replace("_", "-"): value for key, value in flags.items()}}
    )


def with_kata(config: dict[str, object]) -> NodeFacts:
    return with_handler("kata-qemu", config={"runtime": {"disable_guest_seccomp": False}, **config})


def with_program(**changed: Any) -> NodeFacts:
    return replace(NODE, programs=(replace(RUNC, **changed),))


def with_kubelet(**changed: object) -> NodeFacts:
    return replace(NODE, kubelet=Seen({**KUBELET, **changed}))


def with_host(**changed: Any) -> NodeFacts:
    return replace(NODE, host=replace(NODE.host, **changed))


def with_sysctl(name: str, value: str) -> NodeFacts:
    return with_host(sysctls={**SYSCTLS, name: value})


def with_container(**changed: Any) -> NodeFacts:
    return replace(NODE, containers=Seen((replace(WORKLOAD, **changed),)))


def with_daemon(**changed: Any) -> NodeFacts:
    return replace(NODE, daemon=replace(NODE.daemon, **changed))
