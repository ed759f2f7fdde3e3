"""Logs of pods that really run: merged in the order of time, followed through restarts and new pods."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from kaos.actions.following import Following
from kaos.actions.kinds import MCPSERVER
from kaos.actions.podlogs import PodsOf, Selection, past
from kaos.cluster import Client, wait
from kaos.errors import NotFound, NotReady
from kaos.kube.resources import PODS

# Says what it is told, one word a second part, and stays.
SAYING = (
    "import sys,time\nfor word in sys.argv[1:]:\n    print(word, flush=True)\n    time.sleep(0.02)\ntime.sleep(600)\n"
)
SELECTION = Selection()


def calc(room):
    return PodsOf.resource(MCPSERVER, "calc", room)


@pytest.fixture
def server(client, room):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calc"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)


def start(client, room, name, *words, code=SAYING, restart="Always"):
    """A pod of the server that says these words; returns when it runs."""
    command = json.dumps([sys.executable, "-c", code, *words])
    client.create(
        PODS,
        {
            "metadata": {
                "name": name,
                "labels": {"mcpserver": "calc"},
                "annotations": {"local.kaos.tools/command.mcp-server": command},
            },
            "spec": {
                "restartPolicy": restart,
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "mcp-server", "image": "example.org/said:1"}],
            },
        },
        room,
    )
    wait.until(client, PODS, name, room, lambda pod: (pod or {}).get("status", {}).get("phase") != "Pending", 20)


def said(client, room, pod, word):
    """Return once the pod has said the word."""
    response = client.logs(pod, room, container="mcp-server", follow=True)
    try:
        assert any(word in line.decode() for line in response.lines())
    finally:
        response.close()


def texts(lines):
    return [(line.pod, line.text) for line in lines]


def test_lines_of_one_pod_are_those_it_said(client, room, server):
    start(client, room, "one", "first", "second", "last")
    said(client, room, "one", "last")
    pods, lines = past(client, [calc(room)], SELECTION)
    assert pods == 1
    assert texts(lines) == [("one", "first"), ("one", "second"), ("one", "last")]


def test_lines_of_several_pods_come_in_the_order_of_their_times(client, room, server):
    start(client, room, "one", "a1", "a2")
    said(client, room, "one", "a2")
    start(client, room, "two", "b1", "b2")
    said(client, room, "two", "b2")
    _, lines = past(client, [calc(room)], SELECTION)
    assert texts(lines) == [("one", "a1"), ("one", "a2"), ("two", "b1"), ("two", "b2")]


def test_the_tail_is_of_each_pod(client, room, server):
    start(client, room, "one", "a1", "a2")
    said(client, room, "one", "a2")
    _, lines = past(client, [calc(room)], Selection(tail=1))
    assert [line.text for line in lines] == ["a2"]
    _, lines = past(client, [calc(room)], Selection(tail=0))
    assert list(lines) == []


def test_each_line_has_its_time(client, room, server):
    start(client, room, "one", "word")
    said(client, room, "one", "word")
    _, lines = past(client, [calc(room)], SELECTION)
    (line,) = lines
    assert line.text == "word"
    assert line.time.startswith("20")
    assert line.time.endswith("Z")


def test_a_server_without_pods_says_why(client, room, server):
    state = {"status": {"phase": "Waiting", "reason": "SecretNotFound", "message": "Secret x does not exist"}}
    client.patch(MCPSERVER.resource, "calc", state, room, subresource="status")
    with pytest.raises(NotReady, match="has no pods: SecretNotFound, Secret x does not exist"):
        past(client, [calc(room)], SELECTION)


def test_a_server_that_is_not_there_is_not_found(client, room):
    with pytest.raises(NotFound, match="no MCPServer nobody"):
        past(client, [PodsOf.resource(MCPSERVER, "nobody", room)], SELECTION)
    with pytest.raises(NotFound, match="no MCPServer nobody"):
        Following(client, [PodsOf.resource(MCPSERVER, "nobody", room)], SELECTION).begin()


def test_a_container_that_is_not_there_names_those_that_are(client, room, server):
    start(client, room, "one", "word")
    with pytest.raises(NotFound, match="no container sidecar") as missing:
        past(client, [calc(room)], Selection("sidecar"))
    assert missing.value.cure == "It has: mcp-server"


def follow(client, room, selection=SELECTION):
    """The lines as they come, on a thread; wait for one with `until`."""
    found, news = [], threading.Condition()

    def read():
        try:
            for batch in Following(Client(client.connection), [calc(room)], selection).batches():
                with news:
                    found.extend(batch)
                    news.notify_all()
        except NotFound as gone:
            with news:
                found.append(gone)
                news.notify_all()

    threading.Thread(target=read, daemon=True).start()

    def until(holds):
        with news:
            assert news.wait_for(lambda: holds(found), 20), found
        return found

    return until


def has(pod, text):
    return lambda found: any(getattr(line, "text", "") == text and line.pod == pod for line in found)


def test_following_begins_with_what_was_said_and_picks_up_new_pods(client, room, server):
    start(client, room, "one", "before")
    said(client, room, "one", "before")
    until = follow(client, room)
    until(has("one", "before"))
    start(client, room, "two", "later")
    until(has("two", "later"))


def test_following_outlives_the_end_of_a_pod(client, room, server):
    start(client, room, "one", "before")
    until = follow(client, room)
    until(has("one", "before"))
    client.delete(PODS, "one", room)
    wait.until(client, PODS, "one", room, lambda pod: pod is None, 20)
    start(client, room, "two", "after")
    until(has("two", "after"))


def test_following_waits_for_the_first_pod(client, room, server):
    until = follow(client, room)
    until(lambda found: found and found[0].notice)
    start(client, room, "one", "hello")
    until(has("one", "hello"))


def test_following_ends_when_the_server_is_deleted(client, room, server):
    start(client, room, "one", "before")
    until = follow(client, room)
    until(has("one", "before"))
    client.delete(MCPSERVER.resource, "calc", room)
    client.delete(PODS, "one", room)
    until(lambda found: isinstance(found[-1], NotFound))
