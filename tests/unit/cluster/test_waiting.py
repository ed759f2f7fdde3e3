"""Waiting for an object: by watch, through deletion, re-creation, expired versions and restarts, and never too long."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaos.cluster import ApiError, Client, Connection, resolve
from kaos.cluster.wait import until
from kaos.errors import NoConnection, NotReady
from kaos.kube.resources import CONFIGMAPS
from tests.live import LiveCluster
from tests.unit.mcp.scripted import Heard, Reply, ScriptedServer, http

Object = dict[str, Any]


def config_map(value: str) -> Object:
    return {"metadata": {"name": "it"}, "data": {"value": value}}


def says(value: str) -> Callable[[Object | None], bool]:
    return lambda obj: obj is not None and obj.get("data", {}).get("value") == value


def is_gone(obj: Object | None) -> bool:
    return obj is None


def meanwhile(*doings: Callable[[], Any]) -> Callable[[Object | None], None]:
    """An `on_change` that does one thing after each state that is seen: no time passes that nobody waits for."""
    left = list(doings)

    def on_change(_: Object | None) -> None:
        if left:
            left.pop(0)()

    return on_change


# On a live API server.


def test_what_is_there_already_is_returned_at_once(client: Client, room: str) -> None:
    made = client.create(CONFIGMAPS, config_map("a"), room)
    assert until(client, CONFIGMAPS, "it", room)["metadata"]["uid"] == made["metadata"]["uid"]


def test_what_does_not_exist_can_be_waited_for_too(client: Client, room: str) -> None:
    assert until(client, CONFIGMAPS, "it", room, condition=is_gone) is None


def test_an_object_that_comes_later_is_seen(client: Client, room: str) -> None:
    create = meanwhile(lambda: client.create(CONFIGMAPS, config_map("a"), room))
    assert until(client, CONFIGMAPS, "it", room, on_change=create, timeout_s=20)["data"] == {"value": "a"}


def test_every_state_is_told_through_deletion_and_re_creation(client: Client, room: str) -> None:
    client.create(CONFIGMAPS, config_map("old"), room)
    doings = meanwhile(
        lambda: client.patch(CONFIGMAPS, "it", {"data": {"value": "changed"}}, room),
        lambda: client.delete(CONFIGMAPS, "it", room),
        lambda: client.create(CONFIGMAPS, config_map("new"), room),
    )
    told: list[str | None] = []

    def on_change(obj: Object | None) -> None:
        told.append(obj["data"]["value"] if obj else None)
        doings(obj)

    until(client, CONFIGMAPS, "it", room, condition=says("new"), on_change=on_change, timeout_s=20)
    assert told == ["old", "changed", None, "new"]


def test_deletion_is_seen(client: Client, room: str) -> None:
    client.create(CONFIGMAPS, config_map("a"), room)
    delete = meanwhile(lambda: client.delete(CONFIGMAPS, "it", room))
    assert until(client, CONFIGMAPS, "it", room, condition=is_gone, on_change=delete, timeout_s=20) is None


def test_other_objects_are_not_looked_at(client: Client, room: str) -> None:
    told: list[Object | None] = []
    other = config_map("x") | {"metadata": {"name": "other"}}
    doings = meanwhile(
        lambda: client.create(CONFIGMAPS, other, room), lambda: client.create(CONFIGMAPS, config_map("a"), room)
    )

    def on_change(obj: Object | None) -> None:
        told.append(obj)
        doings(obj)
        if len(told) == 1:
            doings(obj)

    until(client, CONFIGMAPS, "it", room, on_change=on_change, timeout_s=20)
    assert [obj and obj["metadata"]["name"] for obj in told] == [None, "it"]


def test_time_is_up_in_words_with_the_last_reason(client: Client, room: str) -> None:
    began = time.monotonic()
    with pytest.raises(NotReady, match=rf"ConfigMap {room}/it was not there yet after 0.3 s\.") as told:
        until(client, CONFIGMAPS, "it", room, timeout_s=0.3)
    assert 0.3 <= time.monotonic() - began < 15
    assert told.value.exit_code == 3


def test_the_last_reason_is_told() -> None:
    crashed = {"metadata": {"name": "it"}, "status": {"reason": "CrashLooping", "message": "it ends"}}
    with ScriptedServer(server(listing(crashed), quiet)) as api:
        with pytest.raises(NotReady, match=r"after 0.3 s: CrashLooping, it ends\."):
            until(to(api), CONFIGMAPS, "it", "x", condition=lambda obj: False, timeout_s=0.3)


def test_a_restart_of_the_api_server_is_waited_out(tmp_path: Path) -> None:
    with LiveCluster(tmp_path) as cluster:
        client = Client(resolve(kubeconfig=str(cluster.kubeconfig)))

        def restart_and_create() -> None:
            cluster.kill()
            cluster.start()
            Client(resolve(kubeconfig=str(cluster.kubeconfig))).create(CONFIGMAPS, config_map("a"), "default")

        helper = threading.Thread(target=restart_and_create)
        found = until(client, CONFIGMAPS, "it", "default", on_change=meanwhile(helper.start), timeout_s=60)
        helper.join()
    assert found["data"] == {"value": "a"}


# On scripted ones.


def to(api: ScriptedServer) -> Client:
    return Client(Connection("test", "x", api.url.removesuffix("/mcp"), "test"))


def listing(*objects: Object) -> bytes:
    return http(200, json.dumps({"metadata": {"resourceVersion": "5"}, "items": list(objects)}).encode())


def status(code: int) -> bytes:
    return http(code, json.dumps({"kind": "Status", "code": code, "message": f"no: {code}"}).encode())


def watching(*events: Object) -> bytes:
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + lines


quiet = watching()
ADDED = {"type": "ADDED", "object": {"metadata": {"name": "it"}, "data": {"value": "a"}}}
EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}


def server(lists: bytes | list[bytes], watches: bytes | list[bytes]) -> Reply:
    """Answers lists and watches in turn; the last answer stands for all that follow."""
    left = {
        False: lists if isinstance(lists, list) else [lists],
        True: watches if isinstance(watches, list) else [watches],
    }

    def reply(heard: Heard) -> bytes:
        answers = left["watch=true" in heard.path]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return reply


@pytest.mark.parametrize("expired", [watching(EXPIRED), status(410)], ids=["event", "answer"])
def test_a_version_that_is_too_old_is_listed_anew(expired: bytes) -> None:
    with ScriptedServer(server(listing(), [expired, watching(ADDED)])) as api:
        assert until(to(api), CONFIGMAPS, "it", "x", timeout_s=10)["data"] == {"value": "a"}
    assert ["watch=true" in heard.path for heard in api.heard] == [False, True, False, True]


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(code: int) -> None:
    with ScriptedServer(server([status(code), listing()], [status(code), watching(ADDED)])) as api:
        assert until(to(api), CONFIGMAPS, "it", "x", timeout_s=10)["data"] == {"value": "a"}


def test_a_server_that_stays_busy_is_not_asked_without_pause() -> None:
    with ScriptedServer(server(status(503), quiet)) as api:
        with pytest.raises(NotReady):
            until(to(api), CONFIGMAPS, "it", "x", timeout_s=1)
    assert len(api.heard) <= 6


def test_watches_that_end_at_once_are_not_begun_without_pause() -> None:
    with ScriptedServer(server(listing(), quiet)) as api:
        with pytest.raises(NotReady):
            until(to(api), CONFIGMAPS, "it", "x", timeout_s=1)
    assert len(api.heard) <= 14


@pytest.mark.parametrize("code", [401, 403, 404, 400])
def test_a_refusal_is_told_at_once(code: int) -> None:
    with ScriptedServer(server(status(code), quiet)) as api:
        with pytest.raises(ApiError, match=f"no: {code}"):
            until(to(api), CONFIGMAPS, "it", "x", timeout_s=10)
    assert len(api.heard) == 1


def test_a_watch_that_is_cut_is_begun_anew() -> None:
    with ScriptedServer(server(listing(), [b"", watching(ADDED)])) as api:
        assert until(to(api), CONFIGMAPS, "it", "x", timeout_s=10)["data"] == {"value": "a"}


def test_a_server_that_is_gone_is_told_when_time_is_up() -> None:
    with ScriptedServer(server(listing(), quiet)) as api:
        client = to(api)
    with pytest.raises(NoConnection, match="connection refused"):
        until(client, CONFIGMAPS, "it", "x", timeout_s=0.5)


def test_a_server_that_hangs_does_not_hold_longer_than_asked() -> None:
    with ScriptedServer(lambda heard: b"", hold="GET") as api:
        began = time.monotonic()
        with pytest.raises(NotReady):
            until(to(api), CONFIGMAPS, "it", "x", timeout_s=0.5)
        assert time.monotonic() - began < 15


def test_bookmarks_are_no_change() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
    told: list[Object | None] = []
    with ScriptedServer(server(listing(), watching(bookmark, ADDED))) as api:
        until(to(api), CONFIGMAPS, "it", "x", timeout_s=10, on_change=told.append)
    assert told == [None, ADDED["object"]]


@pytest.mark.parametrize("failure", [NotReady("given up", ""), NoConnection("given up", ""), KeyError("given up")])
def test_what_the_caller_raises_ends_the_waiting(failure: Exception) -> None:
    def on_change(_: Object | None) -> None:
        raise failure

    with ScriptedServer(server(listing(), quiet)) as api:
        with pytest.raises(type(failure), match="given up"):
            until(to(api), CONFIGMAPS, "it", "x", timeout_s=10, on_change=on_change)
    assert len(api.heard) == 1
