"""Look at a node: everything that `doctor` judges, gathered once. Changes nothing.

1. The runtime's own dump is preferred; where it cannot be had, casemate merges the files, and says so.
2. Whatever cannot be looked at is kept as that, with its reason.
"""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from casemate.decide import leftovers
from casemate.errors import CasemateError
from casemate.model.node import (
    Configuration,
    Daemon,
    FileFact,
    Listener,
    Look,
    NodeFacts,
    NodeHandler,
    Prepared,
    Program,
    RunningContainer,
    Seen,
    Unseen,
)
from casemate.node import (
    crio_tree,
    daemon,
    effective,
    files,
    host,
    kubelet,
    programs,
    registries,
    running,
    settings,
    tree,
)
from casemate.node.daemon import Where
from casemate.node.document import of_json
from casemate.node.journal import Store, digest_of

_CA_ENDINGS: Final = (".crt", ".cert", ".pem", ".key", ".ca")
_DOCKER_FILES: Final = ("/var/lib/kubelet/kubeadm-flags.env", "/etc/default/kubelet", "/etc/sysconfig/kubelet")


def look(where: Where) -> NodeFacts:
    """This node. Raises `MissingError` when it has no container runtime."""
    found = daemon.find(where)
    configuration = _configuration(found)
    known = _handlers(found, configuration)
    kube = kubelet.look()
    chosen = configuration.value.settings if isinstance(configuration, Seen) else None
    prepared = _prepared(found.config_file)
    known_files = _files(found, configuration, known, kube)
    return NodeFacts(
        name=platform.node(),
        daemon=found,
        configuration=configuration,
        host=host.look(),
        handlers=known,
        programs=tuple(_programs(found, known)),
        files=known_files,
        hosts={each.path: files.text(each.path) for each in known_files.get("registries", ()) if _is_hosts(each)},
        accepts_any_image=any(_accepts_anything(each) for each in known_files.get("signature policy", ())),
        listeners=_listeners(found.pid),
        kubelet=kube.config,
        kubelet_version=kube.version,
        containers=_containers(found, known, chosen.default_handler if chosen else ""),
        prepared=prepared,
        digests=_digests(prepared),
        root_filesystem_shared=_shares_root(chosen.root if chosen else ""),
        audit_rules=_audit(),
        left_overs=tuple((each.where, each.what, each.fix, each.source) for each in _left_overs(kube)),
    )


def _configuration(found: Daemon) -> Look[Configuration]:
    try:
        return Seen(_crio(found) if found.kind == "crio" else _containerd(found))
    except CasemateError as error:
        return Unseen(str(error).split("\n", maxsplit=1)[0])


def _containerd(found: Daemon) -> Configuration:
    file = Path(found.config_file)
    number = found.version.partition(".")[0]
    major = int(number) if number.isdecimal() else 2
    source = tree.read(file.resolve() if file.exists() else file, major)
    try:
        config, said_by = effective.of_daemon(found), "config dump"
    except CasemateError:
        if found.binary:
            raise  # the runtime itself refuses it: that is no configuration
        config, said_by = tree.merge(source, (source.root.version >= 3 and 2) or 1), "the files, without defaults"
    return Configuration(
        version=source.root.version,
        effective=config,
        said_by=said_by,
        imports=tuple(each.fact for each in source.imports),
        unread=_unread(found, source),
        settings=settings.of("containerd", config),
    )


def _crio(found: Daemon) -> Configuration:
    if found.binary:
        config, said_by = effective.crio_dump(found), "crio config"
    else:
        config, said_by = crio_tree.read(found), "the files, without defaults"
    told = settings.of("crio", config)
    return Configuration(
        version=0,
        effective=config,
        said_by=said_by,
        imports=crio_tree.facts(found),
        settings=replace(told, insecure_registries=(*told.insecure_registries, *registries.insecure())),
    )


def _unread(found: Daemon, source: tree.Tree) -> tuple[str, ...]:
    """Files that look like drop-ins and are imported by nothing."""
    read = {each.path for each in source.imports}
    beside = sorted((Path(found.config_file).parent / "conf.d").glob("*.toml"))
    return tuple(str(each) for each in beside if str(each) not in read)


def _handlers(found: Daemon, configuration: Look[Configuration]) -> tuple[NodeHandler, ...]:
    if isinstance(configuration, Unseen):
        return ()
    reported = running.features(found.socket) if found.pid else {}
    known = programs.handlers(found.kind, configuration.value.effective, _with_own(found), found.version)
    return tuple(replace(each, features=reported.get(each.name)) for each in known)


def _with_own(found: Daemon) -> tuple[str, ...]:
    """Where containerd looks for shims: its PATH, and its own folder."""
    return (*found.search_path, str(Path(found.binary).parent)) if found.binary else found.search_path


def _programs(found: Daemon, known: Sequence[NodeHandler]) -> Iterable[Program]:
    if found.binary:
        yield programs.look(found.binary)
    seen = {found.binary}
    for each in (program for handler in known for program in (handler.shim, handler.program)):
        if each is not None and each.path not in seen:
            seen.add(each.path)
            yield each


def _files(
    found: Daemon, configuration: Look[Configuration], known: Sequence[NodeHandler], kube: kubelet.Kubelet
) -> dict[str, tuple[FileFact, ...]]:
    """Files by what they are to the runtime."""
    imports = configuration.value.imports if isinstance(configuration, Seen) else ()
    config = files.facts([found.config_file, *(each.path for each in imports), *_drop_in_folders(found)])
    own = [each.config_path for each in known if each.config_path]
    result = {
        "configuration": config,
        "folders of the configuration": files.folders(each.path for each in config),
        "units": tuple(_units(found)),
        "handlers": files.facts([*own, *(each.base_runtime_spec for each in known if each.base_runtime_spec)]),
        "kubelet": files.facts(kube.files),
    }
    return result | (_named(configuration.value) if isinstance(configuration, Seen) else {})


def _named(configuration: Configuration) -> dict[str, tuple[FileFact, ...]]:
    """Files that the configuration names."""
    found = configuration.settings
    registry = [each for folder in found.registry_config_path.split(":") if folder for each in files.below(folder)]
    sockets = {"CRI socket": found.grpc_address, "debug socket": found.debug_address, "NRI socket": found.nri_socket}
    sockets["ttrpc socket"] = found.ttrpc_address or f"{found.grpc_address}.ttrpc"
    return {
        **{name: files.facts([address]) for name, address in sockets.items() if address.startswith("/")},
        "registries": tuple(registry),
        "registry certificates": tuple(each for each in registry if each.path.endswith(_CA_ENDINGS)),
        "CDI": tuple(each for folder in found.cdi_dirs for each in files.below(folder)),
        "NRI plugins": files.below(found.nri_plugin_path) if found.nri_plugin_path else (),
        "CNI": files.below(found.cni_conf_dir) if found.cni_conf_dir else (),
        "CNI plugins": tuple(each for folder in found.cni_bin_dirs for each in files.below(folder)),
        "image verifiers": files.below(found.image_verifier_dir) if found.image_verifier_dir else (),
        "signature policy": files.facts([found.signature_policy] if found.signature_policy else []),
        "root": files.facts([found.root] if found.root else []),
    }


def _is_hosts(file: FileFact) -> bool:
    return file.kind == "file" and file.path.endswith("/hosts.toml")


def _accepts_anything(policy: FileFact) -> bool:
    """Whether containers-policy.json(5) accepts what it does not name; one that cannot be read rejects nothing."""
    try:
        found = json.loads(files.text(policy.path))
        return any(each.get("type") == "insecureAcceptAnything" for each in found["default"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def _drop_in_folders(found: Daemon) -> list[str]:
    return [str(Path(found.config_file).parent / "conf.d"), *([found.drop_ins] if found.drop_ins else [])]


def _units(found: Daemon) -> Iterable[FileFact]:
    for folder in daemon.UNIT_FOLDERS if found.unit else ():
        yield from files.facts([Path(folder, found.unit)])
        yield from files.below(Path(folder, f"{found.unit}.d"))


def _listeners(pid: int) -> Look[tuple[Listener, ...]]:
    """TCP sockets on which the runtime's process listens (proc(5), /proc/net/tcp)."""
    if not pid:
        return Unseen("the runtime does not run")
    try:
        own = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError as error:
        return Unseen(f"its sockets cannot be read: {error.strerror}")
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in files.text(f"/proc/{pid}/net/{name}").splitlines()[1:]
    ]
    listening = (words for words in lines if words[3] == "0A" and f"socket:[{words[9]}]" in own)
    return Seen(tuple(_listener(words[1]) for words in listening))


def _listener(text: str) -> Listener:
    """An address as the kernel prints it: words in the machine's byte order, port in hexadecimal."""
    address, _, port = text.partition(":")
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return Listener(address=str(mapped or found), port=int(port, 16))


def _containers(found: Daemon, known: Sequence[NodeHandler], default: str) -> Look[tuple[RunningContainer, ...]]:
    if not found.pid:
        return Unseen("the runtime does not run")
    if not os.access(found.socket, os.R_OK | os.W_OK):
        return Unseen("the CRI socket may not be used: run as root")
    return running.look(found.socket, {each.name: each for each in known}, default)


def _prepared(config_file: str) -> Prepared | None:
    try:
        record = Store(config_file).read()
    except CasemateError:
        return None
    if record is None:
        return None
    return Prepared(
        files={kept.path: kept.sha256_after for done in record.applied for kept in done.kept},
        programs={path: digest for done in record.applied for path, digest in done.programs.items()},
    )


def _digests(prepared: Prepared | None) -> dict[str, str]:
    paths = [*prepared.files, *prepared.programs] if prepared else []
    return {path: digest_of(path) for path in paths}


def _shares_root(root: str) -> Look[bool]:
    try:
        return Seen(Path(root).stat().st_dev == Path("/").stat().st_dev)
    except OSError:
        return Unseen("the runtime's root is not there")


def _audit() -> Look[str]:
    if shutil.which("auditctl") is None:
        return Unseen("auditctl is not installed")
    try:
        done = subprocess.run(["auditctl", "-l"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Unseen("auditctl does not answer")
    return Unseen(f"auditctl: {done.stderr.strip()}") if done.returncode else Seen(done.stdout)


def _left_overs(kube: kubelet.Kubelet) -> Iterable[leftovers.LeftOver]:
    yield from leftovers.of_arguments(kube.arguments, "the kubelet's command line")
    for file in _DOCKER_FILES:
        yield from leftovers.of_environment(files.text(file), file)
    if isinstance(kube.config, Seen):
        yield from leftovers.of_document(kube.config.value, kube.config_file or "the kubelet's configuration")
    yield from leftovers.of_document(of_json(files.text("/etc/docker/daemon.json")), "/etc/docker/daemon.json")
