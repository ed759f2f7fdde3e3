"""Events on the resources: what changed, in words, and never a flood."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import defaultdict, deque
from typing import Any

import aiohttp

from kaos.api.names import FIELD_MANAGER
from kaos.cluster.aio import AsyncClient
from kaos.cluster.errors import ApiError
from kaos.kube import times
from kaos.kube.resources import EVENTS
from kaos.operator.decide.world import Event

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")

PER_MINUTE = 10  # and resource


class EventRecorder:
    """Writes core/v1 Events, at most PER_MINUTE for one resource; a repeated one is counted."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._written: defaultdict[str, deque[float]] = defaultdict(deque)  # uid -> when

    async def record(self, about: Object, event: Event) -> None:
        """An event that cannot be written is no failure of the resource's."""
        meta = about["metadata"]
        if not self._admitted(meta["uid"]):
            return
        digest = hashlib.sha256(f"{meta['uid']}{event.reason}{event.message}".encode()).hexdigest()[:16]
        name, now = f"{meta['name'][:230]}.{digest}", times.now()
        try:
            try:
                await self._create(name, about, event, now)
            except ApiError as refused:
                if refused.code != 409:
                    raise
                told = await self._client.get(EVENTS, name, meta["namespace"])
                again = {"count": (told.get("count") or 1) + 1, "lastTimestamp": now}
                await self._client.patch(EVENTS, name, again, meta["namespace"])
        except ApiError as refused:
            if refused.code not in (403, 404):  # no right to, or the namespace is going
                log.warning("event on %s/%s not written: %s", meta["namespace"], meta["name"], refused.cause)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.debug("event on %s/%s not written: %s", meta["namespace"], meta["name"], error)

    async def _create(self, name: str, about: Object, event: Event, now: str) -> None:
        meta = about["metadata"]
        body = {
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "type": "Warning" if event.warning else "Normal",
            "reason": event.reason,
            "message": event.message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": "",
        }
        await self._client.create(EVENTS, body, meta["namespace"])

    def _admitted(self, uid: str) -> bool:
        now = time.monotonic()
        for other in [other for other, written in self._written.items() if now - written[-1] > 60]:
            del self._written[other]
        written = self._written[uid]
        while written and now - written[0] > 60:
            written.popleft()
        if len(written) >= PER_MINUTE:
            return False
        written.append(now)
        return True
