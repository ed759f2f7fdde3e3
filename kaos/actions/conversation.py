"""A conversation with one MCP server, in which every failure becomes words; here through the API server's proxy."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

from kaos.actions import resources
from kaos.actions.kinds import MCPSERVER
from kaos.api.names import DEFAULT_PATH, SERVICE_PORT, Phase
from kaos.cluster import ApiError, Client
from kaos.cluster.requests import pod_proxy_path, service_proxy_path
from kaos.errors import Forbidden, KaosError, NoConnection, NotReady, UsageError
from kaos.kube.resources import PODS
from kaos.mcp.blocking import HttpAnswer, McpSession, SendHttp
from kaos.mcp.questions import Ask, Question, Reply
from kaos.mcp.session import Log
from kaos.mcp.wire import MODERN, Head, McpError, RpcError

Object = dict[str, Any]
CLOSE_TIMEOUT_S = 2.0
PORT_NAME = "http"  # of the container that serves, which may be the bridge beside the server
_SERVING = (Phase.READY, Phase.DEGRADED)


class Cancelled(KaosError):
    """Whoever asked does not want the answer any longer."""

    def __init__(self) -> None:
        super().__init__("Cancelled.", "")


class Cancellation:
    """The way out of a conversation from another thread: `ask()` ends whatever it waits for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] = lambda: None
        self.asked = False

    def ask(self) -> None:
        with self._lock:
            self.asked, end = True, self._end
        end()

    def ends_by(self, end: Callable[[], None]) -> None:
        """What is to happen when it is asked for."""
        with self._lock:
            self._end = end

    def check(self) -> None:
        """Raises Cancelled when it has been asked for."""
        if self.asked:
            raise Cancelled


class Talk:
    """A session with one server, in which every failure becomes words; subclasses know the way to it."""

    def __init__(
        self,
        short: str,
        who: str,
        timeout_s: float,
        version: str | None = None,
        cancellation: Cancellation | None = None,
        on_log: Log | None = None,
        on_ask: Ask | None = None,
    ) -> None:
        self.short = short  # what a person calls it
        self.who = who
        self._ask = on_ask
        self._cancellation = cancellation or Cancellation()
        self._awaited: socket.socket | None = None
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self.session = McpSession(self._send, version, on_log, self._asked if on_ask else None)
        self._cancellation.ends_by(self._cancel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What failed has been answered; what is left in any other way is still being worked on.
        unanswered = kind is not None and not issubclass(kind, McpError | UsageError)
        self._leave(self.session.abandon if unanswered else self.session.close)

    # For subclasses.

    def _send(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        raise NotImplementedError

    def _farewell(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        """Send beside what is being waited for, for a moment only."""
        raise NotImplementedError

    def _gone(self, doing: str) -> KaosError:
        """Nobody answers in its place."""
        raise NotImplementedError

    def _read_log(self) -> str:
        """How to see what it said itself."""
        return ""

    # What they share.

    def _leave(self, verb: Callable[[SendHttp], None]) -> None:
        with contextlib.suppress(KaosError):  # a server ends a session by itself in time
            verb(self._farewell)

    def _cancel(self) -> None:
        """From another thread. A server without sessions learns of it by the end of the connection."""
        self._leave(self.session.abandon)
        self._stop_waiting()

    def _asked(self, question: Question) -> Reply:
        """Whoever thinks about a question uses up none of the server's time."""
        assert self._ask is not None
        began = time.monotonic()
        try:
            return self._ask(question)
        finally:
            self._deadline += time.monotonic() - began

    def _stop_waiting(self) -> None:
        if self._awaited is not None:
            with contextlib.suppress(OSError):  # the answer has come in this moment
                socket.socket.shutdown(self._awaited, socket.SHUT_RDWR)  # a TLS socket's own would break the reader

    def _waits(self, awaited: socket.socket) -> None:
        self._awaited = awaited
        if self._cancellation.asked:
            self._stop_waiting()

    def _left_s(self) -> float:
        """Raises NotReady when the time is up."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise NotReady("The time is up.", "")
        return left_s

    def run(self, doing: str, verb: Callable[[], Any]) -> Any:
        """Do one thing with the server. Raises Cancelled, or KaosError in words about server and tool."""
        try:
            return self._in_words(doing, verb)
        except KaosError:
            self._cancellation.check()
            raise

    def _in_words(self, doing: str, verb: Callable[[], Any]) -> Any:
        who = self.who
        try:
            return verb()
        except ServerGone as error:
            raise self._gone(doing) from error
        except NotReady as error:
            raise NotReady(
                f"{who} did not answer within {self._timeout_s:g} s while {doing}.", "Give it longer: --timeout SECONDS"
            ) from error
        except RpcError as error:
            error.cause = f"{who}: {error.cause}" + (f" (code {error.code})" if error.code is not None else "")
            raise
        except McpError as error:
            raise McpError(f"{who}, while {doing}: {error.cause}", error.cure or self._read_log()) from error


class ServerGone(NotReady):
    """Nobody is there in the server's place."""


class Conversation(Talk):
    """With a server of the cluster, through the API server's proxy."""

    def __init__(
        self,
        client: Client,
        name: str,
        namespace: str,
        timeout_s: float,
        cancellation: Cancellation | None = None,
        on_log: Log | None = None,
        on_ask: Ask | None = None,
    ) -> None:
        self._client = client
        self.name = name
        self.namespace = namespace
        server = resources.get(client, MCPSERVER, name, namespace)
        status = server.get("status") or {}
        # What is still starting may have come up a moment ago: the call tells.
        if status.get("phase") not in (None, *_SERVING, Phase.PENDING) and not status.get("readyReplicas"):
            raise self._not_ready(server)
        version = status.get("protocolVersion")
        self._path = endpoint(client, name, namespace, status, version)
        who = f"MCPServer {namespace}/{name}"
        super().__init__(f"MCPServer {name}", who, timeout_s, version, cancellation, on_log, on_ask)

    def _read_log(self) -> str:
        return f"Read its log: kaos mcp logs {self.name} -n {self.namespace}"

    def _gone(self, doing: str) -> KaosError:
        """Nobody answers in its place. What the status says of it may be a moment old."""
        server = resources.get(self._client, MCPSERVER, self.name, self.namespace)
        if not (server.get("status") or {}).get("ready"):
            return self._not_ready(server)
        who = f"MCPServer {self.namespace}/{self.name}"
        return NotReady(f"{who} was ready a moment ago, but is gone while {doing}.", self._read_log())

    def _not_ready(self, server: Object) -> KaosError:
        from kaos.actions.waiting import cure, state

        who = f"MCPServer {self.namespace}/{self.name}"
        why = state(server) or ": no operator has looked at it yet"
        return NotReady(f"{who} is not ready{why}.", cure(server, MCPSERVER))

    def _send(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        self._cancellation.check()
        left_s = self._left_s()
        awaited = self._awaited

        def close() -> None:
            response.close()
            self._awaited = awaited  # what was sent beside an answer that is still awaited

        response = self._client.request(
            method, self._path, body, headers, timeout_s=left_s, check=False, on_sent=self._waits
        )
        head = Head(response.status, response.headers)
        if head.status < 400:
            return HttpAnswer(head, self._chunks(response), close)
        content, own = refused_content(response)
        if own is not None:
            raise self._refusal(own)
        return HttpAnswer(head, iter([content]), lambda: None)

    def _farewell(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        response = self._client.request(method, self._path, body, headers, timeout_s=CLOSE_TIMEOUT_S, check=False)
        return HttpAnswer(Head(response.status, response.headers), iter(()), response.close)

    def _chunks(self, response: Any) -> Iterator[bytes]:
        try:
            for chunk in response.chunks():
                yield chunk
                response.limit(self._left_s())
        except NoConnection as error:
            raise McpError("it ended the connection before its answer was complete", self._read_log()) from error

    def _refusal(self, refused: ApiError) -> KaosError:
        """The API server's own answer in place of the server's."""
        if refused.code == 403:
            return Forbidden(f"No right to call it: {refused.message}", "Ask for: create on services/proxy")
        if refused.code in (404, 500, 502, 503, 504):
            return ServerGone(refused.message, "")
        return refused


def refused_content(response: Any) -> tuple[bytes, ApiError | None]:
    """The body of an answer that refuses, and what the API server itself says in it, if it is the one that refuses."""
    try:
        content = response.read()
    except NoConnection:
        content = b""  # who refuses without having read may hang up in the middle; the status tells enough
    response.close()
    is_own = b'"kind":"Status"' in content.replace(b" ", b"")[:400]
    return content, ApiError.of(response.status, content) if is_own else None


def endpoint(client: Client, name: str, namespace: str, status: Object, version: str | None) -> str:
    """The path at the API server that leads to the server, for clients that speak this version of MCP."""
    path = status.get("path") or DEFAULT_PATH
    # A session lives in one pod, and nothing leads the proxy's next request to the same one.
    if version != MODERN and (status.get("replicas") or 1) > 1:
        for pod in client.list(PODS, namespace, labels=MCPSERVER.selector(name)).items:
            if port := _serving_port(pod):
                return pod_proxy_path(namespace, pod["metadata"]["name"], port, path)
    return service_proxy_path(namespace, MCPSERVER.child(name), SERVICE_PORT, path)


def _serving_port(pod: Object) -> int | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    if not ready or pod["metadata"].get("deletionTimestamp"):
        return None
    ports = [port for one in pod["spec"]["containers"] for port in one.get("ports") or ()]
    return next((port["containerPort"] for port in ports if port.get("name") == PORT_NAME), None)
