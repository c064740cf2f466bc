"""CRI over a unix socket: one coroutine per call, plain arguments in, messages or plain values out.

1. A call that fails raises one of `casemate.engine.cri.faults`; never a gRPC error.
2. Time limits are a kubelet's (pkg/kubelet/cri/remote): 2 minutes, 4 for a sandbox, none for a pull; a call that waits
   for a container (stop, exec) gets its own limit on top.
3. A lost connection is tried again within a second: containerd restarts while Pods run.
4. Stopping or removing what is gone is no error: containerd 1.6 says it is, CRI says it must not be.
5. Stopping a sandbox kills its containers at once under containerd. CRI-O leaves them all the time of the call to end
   by themselves: `end_pod_sandbox` kills them first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.faults import NotFound, translate

CALL_SECONDS = 120.0
SANDBOX_SECONDS = 240.0

_RUNTIME = "/runtime.v1.RuntimeService/"
_IMAGE = "/runtime.v1.ImageService/"
_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.default_authority", "localhost"),  # containerd 2 refuses the socket's path as authority
    ("grpc.max_receive_message_length", 16 << 20),  # what containerd sends at most
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)
_Reply = TypeVar("_Reply", bound=Message)


@dataclass(frozen=True)
class ExecResult:
    """What a command inside a container said and how it ended."""

    stdout: bytes
    stderr: bytes
    exit_code: int


class CriClient:
    """A connection to the engine that listens on the unix socket at path `socket`; use it with `async with`."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close(None)

    async def _call(
        self, path: str, request: Message, reply: type[_Reply], timeout: float | None = CALL_SECONDS
    ) -> _Reply:
        call = self._channel.unary_unary(
            path, request_serializer=type(request).SerializeToString, response_deserializer=reply.FromString
        )
        try:
            answer: _Reply = await call(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise translate(path.rpartition("/")[2], self.socket, error) from None
        return answer

    # ------------------------------------------------------------------------------------------------ the engine

    async def version(self, timeout: float = 10.0) -> pb.VersionResponse:
        """Name and version of the engine; also the way to ask whether it answers at all."""
        return await self._call(_RUNTIME + "Version", pb.VersionRequest(), pb.VersionResponse, timeout)

    async def status(self, verbose: bool = False) -> pb.StatusResponse:
        """Conditions (RuntimeReady, NetworkReady) and, from containerd 2 on, what each handler can do."""
        return await self._call(_RUNTIME + "Status", pb.StatusRequest(verbose=verbose), pb.StatusResponse)

    async def runtime_config(self) -> pb.RuntimeConfigResponse:
        """The cgroup driver. Raises `Unsupported` before containerd 2."""
        return await self._call(_RUNTIME + "RuntimeConfig", pb.RuntimeConfigRequest(), pb.RuntimeConfigResponse)

    # ------------------------------------------------------------------------------------------------- sandboxes

    async def run_pod_sandbox(self, config: pb.PodSandboxConfig, handler: str = "") -> str:
        """Make and start a sandbox; its id. An empty `handler` is the engine's default."""
        request = pb.RunPodSandboxRequest(config=config, runtime_handler=handler)
        reply = await self._call(_RUNTIME + "RunPodSandbox", request, pb.RunPodSandboxResponse, SANDBOX_SECONDS)
        return reply.pod_sandbox_id

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in the sandbox and give back its addresses. Does nothing when it is stopped or gone."""
        request = pb.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        with suppress(NotFound):
            await self._call(_RUNTIME + "StopPodSandbox", request, pb.StopPodSandboxResponse, SANDBOX_SECONDS)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        """Remove a stopped sandbox with its containers. Does nothing when it is gone."""
        request = pb.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        with suppress(NotFound):
            await self._call(_RUNTIME + "RemovePodSandbox", request, pb.RemovePodSandboxResponse)

    async def end_pod_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in the sandbox, and remove it with its containers (rule 5). Does nothing when it is gone."""
        for each in await self.containers(sandbox_id=sandbox_id):
            await self.stop_container(each.id, 0)
        await self.stop_pod_sandbox(sandbox_id)
        await self.remove_pod_sandbox(sandbox_id)

    async def pod_sandbox_status(self, sandbox_id: str, verbose: bool = False) -> pb.PodSandboxStatusResponse:
        """A sandbox's state and addresses; `verbose` adds the engine's own record as JSON in `info`."""
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id, verbose=verbose)
        return await self._call(_RUNTIME + "PodSandboxStatus", request, pb.PodSandboxStatusResponse)

    async def pod_sandboxes(self, labels: Mapping[str, str] | None = None) -> list[pb.PodSandbox]:
        """All sandboxes, in any state, that bear `labels`."""
        request = pb.ListPodSandboxRequest(filter=pb.PodSandboxFilter(label_selector=labels or {}))
        return list((await self._call(_RUNTIME + "ListPodSandbox", request, pb.ListPodSandboxResponse)).items)

    # ------------------------------------------------------------------------------------------------ containers

    async def create_container(
        self, sandbox_id: str, config: pb.ContainerConfig, sandbox_config: pb.PodSandboxConfig
    ) -> str:
        """Make a container in a sandbox; its id. `sandbox_config` is the one that made the sandbox."""
        request = pb.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox_config)
        return (await self._call(_RUNTIME + "CreateContainer", request, pb.CreateContainerResponse)).container_id

    async def start_container(self, container_id: str) -> None:
        """Start a container that was made and never started."""
        request = pb.StartContainerRequest(container_id=container_id)
        await self._call(_RUNTIME + "StartContainer", request, pb.StartContainerResponse)

    async def stop_container(self, container_id: str, grace_seconds: int) -> None:
        """Send the stop signal, and SIGKILL after the grace. Returns when the container has ended; none is no error."""
        request = pb.StopContainerRequest(container_id=container_id, timeout=grace_seconds)
        limit = CALL_SECONDS + grace_seconds
        with suppress(NotFound):
            await self._call(_RUNTIME + "StopContainer", request, pb.StopContainerResponse, limit)

    async def remove_container(self, container_id: str) -> None:
        """Remove a container, killing it when it runs. Does nothing when it is gone."""
        request = pb.RemoveContainerRequest(container_id=container_id)
        with suppress(NotFound):
            await self._call(_RUNTIME + "RemoveContainer", request, pb.RemoveContainerResponse)

    async def containers(self, labels: Mapping[str, str] | None = None, sandbox_id: str = "") -> list[pb.Container]:
        """All containers, in any state, that bear `labels`, of one sandbox if given."""
        chosen = pb.ContainerFilter(label_selector=labels or {}, pod_sandbox_id=sandbox_id)
        request = pb.ListContainersRequest(filter=chosen)
        return list((await self._call(_RUNTIME + "ListContainers", request, pb.ListContainersResponse)).containers)

    async def container_status(self, container_id: str) -> pb.ContainerStatus:
        """A container's state, times, exit code, log path."""
        return (await self.container_record(container_id, verbose=False)).status

    async def container_record(self, container_id: str, verbose: bool = True) -> pb.ContainerStatusResponse:
        """A container's status with the engine's own record (process id, OCI spec) as JSON in `info`."""
        request = pb.ContainerStatusRequest(container_id=container_id, verbose=verbose)
        return await self._call(_RUNTIME + "ContainerStatus", request, pb.ContainerStatusResponse)

    async def update_container_resources(self, container_id: str, resources: pb.LinuxContainerResources) -> None:
        """Set new limits on a running container."""
        request = pb.UpdateContainerResourcesRequest(container_id=container_id, linux=resources)
        await self._call(_RUNTIME + "UpdateContainerResources", request, pb.UpdateContainerResourcesResponse)

    async def reopen_container_log(self, container_id: str) -> None:
        """Make the engine open the log path anew: what a log's rotation ends with."""
        request = pb.ReopenContainerLogRequest(container_id=container_id)
        await self._call(_RUNTIME + "ReopenContainerLog", request, pb.ReopenContainerLogResponse)

    # --------------------------------------------------------------------------------- commands inside containers

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: int = 0) -> ExecResult:
        """Run a command to its end. `timeout` is seconds, 0 none; past it the command is killed: `IncompleteError`."""
        request = pb.ExecSyncRequest(container_id=container_id, cmd=command, timeout=timeout)
        limit = CALL_SECONDS + timeout if timeout else None
        reply = await self._call(_RUNTIME + "ExecSync", request, pb.ExecSyncResponse, limit)
        return ExecResult(reply.stdout, reply.stderr, reply.exit_code)

    async def exec_url(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> str:
        """Prepare a command with streams; the address, good once and for a minute, for `stream.connect`."""
        request = pb.ExecRequest(container_id=container_id, cmd=command, stdin=stdin, tty=tty, stdout=True)
        request.stderr = not tty
        return (await self._call(_RUNTIME + "Exec", request, pb.ExecResponse)).url

    async def attach_url(self, container_id: str, *, stdin: bool, tty: bool) -> str:
        """As `exec_url`, for the container's own process."""
        request = pb.AttachRequest(container_id=container_id, stdin=stdin, tty=tty, stdout=True, stderr=not tty)
        return (await self._call(_RUNTIME + "Attach", request, pb.AttachResponse)).url

    # ---------------------------------------------------------------------------------------- figures and events

    async def container_stats(self, labels: Mapping[str, str] | None = None) -> list[pb.ContainerStats]:
        """CPU, memory and disk use of the running containers that bear `labels`."""
        request = pb.ListContainerStatsRequest(filter=pb.ContainerStatsFilter(label_selector=labels or {}))
        return list((await self._call(_RUNTIME + "ListContainerStats", request, pb.ListContainerStatsResponse)).stats)

    async def container_events(self) -> AsyncIterator[pb.ContainerEventResponse]:
        """Created, started, stopped, deleted, as it happens. Raises `Unsupported` before containerd 1.7."""
        call = self._channel.unary_stream(
            _RUNTIME + "GetContainerEvents",
            request_serializer=pb.GetEventsRequest.SerializeToString,
            response_deserializer=pb.ContainerEventResponse.FromString,
        )
        try:
            async for event in call(pb.GetEventsRequest()):
                yield event
        except grpc.aio.AioRpcError as error:
            raise translate("GetContainerEvents", self.socket, error) from None

    # ---------------------------------------------------------------------------------------------------- images

    async def images(self) -> list[pb.Image]:
        """All images that the engine has."""
        return list((await self._call(_IMAGE + "ListImages", pb.ListImagesRequest(), pb.ListImagesResponse)).images)

    async def image_status(self, reference: str) -> pb.Image | None:
        """The image of that name, digest or id; None when the engine has none."""
        reply = await self.image_record(reference, verbose=False)
        return reply.image if reply.HasField("image") else None

    async def image_record(self, reference: str, verbose: bool = True) -> pb.ImageStatusResponse:
        """As `image_status`, with the image's config as JSON in `info`."""
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=reference), verbose=verbose)
        return await self._call(_IMAGE + "ImageStatus", request, pb.ImageStatusResponse)

    async def pull_image(
        self, reference: str, auth: pb.AuthConfig | None = None, sandbox_config: pb.PodSandboxConfig | None = None
    ) -> str:
        """Pull an image from its registry; its id. `casemate.engine.cri.pull` explains what can go wrong."""
        request = pb.PullImageRequest(image=pb.ImageSpec(image=reference), auth=auth, sandbox_config=sandbox_config)
        return (await self._call(_IMAGE + "PullImage", request, pb.PullImageResponse, None)).image_ref

    async def remove_image(self, reference: str) -> None:
        """Remove an image and all its names. Does nothing when there is none."""
        request = pb.RemoveImageRequest(image=pb.ImageSpec(image=reference))
        await self._call(_IMAGE + "RemoveImage", request, pb.RemoveImageResponse)
