"""Plays a story on one API server and notes the answers, masked."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import httpx
import yaml

from tests.parity import masks
from tests.parity.story import HERE, MEDIA, Request, Story

_PATIENCE_S = 30.0
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Play:
    """One story on one server, in a namespace of its own; requests run once, in their order."""

    def __init__(self, server: httpx.Client, story: Story) -> None:
        self._server = server
        self._story = story
        letters = "abcdefghjkmnpqrstuvwxyz"
        self._namespace = f"parity-{story.name}-{''.join(secrets.choice(letters) for _ in range(6))}"
        self._kept: dict[str, str] = {}
        self._answers: dict[str, dict[str, Any]] = {}

    def answer(self, name: str) -> dict[str, Any]:
        """The masked answer to the named request, after everything before it has been sent."""
        if not self._answers:
            self._set_the_scene()
        for request in self._story.requests:
            if request.name not in self._answers:
                self._answers[request.name] = self._play(request)
            if request.name == name:
                break
        return self._answers[name]

    def _set_the_scene(self) -> None:
        for given in self._story.given:
            make(self._server, given)
        made = self._server.post("/api/v1/namespaces", json={"metadata": {"name": self._namespace}})
        made.raise_for_status()
        account = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/default"
        _until(lambda: self._server.get(account), lambda answer: answer.status_code == 200)

    def close(self) -> None:
        if self._answers:
            self._server.delete(f"/api/v1/namespaces/{self._namespace}")

    # One request.

    def _play(self, request: Request) -> dict[str, Any]:
        try:
            answer = _until(lambda: self._send(request), lambda got: _is_wanted(got, request.until))
        except Exception as error:
            raise AssertionError(f"{self._story.name}: {request.name}: {error}") from error
        for name, path in request.keep.items():
            (self._kept[name],) = masks.at(answer["body"], path)
        return self._masked(answer, request)

    def _filled(self, value: Any) -> Any:
        """The value with {ns} and kept values filled in."""
        if isinstance(value, str):
            for name, known in {"ns": self._namespace, **self._kept}.items():
                value = value.replace(f"{{{name}}}", known)
            return value
        if isinstance(value, dict):
            return {self._filled(key): self._filled(item) for key, item in value.items()}
        return [self._filled(item) for item in value] if isinstance(value, list) else value

    def _send(self, request: Request) -> dict[str, Any]:
        headers = {"Accept": MEDIA.get(request.accept, request.accept) or "application/json"}
        content: bytes | None = None
        if request.raw is not None:
            content = self._filled(request.raw).encode()
        elif request.body is not None:
            content = json.dumps(self._filled(request.body)).encode()
        if request.content_type:
            headers["Content-Type"] = request.content_type
        asked = self._server.build_request(request.method, self._filled(request.path), headers=headers, content=content)
        if request.events:
            return self._events(asked, request.events)
        answer = self._server.send(asked)
        return _head(answer) | {"body": _body(answer)}

    def _events(self, asked: httpx.Request, count: int) -> dict[str, Any]:
        answer = self._server.send(asked, stream=True)
        try:
            events = []
            for line in answer.iter_lines():
                events.append(json.loads(line))
                if len(events) == count or answer.status_code != 200:
                    break
        finally:
            answer.close()
        return _head(answer) | {"body": events}

    def _masked(self, answer: dict[str, Any], request: Request) -> dict[str, Any]:
        answer = masks.masked(answer, self._kept, self._namespace)
        body = answer["body"]
        if request.pick:
            picked = masks.at(body, request.pick)
            body = picked if "*" in request.pick else picked[0] if picked else None
        if request.among and isinstance(body, list):
            ((key, wanted),) = request.among.items()
            body = [item for item in body if _found(item, key) in wanted]
        elif request.among and isinstance(body, dict):
            body = {key: item for key, item in body.items() if key in request.among["keys"]}
        for path in request.drop:
            masks.change(body, path, None)
        for path in request.mask:
            masks.change(body, path, "<masked>")
        return {**answer, "body": body}


def _found(item: Any, path: str) -> Any:
    return next(iter(masks.at(item, path)), None)


def _head(answer: httpx.Response) -> dict[str, Any]:
    head: dict[str, Any] = {"code": answer.status_code, "type": answer.headers.get("Content-Type", "")}
    if warnings := answer.headers.get_list("Warning"):
        head["warnings"] = warnings
    if allowed := answer.headers.get("Allow"):
        head["allow"] = allowed
    return head


def _body(answer: httpx.Response) -> Any:
    kind = answer.headers.get("Content-Type", "")
    if not answer.content:
        return ""
    if "yaml" in kind:
        return yaml.safe_load(answer.text)
    return answer.json() if "json" in kind or answer.text.startswith("{") else answer.text


def _is_wanted(answer: dict[str, Any], until: dict[str, Any]) -> bool:
    for path, value in until.items():
        seen = [answer["code"]] if path == "code" else masks.at(answer["body"], path)
        if value is None and seen:
            return False
        if value is not None and seen != [value]:
            return False
    return True


def _until(ask: Any, holds: Any) -> Any:
    """What `ask` gives once `holds` says so: clusters reach some states in their own time."""
    end = time.monotonic() + _PATIENCE_S
    while not holds(answer := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"still not as wanted after {_PATIENCE_S:.0f} s: {answer}")
        time.sleep(0.05)
    return answer


# What stories are given.


def definition(name: str) -> dict[str, Any]:
    """The CRD of given/NAME.yaml; KAOS's own come from the chart, in a group that no operator watches."""
    own = HERE / "given" / f"{name}.yaml"
    if own.exists():
        return yaml.safe_load(own.read_text())
    published = HERE.parent.parent / "chart" / "crds" / f"kaos.tools_{name}.yaml"
    return yaml.safe_load(published.read_text().replace("kaos.tools", "kaos.parity.example.com"))


def make(server: httpx.Client, name: str) -> None:
    """Create the CRD unless it is there, and wait until its kind is served and described."""
    given = definition(name)
    made = server.post(_DEFINITIONS, json=given)
    if made.status_code != 409:
        made.raise_for_status()
    group, names = given["spec"]["group"], given["spec"]["names"]
    for version in given["spec"]["versions"]:
        path = f"{group}/{version['name']}"
        _until(lambda path=path: server.get(f"/apis/{path}/{names['plural']}"), lambda got: got.status_code == 200)
        _until(lambda path=path: server.get(f"/openapi/v3/apis/{path}"), lambda got: f'"{names["kind"]}"' in got.text)


def unmake(server: httpx.Client, name: str) -> None:
    path = f"{_DEFINITIONS}/{definition(name)['metadata']['name']}"
    server.delete(path)
    _until(lambda: server.get(path), lambda answer: answer.status_code == 404)
