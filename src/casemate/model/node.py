"""What a node is and how its runtime is configured. What could not be looked at is said, never left out."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

import msgspec

from casemate.model.boundary import Boundary

_T = TypeVar("_T")

Toml: TypeAlias = dict[str, object]
"""A TOML document or table."""


class Unseen(msgspec.Struct, frozen=True):
    """Something that could not be looked at, and why."""

    reason: str


class Seen(msgspec.Struct, Generic[_T], frozen=True):
    """Something that was looked at."""

    value: _T


Look: TypeAlias = Seen[_T] | Unseen


class FileFact(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it lies there. `kind`: file, folder, socket, device or other; `mode`: the permission bits."""

    path: str
    kind: str
    uid: int
    gid: int
    mode: int


class ImportFact(msgspec.Struct, frozen=True, kw_only=True):
    """One file that a runtime's configuration takes in. `pattern` is how it was named; `version` 0 when it has none."""

    path: str
    pattern: str
    version: int
    exists: bool = True

    @property
    def is_glob(self) -> bool:
        """Whether it was found by a pattern, and not by its own name."""
        return any(each in self.pattern for each in "*?[")


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """An executable that the runtime starts, with every folder above it.

    `component` is what the catalogue calls it in fixed versions. `known_bad` are the escapes that it lacks a fix for.
    `symlinks` tell nothing: `path` is the real one.
    """

    name: str
    path: str
    component: str = ""
    version: str = ""
    sha256: str = ""
    files: tuple[FileFact, ...] = ()
    known_bad: tuple[str, ...] = ()


class NodeHandler(msgspec.Struct, frozen=True, kw_only=True):
    """A handler of the effective configuration, resolved to the programs that it starts.

    `runtime` and `boundary` are the catalogue's for the programs, which may differ from those of the name
    (`named_boundary`). `missing` says which program or file is not there, `ignored` why the runtime does without the
    handler all the same. `features` are what the runtime itself reports; None where it does not.
    """

    name: str
    runtime_type: str
    runtime: str = ""
    boundary: Boundary = Boundary.UNKNOWN
    named_boundary: Boundary = Boundary.UNKNOWN
    shim: Program | None = None
    program: Program | None = None
    config_path: str = ""
    config: Toml | None = None
    options: Toml = {}
    pod_annotations: tuple[str, ...] = ()
    container_annotations: tuple[str, ...] = ()
    privileged_without_host_devices: bool = False
    all_devices_allowed: bool = False
    cgroup_writable: bool = False
    snapshotter: str = ""
    image_snapshotter: str = ""
    base_runtime_spec: str = ""
    missing: tuple[str, ...] = ()
    ignored: str = ""
    features: tuple[str, ...] | None = None

    @property
    def systemd_cgroup(self) -> bool | None:
        """Which cgroup driver a runc-like handler uses; None for others."""
        found = self.options.get("SystemdCgroup")
        is_runc = self.runtime_type in ("io.containerd.runc.v2", "oci")
        return bool(found) if is_runc else None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration in one vocabulary for all runtimes. Empty text: not set."""

    default_handler: str = ""
    cri_enabled: bool = True
    root: str = ""
    grpc_address: str = ""
    tcp_address: str = ""
    ttrpc_address: str = ""
    debug_address: str = ""
    metrics_address: str = ""
    socket_uid: int = 0
    socket_gid: int = 0
    stream_address: str = ""
    tcp_service_disabled: bool = True
    stream_tls: bool = False
    unset_seccomp_profile: str = ""
    seccomp_default_on: bool = False
    apparmor_disabled: bool = False
    selinux: bool = False
    restrict_oom_score_adj: bool = False
    registry_config_path: str = ""
    insecure_registries: tuple[str, ...] = ()
    plain_http_registries: tuple[str, ...] = ()
    inline_credentials: tuple[str, ...] = ()
    log_level: str = ""
    nri_enabled: bool = False
    nri_socket: str = ""
    nri_plugin_path: str = ""
    cdi_dirs: tuple[str, ...] = ()
    cni_conf_dir: str = ""
    cni_bin_dirs: tuple[str, ...] = ()
    image_verifier_dir: str = ""
    signature_policy: str = ""
    sandbox_image: str = ""
    snapshotter: str = ""
    snapshots_annotated: bool = False


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """The high-level runtime that serves a CRI socket. `pid` 0: it does not run. `unit`: its systemd unit, or empty.

    `flavour` is the id of its layout (`containerd`, `k3s`, …), `kind` is `containerd` or `crio`. `drop_ins` is a folder
    that it reads without being told so by its configuration.
    """

    kind: str
    flavour: str
    socket: str
    config_file: str
    drop_ins: str = ""
    binary: str = ""
    version: str = ""
    pid: int = 0
    unit: str = ""
    arguments: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ()
    config_missing: bool = False


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What the runtime is told: `version` is the root file's, `effective` the whole with all imports.

    `said_by` tells who merged it: the runtime's own dump, or casemate.
    """

    version: int
    effective: Toml
    said_by: str
    imports: tuple[ImportFact, ...] = ()
    unread: tuple[str, ...] = ()
    settings: Settings = Settings()


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A TCP socket on which the runtime's processes listen."""

    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this node reaches it."""
        return self.address.startswith("127.") or self.address == "::1"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The node's kernel and hardware, as far as boundaries depend on them."""

    kernel: str = ""
    cgroups: str = ""
    lsms: tuple[str, ...] = ()
    selinux_enforcing: bool = False
    seccomp: bool = False
    max_user_namespaces: int = 0
    kvm: FileFact | None = None
    virtual_machine: bool = False
    nested: str = ""
    tee: tuple[str, ...] = ()
    shared_memory_huge_pages: str = ""
    sysctls: dict[str, str] = {}


class RunningContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A container that runs now, as its OCI specification and the kernel show it. `seccomp` is the kernel's mode.

    `handler_boundary` is that of its handler: the kernel's view is of the sandbox, not of the workload, from `sandbox`
    on.
    """

    pod: str
    name: str
    handler: str
    handler_boundary: Boundary = Boundary.UNKNOWN
    privileged: bool = False
    host_namespaces: tuple[str, ...] = ()
    sensitive_mounts: tuple[str, ...] = ()
    shared_mounts: tuple[str, ...] = ()
    extra_capabilities: tuple[str, ...] = ()
    seccomp: int | None = None
    no_new_privileges: bool | None = None
    memory_limited: bool = True
    pids_limited: bool = True
    platform: bool = False


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What casemate wrote on this node: digests of files and programs, by path."""

    files: dict[str, str] = {}
    programs: dict[str, str] = {}


class ClassFact(msgspec.Struct, frozen=True, kw_only=True):
    """A RuntimeClass of the cluster. `selects`: its node selector keeps its Pods away from this node."""

    name: str
    handler: str
    selects: bool = False


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that `node doctor` looked at.

    `files` are by what they are to the runtime, `hosts` the texts of registries' hosts.toml by path, `digests` those of
    prepared files and programs as they are now. `left_overs` are where, what, fix and source of what needs Docker.
    """

    name: str
    daemon: Daemon
    configuration: Look[Configuration]
    host: Host
    handlers: tuple[NodeHandler, ...] = ()
    programs: tuple[Program, ...] = ()
    files: dict[str, tuple[FileFact, ...]] = {}
    hosts: dict[str, str] = {}
    accepts_any_image: bool = False
    listeners: Look[tuple[Listener, ...]] = Unseen("the runtime does not run")
    kubelet: Look[Toml] = Unseen("no kubelet runs here")
    kubelet_version: str = ""
    containers: Look[tuple[RunningContainer, ...]] = Unseen("the CRI socket was not asked")
    classes: Look[tuple[ClassFact, ...]] = Unseen("no cluster was asked: use --kubeconfig or --classes")
    prepared: Prepared | None = None
    digests: dict[str, str] = {}
    root_filesystem_shared: Look[bool] = Unseen("the runtime's root is not there")
    audit_rules: Look[str] = Unseen("auditctl is not installed")
    left_overs: tuple[tuple[str, str, str, str], ...] = ()
