"""Watches over HTTP: what happened since a revision, then what happens, with bookmarks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web

from kaos.kube.selectors import FieldSelector, LabelSelector
from kaos.local import options, status, tables
from kaos.local.kinds import Kind
from kaos.local.machinery import Machinery, matches
from kaos.local.negotiation import Form
from kaos.local.responses import encode
from kaos.local.serving import encoded, served
from kaos.local.status import ApiStatus
from kaos.local.store import Change, Stored

BOOKMARK_EVERY_S = 50.0
_DEFAULT_TIMEOUT_S = 1800.0
INITIAL_END = "k8s.io/initial-events-end"

Object = dict[str, Any]


class Watch:
    """One watch request."""

    def __init__(
        self, machinery: Machinery, kind: Kind, namespace: str | None, labels: LabelSelector | None,
        fields: FieldSelector | None, form: Form, include_object: str,
    ) -> None:  # fmt: skip
        self._store = machinery.store
        self._machinery = machinery
        self._kind = kind
        self._namespace = namespace if kind.resource.namespaced else None
        self._labels = labels
        self._fields = fields
        self._shape = self._shaper(form, include_object)

    def _shaper(self, form: Form, include_object: str) -> Callable[[Stored], Any]:
        if form.kind == "Table":
            to_table = tables.watch_tables(self._kind, include_object, form.version)
            return lambda stored: to_table(served(self._kind, stored.obj))
        if form.kind.startswith("PartialObjectMetadata"):
            return lambda stored: tables.partial(stored.obj)
        return lambda stored: encoded(self._kind, stored)

    async def serve(self, request: web.Request, stopping: asyncio.Event) -> web.StreamResponse:
        query = request.query
        timeout_s = float(options.number(query, "timeoutSeconds") or _DEFAULT_TIMEOUT_S)
        bookmarks = options.is_true(query.get("allowWatchBookmarks"))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        with self._store.subscribe() as changes:
            first = self._first(query, bookmarks)
            await response.prepare(request)
            try:
                for event in first:
                    await response.write(event)
                await self._follow(response, changes, bookmarks, timeout_s, stopping)
            except ApiStatus as refused:
                await response.write(_line("ERROR", refused.body()))
            await response.write_eof()
        return response

    def _first(self, query: Any, bookmarks: bool) -> Iterator[bytes]:
        """What comes before the present: the objects that are there, or the changes since the asked revision."""
        asked = query.get("resourceVersion") or ""
        initial = query.get("sendInitialEvents")
        wanted = options.is_true(initial)
        if wanted or (initial is None and asked in ("", "0")):
            events = [_line("ADDED", self._shape(stored)) for stored in self._present()]
            if wanted and bookmarks:
                events.append(self._bookmark(initial_end=True))
            return iter(events)
        if asked in ("", "0"):
            return iter(())
        try:
            return iter([line for change in self._store.changes_since(int(asked)) for line in self._event(change)])
        except ApiStatus as too_old:
            return iter([_line("ERROR", too_old.body())])

    def _present(self) -> list[Stored]:
        return self._machinery.select(self._kind.resource, self._namespace, self._labels, self._fields)

    async def _follow(
        self, response: web.StreamResponse, changes: asyncio.Queue, bookmarks: bool, timeout_s: float,
        stopping: asyncio.Event,
    ) -> None:  # fmt: skip
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        next_bookmark = loop.time() + BOOKMARK_EVERY_S * random.uniform(0.8, 1.2)
        stop = asyncio.ensure_future(stopping.wait())
        get: asyncio.Future[Change | None] | None = None
        try:
            while not stop.done():
                get = get or asyncio.ensure_future(changes.get())
                left_s = max(min(end, next_bookmark) - loop.time(), 0)
                await asyncio.wait({get, stop}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                if get.done():
                    change, get = get.result(), None
                    lines = self._lines(change, changes)
                    if lines:
                        await response.write(lines)
                elif loop.time() >= end:
                    return
                elif loop.time() >= next_bookmark:
                    next_bookmark = loop.time() + BOOKMARK_EVERY_S
                    if bookmarks:
                        await response.write(self._bookmark())
        finally:
            stop.cancel()
            if get is not None:
                get.cancel()

    def _lines(self, change: Change | None, more: asyncio.Queue) -> bytes:
        """The events of the change and of those that have come since. Raises ApiStatus 410 for a slow reader."""
        lines = []
        while True:
            if change is None:
                raise status.expired(self._store.revision, 0)
            lines += self._event(change)
            if more.empty():
                return b"".join(lines)
            change = more.get_nowait()

    def _event(self, change: Change) -> Iterator[bytes]:
        collection, namespace, _ = change.key
        if collection != self._kind.collection or (self._namespace and namespace != self._namespace):
            return
        now = change.kind != "DELETED" and self._selects(change.stored)
        before = change.before is not None and self._selects(change.before)
        if now:
            yield _line("MODIFIED" if before else "ADDED", self._shape(change.stored))
        elif before:
            yield _line("DELETED", self._shape(change.gone()))

    def _selects(self, stored: Stored) -> bool:
        return matches(served(self._kind, stored.obj), self._labels, self._fields)

    def _bookmark(self, initial_end: bool = False) -> bytes:
        resource = self._kind.resource
        meta: Object = {"resourceVersion": str(self._store.revision)}
        if initial_end:
            meta["annotations"] = {INITIAL_END: "true"}
        return _line("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta})


def _line(kind: str, obj: Any) -> bytes:
    shown = obj if isinstance(obj, bytes) else encode(obj)
    return b'{"type":"' + kind.encode() + b'","object":' + shown + b"}\n"
