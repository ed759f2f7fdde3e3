"""The node: runs the pods of the local cluster and tells how they are.

Pods are processes with the user's own rights (or Docker containers where an image has no local command): a convenience,
not a security boundary. They end with the daemon; the next daemon starts them again from the store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

import kaos
from kaos.kube import times
from kaos.kube.resources import CONFIGMAPS, NODES, PERSISTENTVOLUMECLAIMS, PODS, SECRETS
from kaos.local import status
from kaos.local.controllers.base import place
from kaos.local.events import EventRecorder
from kaos.local.machinery import Machinery, WatchEvent
from kaos.local.node import logs
from kaos.local.node.docker import DockerEngine
from kaos.local.node.pod import PodWorker
from kaos.local.node.sweep import end_leftovers
from kaos.local.rbac import Account
from kaos.local.services import Services

Object = dict[str, Any]
log = logging.getLogger("kaos.local.node")

NODE_NAME = "kaos-local"
DEFAULT_SCHEDULER = "default-scheduler"
_STOP_S = 3.0


@dataclass
class NodeContext:
    """What every pod's worker shares."""

    machinery: Machinery
    services: Services
    pods: Path
    claims: Path
    image_commands: dict[str, list[str]]
    kubeconfig: Callable[[Account], str]  # with which an account reaches the API server
    backoff_s: float
    events: EventRecorder
    docker: DockerEngine
    node_name: str = NODE_NAME
    http: aiohttp.ClientSession | None = None


class Node:
    """One worker a pod."""

    def __init__(self, machinery: Machinery, directory: Path, services: Services, image_commands: dict[str, list[str]],
                 kubeconfig: Callable[[Account], str], backoff_s: float = 10.0) -> None:  # fmt: skip
        self._context = NodeContext(
            machinery, services, directory / "pods", directory / "volumes", image_commands, kubeconfig, backoff_s,
            EventRecorder(machinery, "kaos-local-node"), DockerEngine(directory),
        )  # fmt: skip
        self._machinery = machinery
        self._workers: dict[str, PodWorker] = {}  # by uid
        self._endings: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Clear away what an earlier life left, then run every pod of the store."""
        self._context.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        uids = {stored.obj["metadata"]["uid"] for stored in self._machinery.select(PODS)}
        left = {path.name for path in self._context.pods.glob("*")} if self._context.pods.exists() else set()
        if uids | left:
            await asyncio.to_thread(end_leftovers, uids | left)
        await asyncio.to_thread(self._context.docker.sweep)
        for uid in left - uids:
            shutil.rmtree(self._context.pods / uid, ignore_errors=True)
        self._register()
        self._disown_readiness()
        self._watcher = asyncio.create_task(self._watch())

    def _disown_readiness(self) -> None:
        """No pod of the store runs yet: nothing may be told or sent that way."""
        for stored in self._machinery.select(PODS):
            if _is_ours(stored.obj):
                PodWorker(self._context, self._machinery.get(PODS, *place(stored.obj))).publish()

    async def stop(self) -> None:
        """End all pods; their objects stay for the next start."""
        if self._watcher is not None:
            self._watcher.cancel()
        closing = [asyncio.create_task(worker.close()) for worker in self._workers.values()]
        if closing:
            await asyncio.wait(closing, timeout=_STOP_S)
        for task in self._endings:
            task.cancel()
        await asyncio.to_thread(self._context.docker.close)
        if self._context.http is not None:
            await self._context.http.close()

    async def _watch(self) -> None:
        try:
            async for event in self._machinery.watch(PODS, SECRETS, CONFIGMAPS, PERSISTENTVOLUMECLAIMS):
                try:
                    self._follow(event)
                except Exception:
                    log.exception("following %s failed", event.object["metadata"].get("name"))
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("the node's watch ended")

    def _follow(self, event: WatchEvent) -> None:
        obj = event.object
        if obj["kind"] != "Pod":
            for worker in self._workers.values():
                if worker.namespace == obj["metadata"]["namespace"]:
                    worker.tell_news()
            return
        uid = obj["metadata"]["uid"]
        worker = self._workers.get(uid)
        if event.type == "DELETED":
            if worker is not None:
                del self._workers[uid]
                self._ending(self._forget(worker))
            return
        if worker is None:
            if obj["status"].get("phase") in ("Succeeded", "Failed"):
                return
            pod = self._machinery.find(PODS, *place(obj))
            if pod is None or pod["metadata"]["uid"] != uid or not _is_ours(pod):
                return
            worker = self._workers[uid] = PodWorker(self._context, pod)
            if not pod["metadata"].get("deletionTimestamp"):
                worker.start()
        if obj["metadata"].get("deletionTimestamp"):
            grace_s = obj["metadata"].get("deletionGracePeriodSeconds") or 0
            self._ending(worker.terminate(grace_s))

    def _ending(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _forget(self, worker: PodWorker) -> None:
        await worker.close()
        await asyncio.to_thread(shutil.rmtree, worker.directory, ignore_errors=True)

    # The node as an object.

    def _register(self) -> None:
        machinery = self._machinery
        if machinery.find(NODES, None, NODE_NAME) is None:
            machinery.create(NODES, {"metadata": {"name": NODE_NAME, "labels": _labels()}})
        capacity = _capacity()
        now = times.now()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KaosLocalReady",
            "message": "pods run as processes of this machine",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        info = {
            "architecture": platform.machine(), "bootID": "", "containerRuntimeVersion": f"process://{kaos.__version__}",
            "kernelVersion": platform.release(), "kubeProxyVersion": "", "kubeletVersion": f"kaos-{kaos.__version__}",
            "machineID": "", "operatingSystem": platform.system().lower(), "osImage": platform.platform(),
            "systemUUID": "",
        }  # fmt: skip
        addresses = [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE_NAME}]
        found = {
            "capacity": capacity, "allocatable": capacity, "conditions": [ready], "addresses": addresses,
            "nodeInfo": info,
        }  # fmt: skip
        machinery.mutate_status(NODES, None, NODE_NAME, lambda obj: obj.update(status=found))

    # Logs.

    def stream(self, namespace: str, pod: str, container: str, query: dict[str, str]) -> AsyncIterator[bytes]:
        """The container's log as the API's log subresource gives it. Raises ApiStatus."""
        obj = self._machinery.get(PODS, namespace, pod)
        names = [c["name"] for f in ("initContainers", "containers") for c in obj["spec"].get(f) or ()]
        if not container:
            mains = [c["name"] for c in obj["spec"]["containers"]]
            if len(mains) > 1:
                default = (obj["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
                if default not in mains:
                    choose = " ".join(mains)
                    raise status.bad_request(
                        f"a container name must be specified for pod {pod}, choose one of: [{choose}]"
                    )
                mains = [default]
            container = mains[0]
        if container not in names:
            raise status.bad_request(f"container {container} is not valid for pod {pod}")
        try:
            asked = logs.LogQuery(query)
        except ValueError as error:
            raise status.bad_request(str(error)) from None
        current = self._context.pods / obj["metadata"]["uid"] / "logs" / f"{container}.log"
        state = _container_state(obj, container)
        if not current.exists() and "waiting" in state:
            why = state["waiting"].get("reason", "ContainerCreating")
            raise status.bad_request(f'container "{container}" in pod "{pod}" is waiting to start: {why}')
        if asked.previous:
            if not logs.previous(current).exists():
                raise status.bad_request(f'previous terminated container "{container}" in pod "{pod}" not found')
            return logs.stream(logs.previous(current), asked, lambda: True)
        uid = obj["metadata"]["uid"]

        def ended() -> bool:
            found = self._machinery.find(PODS, namespace, pod)
            gone = found is None or found["metadata"]["uid"] != uid
            return gone or "running" not in _container_state(found, container)

        return logs.stream(current, asked, ended)


def _is_ours(pod: Object) -> bool:
    """Bound to this node, or waiting for the one scheduler that there is."""
    node = pod["spec"].get("nodeName")
    return node == NODE_NAME or (not node and pod["spec"].get("schedulerName") == DEFAULT_SCHEDULER)


def _container_state(pod: Object, name: str) -> Object:
    statuses = [c for f in ("initContainerStatuses", "containerStatuses") for c in pod["status"].get(f) or ()]
    return next((c["state"] for c in statuses if c["name"] == name), {"waiting": {"reason": "ContainerCreating"}})


def _labels() -> dict[str, str]:
    return {
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": platform.system().lower(),
        "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "node-role.kubernetes.io/control-plane": "",
    }


def _capacity() -> dict[str, str]:
    memory_kib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    return {"cpu": str(os.cpu_count() or 1), "memory": f"{memory_kib}Ki", "pods": "110"}
