"""The `kaos agent` command, and an agent as other programs see it: the official clients of OpenAI and A2A."""

from __future__ import annotations

import json
import signal

import pytest

from tests.stories import agent, manifests, mcpserver, modelapi


@pytest.fixture
def helper(kaos, namespace):
    text = manifests(modelapi(), mcpserver("calculator"), agent("helper", mcpServers=["calculator"]))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    return "helper"


@pytest.fixture
def address(place, helper, namespace):
    """Where this machine reaches the agent, by `kaos agent proxy`."""
    proxy = place.start("agent", "proxy", helper, "-n", namespace)
    yield proxy.stdout.readline().strip()
    proxy.send_signal(signal.SIGINT)
    proxy.communicate(timeout=10)
    assert proxy.returncode == 130


def test_deploy_with_flags(place, kaos, namespace):
    kaos("modelapi", "deploy", "--name", "mock", "--type", "mock", "-n", namespace).ok()
    arguments = ["--name", "flagged", "--model-api", "mock", "--model", "mock", "--instructions", "Be brief."]
    deployed = kaos("agent", "deploy", *arguments, "-n", namespace, "--wait").ok()
    assert f"Deploying Agent {namespace}/flagged..." in deployed.stderr
    assert "✓ Agent created" in deployed.stderr
    assert place.object("agent", "flagged", namespace)["spec"]["config"]["instructions"] == "Be brief."


def test_describe_tells_what_it_thinks_with_and_how_its_servers_are(kaos, helper, namespace):
    lines = [line.split() for line in kaos("agent", "describe", helper, "-n", namespace).ok().stdout.splitlines()]
    assert ["Model:", "mock,", "of", "ModelAPI", "mock"] in lines
    assert ["thinks", "with", "ModelAPI", "mock", "ready"] in lines
    assert ["uses", "tools", "of", "MCPServer", "calculator", "ready"] in lines
    assert ["add", "Add", "two", "numbers."] in lines


def test_list_shows_the_contracts_columns(kaos, helper, namespace):
    for _ in range(300):  # its tools are counted once it has met their server, which is a moment after it is ready
        header, row = kaos("agent", "list", "-n", namespace).ok().stdout.splitlines()
        if row.split()[3] != "0":
            break
    assert header.split() == ["NAME", "MODEL", "MODELAPI", "TOOLS", "READY", "REASON", "AGE"]
    assert row.split()[:6] == ["helper", "mock", "mock", "2", "True", "Ready"]


def test_invoke_answers_with_the_help_of_a_tool(kaos, helper, namespace):
    said = kaos("agent", "invoke", helper, "-n", namespace, "--message", "what is 2 + 3?").ok()
    assert said.stdout == "mock: the tool answered 5\n"
    whole = json.loads(kaos("agent", "invoke", helper, "-n", namespace, "-m", "add 4 and 5", "-o", "json").ok().stdout)
    assert whole["text"] == "mock: the tool answered 9"
    assert [(step["name"], step["arguments"], step["result"]) for step in whole["steps"]] == [
        ("add", {"a": 4, "b": 5}, "9")
    ]
    assert whole["usage"]["total_tokens"] > 0
    told = [line for line in kaos("logs", f"agent/{helper}", "-n", namespace).ok().stdout.splitlines()
            if "answered with 200" in line]  # fmt: skip
    assert len(told) == 2
    assert f"model mock, {whole['usage']['total_tokens']} tokens, 1 calls" in told[-1]
    assert "add 4 and 5" not in told[-1]


def test_a_conversation_is_remembered_and_shown(kaos, helper, namespace):
    lines = "hello there\nwhat is 20 + 22?\n/tools\n"
    talk = kaos("agent", "chat", helper, "-n", namespace, stdin=lines).ok()
    assert talk.stdout.splitlines() == ["mock: hello there", "mock: the tool answered 42"]
    assert "add (calculator)" in talk.stderr
    session = talk.stderr.split("--session ")[1].split()[0]
    memory = kaos("agent", "memory", helper, "-n", namespace, "--session", session, "-o", "json").ok().stdout
    assert [event["kind"] for event in json.loads(memory)] == [
        "user_message", "agent_response", "user_message", "tool_call", "tool_result", "agent_response"
    ]  # fmt: skip
    again = kaos("agent", "chat", helper, "-n", namespace, "--session", session, stdin="/memory\n").ok()
    assert "hello there" in again.stderr


def test_card_and_a2a(kaos, helper, namespace):
    card = json.loads(kaos("agent", "card", helper, "-n", namespace).ok().stdout)
    assert card["name"] == "helper"
    assert card["capabilities"]["streaming"] is True
    said = kaos("agent", "a2a", helper, "-n", namespace, "--message", "add 1 and 1").ok()
    assert said.stdout == "mock: the tool answered 2\n"


# The official OpenAI client.


def test_the_openai_client_gets_an_answer(address):
    import openai

    client = openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0)
    assert [model.id for model in client.models.list()] == ["helper"]
    answer = client.chat.completions.create(model="helper", messages=[{"role": "user", "content": "what is 2 + 3?"}])
    assert answer.choices[0].message.content == "mock: the tool answered 5"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_openai_client_gets_true_deltas_and_may_ignore_the_steps(address):
    import openai

    client = openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0)
    stream = client.chat.completions.create(
        model="helper",
        messages=[{"role": "user", "content": "what is 2 + 3?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(pieces) == "mock: the tool answered 5"
    assert len(pieces) > 1
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage]


@pytest.mark.parametrize(("status", "kind"), [(429, "RateLimitError"), (500, "InternalServerError")])
def test_a_failing_model_is_an_error_of_its_kind_to_the_openai_client(address, status, kind):
    import openai

    client = openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0)
    with pytest.raises(getattr(openai, kind)) as failed:
        client.chat.completions.create(model="helper", messages=[{"role": "user", "content": f"error {status}"}])
    assert "asked to fail" in str(failed.value)
    if status == 429:
        assert failed.value.response.headers["retry-after"] == "1"


def test_a_request_that_is_none_is_refused_in_openais_shape(address):
    import httpx

    refused = httpx.post(f"{address}/v1/chat/completions", json={"messages": "hello"})
    assert refused.status_code == 400
    assert "messages" in refused.json()["error"]["message"]


# The official A2A client.


def a2a_answer(address: str, text: str) -> str:
    import asyncio

    async def ask() -> str:
        import httpx
        from a2a.client import ClientConfig, create_client
        from a2a.helpers import get_stream_response_text, new_text_message
        from a2a.types import Role, SendMessageRequest

        async with httpx.AsyncClient(timeout=30) as http:
            client = await create_client(address, ClientConfig(httpx_client=http, streaming=False))
            request = SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))
            return "".join([get_stream_response_text(event) async for event in client.send_message(request)])

    return asyncio.run(ask())


def test_the_a2a_client_gets_an_answer(address):
    assert "mock: the tool answered 5" in a2a_answer(address, "what is 2 + 3?")


def test_an_unknown_agent_suggests_the_nearest(kaos, helper, namespace):
    refused = kaos("agent", "invoke", "helpr", "-n", namespace, "--message", "x")
    assert refused.code == 3
    assert "helper" in refused.stderr


def test_an_agent_that_waits_says_for_what(kaos, namespace):
    kaos("agent", "deploy", "-f", "-", "-n", namespace, stdin=agent("waiting")).ok()
    refused = kaos("agent", "invoke", "waiting", "-n", namespace, "--message", "x")
    assert refused.code == 3
    assert "WaitingForModelAPI" in refused.stderr or "no operator" in refused.stderr


def test_nothing_to_say_is_wrong_usage(kaos, helper, namespace):
    refused = kaos("agent", "invoke", helper, "-n", namespace)
    assert refused.code == 2
    assert "--message" in refused.stderr
