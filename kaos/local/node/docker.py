"""The Docker backend: a pod whose images have no local command runs, whole, as containers of a Docker daemon."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import Any

from kaos.local.node.backend import ExecFailed, Launch, OnExit

log = logging.getLogger("kaos.local.node")

POD_LABEL = "kaos.tools/pod-uid"
PING_S = 0.5
_ASK_AGAIN_S = 10.0


class DockerEngine:
    """The daemon, if one answers. Its client library is loaded on the first pod that needs it."""

    def __init__(self) -> None:
        self._client: Any = None
        self._asked = -_ASK_AGAIN_S
        self._lock = threading.Lock()

    def client(self) -> Any:
        """The client, or None when no daemon answers within half a second. Blocks: call it in a thread."""
        with self._lock:
            if self._client is None and time.monotonic() - self._asked >= _ASK_AGAIN_S:
                self._asked = time.monotonic()
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        try:
            import docker

            quick = docker.from_env(timeout=PING_S)
            quick.ping()
            quick.close()
            return docker.from_env(timeout=120)
        except Exception as error:
            log.info("no Docker daemon answers: %s", error)
            return None

    def sweep(self, uids: set[str]) -> None:
        """Remove containers that an earlier daemon left for these pods."""
        client = self.client()
        if client is None:
            return
        for container in client.containers.list(all=True, filters={"label": POD_LABEL}):
            if container.labels.get(POD_LABEL) in uids:
                with contextlib.suppress(Exception):
                    container.remove(force=True)


class DockerBackend:
    """One pod's containers; the first holds the network that the others join."""

    def __init__(self, uid: str, namespace: str, pod: str, on_exit: OnExit, engine: DockerEngine) -> None:
        self._uid = uid
        self._prefix = f"kaos_{namespace}_{pod}"[:200]
        self._on_exit = on_exit
        self._engine = engine
        self._client: Any = None
        self._containers: dict[str, Any] = {}
        self._network: str | None = None
        self._loop = asyncio.get_running_loop()

    async def open(self) -> None:
        """Nothing to prepare: the engine is looked for at each start."""

    async def start(self, launch: Launch) -> str:
        self._client = await asyncio.to_thread(self._engine.client)
        if self._client is None:
            raise ExecFailed(
                f"ImageNeedsDocker|the image {launch.image} has no local command and no Docker daemon answers"
            )
        try:
            container = await asyncio.to_thread(self._start, launch)
        except ExecFailed:
            raise
        except Exception as error:
            raise ExecFailed(str(getattr(error, "explanation", None) or error)) from None
        self._containers[launch.name] = container
        threading.Thread(target=self._follow, args=(launch, container), daemon=True).start()
        return f"docker://{container.id}"

    def _start(self, launch: Launch) -> Any:
        import docker.errors

        try:
            self._client.images.get(launch.image)
        except docker.errors.ImageNotFound:
            try:
                self._client.images.pull(*_repository_and_tag(launch.image))
            except docker.errors.APIError as error:
                why = f'Failed to pull image "{launch.image}": {error.explanation}'
                raise ExecFailed(f"ErrImagePull|{why}") from None
        if old := self._containers.pop(launch.name, None):
            with contextlib.suppress(docker.errors.APIError):
                old.remove(force=True)
        network: dict[str, Any] = {"network_mode": f"container:{self._network}"}
        if self._network is None or len(self._containers) == 0:
            network = {"ports": {f"{port}/tcp": ("127.0.0.1", here) for port, here in launch.ports.items()}}
        container = self._client.containers.run(
            launch.image,
            launch.args or None,
            **({"entrypoint": launch.argv} if launch.argv else {}),
            name=f"{self._prefix}_{launch.name}_{time.monotonic_ns()}",
            environment=launch.env,
            detach=True,
            init=True,
            labels={POD_LABEL: self._uid},
            volumes={str(path): {"bind": at, "mode": "ro" if ro else "rw"} for at, (path, ro) in launch.mounts.items()},
            mem_limit=launch.memory_bytes,
            user=launch.user,
            **network,
        )
        if "ports" in network:
            self._network = container.id
        return container

    def _follow(self, launch: Launch, container: Any) -> None:
        """Copy the log until the end, then tell of the end. Runs in a thread of its own."""
        from kaos.local.node.shim import Log

        code = 137
        with contextlib.suppress(Exception):
            target = Log(str(launch.log))
            for out, err in container.attach(stream=True, logs=True, demux=True):
                for stream, chunk in (("stdout", out), ("stderr", err)):
                    if chunk:
                        target.write(stream, chunk)
            target.close()
            code = container.wait()["StatusCode"]
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_exit, launch.name, code)

    def signal(self, name: str, number: int) -> None:
        if (container := self._containers.get(name)) is not None:

            def kill() -> None:
                with contextlib.suppress(Exception):
                    container.kill(signal=int(number))

            self._loop.run_in_executor(None, kill)

    async def exec(self, launch: Launch, argv: list[str], timeout_s: float) -> int:
        container = self._containers[launch.name]
        call = asyncio.to_thread(lambda: container.exec_run(argv).exit_code)
        return await asyncio.wait_for(call, timeout_s)

    def memory(self, name: str) -> int | None:
        """Docker holds the limit itself."""
        return None

    async def close(self) -> None:
        def remove() -> None:
            for container in self._containers.values():
                with contextlib.suppress(Exception):
                    container.remove(force=True)

        await asyncio.to_thread(remove)


def _repository_and_tag(image: str) -> tuple[str, str]:
    head, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return head + slash + name, tag or "latest"
