"""One operator at a time: a Lease in the system namespace, renewed while we lead.

A Lease is no mutex: two operators that both believe they lead do no harm, since every write is idempotent. It only
keeps them from doing everything twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import socket
from collections.abc import Callable
from typing import Any

import aiohttp

from kaos.api.names import OPERATOR_LEASE
from kaos.cluster.aio import AsyncClient
from kaos.cluster.errors import ApiError
from kaos.kube import times
from kaos.kube.resources import LEASES

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")

DURATION_S = 15
RENEW_S = 4.0
RETRY_S = 2.0


def lease_name(namespaces: tuple[str, ...]) -> str:
    """Operators of different namespaces do not stand in each other's way."""
    if not namespaces:
        return OPERATOR_LEASE
    return f"{OPERATOR_LEASE}-{hashlib.sha256(','.join(sorted(namespaces)).encode()).hexdigest()[:8]}"


def own_identity() -> str:
    return f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"


class Lease:
    """Waits for the lead, keeps it, and tells when it comes and goes."""

    def __init__(
        self,
        client: AsyncClient,
        namespace: str,
        name: str,
        identity: str,
        on_waiting: Callable[[str], None],
        about: dict[str, str] | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._on_waiting = on_waiting  # told the present holder, once for each
        self._about = about or {}  # annotations that tell what we are
        self._waited_for = ""
        self._seen: tuple[str, float] = ("", 0.0)  # a foreign lease's version, and when we first saw it
        self.leading = asyncio.Event()
        self.lost = asyncio.Event()  # the opposite
        self.known = False  # whether we could learn just now who leads

    async def keep(self) -> None:
        """Run until cancelled; gives the lead back then."""
        renewed = 0.0
        try:
            while True:
                loop_time = asyncio.get_running_loop().time
                try:
                    async with asyncio.timeout(DURATION_S / 2):
                        held = await self._acquire()
                except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
                    log.warning("lease %s: %s", self._name, error or type(error).__name__)
                    held = self.leading.is_set() and loop_time() - renewed < DURATION_S
                    self.known = False
                else:
                    self.known = True
                    renewed = loop_time() if held else renewed
                self._tell(held)
                await asyncio.sleep(RENEW_S if held else RETRY_S)
        finally:
            if self.leading.is_set():
                self.leading.clear()
                with contextlib.suppress(ApiError, aiohttp.ClientError, OSError, TimeoutError):
                    async with asyncio.timeout(2):
                        await self._give_back()

    def _tell(self, held: bool) -> None:
        if held and not self.leading.is_set():
            log.info("leading as %s", self._identity)
            self.lost.clear()
            self.leading.set()
        elif not held and self.leading.is_set():
            log.warning("the lead is lost; standing by")
            self.leading.clear()
            self.lost.set()

    async def _acquire(self) -> bool:
        lease = await self._client.find(LEASES, self._name, self._namespace)
        now = times.micro_now()
        if lease is None:
            spec = self._spec(now, 0)
            meta = {"name": self._name, "namespace": self._namespace, "annotations": self._about}
            body = {"metadata": meta, "spec": spec}
            return await self._written(self._client.create(LEASES, body, self._namespace))
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder != self._identity and holder and not self._has_lapsed(lease):
            if holder != self._waited_for:
                self._waited_for = holder
                self._on_waiting(holder)
            return False
        changes = spec.get("leaseTransitions") or 0
        if holder == self._identity:
            lease["spec"] = spec | {"renewTime": now}
        else:
            lease["spec"] = self._spec(now, changes + 1)
        lease["metadata"]["annotations"] = (lease["metadata"].get("annotations") or {}) | self._about
        return await self._written(self._client.replace(LEASES, lease, self._namespace))

    def _spec(self, now: str, transitions: int) -> Object:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_S,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _has_lapsed(self, lease: Object) -> bool:
        """By our own clock since the last change that we saw: the holder's clock may be wrong."""
        version, now = lease["metadata"]["resourceVersion"], asyncio.get_running_loop().time()
        if self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] > (lease["spec"].get("leaseDurationSeconds") or DURATION_S)

    async def _written(self, write: Any) -> bool:
        try:
            await write
            return True
        except ApiError as refused:
            if refused.code == 409:  # another was faster
                return False
            raise

    async def _give_back(self) -> None:
        lease = await self._client.find(LEASES, self._name, self._namespace)
        if lease and (lease.get("spec") or {}).get("holderIdentity") == self._identity:
            lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": times.micro_now()}
            await self._client.replace(LEASES, lease, self._namespace)
