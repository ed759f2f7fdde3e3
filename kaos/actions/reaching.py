"""HTTP to one MCP server of the cluster that may be away for a while: what has not reached it is tried again.

What may have reached it never is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from kaos.actions import resources
from kaos.actions.conversation import endpoint, refused_content
from kaos.actions.kinds import MCPSERVER
from kaos.actions.loopback import Answer
from kaos.cluster import Client
from kaos.cluster.connection import Connection
from kaos.errors import Forbidden, KaosError, NotFound

PATIENCE_S = 30.0  # for a server or API server that restarts
FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 2.0
# How API servers say that nobody was there to be told anything.
_NOBODY = re.compile(r"no endpoints available|is served here|dial tcp|[Cc]onnection refused|Cannot connect to host")


class Refused(KaosError):
    """The API server's own answer in place of the server's."""


class Unreached(KaosError):
    """Nothing has reached the server."""


class Reach:
    """The way to one server. Safe to be used by many threads."""

    def __init__(self, connection: Connection, name: str, namespace: str) -> None:
        self._connection = connection
        self._name = name
        self._namespace = namespace
        self._paths: dict[str | None, str] = {}

    def send(
        self,
        method: str,
        headers: dict[str, str],
        body: bytes,
        version: str | None,
        *,
        patience_s: float = PATIENCE_S,
        on_sent: Callable[..., None] | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """The answer, by the way that clients of this version of MCP take. Raises NotFound, Forbidden, Unreached,
        Refused, or NoConnection when nobody knows whether it got there."""
        deadline, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
        while True:
            try:
                return self._once(method, headers, body, version, on_sent, timeout_s)
            except Unreached:
                if time.monotonic() + pause > deadline:
                    raise
            self._paths.clear()
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_S)

    def _once(
        self,
        method: str,
        headers: dict[str, str],
        body: bytes,
        version: str | None,
        on_sent: Callable[..., None] | None,
        timeout_s: float | None,
    ) -> Answer:
        sent = False

        def told(*awaited: object) -> None:
            nonlocal sent
            sent = True
            if on_sent is not None:
                on_sent(*awaited)

        try:
            client = Client(self._connection)
            path = self._path(client, version)
            answer = client.request(method, path, body or None, headers, timeout_s, check=False, on_sent=told)
        except (NotFound, Forbidden):
            raise
        except KaosError as error:
            if sent:
                raise
            raise Unreached(error.cause, error.cure) from error
        if answer.status < 400:
            return Answer(answer.status, answer.headers, answer.chunks(), answer.close)
        content, own = refused_content(answer)
        if own is not None:
            is_away = answer.status in (404, 502, 503) and (answer.status == 404 or _NOBODY.search(own.message))
            raise (Unreached if is_away else Refused)(own.message, own.cure)
        return Answer(answer.status, answer.headers, iter([content]), lambda: None)

    def _path(self, client: Client, version: str | None) -> str:
        if version not in self._paths:
            server = resources.get(client, MCPSERVER, self._name, self._namespace)
            status = server.get("status") or {}
            self._paths[version] = endpoint(client, self._name, self._namespace, status, version)
        return self._paths[version]
