"""A local cluster, a faulty way to it, and operators on that way: where operators are tormented."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kaos.api.names import MCPSERVERS
from kaos.cluster import ApiError
from kaos.cluster.aio import AsyncClient
from kaos.kube.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    NAMESPACES,
    NETWORKPOLICIES,
    PODS,
    REPLICASETS,
    SERVICES,
    Resource,
)
from kaos.operator.lease import lease_name
from tests.torture.faults import Proxy
from tests.torture.operators import Operator

Object = dict[str, Any]
IMAGE = "example.org/tiny-mcp:1"
TINY = Path(__file__).with_name("tiny_mcp.py")
DUMPED = (MCPSERVERS, DEPLOYMENTS, REPLICASETS, PODS, SERVICES, NETWORKPOLICIES)
READY_S = 60.0


class Bench:
    """Everything of one test. `client` is the straight way to the API server.

    With an `image` (one that has Python) the tiny server runs in that, and operators look after the test's namespaces
    only: a cluster is shared with others.
    """

    def __init__(self, client: AsyncClient, proxy: Proxy, directory: Path, image: str | None = None) -> None:
        self.client = client
        self._image = image
        self.proxy = proxy
        self._directory = directory
        self._operators: list[Operator] = []
        self._namespaces: list[str] = []

    def operator(self, name: str = "one", namespaces: tuple[str, ...] = (), **settings: Any) -> Operator:
        if self._image:
            namespaces = namespaces or tuple(self._namespaces)
        kubeconfig = self.proxy.kubeconfig_for(name, self._directory)
        made = Operator(kubeconfig, self._directory / f"{name}.log", namespaces, **settings)
        self._operators.append(made)
        return made

    async def namespace(self, name: str) -> str:
        await self.client.create(NAMESPACES, {"metadata": {"name": name}})
        self._namespaces.append(name)
        return name

    async def server(self, namespace: str, name: str = "calc", behaviour: str = "good", **spec: Any) -> Object:
        """An MCPServer that runs the tiny server."""
        body = {
            "apiVersion": MCPSERVERS.api_version,
            "kind": MCPSERVERS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"runtime": "custom", "container": self.container(behaviour), **spec},
        }
        return await self.client.create(MCPSERVERS, body, namespace)

    def container(self, behaviour: str = "good") -> Object:
        """What runs the tiny server."""
        env = [{"name": "BEHAVIOUR", "value": behaviour}]
        if not self._image:
            return {"image": IMAGE, "env": env}
        program = {"name": "PROGRAM", "value": TINY.read_text().replace("127.0.0.1", "")}
        command = ["python", "-c", "import os; exec(os.environ['PROGRAM'])"]
        return {"image": self._image, "command": command, "env": [*env, program]}

    async def until(
        self,
        holds: Callable[[Object | None], Any],
        namespace: str,
        name: str = "calc",
        resource: Resource = MCPSERVERS,
        timeout_s: float = READY_S,
    ) -> Object | None:
        """The object once `holds` says so; None stands for one that is not there."""
        found: Object | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while not holds(found := await self.client.find(resource, name, namespace)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            told = json.dumps((found or {}).get("status"), indent=1)
            raise AssertionError(f"{resource.kind} {namespace}/{name} after {timeout_s} s: {told}") from None
        return found

    async def dump(self, namespace: str) -> Object:
        """All that there is in the namespace, without what differs from life to life."""
        found = {}
        for resource in DUMPED:
            for obj in (await self.client.list(resource, namespace)).items:
                if resource == REPLICASETS and obj["spec"]["replicas"] == 0:
                    continue  # history
                if resource == PODS and obj["metadata"].get("deletionTimestamp"):
                    continue
                place = f"{resource.kind}/{_plain_name(obj['metadata']['name'])}"
                while place in found:
                    place += "+"
                found[place] = _masked(obj)
                if resource == DEPLOYMENTS:
                    del found[place]["status"]["conditions"]  # which of two has changed last tells nothing
        return found

    async def versions(self, namespace: str) -> dict[str, str]:
        """The resourceVersion of everything in the namespace but Events and Leases."""
        found = {}
        for resource in (*DUMPED, CONFIGMAPS):
            for obj in (await self.client.list(resource, namespace)).items:
                found[f"{resource.kind}/{obj['metadata']['name']}"] = obj["metadata"]["resourceVersion"]
        return found

    async def events(self, namespace: str) -> list[Object]:
        return (await self.client.list(EVENTS, namespace)).items

    async def forget_lead(self, *namespaces: str) -> None:
        """So that the next operator of these namespaces need not wait until the lead of a killed one has lapsed."""
        if await self.client.find(LEASES, name := lease_name(namespaces), "kaos-system"):
            await self.client.delete(LEASES, name, "kaos-system")

    async def quiet(self, for_s: float, timeout_s: float = 30, of: str = "") -> None:
        """Return once no operator has written anything for so long, or none in one namespace."""
        seen, since = -1, 0.0
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            while True:
                if (count := sum(f"/{of}" in call.path for call in self.proxy.writes())) != seen:
                    seen, since = count, loop.time()
                if loop.time() - since >= for_s:
                    return
                await asyncio.sleep(0.05)

    async def done_with(self, namespace: str) -> None:
        """End the operators of that namespace, and everything in it."""
        for operator in self._operators:
            if operator.namespaces == (namespace,) and operator.alive:
                operator.kill()
        self._namespaces.remove(namespace)
        await self.client.delete(NAMESPACES, namespace)

    async def clear(self) -> None:
        for operator in self._operators:
            if operator.alive:
                await operator.stop()
            await self.forget_lead(*operator.namespaces)
        for name in self._namespaces:
            try:
                await self.client.delete(NAMESPACES, name)
            except ApiError as refused:
                if refused.code != 404:
                    raise

    def tracebacks(self) -> str:
        return "\n".join(filter(None, (operator.tracebacks() for operator in self._operators)))


def is_ready(obj: Object | None) -> bool:
    status = (obj or {}).get("status") or {}
    if not status.get("ready") or status.get("observedGeneration") != obj["metadata"]["generation"]:
        return False
    return all(one["status"] == "False" for one in status["conditions"] if one["type"] == "Progressing")


def has_reason(reason: str) -> Callable[[Object | None], bool]:
    return lambda obj: ((obj or {}).get("status") or {}).get("reason") == reason


def gone(obj: Object | None) -> bool:
    return obj is None


_MASKED = {
    "uid", "resourceVersion", "creationTimestamp", "managedFields", "lastTransitionTime", "lastUpdateTime",
    "lastProbeTime", "startTime", "startedAt", "finishedAt", "containerID", "podIP", "podIPs", "hostIP", "hostIPs",
    "clusterIP", "clusterIPs", "nodeName", "restartCount", "lastState", "generation", "observedGeneration",
    "pod-template-hash", "containerPort",
}  # fmt: skip
_GENERATED = re.compile(r"(-[a-z0-9]{5,10})(-[a-z0-9]{5})?$")


def _plain_name(name: str) -> str:
    return _GENERATED.sub("-*", name) if name.count("-") > 1 else name


def _masked(value: Any, namespace: str = "") -> Any:
    if isinstance(value, dict):
        namespace = namespace or (value.get("metadata") or {}).get("namespace", "")
        return {
            key: _masked(inner, namespace)
            for key, inner in value.items()
            if key not in _MASKED and not key.startswith(("local.kaos.tools/", "deployment.kubernetes.io/"))
        }
    if isinstance(value, list):
        return [_masked(inner, namespace) for inner in value]
    if isinstance(value, str):
        return _plain_name(value.replace(namespace, "NAMESPACE")) if namespace else value
    return value


def differences(found: Any, wanted: Any, place: str = "") -> list[str]:
    """Where two dumps differ, in words."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys())
        return [one for key in keys for one in differences(found.get(key), wanted.get(key), f"{place}.{key}")]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [one for number, pair in pairs for one in differences(*pair, f"{place}[{number}]")]
    return [] if found == wanted else [f"{place}: {found!r}, wanted: {wanted!r}"]
