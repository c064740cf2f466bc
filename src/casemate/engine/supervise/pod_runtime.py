"""The acts of keeping a Pod: observe it, make its sandbox, start and stop its containers, remove what is left.

All blocking work (mounts, cgroups, files) runs in threads, so that one slow Pod does not hold up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from casemate.engine import cgroup, userns
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import NotFound
from casemate.engine.instance import CONTAINER_NAME_LABEL, ENGINE_LABEL, POD_UID_LABEL, PodInstance
from casemate.engine.node import host_resolv_conf
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.supervise.hooks import run_hook
from casemate.engine.supervise.observed import ObservedContainer, ObservedPod, ObservedSandbox, State
from casemate.engine.supervise.probes import Target
from casemate.engine.supervise.run_record import RunRecord
from casemate.engine.translate.container import ContainerContext, container_config
from casemate.engine.translate.dns import DnsSettings
from casemate.engine.translate.environment import EnvironmentSources, environment
from casemate.engine.translate.namespaces import IdRange
from casemate.engine.translate.resources import pod_cgroup
from casemate.engine.translate.sandbox import pod_spec, sandbox_config
from casemate.engine.translate.security import ImageUser, image_user
from casemate.engine.volumes.emptydir import over_limit
from casemate.engine.volumes.last_words import last_words
from casemate.engine.volumes.layout import pod_folder
from casemate.engine.volumes.mounts import ContainerStart, container_mounts, env_files
from casemate.engine.volumes.prepare import MountPlan, VolumeSources, prepare, teardown
from casemate.errors import RuntimeFault
from casemate.model.handler import NodeFacts
from casemate.model.inventory import Inventory
from casemate.model.kube.container import Container, LifecycleHandler
from casemate.model.support import EngineFeatures

LISTEN_ANNOTATION = "casemate.dev/wasm-listen"
LOOPBACK = "127.0.0.1"
_NANO = 1e9
_PARALLEL_STARTS = 8


@dataclass
class _Known:
    """Answers of CRI that never change: sandbox addresses, the users of images by id, containers that have ended."""

    addresses: dict[str, str] = field(default_factory=dict)
    users: dict[str, ImageUser] = field(default_factory=dict)
    ended: dict[str, ObservedContainer] = field(default_factory=dict)


class PodRuntime:
    """What a worker can do on one engine for the Pods of one run."""

    def __init__(
        self,
        paths: EnginePaths,
        settings: EngineSettings,
        node: NodeFacts,
        client: CriClient,
        features: Mapping[str, EngineFeatures],
        service_variables: Callable[[str], Mapping[str, str]],
    ) -> None:
        self.client = client
        self._paths = paths
        self._settings = settings
        self._node = node
        self._features = features
        self._service_variables = service_variables
        self._starts = asyncio.Semaphore(_PARALLEL_STARTS)
        self._known = _Known()
        self._run = RunRecord(name="", created=0.0, inventory=Inventory(), classes={})
        self._dns = DnsSettings(settings.dns_address, host_resolv_conf())
        self._page_sizes = cgroup.huge_page_sizes()
        self._swap = cgroup.limits_swap(node.cgroups)

    def for_run(self, run: RunRecord) -> PodRuntime:
        """The same engine, for the Pods of that run."""
        other = PodRuntime.__new__(PodRuntime)
        other.__dict__.update(self.__dict__)
        other._run = run
        return other

    def address(self, instance: PodInstance, sandbox: ObservedSandbox | None) -> str:
        """Where the Pod answers: its IP, or loopback on the host's network."""
        return LOOPBACK if pod_spec(instance).hostNetwork or sandbox is None else sandbox.ip

    async def observe(self, instance: PodInstance) -> ObservedPod:
        """What CRI shows of a Pod."""
        labels = {POD_UID_LABEL: instance.uid, ENGINE_LABEL: self._paths.name}
        sandboxes = await self.client.pod_sandboxes(labels)
        containers = await self.client.containers(labels) if sandboxes else []
        return ObservedPod(
            tuple([await self._sandbox(each) for each in sandboxes]),
            tuple([await self._container(instance, each) for each in containers]),
        )

    async def _sandbox(self, seen: pb.PodSandbox) -> ObservedSandbox:
        ready = seen.state == pb.SANDBOX_READY
        if ready and seen.id not in self._known.addresses:
            status = (await self.client.pod_sandbox_status(seen.id)).status
            self._known.addresses[seen.id] = status.network.ip
        address = self._known.addresses.get(seen.id, "") if ready else ""
        return ObservedSandbox(seen.id, seen.metadata.attempt, ready, seen.created_at / _NANO, address)

    async def _container(self, instance: PodInstance, seen: pb.Container) -> ObservedContainer:
        if seen.id in self._known.ended:
            return self._known.ended[seen.id]
        name, attempt, state = seen.labels[CONTAINER_NAME_LABEL], seen.metadata.attempt, State(seen.state)
        if state is not State.EXITED:
            return ObservedContainer(seen.id, name, seen.pod_sandbox_id, attempt, state)
        status = await self.client.container_status(seen.id)
        words = await asyncio.to_thread(self._last_words, instance, name, attempt, status.exit_code)
        ended = ObservedContainer(
            id=seen.id,
            name=name,
            sandbox_id=seen.pod_sandbox_id,
            attempt=attempt,
            state=state,
            exit_code=status.exit_code,
            reason=status.reason,
            message=words or status.message,
            started_at=status.started_at / _NANO,
            finished_at=status.finished_at / _NANO,
        )
        self._known.ended[seen.id] = ended
        return ended

    def _last_words(self, instance: PodInstance, name: str, attempt: int, exit_code: int) -> str:
        spec = pod_spec(instance)
        container = next(each for each in (*spec.initContainers, *spec.containers) if each.name == name)
        return last_words(self._paths, instance, container, attempt, exit_code)

    async def make_sandbox(self, instance: PodInstance, attempt: int) -> None:
        """Make the Pod's cgroup and volumes, then its sandbox."""
        async with self._starts:
            ids = await asyncio.to_thread(self._prepare, instance)
            await self.client.run_pod_sandbox(self._sandbox_config(instance, attempt, ids), instance.handler)

    async def start(self, instance: PodInstance, container: Container, sandbox: ObservedSandbox, attempt: int) -> str:
        """Create and start a container; its id. A command that cannot be executed is an exit, not an error."""
        async with self._starts:
            config = await self._container_config(instance, container, sandbox, attempt)
            ids = self._ids(instance)
            made = await self.client.create_container(
                sandbox.id, config, self._sandbox_config(instance, sandbox.attempt, ids)
            )
            try:
                await self.client.start_container(made)
            except RuntimeFault:
                if (await self.client.container_status(made)).state != pb.CONTAINER_EXITED:
                    raise
        return made

    async def hook(
        self,
        instance: PodInstance,
        container: Container,
        container_id: str,
        sandbox: ObservedSandbox,
        hook: LifecycleHandler,
        limit: float | None = None,
    ) -> str:
        """Run a lifecycle hook; what went wrong, or the empty text."""
        target = Target(container, container_id, self.address(instance, sandbox))
        return await run_hook(self.client, target, hook, limit)

    async def stop(
        self,
        instance: PodInstance,
        container: Container,
        container_id: str,
        sandbox: ObservedSandbox | None,
        grace: int,
    ) -> None:
        """Run the preStop hook, then stop the container, both within `grace` seconds."""
        hook = container.lifecycle and container.lifecycle.preStop
        began = asyncio.get_running_loop().time()
        if hook and sandbox and grace > 0:
            await self.hook(instance, container, container_id, sandbox, hook, grace)
        spent = asyncio.get_running_loop().time() - began
        # As a kubelet, leave two seconds to a container whose hook has used up the grace.
        left = max(2 if hook else 0, round(grace - spent)) if grace > 0 else 0
        with contextlib.suppress(NotFound):
            await self.client.stop_container(container_id, left)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Stop a sandbox and give back its address."""
        with contextlib.suppress(NotFound):
            await self.client.stop_pod_sandbox(sandbox_id)

    async def remove(self, instance: PodInstance, observed: ObservedPod) -> None:
        """Remove sandboxes, containers, volumes, cgroup."""
        for sandbox in observed.sandboxes:
            await self.stop_sandbox(sandbox.id)
            await self.client.remove_pod_sandbox(sandbox.id)
            self._known.addresses.pop(sandbox.id, None)
        for container in observed.containers:
            self._known.ended.pop(container.id, None)
        await asyncio.to_thread(teardown, self._paths, instance.uid, Path(self._settings.cri_socket))
        await asyncio.to_thread(cgroup.remove, self._cgroup(instance))

    async def over_limit(self, instance: PodInstance) -> tuple[str, ...]:
        """Names of emptyDir volumes that hold more than their `sizeLimit`."""
        folder = pod_folder(self._paths, instance.uid)
        return await asyncio.to_thread(over_limit, pod_spec(instance), folder)

    def _cgroup(self, instance: PodInstance) -> str:
        return cgroup.pod_cgroup_path(self._paths.name, instance.uid, systemd=self._settings.systemd_cgroups)

    def _prepare(self, instance: PodInstance) -> IdRange | None:
        spec = pod_spec(instance)
        limits = pod_cgroup(spec, instance.overhead)
        cgroup.create(self._node.cgroups, self._cgroup(instance), limits)
        prepare(instance, self._volume_sources(instance))
        return self._ids(instance)

    def _ids(self, instance: PodInstance) -> IdRange | None:
        own = pod_spec(instance).hostUsers is False
        return userns.allocate(self._paths, instance.uid) if own else None

    def _volume_sources(self, instance: PodInstance) -> VolumeSources:
        volumes = pod_spec(instance).volumes
        images = {each.name: self._image_id(each.image.reference or "") for each in volumes if each.image}
        native = self._feature(instance).image_volumes
        socket = Path(self._settings.cri_socket)
        return VolumeSources(self._run.inventory, self._paths, self._node, images, native, socket)

    def _feature(self, instance: PodInstance) -> EngineFeatures:
        return self._features.get(instance.handler, EngineFeatures())

    def _image_id(self, name: str) -> str:
        return self._run.images.get(name, name)

    def _sandbox_config(self, instance: PodInstance, attempt: int, ids: IdRange | None) -> pb.PodSandboxConfig:
        logs, parent = self._paths.logs, self._cgroup(instance)
        config = sandbox_config(instance, self._dns, logs, attempt, cgroup_parent=parent, ids=ids)
        config.labels[ENGINE_LABEL] = self._paths.name
        return config

    async def _container_config(
        self, instance: PodInstance, container: Container, sandbox: ObservedSandbox, attempt: int
    ) -> pb.ContainerConfig:
        image = self._image_id(container.image or "")
        user = await self._image_user(image, instance)
        config = await asyncio.to_thread(self._describe, instance, container, sandbox, attempt, image, user)
        config.labels[ENGINE_LABEL] = self._paths.name
        return config

    async def _image_user(self, image: str, instance: PodInstance) -> ImageUser:
        if image not in self._known.users:
            found = await self.client.image_status(image)
            if found is None:
                raise RuntimeFault(f"the image {image} is not on the engine any more", where=instance.name)
            self._known.users[image] = image_user(found)
        return self._known.users[image]

    def _describe(
        self,
        instance: PodInstance,
        container: Container,
        sandbox: ObservedSandbox,
        attempt: int,
        image: str,
        user: ImageUser,
    ) -> pb.ContainerConfig:
        spec = pod_spec(instance)
        addresses = (self._node.address if spec.hostNetwork else sandbox.ip,)
        plan: MountPlan = prepare(instance, self._volume_sources(instance))
        sources = EnvironmentSources(
            inventory=self._run.inventory,
            node=self._node,
            addresses=addresses,
            services=self._service_variables(instance.namespace),
            files=env_files(plan, container),
        )
        env = environment(instance, container, sources)
        start = ContainerStart(
            env=env,
            addresses=addresses,
            restarts=attempt,
            recursive_read_only=self._feature(instance).recursive_read_only,
        )
        context = ContainerContext(
            image=image,
            node=self._node,
            seccomp=self._paths.root / "seccomp",
            restarts=attempt,
            image_user=user,
            env=env,
            mounts=container_mounts(plan, instance, container, start, self._paths),
            ids=self._ids(instance),
            page_sizes=self._page_sizes,
            swap=self._swap,
            annotations=_listen_annotation(container),
        )
        return container_config(instance, container, context)


def _listen_annotation(container: Container) -> dict[str, str]:
    """The ports that a Wasm module gets as open listeners; other runtimes ignore it."""
    ports = [str(each.containerPort) for each in container.ports if (each.protocol or "TCP") == "TCP"]
    return {LISTEN_ANNOTATION: ",".join(ports)} if ports else {}
