"""One pod's life: prepare, start, probe, restart, end, and an honest status all along."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import shutil
import signal
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaos.kube import quantities, times
from kaos.kube.resources import PODS
from kaos.local.machinery import DeleteOptions
from kaos.local.node import environment, logs, probes, volumes
from kaos.local.node.backend import Backend, ExecFailed, Launch
from kaos.local.node.commands import local_command, with_this_python
from kaos.local.node.docker import DockerBackend
from kaos.local.node.processes import ProcessBackend
from kaos.local.ports import PORTS_ANNOTATION, free_port, port_map
from kaos.local.status import ApiStatus

if TYPE_CHECKING:
    from kaos.local.node import NodeContext

Object = dict[str, Any]
log = logging.getLogger("kaos.local.node")

LAST_BACKOFF_S = 300.0
STEADY_S = 600.0  # after so long a run the back-off starts again
CONFIG_RETRY_S = 10.0  # a changed Secret or ConfigMap wakes it earlier
DRAIN_S = 0.1  # between leaving the Service and SIGTERM
WATCH_MEMORY_S = 1.0


@dataclass
class Container:
    """What is known of one container."""

    spec: Object
    init: bool = False
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: Object = field(default_factory=dict)
    restarts: int = 0
    failures: int = 0  # in a row, for the back-off
    id: str = ""
    ready: bool = False
    started: bool = False
    exited: asyncio.Future[int] | None = None
    killed_for: str = ""  # OOMKilled
    launch: Launch | None = None
    has_started: asyncio.Event = field(default_factory=asyncio.Event)  # once, for the containers after a sidecar

    @property
    def name(self) -> str:
        return self.spec["name"]

    @property
    def sidecar(self) -> bool:
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def done(self) -> bool:
        return self.state.get("terminated", {}).get("exitCode") == 0


class PodWorker:
    """Runs one pod until it is gone."""

    def __init__(self, context: NodeContext, pod: Object) -> None:
        self.context = context
        self.pod = pod
        meta = pod["metadata"]
        self.namespace, self.name, self.uid = meta["namespace"], meta["name"], meta["uid"]
        self.directory = context.pods / self.uid
        spec = pod["spec"]
        self.containers = [Container(c, init=True) for c in spec.get("initContainers") or ()]
        self.containers += [Container(c) for c in spec["containers"]]
        self.initialized = False
        self.backend: Backend | None = None
        self.wake = asyncio.Event()  # a Secret or ConfigMap changed
        self.ending = False
        self.task: asyncio.Task[None] | None = None
        self._sidecars: list[asyncio.Task[None]] = []
        self._probers: dict[str, list[asyncio.Task[None]]] = {}
        self._conditions: dict[str, Object] = {}
        self._started_at = pod["status"].get("startTime") or times.now()
        self._remember()

    def _remember(self) -> None:
        """Carry restart counts over from an earlier life of this pod."""
        status = self.pod["status"]
        old = {c["name"]: c for f in ("initContainerStatuses", "containerStatuses") for c in status.get(f) or ()}
        for container in self.containers:
            if before := old.get(container.name):
                ran = "running" in before["state"] or "terminated" in before["state"]
                container.restarts = before["restartCount"] + (1 if ran else 0)
                container.last_state = before.get("lastState") or {}
        self._conditions = {c["type"]: c for c in status.get("conditions") or ()}

    # The course of events.

    def start(self) -> None:
        self.task = asyncio.create_task(self._run(), name=f"pod {self.namespace}/{self.name}")

    async def _run(self) -> None:
        try:
            await self._prepare()
            await self._initialize()
            self.initialized = True
            await asyncio.gather(*(self._keep(c) for c in self.containers if not c.init))
            self.publish()  # every container has ended for good
        except asyncio.CancelledError:
            raise
        except ApiStatus as refused:
            if refused.code != 404:
                log.warning("pod %s/%s: %s", self.namespace, self.name, refused)
        except Exception:
            log.exception("pod %s/%s failed", self.namespace, self.name)

    async def _prepare(self) -> None:
        self._bind()
        self.publish()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in ("home", "work", "tmp", "logs", "termination"):
            (self.directory / part).mkdir(mode=0o700, exist_ok=True)
        while True:
            try:
                await asyncio.to_thread(self._volumes().project)
                break
            except volumes.MountError as error:
                self.event("Warning", "FailedMount", f"MountVolume.SetUp failed: {error}")
                await self._sleep_or_wake(CONFIG_RETRY_S)
        self._choose_backend()

    def _choose_backend(self) -> None:
        commands = [local_command(self.pod, c.spec, self.context.image_commands) for c in self.containers]
        on_exit = self._on_exit
        if all(command is not None for command in commands):
            self.backend = ProcessBackend(self.uid, on_exit)
        else:
            self.backend = DockerBackend(self.uid, self.namespace, self.name, on_exit, self.context.docker)

    def _bind(self) -> None:
        """Give the pod its node and a loopback port for each container port."""
        wanted = {p["containerPort"] for c in self.containers for p in c.spec.get("ports") or ()}
        ports = port_map(self.pod)
        taken = {port for number, port in ports.items() if number in wanted and not _is_free(port)}
        ports = {number: ports[number] for number in wanted & ports.keys() if ports[number] not in taken}
        for number in wanted - ports.keys():
            ports[number] = free_port()

        def bind(obj: Object) -> None:
            obj["spec"]["nodeName"] = self.context.node_name
            if ports:
                text = json.dumps({str(k): v for k, v in sorted(ports.items())})
                obj["metadata"].setdefault("annotations", {})[PORTS_ANNOTATION] = text

        first = not self.pod["spec"].get("nodeName")
        self.pod = self.context.machinery.mutate(PODS, self.namespace, self.name, bind)
        if first:
            where = f"Successfully assigned {self.namespace}/{self.name} to {self.context.node_name}"
            self.event("Normal", "Scheduled", where)

    async def _initialize(self) -> None:
        for container in self.containers:
            if not container.init:
                continue
            if container.sidecar:
                self._sidecars.append(asyncio.create_task(self._keep(container)))
                await container.has_started.wait()
                continue
            while not container.done:
                await self._once(container)
                if not container.done and self.pod["spec"]["restartPolicy"] == "Never":
                    self.publish()
                    raise asyncio.CancelledError
                if not container.done:
                    await self._back_off(container)

    async def _keep(self, container: Container) -> None:
        """Run the container again and again, as the restart policy says."""
        policy = "Always" if container.sidecar else self.pod["spec"]["restartPolicy"]
        while not self.ending:
            began = time.monotonic()
            await self._once(container)
            if self.ending or policy == "Never" or (policy == "OnFailure" and container.done):
                return
            if time.monotonic() - began > STEADY_S:
                container.failures = 0
            await self._back_off(container)

    async def _once(self, container: Container) -> None:
        """One life of the container."""
        await self._configured(container)
        if "terminated" in container.state:
            container.last_state = container.state
            container.restarts += 1
        logs.start_anew(container.launch.log)
        container.exited = asyncio.get_running_loop().create_future()
        container.killed_for = ""
        try:
            container.id = await self._open_and_start(container)
        except ExecFailed as error:
            reason, _, why = str(error).rpartition("|")
            if reason:  # the backend names a waiting reason of its own
                container.state = {"waiting": {"reason": reason, "message": why}}
                self.event("Warning", "Failed", why, container)
                self.publish()
                await self._sleep_or_wake(CONFIG_RETRY_S)
                return
            container.state = _terminated(128, "StartError", times.now(), message=why)
            self.event("Warning", "Failed", f"Error: failed to start container: {why}", container)
            self.publish()
            return
        began = times.now()
        container.state = {"running": {"startedAt": began}}
        self.event("Normal", "Started", f"Started container {container.name}", container)
        self._start_probes(container)
        self.publish()
        code = await container.exited
        self._stop_probes(container)
        container.ready = container.started = False
        reason = container.killed_for or ("Completed" if code == 0 else "Error")
        container.state = _terminated(code, reason, began, self._termination_message(container, code), container.id)
        self.publish()

    async def _configured(self, container: Container) -> None:
        """Resolve everything the container refers to, waiting for what is missing."""
        while True:
            try:
                await asyncio.to_thread(self._volumes().project)
                container.launch = self._launch(container)
                return
            except (environment.ConfigError, volumes.MountError) as error:
                waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": str(error)}}
                if container.state != waiting:
                    container.state = waiting
                    self.event("Warning", "Failed", f"Error: {error}", container)
                    self.publish()
                await self._sleep_or_wake(CONFIG_RETRY_S)

    async def _open_and_start(self, container: Container) -> str:
        if not getattr(self.backend, "opened", False):
            self.backend.opened = True
            await self.backend.open()
        return await self.backend.start(container.launch)

    async def _back_off(self, container: Container) -> None:
        container.failures += 1
        wait_s = 0.0
        if container.failures > 1:
            wait_s = min(self.context.backoff_s * 2 ** (container.failures - 2), LAST_BACKOFF_S)
        if not wait_s:
            return
        container.last_state = container.state if "terminated" in container.state else container.last_state
        why = (
            f"back-off {_go_duration(wait_s)} restarting failed container={container.name} "
            f"pod={self.name}_{self.namespace}({self.uid})"
        )
        if "terminated" in container.state:
            container.restarts += 1
        container.state = {"waiting": {"reason": "CrashLoopBackOff", "message": why}}
        self.event("Warning", "BackOff", f"Back-off restarting failed container {container.name}", container)
        self.publish()
        await asyncio.sleep(wait_s)

    async def _sleep_or_wake(self, seconds: float) -> None:
        self.wake.clear()
        try:
            await asyncio.wait_for(self.wake.wait(), seconds * random.uniform(0.9, 1.1))
        except TimeoutError:
            pass

    # What a container gets.

    def _volumes(self) -> volumes.Volumes:
        rewrite = partial(self.context.services.rewrite, self.namespace)
        return volumes.Volumes(self.context.machinery, self.pod, self.directory, self.context.claims, rewrite)

    def _launch(self, container: Container) -> Launch:
        spec = container.spec
        mounts = self._volumes().mounts(spec)
        message_file = self.directory / "termination" / container.name
        message_file.touch(mode=0o600)
        message_file.write_text("")
        command = local_command(self.pod, spec, self.context.image_commands)
        local = isinstance(self.backend, ProcessBackend)
        services = partial(self.context.services.rewrite, self.namespace)
        if local:
            paths = mounts | {spec["terminationMessagePath"]: (message_file, False)}
            to_paths = volumes.rewriter(paths)
            rewrite = lambda text: to_paths(services(text))  # noqa: E731
        else:
            rewrite = services
            mounts = mounts | {spec["terminationMessagePath"]: (message_file, False)}
        values = environment.resolve(self.context.machinery, self.pod, spec, rewrite)
        ports = port_map(self.pod)
        limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
        common = {
            "name": container.name,
            "log": self.directory / "logs" / f"{container.name}.log",
            "image": spec.get("image") or "",
            "memory_bytes": quantities.bytes_(limit) if limit else None,
        }
        if not local:
            words = [rewrite(environment.expand(word, values)) for word in spec.get("command") or ()]
            args = [rewrite(environment.expand(word, values)) for word in spec.get("args") or ()]
            own = {
                p["containerPort"]: ports[p["containerPort"]]
                for c in self.containers
                for p in c.spec.get("ports") or ()
            }
            return Launch(argv=words, args=args, env=values, cwd=None, ports=own, mounts=mounts, **common)
        own_port = values.get("PORT", "")
        if own_port.isdecimal() and int(own_port) in ports:
            values["PORT"] = str(ports[int(own_port)])
        base = environment.from_machine() | {
            "HOME": str(self.directory / "home"),
            "TMPDIR": str(self.directory / "tmp"),
            "HOSTNAME": self.name,
            "HOST": "127.0.0.1",  # a pod is not open to the machine's network
            "TERMINATION_LOG": str(message_file),
        }
        # The interpreter comes last: where this program is installed is no path of the pod's.
        argv = with_this_python([rewrite(environment.expand(word, values)) for word in command])
        cwd = self._cwd(spec, mounts)
        return Launch(argv=argv, env=base | values, cwd=cwd, **common)

    def _cwd(self, spec: Object, mounts: dict[str, tuple[Path, bool]]) -> Path:
        if asked := spec.get("workingDir"):
            path = Path(volumes.rewriter(mounts)(asked))
            if path.is_dir() and str(path) != asked:
                return path
        return self.directory / "work"

    def _termination_message(self, container: Container, code: int) -> str:
        file = self.directory / "termination" / container.name
        try:
            text = file.read_bytes()[-4096:].decode(errors="replace")
        except OSError:
            text = ""
        if not text and code and container.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            text = logs.last_text(self.directory / "logs" / f"{container.name}.log")
        return text

    def _on_exit(self, name: str, code: int) -> None:
        container = next(c for c in self.containers if c.name == name)
        if container.exited is not None and not container.exited.done():
            container.exited.set_result(code)

    # Probes and limits.

    def _start_probes(self, container: Container) -> None:
        spec = container.spec
        tasks = []
        if spec.get("startupProbe"):
            tasks.append(
                self._probe(container, spec["startupProbe"], partial(self._startup_told, container), eager=True)
            )
        else:
            self._begin(container, tasks)
        if container.launch.memory_bytes and isinstance(self.backend, ProcessBackend):
            tasks.append(asyncio.create_task(self._watch_memory(container)))
        self._probers[container.name] = tasks

    def _begin(self, container: Container, tasks: list[asyncio.Task[None]]) -> None:
        """The container has started: from now on liveness and readiness count."""
        spec = container.spec
        container.started = True
        container.has_started.set()
        if spec.get("readinessProbe"):
            tasks.append(
                self._probe(container, spec["readinessProbe"], partial(self._readiness_told, container), eager=True)
            )
        else:
            container.ready = True
        if spec.get("livenessProbe"):
            tasks.append(
                self._probe(container, spec["livenessProbe"], partial(self._liveness_told, container), eager=False)
            )

    def _probe(self, container: Container, probe: Object, told: Any, eager: bool) -> asyncio.Task[None]:
        ports = port_map(self.pod)

        def port_of(port: Any) -> int | None:
            named = next((p["containerPort"] for p in container.spec.get("ports") or () if p.get("name") == port), port)
            return ports.get(int(named)) if str(named).isdecimal() else None

        async def execute(argv: list[str], timeout_s: float) -> int:
            return await self.backend.exec(container.launch, argv, timeout_s)

        async def ask(asked: Object) -> probes.Answer:
            try:
                return await probes.once(asked, self.context.http, port_of, execute)
            except ExecFailed as error:
                return False, str(error)

        return asyncio.create_task(probes.Prober(probe, ask, told, eager).run())

    def _startup_told(self, container: Container, good: bool, seen: str) -> None:
        if good:
            self._begin(container, self._probers[container.name])
            self.publish()
        else:
            self._unhealthy(container, "Startup", seen, kill=True)

    def _readiness_told(self, container: Container, good: bool, seen: str) -> None:
        container.ready = good
        if not good:
            self._unhealthy(container, "Readiness", seen, kill=False)
        self.publish()

    def _liveness_told(self, container: Container, good: bool, seen: str) -> None:
        if not good:
            self._unhealthy(container, "Liveness", seen, kill=True)

    def _unhealthy(self, container: Container, which: str, seen: str, kill: bool) -> None:
        self.event("Warning", "Unhealthy", f"{which} probe failed: {seen}", container)
        if kill:
            why = f"Container {container.name} failed {which.lower()} probe, will be restarted"
            self.event("Normal", "Killing", why, container)
            grace_s = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
            self._probers[container.name].append(asyncio.create_task(self._end(container, grace_s)))

    async def _watch_memory(self, container: Container) -> None:
        """End a container that outgrows its limit; the kernel's own limits need rights that a laptop does not give."""
        while True:
            await asyncio.sleep(WATCH_MEMORY_S)
            used = await asyncio.to_thread(self.backend.memory, container.name)
            if used is not None and used > container.launch.memory_bytes:
                container.killed_for = "OOMKilled"
                self.backend.signal(container.name, signal.SIGKILL)

    def _stop_probes(self, container: Container) -> None:
        for task in self._probers.pop(container.name, ()):
            task.cancel()

    # The end.

    async def _end(self, container: Container, grace_s: float) -> None:
        if container.exited is None or container.exited.done():
            return
        self.backend.signal(container.name, signal.SIGTERM)
        _, late = await asyncio.wait([container.exited], timeout=grace_s)
        if late:
            self.backend.signal(container.name, signal.SIGKILL)

    async def terminate(self, grace_s: float) -> None:
        """End gracefully and let the object go."""
        if self.ending:
            return
        self.ending = True
        running = [c for c in self.containers if c.exited is not None and not c.exited.done()]
        for container in running:
            self._stop_probes(container)
            self.event("Normal", "Killing", f"Stopping container {container.name}", container)
        if running and grace_s:
            await asyncio.sleep(DRAIN_S)
            await asyncio.gather(*(self._end(c, grace_s) for c in running), return_exceptions=True)
        await self.close()
        try:
            self.context.machinery.delete(
                PODS, self.namespace, self.name, DeleteOptions(grace_period_s=0, uid=self.uid)
            )
        except ApiStatus as refused:
            if refused.code != 404:
                log.warning("pod %s/%s could not be removed: %s", self.namespace, self.name, refused)
        await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def close(self) -> None:
        """End all processes now; the object stays as it is."""
        self.ending = True
        for task in [*self._sidecars, *([self.task] if self.task else [])]:
            task.cancel()
        for container in self.containers:
            self._stop_probes(container)
        if self.backend is not None:
            await self.backend.close()

    # What the world sees.

    def event(self, kind: str, reason: str, message: str, container: Container | None = None) -> None:
        field_path = ""
        if container is not None:
            field_path = f"spec.{'initContainers' if container.init else 'containers'}{{{container.name}}}"
        self.context.events.record(self.pod, kind, reason, message, field_path)

    def publish(self) -> None:
        """Write the status, if it changed."""
        if self.ending:
            return
        status = self._status()

        def change(obj: Object) -> None:
            obj["status"] = {**obj.get("status", {}), **status}

        try:
            self.pod = self.context.machinery.mutate_status(PODS, self.namespace, self.name, change)
        except ApiStatus as refused:
            if refused.code != 404:
                raise

    def _status(self) -> Object:
        mains = [c for c in self.containers if not c.init]
        ended = all("terminated" in c.state for c in mains) and self.initialized
        policy = self.pod["spec"]["restartPolicy"]
        phase = "Running" if self.initialized and any("running" in c.state or c.restarts for c in mains) else "Pending"
        if (ended and policy == "Never") or (ended and policy == "OnFailure" and all(c.done for c in mains)):
            phase = "Succeeded" if all(c.done for c in mains) else "Failed"
        ready = bool(mains) and all(c.ready for c in mains)
        unready = [c.name for c in mains if not c.ready]
        why = ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
        conditions = [
            self._condition("PodReadyToStartContainers", self.backend is not None),
            self._condition("Initialized", self.initialized or not any(c.init for c in self.containers)),
            self._condition("Ready", ready, *(() if ready else why)),
            self._condition("ContainersReady", ready, *(() if ready else why)),
            self._condition("PodScheduled", True),
        ]
        status = {
            "phase": phase,
            "conditions": conditions,
            "hostIP": "127.0.0.1",
            "hostIPs": [{"ip": "127.0.0.1"}],
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
            "startTime": self._started_at,
            "observedGeneration": self.pod["metadata"].get("generation", 1),
            "containerStatuses": [self._container_status(c) for c in mains],
        }
        if any(c.init for c in self.containers):
            status["initContainerStatuses"] = [self._container_status(c) for c in self.containers if c.init]
        return status

    def _condition(self, kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
        wanted = {"type": kind, "status": str(holds), "reason": reason, "message": message}
        wanted = {key: value for key, value in wanted.items() if value}
        before = self._conditions.get(kind, {})
        since = before.get("lastTransitionTime") if before.get("status") == wanted["status"] else None
        made = {**wanted, "lastTransitionTime": since or times.now()}
        self._conditions[kind] = made
        return made

    def _container_status(self, container: Container) -> Object:
        status = {
            "name": container.name,
            "state": container.state,
            "lastState": container.last_state,
            "ready": container.ready or (container.init and container.done),
            "started": container.started,
            "restartCount": container.restarts,
            "image": container.spec.get("image") or "",
            "imageID": "",
        }
        return status | ({"containerID": container.id} if container.id else {})


def _terminated(code: int, reason: str, began: str, message: str = "", identity: str = "") -> Object:
    state = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": times.now()}
    if message:
        state["message"] = message
    if identity:
        state["containerID"] = identity
    return {"terminated": state}


def _go_duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:g}s"


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
