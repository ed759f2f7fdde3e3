"""One pod's life: prepare, start, restart, end, and an honest status all along."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

from kaos.kube.resources import PODS
from kaos.local.node import environment, logs, volumes
from kaos.local.node.backend import Backend, ExecFailed, NoImage
from kaos.local.node.container import Container
from kaos.local.node.docker import DockerBackend
from kaos.local.node.health import Health
from kaos.local.node.launch import PARTS, Launcher
from kaos.local.node.pod_status import PodStatus
from kaos.local.node.processes import ProcessBackend
from kaos.local.ports import PORTS_ANNOTATION, free_port, is_free, port_map
from kaos.local.requests import DeleteOptions
from kaos.local.status import ApiStatus

if TYPE_CHECKING:
    from kaos.local.node import NodeContext

Object = dict[str, Any]
log = logging.getLogger("kaos.local.node")

LAST_BACKOFF_S = 300.0
STEADY_S = 600.0  # after so long a run the back-off starts again
CONFIG_RETRY_S = 10.0  # a changed Secret or ConfigMap wakes it earlier
DRAIN_S = 0.1  # between leaving the Service and SIGTERM


class PodWorker:
    """Runs one pod until it is gone."""

    def __init__(self, context: NodeContext, pod: Object) -> None:
        self.context = context
        self.pod = pod
        meta, spec, status = pod["metadata"], pod["spec"], pod["status"]
        self.namespace, self.name, self.uid = meta["namespace"], meta["name"], meta["uid"]
        self.directory = context.pods / self.uid
        self.containers = [Container(c, init=True) for c in spec.get("initContainers") or ()]
        self.containers += [Container(c) for c in spec["containers"]]
        old = {c["name"]: c for f in ("initContainerStatuses", "containerStatuses") for c in status.get(f) or ()}
        for container in self.containers:
            if before := old.get(container.name):
                container.remember(before)
        self._status = PodStatus(pod)
        self._initialized = False
        self._backend: Backend | None = None
        self._news = asyncio.Event()  # a Secret, ConfigMap or claim changed
        self._ending = False
        self._tasks: list[asyncio.Task[Any]] = []  # the course of the pod, its sidecars, ends that are under way
        self._health: dict[str, Health] = {}

    # The course of events.

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._run(), name=f"pod {self.namespace}/{self.name}"))

    async def _run(self) -> None:
        try:
            await self._prepare()
            if not await self._initialize():
                return
            self._initialized = True
            await asyncio.gather(*(self._keep(c) for c in self.containers if not c.init))
            self.publish()  # every container has ended for good
            await self._backend.close()
        except ApiStatus as refused:
            if refused.code != 404:
                log.warning("pod %s/%s: %s", self.namespace, self.name, refused)
        except Exception:
            log.exception("pod %s/%s failed", self.namespace, self.name)

    async def _prepare(self) -> None:
        self._bind()
        self.publish()
        for part in PARTS:
            (self.directory / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        while True:
            self._news.clear()
            try:
                await self._launcher().volumes.project()
                break
            except volumes.MountError as error:
                self.event("Warning", "FailedMount", f"MountVolume.SetUp failed: {error}")
                await self._sleep_or_news(CONFIG_RETRY_S)
        if all(command is not None for command in self._launcher().commands()):
            self._backend = ProcessBackend(self.uid, self._on_exit)
        else:
            self._backend = DockerBackend(self.namespace, self.name, self._on_exit, self.context.docker)

    def _launcher(self) -> Launcher:
        return Launcher(self.context, self.pod)

    def _bind(self) -> None:
        """Give the pod its node, and each container port a loopback port that nobody else has."""
        wanted = {p["containerPort"] for c in self.containers for p in c.spec.get("ports") or ()}
        known = port_map(self.pod)
        ports = {number: known[number] for number in wanted & known.keys() if is_free(known[number])}
        self._assign(ports | {number: free_port() for number in wanted - ports.keys()})

    def _assign(self, ports: dict[int, int]) -> None:
        def bind(obj: Object) -> None:
            obj["spec"]["nodeName"] = self.context.node_name
            if ports:
                text = json.dumps({str(number): port for number, port in sorted(ports.items())})
                obj["metadata"].setdefault("annotations", {})[PORTS_ANNOTATION] = text

        first = not self.pod["spec"].get("nodeName")
        self.pod = self.context.machinery.mutate(PODS, self.namespace, self.name, bind)
        if first:
            where = f"Successfully assigned {self.namespace}/{self.name} to {self.context.node_name}"
            self.event("Normal", "Scheduled", where)

    def _leave_taken_ports(self, container: Container) -> None:
        """Another program may have taken a port while the container was down."""
        ports = port_map(self.pod)
        own = {p["containerPort"] for p in container.spec.get("ports") or ()}
        if taken := {number for number in own & ports.keys() if not is_free(ports[number])}:
            self._assign(ports | {number: free_port() for number in taken})

    async def _initialize(self) -> bool:
        """Run the init containers one after the other; False when one failed for good."""
        for container in self.containers:
            if not container.init:
                continue
            if container.sidecar:
                self._tasks.append(asyncio.create_task(self._keep(container)))
                await container.has_started.wait()
                continue
            while not container.done:
                await self._once(container)
                if self._ending:
                    return False
                if not container.done and self.pod["spec"]["restartPolicy"] == "Never":
                    self.publish()
                    return False
                if not container.done:
                    await self._back_off(container)
        return True

    async def _keep(self, container: Container) -> None:
        """Run the container again and again, as the restart policy says."""
        policy = "Always" if container.sidecar else self.pod["spec"]["restartPolicy"]
        while not self._ending:
            began = time.monotonic()
            await self._once(container)
            if self._ending or policy == "Never" or (policy == "OnFailure" and container.done):
                return
            if time.monotonic() - began > STEADY_S:
                container.failures = 0
            await self._back_off(container)

    async def _once(self, container: Container) -> None:
        """One life of the container."""
        try:
            if not await self._start(container):
                return
        except ExecFailed as error:
            container.end(128, "StartError", str(error))
            self.event("Warning", "Failed", f"Error: failed to start container: {error}", container)
            self.publish()
            return
        self.event("Normal", "Started", f"Started container {container.name}", container)
        health = self._health[container.name] = Health(
            container, port_map(self.pod), self.context.http, self._backend, self.publish,
            lambda which, seen, fatal: self._unhealthy(container, which, seen, fatal),
        )  # fmt: skip
        health.start()
        self.publish()
        code = await container.exited
        health.stop()
        reason = container.killed_for or ("Completed" if code == 0 else "Error")
        container.end(code, reason, self._last_words(container, code))
        self.publish()

    async def _start(self, container: Container) -> bool:
        """Start it as soon as all that it needs is there; False when the pod ends before. Raises ExecFailed."""
        while not self._ending:
            self._news.clear()
            try:
                self._leave_taken_ports(container)
                launcher = self._launcher()
                await launcher.volumes.project()
                local = isinstance(self._backend, ProcessBackend)
                container.launch = launcher.launch(container.spec, as_process=local)
                logs.start_anew(container.launch.log)
                container.begin_anew()
                identity = await self._backend.start(container.launch)
                container.run(identity)
                return True
            except (environment.ConfigError, volumes.MountError) as error:
                self._wait_for(container, "CreateContainerConfigError", str(error), f"Error: {error}")
            except NoImage as error:
                self._wait_for(container, error.reason, str(error), str(error))
            await self._sleep_or_news(CONFIG_RETRY_S)
        return False

    def _wait_for(self, container: Container, reason: str, message: str, told: str) -> None:
        if container.wait_for(reason, message):
            self.event("Warning", "Failed", told, container)
            self.publish()

    async def _back_off(self, container: Container) -> None:
        container.failures += 1
        if container.failures == 1:
            return  # the first restart is at once
        wait_s = min(self.context.backoff_s * 2 ** (container.failures - 2), LAST_BACKOFF_S)
        why = (
            f"back-off {_go_duration(wait_s)} restarting failed container={container.name} "
            f"pod={self.name}_{self.namespace}({self.uid})"
        )
        container.wait_for("CrashLoopBackOff", why)
        self.event("Warning", "BackOff", f"Back-off restarting failed container {container.name}", container)
        self.publish()
        await asyncio.sleep(wait_s)

    async def _sleep_or_news(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), seconds * random.uniform(0.9, 1.1))
        except TimeoutError:
            pass

    def tell_news(self) -> None:
        """Something that the pod may refer to has changed: what waits for it looks again, what is mounted follows."""
        self._news.set()
        if self._initialized and not self._ending:
            self._background(self._project_again())

    async def _project_again(self) -> None:
        try:
            await self._launcher().volumes.project()
        except volumes.MountError as error:
            log.debug("pod %s/%s: %s", self.namespace, self.name, error)

    def _background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    def _last_words(self, container: Container, code: int) -> str:
        launcher = self._launcher()
        try:
            text = launcher.termination_file(container.name).read_bytes()[-4096:].decode(errors="replace")
        except OSError:
            text = ""
        if not text and code and container.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            text = logs.last_text(launcher.log(container.name))
        return text

    def _on_exit(self, name: str, code: int) -> None:
        container = next(c for c in self.containers if c.name == name)
        if container.alive:
            container.exited.set_result(code)

    def _unhealthy(self, container: Container, which: str, seen: str, fatal: bool) -> None:
        self.event("Warning", "Unhealthy", f"{which} probe failed: {seen}", container)
        if fatal:
            why = f"Container {container.name} failed {which.lower()} probe, will be restarted"
            self.event("Normal", "Killing", why, container)
            self._background(self._end(container, self.pod["spec"].get("terminationGracePeriodSeconds", 30)))

    # The end.

    async def _end(self, container: Container, grace_s: float) -> None:
        if not container.alive:
            return
        exited = container.exited
        self._backend.signal(container.name, signal.SIGTERM)
        _, late = await asyncio.wait([exited], timeout=grace_s)
        if late:
            self._backend.signal(container.name, signal.SIGKILL)

    async def terminate(self, grace_s: float) -> None:
        """End gracefully and let the object go."""
        if self._ending:
            return
        self._ending = True
        running = [c for c in self.containers if c.running]  # what is still starting is not waited for
        for container in running:
            if health := self._health.get(container.name):
                health.stop()
            self.event("Normal", "Killing", f"Stopping container {container.name}", container)
        if running and grace_s:
            await asyncio.sleep(DRAIN_S)
            await asyncio.gather(*(self._end(c, grace_s) for c in running), return_exceptions=True)
        await self.close()
        await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)
        try:
            gone_now = DeleteOptions(grace_period_s=0, uid=self.uid)
            self.context.machinery.delete(PODS, self.namespace, self.name, gone_now)
        except ApiStatus as refused:
            if refused.code != 404:
                log.warning("pod %s/%s could not be removed: %s", self.namespace, self.name, refused)

    async def close(self) -> None:
        """End all processes now; the object stays as it is."""
        self._ending = True
        for task in list(self._tasks):
            task.cancel()
        for health in self._health.values():
            health.stop()
        if self._backend is not None:
            await self._backend.close()

    # What the world sees.

    def event(self, kind: str, reason: str, message: str, container: Container | None = None) -> None:
        field_path = ""
        if container is not None:
            field_path = f"spec.{'initContainers' if container.init else 'containers'}{{{container.name}}}"
        self.context.events.record(self.pod, kind, reason, message, field_path)

    def publish(self) -> None:
        """Write the status, if it changed."""
        if self._ending:
            return
        prepared = self._backend is not None
        status = self._status.of(self.pod, self.containers, initialized=self._initialized, prepared=prepared)

        def change(obj: Object) -> None:
            obj["status"] = {**obj.get("status", {}), **status}

        try:
            self.pod = self.context.machinery.mutate_status(PODS, self.namespace, self.name, change)
        except ApiStatus as refused:
            if refused.code != 404:
                raise


def _go_duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:g}s"
