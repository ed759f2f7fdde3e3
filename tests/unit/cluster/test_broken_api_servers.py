"""API servers that hang up, lie, stall or are something else: both clients say so in words and never hang."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from kaos.cluster import ApiError, Client, Connection
from kaos.cluster.aio import AsyncClient
from kaos.errors import KaosError, NoConnection, NotReady
from kaos.kube.resources import CONFIGMAPS, DEPLOYMENTS, PODS
from tests.unit.mcp.scripted import Heard, Reply, ScriptedServer, http

GOOD = {"kind": "ConfigMap", "metadata": {"name": "a"}}


def to(server: ScriptedServer, prefix: str = "") -> Connection:
    return Connection("test", "default", server.url.removesuffix("/mcp") + prefix, "test")


def answer(body: Any, status: int = 200, close: bool = True) -> bytes:
    return http(status, json.dumps(body).encode(), close=close)


def status(code: int, message: str, reason: str = "") -> bytes:
    return answer({"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}, code)


def aio(server: ScriptedServer, verb: Callable[[AsyncClient], Any]) -> Any:
    async def run() -> Any:
        async with AsyncClient(to(server)) as client:
            return await asyncio.wait_for(verb(client), 20)

    return asyncio.run(run())


# Connections that end.


BROKEN: dict[str, Reply] = {
    "hung up": lambda heard: b"",
    "half of the head": lambda heard: b"HTTP/1.1 200 OK\r\ncontent-le",
    "half of the body": lambda heard: answer(GOOD)[:-10],
    "half of a chunk": lambda heard: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{",
    "no HTTP": lambda heard: b"220 mail.example.com ESMTP\r\n",
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_is_cut_is_told(case: str) -> None:
    with ScriptedServer(BROKEN[case]) as server:
        with pytest.raises(NoConnection) as told:
            Client(to(server)).get(CONFIGMAPS, "a", "default")
        with pytest.raises((aiohttp.ClientError, NoConnection)):
            aio(server, lambda client: client.get(CONFIGMAPS, "a", "default"))
    assert told.value.exit_code == 4
    assert "\n" not in told.value.cause


@pytest.mark.parametrize("case", [case for case in BROKEN if case != "half of the head"])
def test_an_answer_that_is_cut_while_it_streams_is_told(case: str) -> None:
    with ScriptedServer(BROKEN[case]) as server:
        with pytest.raises(NoConnection):
            Client(to(server)).logs("pod", "default").read()
        with pytest.raises(NoConnection):
            list(Client(to(server)).logs("pod", "default").lines())


def test_nobody_at_home_is_told_with_a_cure() -> None:
    with ScriptedServer(lambda heard: b"") as server:
        gone = to(server)
    with pytest.raises(
        NoConnection, match=r"No answer from http://127.0.0.1:\d+ \(context test\): connection refused"
    ) as told:
        Client(gone).list(PODS, "default")
    assert told.value.cure == "Is the cluster up? Another one: kaos context list"


def test_the_local_cluster_has_a_cure_of_its_own() -> None:
    with ScriptedServer(lambda heard: b"") as server:
        gone = Connection("kaos-local", "default", server.url.removesuffix("/mcp"), "test")
    with pytest.raises(NoConnection, match="The local cluster is not running") as told:
        Client(gone).list(PODS, "default")
    assert told.value.cure == "Start it: kaos local up"


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(NoConnection, match="its name is not known"):
        Client(Connection("test", "default", "http://no-such-host.invalid:1", "test")).list(PODS)


def test_a_server_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda heard: b"", hold="GET") as server:
        with pytest.raises(NotReady, match="did not answer in time"):
            Client(to(server)).list(PODS, "default", timeout_s=0.2)
        with pytest.raises(NotReady, match="did not answer in time"):
            Client(to(server)).request("GET", "/x", timeout_s=0.2)


def test_a_server_that_stops_in_the_middle_is_given_up() -> None:
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
    with ScriptedServer(lambda heard: half, hold="GET") as server:
        with pytest.raises(NotReady, match="sent nothing more in time"):
            Client(to(server)).request("GET", "/x", timeout_s=0.2).read()
        with pytest.raises(NotReady, match="sent nothing more in time"):
            Client(to(server)).list(PODS, "default", timeout_s=0.2)


# Connections that are kept.


def test_a_connection_is_used_again() -> None:
    with ScriptedServer(lambda heard: answer(GOOD, close=False), per_connection=9) as server:
        client = Client(to(server))
        for _ in range(3):
            client.get(CONFIGMAPS, "a", "default")
        assert server.connections == 1


@pytest.mark.parametrize("verb", ["get", "create"])
def test_a_kept_connection_that_has_ended_meanwhile_is_made_anew(verb: str) -> None:
    with ScriptedServer(lambda heard: answer(GOOD, close=False), per_connection=1) as server:
        client = Client(to(server))
        client.get(CONFIGMAPS, "a", "default")
        client._kept.sock.recv(0)  # nothing: the end of the connection is on its way
        until_it_has_ended(client)
        if verb == "get":
            client.get(CONFIGMAPS, "a", "default")
        else:
            client.create(CONFIGMAPS, GOOD, "default")
        assert [heard.method for heard in server.heard] == ["GET", "GET" if verb == "get" else "POST"]


def until_it_has_ended(client: Client) -> None:
    import select

    poll = select.poll()
    poll.register(client._kept.sock, select.POLLIN)
    assert poll.poll(5000)


def closing_on_the_second(heard_so_far: list[Heard]) -> Reply:
    """Answers the first request of a connection, and hangs up on the second: it may have done what was asked."""

    def reply(heard: Heard) -> bytes:
        heard_so_far.append(heard)
        return answer(GOOD, close=False) if len(heard_so_far) != 2 else b""

    return reply


def test_a_read_is_asked_again_when_its_kept_connection_breaks() -> None:
    with ScriptedServer(closing_on_the_second([]), per_connection=2) as server:
        client = Client(to(server))
        client.get(CONFIGMAPS, "a", "default")
        assert client.get(CONFIGMAPS, "b", "default") == GOOD
        assert len(server.heard) == 3


def test_a_creation_is_not_asked_again_when_its_kept_connection_breaks() -> None:
    with ScriptedServer(closing_on_the_second([]), per_connection=2) as server:
        client = Client(to(server))
        client.get(CONFIGMAPS, "a", "default")
        with pytest.raises(NoConnection, match="it closed the connection"):
            client.create(CONFIGMAPS, GOOD, "default")
        assert len(server.heard) == 2


# Servers that are something else.


@pytest.mark.parametrize(
    "reply",
    [
        lambda heard: http(200, b"<html>Log in</html>", "text/html"),
        lambda heard: http(302, b"", "", location="https://login.example.com"),
        lambda heard: http(200, b""),
        lambda heard: answer([1]),
        lambda heard: answer("ok"),
        lambda heard: http(200, b"[" * 100_000),
        lambda heard: http(200, b"\xff\xfe"),
    ],
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get(CONFIGMAPS, "a", "default"),
        lambda client: client.list(CONFIGMAPS, "default"),
        lambda client: client.table(CONFIGMAPS, "default"),
    ],
    ids=["get", "list", "table"],
)
def test_something_else_that_answers_is_told(reply: Reply, ask: Callable[[Client], Any]) -> None:
    with ScriptedServer(reply) as server:
        with pytest.raises(NoConnection, match="answers, but not as a Kubernetes API server does") as told:
            ask(Client(to(server)))
        assert "kaos context list" in told.value.cure
        with pytest.raises(NoConnection):
            aio(server, lambda client: client.list(CONFIGMAPS, "default"))


@pytest.mark.parametrize("body", [{"hello": "world"}, {"items": 5, "metadata": {}}, {"items": [], "metadata": "x"}])
def test_json_that_is_no_list_is_told(body: dict) -> None:
    with ScriptedServer(lambda heard: answer(body)) as server:
        with pytest.raises(NoConnection, match="not as a Kubernetes API server"):
            Client(to(server)).list(CONFIGMAPS, "default")
        with pytest.raises(NoConnection, match="not as a Kubernetes API server"):
            aio(server, lambda client: client.list(CONFIGMAPS, "default"))


# Refusals.


@pytest.mark.parametrize(
    ("reply", "code", "exit_code", "words", "cure"),
    [
        (status(401, "Unauthorized", "Unauthorized"), 401, 4, "Unauthorized", "renew them"),
        (status(403, 'pods is forbidden: User "me" cannot list resource "pods" in API group "" in the namespace "x"'),
         403, 4, 'User "me" cannot list resource "pods"', "Ask for that right"),
        (status(404, 'pods "a" not found', "NotFound"), 404, 3, 'pods "a" not found', ""),
        (status(409, "exists", "AlreadyExists"), 409, 1, "exists", ""),
        (status(422, "invalid", "Invalid"), 422, 2, "invalid", ""),
        (status(500, "etcd is sad"), 500, 1, "etcd is sad", ""),
        (http(502, b"<html>\n<h1>Bad\nGateway</h1>", "text/html"), 502, 1, "HTTP 502: <html> <h1>Bad Gateway</h1>", ""),
        (http(503), 503, 1, "The API server answered HTTP 503", ""),
        (answer({"kind": "Status", "message": 5, "code": "x", "details": "y"}, 400), 400, 2, "5", ""),
        (answer({"kind": "Status"}, 400), 400, 2, "HTTP 400", ""),
        (http(500, b"[" * 100_000), 500, 1, "HTTP 500: [[", ""),
    ],
)  # fmt: skip
def test_refusals_keep_the_server_s_words(reply: bytes, code, exit_code, words, cure) -> None:
    with ScriptedServer(lambda heard: reply) as server:
        for ask in (
            lambda: Client(to(server)).list(PODS, "x"),
            lambda: Client(to(server)).request("GET", "/x"),
            lambda: aio(server, lambda client: client.list(PODS, "x")),
        ):
            with pytest.raises(ApiError) as told:
                ask()
            assert (told.value.code, told.value.exit_code) == (code, exit_code)
            assert words in told.value.cause
            assert cure in told.value.cure
            assert "\n" not in told.value.cause


# Pages.


def pages(*replies: bytes) -> tuple[Reply, list[str]]:
    asked: list[str] = []

    def reply(heard: Heard) -> bytes:
        asked.append(heard.path)
        return replies[min(len(asked), len(replies)) - 1]

    return reply, asked


def page(*names: str, token: str = "", version: str = "7") -> bytes:
    meta = {"resourceVersion": version} | ({"continue": token} if token else {})
    return answer({"kind": "List", "metadata": meta, "items": [{"metadata": {"name": name}} for name in names]})


GONE = status(410, "The provided continue parameter is too old", "Expired")


def both(server: ScriptedServer, asked: list[str]) -> list[tuple[list[str], str]]:
    """What both clients list, each from the start of the script."""
    found = []
    for ask in (
        lambda: Client(to(server)).list(PODS, "x"),
        lambda: aio(server, lambda client: client.list(PODS, "x")),
    ):
        asked.clear()
        listed = ask()
        found.append(([item["metadata"]["name"] for item in listed.items], listed.resource_version))
    return found


def test_pages_are_put_together() -> None:
    reply, asked = pages(page("a", "b", token="t1"), page("c", token="t2"), page("d"))
    with ScriptedServer(reply) as server:
        assert both(server, asked) == [(["a", "b", "c", "d"], "7")] * 2
    assert [path.partition("?")[2] for path in asked] == [
        "limit=500", "limit=500&continue=t1", "limit=500&continue=t2",
    ]  # fmt: skip


def test_a_list_that_expires_on_the_way_is_asked_for_whole() -> None:
    reply, asked = pages(page("a", token="t1"), GONE, page("a", "z", version="9"))
    with ScriptedServer(reply) as server:
        assert both(server, asked) == [(["a", "z"], "9")] * 2
    assert asked[-1] == "/api/v1/namespaces/x/pods", "in one piece, so that it cannot expire again"


def test_a_list_that_is_refused_as_too_old_at_once_is_told() -> None:
    reply, _ = pages(GONE)
    with ScriptedServer(reply) as server, pytest.raises(ApiError, match="too old"):
        Client(to(server)).list(PODS, "x")


def test_null_in_place_of_no_items() -> None:
    reply, asked = pages(answer({"metadata": {"resourceVersion": "1"}, "items": None}))
    with ScriptedServer(reply) as server:
        assert both(server, asked) == [([], "1")] * 2


# Watches.


def stream(*lines: bytes, end: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" + b"".join(lines) + end


def event(kind: str, name: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"name": name}} | more}).encode() + b"\n"


async def watched(client: AsyncClient) -> list[tuple[str, str]]:
    return [(one.type, one.object["metadata"]["name"]) async for one in client.watch(PODS, "x", "1")]


def test_events_come_until_the_server_ends_the_watch() -> None:
    reply = stream(event("ADDED", "a"), event("BOOKMARK", ""), event("DELETED", "ü" * 100_000))
    wanted = [("ADDED", "a"), ("BOOKMARK", ""), ("DELETED", "ü" * 100_000)]
    with ScriptedServer(lambda heard: reply) as server:
        found = [(one.type, one.object["metadata"]["name"]) for one in Client(to(server)).watch(PODS, "x")]
        assert found == wanted
        assert aio(server, watched) == wanted


@pytest.mark.parametrize(("code", "told_code"), [(410, 410), (500, 500), ("odd", 500), (None, 500)])
def test_an_error_event_is_an_error(code: Any, told_code: int) -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "too old", "reason": "Expired"}}
    with ScriptedServer(lambda heard: stream(event("ADDED", "a"), json.dumps(error).encode() + b"\n")) as server:
        with pytest.raises(ApiError, match="too old") as told:
            list(Client(to(server)).watch(PODS, "x"))
        assert told.value.code == told_code
        with pytest.raises(ApiError, match="too old"):
            aio(server, watched)


@pytest.mark.parametrize(
    "line", [b"null\n", b"[]\n", b'{"type":5,"object":{}}\n', b'{"type":"ADDED"}\n', b"<html>\n", b"{\n"]
)
def test_a_line_that_is_no_event_is_told(line: bytes) -> None:
    with ScriptedServer(lambda heard: stream(event("ADDED", "a"), line)) as server:
        with pytest.raises(NoConnection):
            list(Client(to(server)).watch(PODS, "x"))
        with pytest.raises(NoConnection):
            aio(server, watched)


def test_a_refused_watch_is_refused_before_its_first_event() -> None:
    with ScriptedServer(lambda heard: status(403, "no right to watch")) as server:
        with pytest.raises(ApiError, match="no right to watch"):
            next(Client(to(server)).watch(PODS, "x"))
        with pytest.raises(ApiError, match="no right to watch"):
            aio(server, watched)


# Logs.


def test_lines_of_a_log_are_whole_however_they_arrive() -> None:
    reply = stream(b"one\n\ntw", b"o\n", b"x" * 200_000, b"\nlast")
    with ScriptedServer(lambda heard: reply) as server:
        lines = list(Client(to(server)).logs("pod", "x", tail=0, since_s=0, timestamps=True).lines())
    assert lines == [b"one", b"", b"two", b"x" * 200_000, b"last"]
    assert server.heard[0].path == "/api/v1/namespaces/x/pods/pod/log?tailLines=0&sinceSeconds=0&timestamps=true"


# Addresses.


def test_a_server_below_a_path_keeps_its_path() -> None:
    """As with servers that lead to several clusters."""
    with ScriptedServer(lambda heard: answer(GOOD)) as server:
        Client(to(server, "/k8s/clusters/c-1")).get(CONFIGMAPS, "a", "x")

        async def run() -> None:
            async with AsyncClient(to(server, "/k8s/clusters/c-1")) as client:
                await client.get(CONFIGMAPS, "a", "x")

        asyncio.run(run())
    assert {heard.path for heard in server.heard} == {"/k8s/clusters/c-1/api/v1/namespaces/x/configmaps/a"}


@pytest.mark.parametrize("name", ["a/../../secrets/b", "a?watch=1", "a#b", "a b", "..", "ü"])
def test_a_name_never_leaves_its_place_in_the_path(name: str) -> None:
    with ScriptedServer(lambda heard: answer(GOOD)) as server:
        Client(to(server)).get(DEPLOYMENTS, name, name)
    (heard,) = server.heard
    parts = heard.path.split("/")
    assert parts[:5] == ["", "apis", "apps", "v1", "namespaces"]
    assert parts[6] == "deployments"
    assert len(parts) == 8
    assert not {"?", "#", " "} & {*heard.path}


def test_every_request_carries_the_credentials_and_none_follows_a_redirect() -> None:
    connection = Connection("c", "default", "http://placeholder", "t", user={"token": "abc"})
    with ScriptedServer(lambda heard: http(307, b"", "", location="/elsewhere")) as server:
        here = Connection("c", "default", to(server).server, "t", user=connection.user)
        with pytest.raises(KaosError):
            Client(here).get(CONFIGMAPS, "a", "x")
        assert Client(here).request("GET", "/x", check=False).status == 307
    assert [heard.headers["authorization"] for heard in server.heard] == ["Bearer abc"] * 2
