"""A server that others wrote, in both eras, through the API server: cancel, progress, log, resources, prompts."""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from pathlib import Path

import pytest

from kaos.actions import mcp, offers
from kaos.actions.conversation import Cancellation, Cancelled
from kaos.actions.kinds import MCPSERVER
from kaos.cluster import Client, wait
from kaos.errors import KaosError, UsageError
from kaos.kube.resources import DEPLOYMENTS, NAMESPACES, SERVICES
from kaos.mcp.questions import Decision, Reply

SERVER = Path(__file__).parents[2] / "workshop_server.py"
VERSIONS = {"modern": "2026-07-28", "sessions": "2025-11-25"}


@pytest.fixture(scope="module", params=VERSIONS)
def server(request, live):
    """(client, namespace) of a server named workshop, of whose status this says what an operator would."""
    from kaos.cluster import resolve

    era, namespace = request.param, f"workshop-{request.param}"
    client = Client(resolve(kubeconfig=str(live.kubeconfig), namespace=namespace))
    client.create(NAMESPACES, {"metadata": {"name": namespace}})
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "workshop"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, namespace)
    status = {"ready": True, "phase": "Ready", "replicas": 1, "path": "/mcp", "protocolVersion": VERSIONS[era]}
    client.patch(MCPSERVER.resource, "workshop", {"status": status}, namespace, subresource="status")
    labels = {"mcpserver": "workshop"}
    container = {
        "name": "mcp-server", "image": "example.org/workshop:1",
        "env": [{"name": "PORT", "value": "8000"}, {"name": "ERA", "value": era}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
    }  # fmt: skip
    command = {"local.kaos.tools/command.mcp-server": json.dumps([sys.executable, str(SERVER)])}
    template = {"metadata": {"labels": labels, "annotations": command}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    client.create(DEPLOYMENTS, {"metadata": {"name": "mcpserver-workshop"}, "spec": spec}, namespace)
    ports = [{"port": 8000, "targetPort": "http"}]
    service = {"metadata": {"name": "mcpserver-workshop"}, "spec": {"selector": labels, "ports": ports}}
    client.create(SERVICES, service, namespace)
    wait.until(
        client, DEPLOYMENTS, "mcpserver-workshop", namespace,
        lambda found: (found.get("status") or {}).get("readyReplicas") == 1, 30,
    )  # fmt: skip
    return client, namespace


def call(server, tool, arguments=None, **more):
    client, namespace = server
    return mcp.invoke(client, "workshop", namespace, tool, arguments or {}, 30, **more)


def test_progress_and_log_arrive_while_the_tool_works(server):
    told, logged, at = [], [], []

    def on_progress(*news):
        told.append(news)
        at.append(time.monotonic())

    arguments = {"steps": 3, "pause_s": 0.3}
    answer = call(
        server, "build", arguments, on_progress=on_progress, on_log=lambda level, text: logged.append((level, text))
    )
    assert answer.text == "built in 3 steps"
    assert told == [(step, 3, f"step {step}") for step in (1, 2, 3)]
    assert logged == [("info", f"sawing {step}") for step in (1, 2, 3)]
    assert at[-1] - at[0] > 0.5, "all of it came at the end"


@pytest.mark.parametrize("how", ["cancelled", "interrupted"])
def test_a_cancelled_call_ends_at_the_server_too(server, how):
    begun, ended = threading.Event(), []
    cancellation = Cancellation()
    before = len(call(server, "cancelled").structured["result"])

    def on_progress(*_):
        begun.set()
        if how == "interrupted":
            raise KeyboardInterrupt  # as ctrl-c of `kaos mcp invoke` does in the middle of an answer

    def run():
        try:
            call(server, "build", {"steps": 1, "forever": True}, on_progress=on_progress, cancellation=cancellation)
        except (Cancelled, KeyboardInterrupt) as error:
            ended.append(type(error))

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(20)
    started = time.monotonic()
    if how == "cancelled":
        cancellation.ask()
    thread.join(10)
    assert ended == [Cancelled if how == "cancelled" else KeyboardInterrupt]
    assert time.monotonic() - started < 3
    deadline = time.monotonic() + 10
    while len(call(server, "cancelled").structured["result"]) == before:
        assert time.monotonic() < deadline, "the server still works on it"


def test_what_is_cancelled_before_it_begins_is_never_sent(server):
    cancellation = Cancellation()
    cancellation.ask()
    with pytest.raises(Cancelled):
        call(server, "scrap", {"name": "table"}, cancellation=cancellation)


def test_a_cancellation_after_the_answer_changes_nothing(server):
    cancellation = Cancellation()
    assert call(server, "scrap", {"name": "table"}, cancellation=cancellation).text == "table is gone"
    cancellation.ask()


def test_resources_are_listed_and_read(server):
    client, namespace = server
    found = offers.list_resources(client, "workshop", namespace, 30)
    assert [one["uri"] for one in found.resources] == ["workshop://rules", "workshop://logo"]
    assert [one["uriTemplate"] for one in found.templates] == ["workshop://pieces/{name}"]
    (rules,) = offers.read(client, "workshop", namespace, "workshop://rules", 30)
    assert rules["text"] == "Wear goggles.\nSweep the floor.\n"
    (logo,) = offers.read(client, "workshop", namespace, "workshop://logo", 30)
    assert base64.b64decode(logo["blob"]) == b"\x89PNG not really"
    (piece,) = offers.read(client, "workshop", namespace, "workshop://pieces/stool", 30)
    assert json.loads(piece["text"]) == {"name": "stool", "legs": 4}


def test_a_resource_that_is_not_there_is_told(server):
    client, namespace = server
    with pytest.raises(KaosError) as gone:
        offers.read(client, "workshop", namespace, "workshop://nowhere", 30)
    assert "nowhere" in gone.value.cause


def test_prompts_are_listed_and_filled(server):
    client, namespace = server
    (offer,) = offers.list_prompts(client, "workshop", namespace, 30)
    assert [(one["name"], one["required"]) for one in offer["arguments"]] == [("customer", True), ("tone", False)]
    filled = offers.get_prompt(client, "workshop", namespace, "offer", {"customer": "Ada"}, 30)
    assert filled["messages"][0]["content"]["text"] == "Write a friendly offer to Ada."


@pytest.mark.parametrize(
    ("prompt", "arguments", "cause"),
    [
        ("ofer", {}, "MCPServer workshop has no prompt ofer."),
        ("offer", {}, "Prompt offer needs the argument customer."),
    ],
)
def test_a_prompt_asked_wrongly_is_explained(server, prompt, arguments, cause):
    client, namespace = server
    with pytest.raises(UsageError) as wrong:
        offers.get_prompt(client, "workshop", namespace, prompt, arguments, 30)
    assert wrong.value.cause == cause


def answering(decision, content=None):
    """Whoever is asked; and what was asked."""
    asked = []

    def ask(question):
        asked.append(question)
        return Reply(decision, content)

    return ask, asked


def test_what_a_tool_asks_back_is_answered_and_it_goes_on(server):
    where = {"street": "Main Street 1", "floor": 2, "lift": True}
    ask, asked = answering(Decision.ACCEPT, where)
    answer = call(server, "deliver", on_ask=ask)
    assert [one.message for one in asked] == ["Where to \x1b[31mbring\x1b[0m it?"]
    assert asked[0].schema["required"] == ["street"]
    action, _, content = answer.text.partition(": ")
    assert action == "accept"
    assert json.loads(content).items() >= where.items()


@pytest.mark.parametrize("decision", [Decision.DECLINE, Decision.CANCEL])
def test_a_question_may_be_declined_or_left_open(server, decision):
    ask, _ = answering(decision)
    assert call(server, "deliver", on_ask=ask).text == f"{decision.value}: null"


def test_a_tool_that_wants_a_models_words_gets_a_persons(server):
    ask, (asked) = answering(Decision.ACCEPT, "Oak is okay")
    assert call(server, "slogan", on_ask=ask).text == "Oak is okay"
    assert asked[0].wants_text
    assert asked[0].message == "Be brief.\nuser: A slogan for oak?"


def test_a_models_words_may_be_refused(server):
    ask, _ = answering(Decision.DECLINE)
    try:
        answer = call(server, "slogan", on_ask=ask)
    except KaosError as declined:
        told = declined.cause
    else:
        assert answer.is_error
        told = answer.text
    assert "declined" in told


@pytest.mark.parametrize("tool", ["deliver", "slogan"])
def test_a_tool_that_asks_where_nobody_can_be_asked_fails_and_says_so(server, tool):
    try:
        answer = call(server, tool)
    except KaosError:
        return
    assert answer.is_error


def test_to_think_about_a_question_takes_none_of_the_servers_time(server):
    client, namespace = server

    def slowly(question):
        time.sleep(2.5)
        return Reply(Decision.DECLINE)

    assert mcp.invoke(client, "workshop", namespace, "deliver", {}, 2, on_ask=slowly).text == "decline: null"


def test_a_call_can_be_cancelled_while_it_waits_for_an_answer(server):
    cancellation = Cancellation()

    def leave(question):
        cancellation.ask()
        return Reply(Decision.CANCEL)

    with pytest.raises(Cancelled):
        call(server, "deliver", on_ask=leave, cancellation=cancellation)
