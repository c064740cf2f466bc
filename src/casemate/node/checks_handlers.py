"""Handlers: what they start, what reaches them, and how the sandboxes themselves are configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from casemate.model.boundary import Boundary
from casemate.model.node import NodeFacts, NodeHandler, Seen, Settings, Toml, Unseen
from casemate.node import crio_tree
from casemate.node.document import at
from casemate.node.judge import Judged, could_not_look, holds, none_of, not_applicable, settings

_UNSAFE: Final = (
    "io.katacontainers.config.hypervisor.kernel_params",
    "io.katacontainers.config.hypervisor.path",
    "dev.gvisor.flag.host-uds",
    "dev.gvisor.internal.x",
    "run.oci.handler",
    "run.oci.hooks.x",
    "module.wasm.image/variant",
    "org.systemd.property.x",
    "io.kubernetes.cri-o.Devices",
    "devices.crio.io",
    "seccomp-profile.kubernetes.cri-o.io/POD",
    "seccomp-profile.crio.io/POD",
)
"""One annotation of each kind that changes what a sandbox is: a pattern that lets it through is unsafe."""

_GVISOR_TRACES: Final = ("debug", "strace", "profile", "log-packets", "profile-cpu", "profile-heap")
_KATA_UNSAFE: Final = ("kernel_params", "path", "kernel", "image", "initrd", "jailer_path", "firmware", "ctlpath")
_OFF: Final = ("", "false", "0", "none")


def handlers_resolve(facts: NodeFacts) -> Judged:
    """Programs and files of every handler, and that the runtime takes them."""

    def bad(each: NodeHandler) -> Iterator[str]:
        yield from (f"{each.name}: {what} is not there" for what in each.missing)
        if each.ignored:
            yield f"{each.name}: {each.ignored}"

    return _each(facts, bad)


def handlers_named_right(facts: NodeFacts) -> Judged:
    """A name that the catalogue knows promises a boundary; an unknown program keeps no promise."""

    def bad(each: NodeHandler) -> Iterator[str]:
        if each.named_boundary > Boundary.SHARED and each.boundary < each.named_boundary:
            yield f"{each.name} is named for {each.named_boundary}, and starts {_what(each)} ({each.boundary})"

    return _each(facts, bad)


def default_is_there(facts: NodeFacts) -> Judged:
    """The default handler's table. CRI-O has one built in, which only its own program tells."""
    names = [each.name for each in facts.handlers]

    def judge(found: Settings) -> Judged:
        if facts.daemon.kind == "crio" and found.default_handler not in names:
            return could_not_look(f"CRI-O did not tell whether it has {found.default_handler!r} built in")
        return holds(found.default_handler in names, f"default {found.default_handler!r} has no table")

    return settings(facts, judge)


def default_known(facts: NodeFacts) -> Judged:
    """What the default handler starts."""
    if isinstance(facts.configuration, Unseen):
        return could_not_look(facts.configuration.reason)
    default = facts.configuration.value.settings.default_handler
    found = next((each for each in facts.handlers if each.name == default), None)
    if found is None:
        return could_not_look(f"the default handler {default!r} has no table")
    return holds(bool(found.runtime), f"{default} starts {_what(found)}, which casemate does not know")


def cgroup_drivers_equal(facts: NodeFacts) -> Judged:
    """SystemdCgroup of all handlers that have it."""
    drivers = {each.name: each.systemd_cgroup for each in facts.handlers if each.systemd_cgroup is not None}
    if facts.daemon.kind != "containerd" or not drivers:
        return not_applicable("there are no handlers of runc's kind whose driver is set one by one")
    return holds(
        len(set(drivers.values())) == 1,
        ", ".join(f"{name}: {'systemd' if on else 'cgroupfs'}" for name, on in sorted(drivers.items())),
    )


def cgroup_driver_kubelet(facts: NodeFacts) -> Judged:
    """The default handler's driver and the kubelet's."""
    if isinstance(facts.kubelet, Unseen):
        return could_not_look(facts.kubelet.reason)
    if isinstance(facts.configuration, Unseen):
        return could_not_look(facts.configuration.reason)
    default = facts.configuration.value.settings.default_handler
    own = next((each.systemd_cgroup for each in facts.handlers if each.name == default), None)
    if facts.daemon.kind == "crio":  # one manager for all handlers
        own = crio_tree.systemd_cgroup(facts.configuration.value.effective)
    if own is None:
        return not_applicable("the default handler has no such setting")
    theirs = facts.kubelet.value.get("cgroupDriver")
    mine = "systemd" if own else "cgroupfs"
    return holds(theirs == mine, f"handler {default} uses {mine}, the kubelet {theirs}")


def annotations_narrow(facts: NodeFacts) -> Judged:
    """A lone star, or a star for a whole name space."""
    wide = ("*", "**", "*/*", "*.*")
    return _each(facts, lambda each: (f"{each.name} passes on {glob!r}" for glob in _globs(each) if glob in wide))


def annotations_safe(facts: NodeFacts) -> Judged:
    """Patterns that let through an annotation which reconfigures a sandbox."""

    def bad(each: NodeHandler) -> Iterator[str]:
        for glob in _globs(each):
            found = next((name for name in _UNSAFE if fnmatchcase(name, glob) or name.startswith(glob)), None)
            if found:
                yield f"{each.name} passes on {glob!r}, and so {found}"

    return _each(facts, bad)


def sandbox_private_devices(facts: NodeFacts) -> Judged:
    """Privileged Pods in a sandbox."""
    found = [each for each in facts.handlers if _is_sandbox(each)]
    if not found:
        return _none_there(facts, "no handler has a sandbox or VM")
    return none_of(
        f"{each.name} passes the node's devices on" for each in found if not each.privileged_without_host_devices
    )


def no_all_devices(facts: NodeFacts) -> Judged:
    """All devices for privileged Pods."""
    return _each(facts, lambda each: [f"{each.name} allows all devices"] if each.all_devices_allowed else [])


def no_writable_cgroups(facts: NodeFacts) -> Judged:
    """Writable cgroups for all Pods of a handler."""
    return _each(facts, lambda each: [f"{each.name} makes cgroups writable"] if each.cgroup_writable else [])


def snapshotter_both_places(facts: NodeFacts) -> Judged:
    """A handler's own snapshotter (containerd 2)."""
    own = [each for each in facts.handlers if each.snapshotter or each.image_snapshotter]
    if not own or facts.daemon.version.startswith("1."):
        return _none_there(facts, "no handler has a snapshotter of its own")
    return none_of(
        f"{each.name}: {each.snapshotter or 'none'} for containers, {each.image_snapshotter or 'none'} for images"
        for each in own
        if each.snapshotter != each.image_snapshotter
    )


def wasm_natives(facts: NodeFacts) -> Judged:
    """Shims that start native programs as plain containers."""
    names = ("wasmtime", "wasmedge", "wasmer", "wamr", "spin", "slight", "lunatic", "wws")
    found = [each for each in facts.handlers if any(f"shim-{name}" in _shim(each) for name in names)]
    if not found:
        return _none_there(facts, "no handler is a shim for Wasm")
    return none_of(
        f"{each.name}: {_shim(each)} starts an ELF or #! entrypoint under the node's kernel" for each in found
    )


def gvisor_network(facts: NodeFacts) -> Judged:
    """The host's network stack."""
    return _gvisor(facts, lambda flags: [] if flags.get("network", "sandbox") != "host" else ["network = host"])


def gvisor_host_files(facts: NodeFacts) -> Judged:
    """Sockets and FIFOs of the host."""
    return _gvisor(facts, lambda flags: _set(flags, ("host-uds", "host-fifo")))


def gvisor_no_override(facts: NodeFacts) -> Judged:
    """Flags from Pods' annotations."""
    return _gvisor(facts, lambda flags: _set(flags, ("allow-flag-override",)))


def gvisor_no_debug(facts: NodeFacts) -> Judged:
    """Traces and profiles."""
    return _gvisor(facts, lambda flags: _set(flags, _GVISOR_TRACES))


def gvisor_platform(facts: NodeFacts) -> Judged:
    """Platforms that are supported."""
    return _gvisor(
        facts,
        lambda flags: (
            [] if flags.get("platform", "systrap") in ("systrap", "kvm") else [f"platform = {flags['platform']}"]
        ),
    )


def gvisor_raw_network(facts: NodeFacts) -> Judged:
    """Raw and packet sockets."""
    return _gvisor(facts, lambda flags: _set(flags, ("net-raw", "allow-packet-socket-write")))


def kata_annotations(facts: NodeFacts) -> Judged:
    """What Pods may set of their VM."""

    def bad(config: Toml) -> Iterator[str]:
        for name, table in _hypervisors(config):
            allowed = table.get("enable_annotations")
            for pattern in allowed if isinstance(allowed, list) else []:
                if str(pattern) in _KATA_UNSAFE or str(pattern) in (".*", "*"):
                    yield f"{name}: enable_annotations has {pattern}"

    return _kata(facts, bad)


def kata_guest_seccomp(facts: NodeFacts) -> Judged:
    """Seccomp in the guest; unset, it is off."""
    return _kata(
        facts,
        lambda config: (
            []
            if at(config, ("runtime",)).get("disable_guest_seccomp") is False
            else ["disable_guest_seccomp is on: Pods' profiles are dropped"]
        ),
    )


def kata_no_debug(facts: NodeFacts) -> Judged:
    """Debugging of hypervisor, agent and runtime."""

    def bad(config: Toml) -> Iterator[str]:
        tables = [*_hypervisors(config), *_children(config, "agent"), ("runtime", at(config, ("runtime",)))]
        for name, table in tables:
            yield from (f"{name}: {key}" for key in ("enable_debug", "debug_console_enabled") if table.get(key) is True)

    return _kata(facts, bad)


def handlers_configured_readable(facts: NodeFacts) -> Judged:
    """Files at ConfigPath."""
    own = [each for each in facts.handlers if each.config_path]
    if not own:
        return _none_there(facts, "no handler names a configuration file")
    return none_of(f"{each.name}: {each.config_path} cannot be read as TOML" for each in own if each.config is None)


def _each(facts: NodeFacts, bad: Callable[[NodeHandler], Iterable[str]]) -> Judged:
    if isinstance(facts.configuration, Unseen):
        return could_not_look(facts.configuration.reason)
    return none_of(found for each in facts.handlers for found in bad(each))


def _none_there(facts: NodeFacts, reason: str) -> Judged:
    known = isinstance(facts.configuration, Seen)
    return not_applicable(reason) if known else could_not_look("the runtime's configuration could not be read")


def _gvisor(facts: NodeFacts, bad: Callable[[Toml], Iterable[str]]) -> Judged:
    """gVisor's flags; a shim without a configuration file has the defaults."""
    return _configured(facts, "shim-runsc", lambda config: bad(at(config, ("runsc_config",))), "gVisor", default={})


def _kata(facts: NodeFacts, bad: Callable[[Toml], Iterable[str]]) -> Judged:
    return _configured(facts, "shim-kata", bad, "Kata", default=None)


def _configured(
    facts: NodeFacts, shim: str, bad: Callable[[Toml], Iterable[str]], title: str, default: Toml | None
) -> Judged:
    found = [each for each in facts.handlers if shim in _shim(each)]
    if not found:
        return _none_there(facts, f"no handler is {title}")
    configs = {each.name: default if each.config is None and not each.config_path else each.config for each in found}
    unread = [name for name, config in configs.items() if config is None]
    failed = [f"{name}: {what}" for name, config in configs.items() if config is not None for what in bad(config)]
    if unread and not failed:
        return could_not_look(f"the configuration of {', '.join(unread)} could not be read")
    return none_of(failed)


def _set(flags: Toml, names: Iterable[str]) -> list[str]:
    return [f"{name} = {flags[name]}" for name in names if str(flags.get(name, "")).lower() not in _OFF]


def _hypervisors(config: Toml) -> list[tuple[str, Toml]]:
    return _children(config, "hypervisor")


def _children(config: Toml, name: str) -> list[tuple[str, Toml]]:
    return [(f"{name}.{key}", each) for key, each in at(config, (name,)).items() if isinstance(each, dict)]


def _globs(handler: NodeHandler) -> tuple[str, ...]:
    return (*handler.pod_annotations, *handler.container_annotations)


def _shim(handler: NodeHandler) -> str:
    """The shim's file name; where it is not there, what it would be."""
    if handler.shim:
        return handler.shim.path.rpartition("/")[2]
    return f"containerd-shim-{'-'.join(handler.runtime_type.split('.')[-2:])}"


def _what(handler: NodeHandler) -> str:
    found = handler.program or handler.shim
    return found.path if found else "nothing that is there"


def _is_sandbox(handler: NodeHandler) -> bool:
    return max(handler.boundary, handler.named_boundary) > Boundary.HARDENED
