"""Talking to agents and models through the API server's proxy, in OpenAI's protocol, as it comes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kaos.actions import resources
from kaos.actions.conversation import Cancellation
from kaos.actions.kinds import MODELAPI, Kind
from kaos.actions.refusals import explained
from kaos.api.names import HOSTED_PORT, MASTER_KEY, SERVICE_PORT
from kaos.cluster import ApiError, Client
from kaos.cluster.client import Response
from kaos.cluster.requests import pod_proxy_path, service_proxy_path
from kaos.errors import Forbidden, KaosError, NotReady
from kaos.kube.resources import PODS, SECRETS
from kaos.mcp.wire import SseParser

Object = dict[str, Any]
SESSION_HEADER = "x-session-id"
KEY_VARIABLE = "KAOS_MODEL_API_KEY"  # of who calls a ModelAPI that wants one


DELEGATION = "delegation"


@dataclass(frozen=True)
class Step:
    """What an agent did on the way to its answer; told when it begins (no result) and again when it has ended."""

    kind: str  # tool_call, delegation
    name: str
    arguments: Object
    identity: str = ""
    result: str | None = None
    failed: bool = False
    seconds: float = 0.0

    @classmethod
    def told(cls, data: Object) -> Step:
        """As it stands in the stream; what is missing or odd there does not matter here."""
        arguments, result = data.get("arguments"), data.get("result")
        return cls(
            str(data.get("kind") or "tool_call"),
            str(data.get("name") or "?"),
            arguments if isinstance(arguments, dict) else {"arguments": arguments},
            str(data.get("identity") or ""),
            None if result is None else str(result),
            bool(data.get("failed")),
            float(data.get("seconds") or 0.0),
        )


@dataclass
class Reply:
    """What came back: the text, the steps before it, and what it cost."""

    text: str = ""
    steps: list[Step] = field(default_factory=list)
    usage: Object = field(default_factory=dict)
    finish: str = ""
    session_id: str = ""
    model: str = ""
    first_s: float | None = None  # until the first piece of text
    seconds: float = 0.0


def new_session() -> str:
    """A name for a conversation: short enough to be typed again."""
    return uuid.uuid4().hex[:8]


class Endpoint:
    """The HTTP of one Agent or ModelAPI."""

    def __init__(self, client: Client, kind: Kind, name: str, namespace: str, timeout_s: float) -> None:
        self._client = client
        self._kind = kind
        self.name = name
        self.namespace = namespace
        self._timeout_s = timeout_s
        self.object = resources.get(client, kind, name, namespace)
        self._pod = ""

    @property
    def who(self) -> str:
        return f"{self._kind.title} {self.namespace}/{self.name}"

    def get(self, path: str) -> Any:
        """What the endpoint answers to GET. Raises KaosError."""
        response = self._open("GET", path, None, {})
        try:
            return json.loads(response.read())
        except ValueError:
            raise KaosError(f"{self.who}: the answer to {path} is not JSON.", self.read_log) from None
        finally:
            response.close()

    def post(self, path: str, body: Object) -> Any:
        """What the endpoint answers to a JSON body. Raises KaosError."""
        response = self._open("POST", path, body, {})
        try:
            return json.loads(response.read())
        except ValueError:
            raise KaosError(f"{self.who}: the answer to {path} is not JSON.", self.read_log) from None
        finally:
            response.close()

    def stream(self, path: str, body: bytes, pod: str = "") -> Iterator[bytes]:
        """The pieces of the answer as they come, from that pod or from any. Raises KaosError."""
        response = self._send("POST", path, body, {}, pod)
        try:
            yield from response.chunks()
        finally:
            response.close()

    def ready_pods(self) -> list[str]:
        """The pods that answer, by name."""
        pods = self._client.list(PODS, self.namespace, labels=self._kind.selector(self.name)).items
        return sorted(pod["metadata"]["name"] for pod in pods if _is_ready(pod))

    def ask(
        self,
        messages: list[Object],
        model: str,
        session_id: str | None = None,
        on_text: Callable[[str], None] = lambda text: None,
        on_step: Callable[[Step], None] = lambda step: None,
        cancellation: Cancellation | None = None,
        tools: bool = True,
    ) -> Reply:
        """One chat completion, streamed. Raises Cancelled, or KaosError with the endpoint's own words."""
        body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
        body |= {} if tools else {"tool_choice": "none"}
        cancellation = cancellation or Cancellation()
        try:
            return self._ask(body, session_id, on_text, on_step, cancellation)
        except KaosError:
            cancellation.check()
            raise

    def _ask(
        self,
        body: Object,
        session_id: str | None,
        on_text: Callable[[str], None],
        on_step: Callable[[Step], None],
        cancellation: Cancellation,
    ) -> Reply:
        headers = {SESSION_HEADER: session_id} if session_id else {}
        began = time.monotonic()
        data = json.dumps(body, ensure_ascii=False).encode()
        response = self._send("POST", "/v1/chat/completions", data, headers, cancellation=cancellation)
        reply = Reply(session_id=response.headers.get(SESSION_HEADER, ""))
        try:
            for chunk in self._chunks(response):
                if error := chunk.get("error"):
                    raise KaosError(f"{self.who}: {_message(error)}", self.read_log)
                if told := chunk.get("kaos.step"):
                    step = Step.told(told)
                    on_step(step)
                    reply.steps += [step] if step.result is not None else []
                reply.usage = chunk.get("usage") or reply.usage
                reply.model = chunk.get("model") or reply.model
                for choice in chunk.get("choices") or ():
                    text = (choice.get("delta") or {}).get("content") or ""
                    reply.finish = choice.get("finish_reason") or reply.finish
                    reply.text += text
                    if text:
                        reply.first_s = reply.first_s or time.monotonic() - began
                        on_text(text)
        finally:
            response.close()
        reply.seconds = time.monotonic() - began
        return reply

    def _chunks(self, response: Response) -> Iterator[Object]:
        events, ended = SseParser(), False
        for piece in response.chunks():
            for data in events.feed(piece):
                if data.strip() == b"[DONE]":
                    ended = True
                    continue
                try:
                    yield json.loads(data)
                except ValueError:
                    raise KaosError(
                        f"{self.who}: the stream holds what is no chat completion.", self.read_log
                    ) from None
        if not ended:
            raise KaosError(f"{self.who} ended its answer before it was complete.", self.read_log)

    def _open(self, method: str, path: str, body: Object | None, headers: dict[str, str]) -> Response:
        data = json.dumps(body, ensure_ascii=False).encode() if body is not None else None
        return self._send(method, path, data, headers)

    def _send(
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: dict[str, str],
        pod: str = "",
        cancellation: Cancellation | None = None,
    ) -> Response:
        where = self._path(path, pod)
        headers = {"Content-Type": "application/json", **self._key(), **headers}
        waits = _hang_up_on(cancellation) if cancellation else None
        response = self._client.request(
            method, where, data, headers, timeout_s=self._timeout_s, check=False, on_sent=waits
        )
        if response.status < 400:
            return response
        content = response.read()
        response.close()
        raise self._failure(response.status, content)

    def _path(self, path: str, pod: str) -> str:
        """Through the Service; where sessions are per pod, always through the same one."""
        status = self.object.get("status") or {}
        port = HOSTED_PORT if self.object["spec"].get("hostedConfig") else SERVICE_PORT
        if (status.get("replicas") or 1) > 1 and self._kind is not MODELAPI:
            self._pod = self._pod or min(self.ready_pods(), default="")
        if pod := pod or self._pod:
            return pod_proxy_path(self.namespace, pod, port, path)
        return service_proxy_path(self.namespace, self._kind.child(self.name), port, path)

    def _key(self) -> dict[str, str]:
        """The caller's own key, or the one that the owner has set. The API server keeps `Authorization` for itself."""
        variables = ((self.object["spec"].get("container") or {}).get("env") or ()) if self._kind is MODELAPI else ()
        source = next((one for one in variables if one.get("name") == MASTER_KEY), {})
        value = os.environ.get(KEY_VARIABLE) if self._kind is MODELAPI else None
        if not value:
            reference = (source.get("valueFrom") or {}).get("secretKeyRef")
            value = self._secret(reference) if reference else source.get("value")
        return {"x-litellm-api-key": f"Bearer {value.strip()}"} if value else {}

    def _secret(self, reference: Object) -> str:
        try:
            with explained(self._client, SECRETS, reference["name"], self.namespace):
                secret = self._client.get(SECRETS, reference["name"], self.namespace)
        except Forbidden as refused:
            raise Forbidden(
                f"{self.who} wants a key that you may not read: {refused.cause}",
                f"Put a key of yours into {KEY_VARIABLE}",
            ) from None
        return base64.b64decode((secret.get("data") or {}).get(reference["key"], "")).decode()

    def _failure(self, status: int, content: bytes) -> KaosError:
        try:
            told = json.loads(content)
        except ValueError:
            told = {}
        if isinstance(told, dict) and told.get("kind") == "Status":
            refused = ApiError.of(status, content)
            if status == 403:
                return Forbidden(f"No right to call it: {refused.message}", "Ask for: create on services/proxy")
            return self.not_ready()
        if isinstance(told, dict) and told.get("error"):
            if self._kind is MODELAPI and (status == 401 or _knows_no_such_key(told["error"])):
                return KaosError(f"{self.who}: its key is missing or wrong (HTTP {status}).", f"Set {KEY_VARIABLE}")
            return KaosError(f"{self.who}: {_message(told['error'])} (HTTP {status})", "")
        text = content[:200].decode(errors="replace").strip()
        return KaosError(f"{self.who} answered HTTP {status}{': ' + text if text else ''}.", self.read_log)

    def not_ready(self) -> NotReady:
        from kaos.actions.waiting import cure, state

        obj = resources.get(self._client, self._kind, self.name, self.namespace)
        why = state(obj) or ": no operator has looked at it yet"
        return NotReady(f"{self.who} is not ready{why}.", cure(obj, self._kind))

    @property
    def read_log(self) -> str:
        return f"Read its log: kaos {self._kind.command} logs {self.name} -n {self.namespace}"


def _hang_up_on(cancellation: Cancellation) -> Callable[[socket.socket], None]:
    """Whoever waits at the other end learns of a cancellation by the end of the connection."""
    cancellation.check()

    def waits(awaited: socket.socket) -> None:
        def hang_up() -> None:
            with contextlib.suppress(OSError):  # the answer has come in this moment
                socket.socket.shutdown(awaited, socket.SHUT_RDWR)  # a TLS socket's own would break the reader

        cancellation.ends_by(hang_up)
        if cancellation.asked:
            hang_up()

    return waits


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _knows_no_such_key(error: Any) -> bool:
    """How LiteLLM puts it: it would look the key up in a database, and has none."""
    return isinstance(error, dict) and error.get("type") == "no_db_connection"


def _message(error: Any) -> str:
    return str(error.get("message") or error) if isinstance(error, dict) else str(error)
