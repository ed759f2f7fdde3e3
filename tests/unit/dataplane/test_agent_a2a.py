"""The official A2A client and the agent understand each other, in both versions of the protocol."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.helpers import get_stream_response_text, new_text_message
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import (
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)


@pytest.fixture(params=["1.0", "0.3"])
def version(request) -> str:
    return request.param


@pytest.fixture
async def talk(agent, version):
    """Clients of that version: `talk(streaming=...)`."""
    async with httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, agent).get_agent_card()
        for other in [one for one in card.supported_interfaces if one.protocol_version != version]:
            card.supported_interfaces.remove(other)

        def made(streaming: bool = False, polling: bool = False) -> Any:
            return ClientFactory(ClientConfig(httpx_client=http, streaming=streaming, polling=polling)).create(card)

        yield made


def said(words: str, context: str = "", task: str = "") -> SendMessageRequest:
    message = new_text_message(words, role=Role.ROLE_USER)
    message.context_id, message.task_id = context, task
    return SendMessageRequest(message=message)


async def events(client: Any, request: SendMessageRequest) -> list[Any]:
    return [event async for event in client.send_message(request)]


async def test_a_message_becomes_a_task_with_an_answer(talk):
    (event,) = await events(talk(), said("say hello there"))
    assert event.task.status.state == TaskState.TASK_STATE_COMPLETED
    assert get_stream_response_text(event).strip() == "hello there"
    assert [message.parts[0].text for message in event.task.history] == ["say hello there", "hello there "]


async def test_a_stream_gives_the_answer_in_pieces_and_the_steps(talk):
    found = await events(talk(streaming=True), said('call echo {"text": "one two"}'))
    assert found[0].HasField("task")
    pieces = [one.artifact_update for one in found if one.HasField("artifact_update")]
    assert "".join(piece.artifact.parts[0].text for piece in pieces) == "one two"
    steps = [one for one in found if one.HasField("status_update") and "kaos.step" in one.status_update.metadata]
    assert [step.status_update.metadata["kaos.step"]["name"] for step in steps] == ["echo", "echo"]
    assert found[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_pieces_are_appended_to_one_artifact(talk):
    found = await events(talk(streaming=True), said("say one two three"))
    pieces = [one.artifact_update for one in found if one.HasField("artifact_update")]
    assert [piece.append for piece in pieces] == [False, *[True] * (len(pieces) - 1)]
    assert len({piece.artifact.artifact_id for piece in pieces}) == 1


async def test_a_task_can_be_asked_for_again(talk):
    client = talk()
    (event,) = await events(client, said("say kept"))
    task = await client.get_task(GetTaskRequest(id=event.task.id))
    assert (task.id, task.context_id) == (event.task.id, event.task.context_id)
    assert task.artifacts[0].parts[0].text == "kept "
    assert not (await client.get_task(GetTaskRequest(id=event.task.id, history_length=0))).history


async def test_a_context_is_a_session(talk, backend):
    client = talk()
    (event,) = await events(client, said("say first"))
    await events(client, said("say second", event.task.context_id))
    assert [one["content"] for one in backend.requests[-1]["messages"]] == ["say first", "first ", "say second"]


async def test_a_failing_model_fails_the_task_with_its_words(talk):
    (event,) = await events(talk(), said("status 400"))
    assert event.task.status.state == TaskState.TASK_STATE_FAILED
    assert "the provider's own words" in event.task.status.message.parts[0].text


async def test_a_task_that_was_not_waited_for_can_be_followed_and_cancelled(talk, backend):
    backend.cancelled.clear()
    client = talk(polling=True)
    (event,) = await events(client, said("stall"))
    assert event.task.status.state == TaskState.TASK_STATE_WORKING
    async for follow in talk(streaming=True).subscribe(SubscribeToTaskRequest(id=event.task.id)):
        if follow.HasField("artifact_update"):
            assert follow.artifact_update.artifact.parts[0].text == "one"
            break
    task = await client.cancel_task(CancelTaskRequest(id=event.task.id))
    assert task.status.state == TaskState.TASK_STATE_CANCELED
    assert backend.cancelled.wait(5)
    with pytest.raises(TaskNotCancelableError):
        await client.cancel_task(CancelTaskRequest(id=event.task.id))
    with pytest.raises(UnsupportedOperationError):
        await events(client, said("say more", task=event.task.id))


async def test_a_task_that_is_not_there_is_told_so(talk):
    for ask, request in (("get_task", GetTaskRequest), ("cancel_task", CancelTaskRequest)):
        with pytest.raises(TaskNotFoundError):
            await getattr(talk(), ask)(request(id="absent"))


@pytest.mark.parametrize("version", ["1.0"], indirect=True)
async def test_tasks_are_listed_by_context_and_state_page_by_page(talk):
    client = talk()
    (first,) = await events(client, said("say 0"))
    context = first.task.context_id
    for words in ("say 1", "status 400"):
        await events(client, said(words, context))
    page = await client.list_tasks(ListTasksRequest(context_id=context, page_size=2))
    assert (len(page.tasks), page.total_size, page.page_size) == (2, 3, 2)
    assert not page.tasks[0].artifacts
    token = page.next_page_token
    rest = await client.list_tasks(
        ListTasksRequest(context_id=context, page_size=2, page_token=token, include_artifacts=True)
    )
    assert [task.artifacts[0].parts[0].text for task in rest.tasks] == ["0 "]
    assert rest.next_page_token == ""
    failed = await client.list_tasks(ListTasksRequest(context_id=context, status=TaskState.TASK_STATE_FAILED))
    assert len(failed.tasks) == 1


@pytest.mark.parametrize("version", ["1.0"], indirect=True)
async def test_what_the_card_does_not_promise_is_refused_by_name(talk):
    from a2a.types import TaskPushNotificationConfig

    with pytest.raises(PushNotificationNotSupportedError):
        await talk().create_task_push_notification_config(TaskPushNotificationConfig(task_id="x", url="http://x"))


def test_the_card_is_at_all_its_places_and_lists_the_tools(agent):
    cards = [httpx.get(f"{agent}/.well-known/{name}").json() for name in ("agent-card.json", "agent.json", "agent")]
    assert cards[0] == cards[1] == cards[2]
    assert cards[0]["url"] == f"{agent}/"
    assert {"chat", "echo"} <= {skill["id"] for skill in cards[0]["skills"]}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'{"method": "SendMessage", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "method": "Sing", "id": 1}', -32601),
        (b'{"jsonrpc": "2.0", "method": "SendMessage", "id": 1, "params": []}', -32602),
        (b'{"jsonrpc": "2.0", "method": "SendMessage", "id": 1, "params": {"message": {"parts": 5}}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "SendMessage", "params": {"message": {"parts": [{"url": "x"}]}}}', -32005),
        (b'{"jsonrpc": "2.0", "method": "GetTask", "id": 1, "params": {"id": {"a": 1}}}', -32001),
        (b'{"jsonrpc": "2.0", "method": "ListTasks", "id": 1, "params": {"pageSize": -3}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "ListTasks", "id": 1, "params": {"pageToken": "x"}}', -32602),
        (b'{"jsonrpc": "2.0", "method": "ListTasks", "id": 1, "params": {"status": "asleep"}}', -32602),
    ],
)  # fmt: skip
def test_rubbish_has_its_json_rpc_code(agent, body, code):
    assert httpx.post(agent, content=body).json()["error"]["code"] == code


def test_a_version_of_the_future_is_refused(agent):
    body = {"jsonrpc": "2.0", "method": "SendMessage", "id": 7, "params": {}}
    answer = httpx.post(agent, json=body, headers={"A2A-Version": "2.0"}).json()
    assert (answer["id"], answer["error"]["code"]) == (7, -32009)


def test_who_leaves_a_blocking_message_ends_its_work(agent, backend):
    backend.cancelled.clear()
    message = {"role": "ROLE_USER", "messageId": "1", "parts": [{"text": "stall"}]}
    body = {"jsonrpc": "2.0", "method": "SendMessage", "id": 1, "params": {"message": message}}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(agent, json=body, timeout=1)
    assert backend.cancelled.wait(5)
