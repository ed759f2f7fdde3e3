"""Services on one machine: a stable loopback address for each port, led to a ready pod, and URLs rewritten to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
from typing import Any

from kaos.kube import selectors
from kaos.kube.resources import PODS, SERVICES
from kaos.local.controllers.base import is_ready, place
from kaos.local.machinery import Machinery
from kaos.local.ports import free_port, host_port, port_map
from kaos.local.status import ApiStatus

Object = dict[str, Any]
log = logging.getLogger("kaos.local.services")

ADDRESS_ANNOTATION = "local.kaos.tools/address."  # + port number: 127.0.0.1:<n>
_FACT = "service-port"
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<service>[a-z](?:[a-z0-9-]*[a-z0-9])?)"
    r"(?:\.(?P<namespace>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?P<full>\.svc(?:\.cluster\.local)?)?)?"
    r"(?::(?P<port>\d+))?(?=[/?#\s\"',;)\]}]|$)"
)


class Services:
    """Addresses, relays and rewriting."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery
        self._relays: dict[tuple[str, str, int], asyncio.Server] = {}
        self._turns = itertools.count()
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for stored in self._machinery.select(SERVICES):
            await self._serve(stored.obj)
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        for relay in self._relays.values():
            relay.close()

    async def _watch(self) -> None:
        async for event in self._machinery.watch(SERVICES):
            try:
                if event.type == "DELETED":
                    self._forget(*place(event.object))
                else:
                    await self._serve(event.object)
            except ApiStatus as refused:
                log.debug("service: %s", refused)
            except Exception:
                log.exception("serving %s failed", "/".join(place(event.object)))

    async def _serve(self, service: Object) -> None:
        """Listen for every port of the Service and note the address on it."""
        namespace, name = place(service)
        numbers = {p["port"] for p in service["spec"].get("ports") or () if p.get("protocol", "TCP") == "TCP"}
        for key in [k for k in self._relays if k[:2] == (namespace, name) and k[2] not in numbers]:
            self._relays.pop(key).close()
        for number in numbers:
            if (namespace, name, number) not in self._relays:
                await self._listen(namespace, name, number)
        wanted = {f"{ADDRESS_ANNOTATION}{n}": f"127.0.0.1:{self._port(namespace, name, n)}" for n in numbers}
        present = service["metadata"].get("annotations") or {}
        if any(present.get(key) != value for key, value in wanted.items()):

            def note(obj: Object) -> None:
                obj["metadata"]["annotations"] = (obj["metadata"].get("annotations") or {}) | wanted

            self._machinery.mutate(SERVICES, namespace, name, note)

    async def _listen(self, namespace: str, name: str, number: int) -> None:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._relay(namespace, name, number, reader, writer)

        for _ in range(5):
            port = self._port(namespace, name, number)
            try:
                self._relays[(namespace, name, number)] = await asyncio.start_server(relay, "127.0.0.1", port)
                return
            except OSError:
                # Another program took the port while we were down: the address changes, and the annotation tells so.
                self._machinery.store.set_fact(f"{_FACT}/{namespace}/{name}/{number}", str(free_port()))
        log.warning("service %s/%s has no address for port %d", namespace, name, number)

    def _port(self, namespace: str, name: str, number: int) -> int:
        key = f"{_FACT}/{namespace}/{name}/{number}"
        found = self._machinery.store.fact(key)
        if found is None:
            found = str(free_port())
            self._machinery.store.set_fact(key, found)
        return int(found)

    def _forget(self, namespace: str, name: str) -> None:
        for key in [key for key in self._relays if key[:2] == (namespace, name)]:
            self._relays.pop(key).close()

    async def _relay(
        self, namespace: str, name: str, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        upstream = await self._connect(namespace, name, number)
        if upstream is None:
            writer.close()
            return
        up_reader, up_writer = upstream
        try:
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        finally:
            writer.close()
            up_writer.close()

    async def _connect(
        self, namespace: str, name: str, number: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to a ready pod; one that has just gone is passed over."""
        try:
            targets = self.endpoints(namespace, name, str(number))
        except ApiStatus:
            return None
        for target in targets:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(*target)
        return None

    # Addresses, for the proxy.

    def endpoints(self, namespace: str, service: str, port: str) -> list[tuple[str, int]]:
        """Host and port of each ready pod, the one whose turn it is first; `port` is a number or name, empty for the
        only one. Raises ApiStatus 404."""
        spec = self._machinery.get(SERVICES, namespace, service)["spec"]
        ports = spec.get("ports") or []
        chosen = [p for p in ports if port in (p.get("name"), str(p["port"]))] if port else ports[:1]
        if not chosen or not spec.get("selector"):
            return []
        selector = selectors.from_object({"matchLabels": spec["selector"]})
        target = chosen[0].get("targetPort", chosen[0]["port"])
        ready = [
            ("127.0.0.1", address)
            for stored in self._machinery.select(PODS, namespace, selector)
            if is_ready(stored.obj)
            and not stored.obj["metadata"].get("deletionTimestamp")
            and (address := host_port(stored.obj, target))
        ]
        # All clients have one address here: what keeps a client at its pod keeps them all there.
        turn = 0 if spec.get("sessionAffinity") == "ClientIP" else next(self._turns) % max(len(ready), 1)
        return ready[turn:] + ready[:turn]

    def pod_endpoint(self, namespace: str, pod: str, port: str) -> tuple[str, int] | None:
        """Host and port of a container port of the pod, ready or not. Raises ApiStatus 404."""
        found = self._machinery.get(PODS, namespace, pod)
        if not port:
            first = next((p["containerPort"] for c in found["spec"]["containers"] for p in c.get("ports") or ()), None)
            number = port_map(found).get(first) if first else None
        else:
            number = host_port(found, port)
        return ("127.0.0.1", number) if number else None

    # Rewriting.

    def rewrite(self, namespace: str, text: str) -> str:
        """The text with URLs of Services turned into their loopback addresses, seen from a pod of `namespace`."""
        if "://" not in text:
            return text
        return _URL.sub(lambda found: self._address(namespace, found), text)

    def _address(self, namespace: str, found: re.Match[str]) -> str:
        target = found["namespace"] or namespace
        service = self._machinery.find(SERVICES, target, found["service"])
        number = int(found["port"] or (443 if found["scheme"] == "https" else 80))
        if service is None:
            # A full name can only mean a Service, even one that is yet to come; its address is kept for it.
            if not found["full"]:
                return found[0]
        elif number not in [port["port"] for port in service["spec"].get("ports") or ()]:
            return found[0]
        return f"{found['scheme']}://127.0.0.1:{self._port(target, found['service'], number)}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on until the end, and pass on the end."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(64 * 1024):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
