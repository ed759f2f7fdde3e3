"""The Docker backend: a pod whose images have no local command runs, whole, as containers of a Docker daemon."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kaos.local.node.backend import ExecFailed, Launch, NoImage, OnExit
from kaos.local.node.shim import Log

log = logging.getLogger("kaos.local.node")

CLUSTER_LABEL = "kaos.tools/local-cluster"
PING_S = 0.5
_ASK_AGAIN_S = 10.0
_GUARD = Path(__file__).with_name("docker_guard.py")


class DockerEngine:
    """The daemon, if one answers. Its client library is loaded on the first pod that needs it."""

    def __init__(self, directory: Path) -> None:
        self.label = f"{CLUSTER_LABEL}={hashlib.sha256(str(directory).encode()).hexdigest()[:16]}"
        self._mark = directory / "docker"  # there while containers may be
        self._client: Any = None
        self._asked = -_ASK_AGAIN_S
        self._lock = threading.Lock()
        self._guard: subprocess.Popen[bytes] | None = None

    def client(self) -> Any:
        """The client, or None when no daemon answers within half a second. Blocks: call it in a thread."""
        with self._lock:
            if self._client is None and time.monotonic() - self._asked >= _ASK_AGAIN_S:
                self._asked = time.monotonic()
                self._client = self._connect()
            if self._client is not None and self._guard is None:
                self._mark.touch()
                self._guard = subprocess.Popen(
                    [sys.executable, "-P", str(_GUARD), self.label], stdin=subprocess.PIPE, start_new_session=True
                )
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

    def sweep(self) -> None:
        """Remove containers that an earlier daemon left, if it had any. Blocks: call it in a thread."""
        if not self._mark.exists() or (client := self._connect()) is None:
            return
        for container in client.containers.list(all=True, filters={"label": self.label}):
            with contextlib.suppress(Exception):
                container.remove(force=True)
        self._mark.unlink(missing_ok=True)

    def close(self) -> None:
        """Let the guard remove what is left. Blocks: call it in a thread."""
        if self._guard is None:
            return
        self._guard.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(10)
            self._mark.unlink(missing_ok=True)


class DockerBackend:
    """One pod's containers; the first one started holds the network that the others join."""

    watches_memory = False  # Docker holds the limit itself

    def __init__(self, namespace: str, pod: str, on_exit: OnExit, engine: DockerEngine) -> None:
        self._prefix = f"kaos_{namespace}_{pod}"[:200]
        self._on_exit = on_exit
        self._engine = engine
        self._client: Any = None
        self._containers: dict[str, Any] = {}
        self._holder = ""  # the name of the container that holds the network
        self._lock = threading.Lock()  # taken in threads: they go on when the task that waits for them is cancelled
        self._closed = False
        self._loop = asyncio.get_running_loop()

    async def start(self, launch: Launch) -> str:
        """Start the container; returns its id. Raises ExecFailed and NoImage."""
        self._client = await asyncio.to_thread(self._engine.client)
        if self._client is None:
            why = f"the program of image {launch.image} is not on this machine and no Docker daemon answers"
            raise NoImage("ImageNeedsDocker", why)
        try:
            await asyncio.to_thread(self._pull, launch.image)
            container, output = await asyncio.to_thread(self._start, launch)
        except (ExecFailed, NoImage):
            raise
        except Exception as error:
            raise ExecFailed(str(getattr(error, "explanation", None) or error)) from None
        threading.Thread(target=self._follow, args=(launch, container, output), daemon=True).start()
        return f"docker://{container.id}"

    def _start(self, launch: Launch) -> tuple[Any, Any]:
        """The started container and its output, attached before the first word."""
        import docker.errors

        with self._lock:
            if self._closed:
                raise ExecFailed("the pod has ended")
            if old := self._containers.pop(launch.name, None):
                with contextlib.suppress(docker.errors.APIError):
                    old.remove(force=True)
            if launch.name == self._holder or not self._holder:
                network: dict[str, Any] = {
                    "ports": {f"{port}/tcp": ("127.0.0.1", here) for port, here in launch.ports.items()}
                }
            else:
                network = {"network_mode": f"container:{self._containers[self._holder].id}"}
            container = self._client.containers.create(
                launch.image,
                launch.args or None,
                **({"entrypoint": launch.argv} if launch.argv else {}),
                name=f"{self._prefix}_{launch.name}_{time.monotonic_ns()}",
                environment=launch.env,
                init=True,
                labels=dict([self._engine.label.split("=")]),
                volumes={
                    str(path): {"bind": at, "mode": "ro" if ro else "rw"} for at, (path, ro) in launch.mounts.items()
                },
                mem_limit=launch.memory_bytes,
                user=launch.user,
                **network,
            )
            self._containers[launch.name] = container
            output = container.attach(stream=True, demux=True)
            container.start()
            self._holder = self._holder or launch.name
            return container, output

    def _pull(self, image: str) -> None:
        import docker.errors

        try:
            self._client.images.get(image)
        except docker.errors.ImageNotFound:
            try:
                repository, tag = docker.utils.parse_repository_tag(image)
                self._client.images.pull(repository, tag=tag or "latest")
            except docker.errors.APIError as error:
                why = error.explanation or error
                raise NoImage("ErrImagePull", f'Failed to pull image "{image}": {why}') from None

    def _follow(self, launch: Launch, container: Any, output: Any) -> None:
        """Copy the log until the end, then tell of the end. Runs in a thread of its own."""
        code = 137
        with contextlib.suppress(Exception):
            target = Log(str(launch.log))
            for out, err in output:
                for stream, chunk in (("stdout", out), ("stderr", err)):
                    if chunk:
                        target.write(stream, chunk)
            target.close()
            code = container.wait()["StatusCode"]
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended, launch.name, code)

    def _ended(self, name: str, code: int) -> None:
        self._on_exit(name, code)
        if name == self._holder:
            # Without its network the others are cut off; they start again when it has.
            for other in self._containers.keys() - {name}:
                self.signal(other, signal.SIGKILL)

    def signal(self, name: str, number: int) -> None:
        if (container := self._containers.get(name)) is not None:

            def kill() -> None:
                with contextlib.suppress(Exception):
                    container.kill(signal=int(number))

            self._loop.run_in_executor(None, kill)

    async def exec(self, launch: Launch, argv: list[str], timeout_s: float) -> int:
        """The exit code of a command in the container. Raises ExecFailed and TimeoutError."""
        container = self._containers.get(launch.name)
        if container is None:
            raise ExecFailed("the container has ended")
        call = asyncio.to_thread(lambda: container.exec_run(argv).exit_code)
        return await asyncio.wait_for(call, timeout_s)

    def memory(self, name: str) -> int | None:
        """Docker holds the limit itself."""
        return None

    async def close(self) -> None:
        """Remove all containers."""

        await asyncio.to_thread(self._remove)

    def _remove(self) -> None:
        with self._lock:
            self._closed = True
            for container in self._containers.values():
                with contextlib.suppress(Exception):
                    container.remove(force=True)
