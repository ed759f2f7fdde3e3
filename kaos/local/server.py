"""The API server: HTTP over the machinery, on loopback, with TLS and a token."""

from __future__ import annotations

import asyncio
import logging
import socket

from aiohttp import web

from kaos.errors import UsageError
from kaos.local import auth, discovery, openapi, paths, status
from kaos.local.certs import Credentials
from kaos.local.logs_http import PodLogs
from kaos.local.machinery import Machinery
from kaos.local.negotiation import wants_aggregated
from kaos.local.proxying import Addresses, Proxy
from kaos.local.rbac import Account, Rights
from kaos.local.resources_http import Resources
from kaos.local.responses import failure, reply
from kaos.local.status import ApiStatus

log = logging.getLogger("kaos.local.api")

AGGREGATED = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class ApiServer:
    """Serves one machinery on one port."""

    def __init__(self, machinery: Machinery, credentials: Credentials, addresses: Addresses, logs: PodLogs) -> None:
        self._machinery = machinery
        self._credentials = credentials
        self._proxy = Proxy(addresses)
        self._rights = Rights(machinery)
        self._resources = Resources(machinery, logs, self._rights)
        self._runner: web.AppRunner | None = None
        self._socket: socket.socket | None = None
        self.port = 0

    def bind(self, port: int) -> None:
        """Take the loopback port: what starts before the server can be told where it will be. Raises UsageError."""
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            taken.close()
            raise UsageError(
                f"Port {port} on 127.0.0.1 is taken by another program.", "Take another: kaos local up --port PORT"
            ) from None
        self._socket, self.port = taken, taken.getsockname()[1]

    async def start(self) -> None:
        """Serve on the port that `bind` took."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, ssl_context=self._credentials.server_context()).start()
        await self._proxy.start()

    async def stop(self) -> None:
        self._resources.stop()
        await self._proxy.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            account = auth.check(request, self._credentials.token)
            return await self._route(request, account)
        except ApiStatus as refused:
            return failure(refused)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except web.HTTPRequestEntityTooLarge:
            return failure(status.too_large())
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            return failure(status.internal(type(error).__name__))

    async def _route(self, request: web.Request, account: Account | None) -> web.StreamResponse:
        where = paths.parse(request.rel_url.raw_path)
        if where is None:
            return self._other(request)
        kinds = self._machinery.kinds
        kind = kinds.find(where.group, where.version, where.plural)
        if kind is None:
            raise status.no_such_path(plain=not kinds.is_builtin_group(where.group))
        if account is not None:
            self._rights.check(account, request, kind, where)
        if where.subresource == "proxy" and where.plural in ("pods", "services"):
            return await self._proxy.handle(request, where)
        return await self._resources.handle(request, kind, where, account)

    def _other(self, request: web.Request) -> web.Response:
        """Health, version, discovery and OpenAPI."""
        if request.method not in ("GET", "HEAD"):
            raise status.method_not_allowed()
        kinds = self._machinery.kinds
        match request.path.strip("/").split("/"):
            case ["livez" | "readyz" | "healthz", *_]:
                return web.Response(text="ok")
            case ["version"]:
                return reply(discovery.version())
            case ["api" | "apis" as root] if wants_aggregated(request.headers.get("Accept", "")):
                found = discovery.aggregated(kinds, core=root == "api")
                return reply(found, media_type=f"application/json;{AGGREGATED}")
            case ["api"]:
                return reply(discovery.api_versions(f"127.0.0.1:{self.port}"))
            case ["apis"]:
                return reply(discovery.group_list(kinds))
            case ["apis", group] if found := discovery.group(kinds, group):
                return reply(found)
            case ["api", version] if found := discovery.resource_list(kinds, "", version):
                return reply(found)
            case ["apis", group, version] if found := discovery.resource_list(kinds, group, version):
                return reply(found)
            case ["openapi", "v3"]:
                return reply(openapi.index(kinds), media_type="text/plain; charset=utf-8")
            case ["openapi", "v3", "api", version] if found := openapi.document(kinds, "", version):
                return reply(found)
            case ["openapi", "v3", "apis", group, version] if found := openapi.document(kinds, group, version):
                return reply(found)
            case [""]:
                return reply({"paths": ["/api", "/apis", "/livez", "/openapi/v3", "/readyz", "/version"]})
            case ["openapi", "v3", *_]:
                return web.Response(status=404, headers={"Content-Type": ""})
            case ["apis", group, *_] if kinds.is_builtin_group(group):
                raise status.no_such_path()
        raise status.no_such_path(plain=True)
