"""A conversation with an MCP server at a URL, without a cluster: one of one's own that is being written."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from kaos.actions.conversation import CLOSE_TIMEOUT_S, Cancellation, ServerGone, Talk
from kaos.errors import KaosError, NotReady, UsageError
from kaos.kube import sanitize
from kaos.mcp.blocking import HttpAnswer
from kaos.mcp.questions import Ask
from kaos.mcp.session import Log
from kaos.mcp.wire import Head, McpError


class DirectTalk(Talk):
    """Raises UsageError for what is no URL of a server."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        cancellation: Cancellation | None = None,
        on_log: Log | None = None,
        on_ask: Ask | None = None,
    ) -> None:
        try:
            self._where = urlsplit(url)
            self._port = self._where.port
        except ValueError:
            raise _no_url(url) from None
        if self._where.scheme not in ("http", "https") or not self._where.hostname:
            raise _no_url(url)
        who = f"The server at {sanitize.line(url)}"
        super().__init__(who, who, timeout_s, None, cancellation, on_log, on_ask)

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        host = self._where.hostname or ""
        if self._where.scheme == "https":
            return http.client.HTTPSConnection(host, self._port, timeout=timeout_s)
        return http.client.HTTPConnection(host, self._port, timeout=timeout_s)

    @property
    def _path(self) -> str:
        return (self._where.path or "/") + (f"?{self._where.query}" if self._where.query else "")

    def _send(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        self._cancellation.check()
        connection, awaited = self._connection(self._left_s()), self._awaited

        def close() -> None:
            response.close()
            connection.close()
            self._awaited = awaited  # what was sent beside an answer that is still awaited

        try:
            connection.connect()
        except OSError as error:
            raise ServerGone(str(error), "") from error
        waiting = connection.sock
        self._waits(waiting)
        try:
            connection.request(method, self._path, body or None, headers)
            response = connection.getresponse()
        except TimeoutError as error:
            raise NotReady("The time is up.", "") from error
        except (OSError, http.client.HTTPException) as error:
            raise McpError("it ended the connection before it answered") from error
        return HttpAnswer(_head(response), self._chunks(response, waiting), close)

    def _chunks(self, response: http.client.HTTPResponse, waiting: socket.socket) -> Iterator[bytes]:
        try:
            while chunk := response.read1(65536):
                yield chunk
                waiting.settimeout(self._left_s())
        except TimeoutError as error:
            raise NotReady("The time is up.", "") from error
        except (OSError, http.client.HTTPException) as error:
            raise McpError("it ended the connection before its answer was complete") from error

    def _farewell(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        connection = self._connection(CLOSE_TIMEOUT_S)
        try:
            connection.request(method, self._path, body or None, headers)
            return HttpAnswer(_head(connection.getresponse()), iter(()), connection.close)
        except (OSError, http.client.HTTPException) as error:
            raise McpError("it is gone") from error

    def _gone(self, doing: str) -> KaosError:
        return NotReady(f"{self.who} does not answer while {doing}.", "Start it: kaos mcp run DIRECTORY")


def _head(response: http.client.HTTPResponse) -> Head:
    return Head(response.status, {name.lower(): value for name, value in response.getheaders()})


def _no_url(url: str) -> UsageError:
    return UsageError(f"{sanitize.line(url)!r} is no URL of a server.", "Such as http://127.0.0.1:8000/mcp")
