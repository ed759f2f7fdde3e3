"""The Kubernetes API on an event loop: the operator's and the console's client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from yarl import URL

from kaos.cluster import answers, requests
from kaos.cluster.answers import ObjectList, WatchEvent
from kaos.cluster.connection import Connection
from kaos.cluster.errors import ApiError
from kaos.kube.resources import Resource

Object = dict[str, Any]
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=90)


class AsyncClient:
    """The verbs of `client.Client`, awaitable. Failures raise ApiError, NoConnection or aiohttp.ClientError."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> AsyncClient:
        await asyncio.to_thread(self.connection.headers)  # a login program may take its time
        connector = aiohttp.TCPConnector(limit=0, ssl=self.connection.ssl_context or False)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        return await self._json("GET", requests.path_of(resource, namespace, name))

    async def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        try:
            return await self.get(resource, name, namespace)
        except ApiError as refused:
            if refused.code == 404:
                return None
            raise

    async def list(
        self, resource: Resource, namespace: str | None = None, labels: str | None = None, fields: str | None = None
    ) -> ObjectList:
        """All pages; from the start and in one piece when the server has forgotten the state that they show."""
        path = requests.path_of(resource, namespace)
        query: Object = {"labelSelector": labels, "fieldSelector": fields, "limit": requests.PAGE_SIZE}
        items: list[Object] = []
        while True:
            try:
                page = await self._json("GET", requests.with_query(path, **query))
            except ApiError as refused:
                if refused.code != 410 or "continue" not in query:
                    raise
                items = []
                query = {"labelSelector": labels, "fieldSelector": fields}
                continue
            found, version, token = answers.page_of(page, self.connection.server)
            items += found
            if not token:
                return ObjectList(items, version)
            query["continue"] = token

    async def create(self, resource: Resource, obj: Object, namespace: str | None = None) -> Object:
        return await self._json("POST", requests.path_of(resource, namespace), obj)

    async def replace(self, resource: Resource, obj: Object, namespace: str | None = None) -> Object:
        return await self._json("PUT", requests.path_of(resource, namespace, obj["metadata"]["name"]), obj)

    async def apply(
        self, resource: Resource, obj: Object, namespace: str | None, manager: str, subresource: str | None = None
    ) -> Object:
        """Server-side apply, forced: the fields are ours."""
        path = requests.path_of(resource, namespace, obj["metadata"]["name"], subresource)
        path = requests.with_query(path, fieldManager=manager, force=True)
        return await self._json("PATCH", path, obj, requests.APPLY)

    async def patch(
        self, resource: Resource, name: str, patch: Any, namespace: str | None = None, subresource: str | None = None
    ) -> Object:
        path = requests.path_of(resource, namespace, name, subresource)
        return await self._json("PATCH", path, patch, requests.MERGE)

    async def delete(
        self, resource: Resource, name: str, namespace: str | None = None, uid: str | None = None
    ) -> Object:
        """With a uid only that very object is deleted."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        return await self._json("DELETE", requests.path_of(resource, namespace, name), options)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None,
        resource_version: str,
        labels: str | None = None,
        fields: str | None = None,
    ) -> AsyncIterator[WatchEvent]:
        """What happens after `resource_version`, until the server ends the watch. Raises ApiError 410.

        A stream that is silent for longer than bookmarks come is given up: TimeoutError.
        """
        query = {
            "watch": True,
            "resourceVersion": resource_version,
            "labelSelector": labels,
            "fieldSelector": fields,
            "allowWatchBookmarks": True,
            "timeoutSeconds": 300,
        }
        path = requests.with_query(requests.path_of(resource, namespace), **query)
        async with self.request("GET", path, timeout=_WATCH_TIMEOUT) as response:
            if response.status >= 300:
                raise answers.refusal(response.status, await response.read(), self.connection.server)
            pieces: list[bytes] = []  # of the line that has not ended yet
            async for chunk in response.content.iter_any():
                *ended, rest = chunk.split(b"\n")
                for piece in ended:
                    yield answers.event_of(b"".join([*pieces, piece]), self.connection.server)
                    pieces = []
                pieces.append(rest)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = _STREAM_TIMEOUT,
    ) -> Any:
        """A request whose answer streams; an async context manager, unchecked."""
        return self._session.request(
            method,
            URL(self.connection.server + path, encoded=True),
            data=body,
            headers=self.connection.headers() | (headers or {}),
            timeout=timeout,
            server_hostname=self.connection.server_hostname,
            proxy=self.connection.proxy,
            allow_redirects=False,
        )

    def request_elsewhere(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Any:
        """A request to a pod of this cluster, without our credentials; an awaitable or context manager, unchecked."""
        return self._session.request(
            method, URL(url, encoded=True), data=body, headers=headers, timeout=_STREAM_TIMEOUT, allow_redirects=False
        )

    async def _json(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> Object:
        data = requests.encode(body) if body is not None else None
        headers = {"Accept": "application/json", "Content-Type": media_type}
        async with self.request(method, path, data, headers, _TIMEOUT) as response:
            content = await response.read()
            if response.status >= 300:
                raise answers.refusal(response.status, content, self.connection.server)
            return answers.decode(content, self.connection.server)
