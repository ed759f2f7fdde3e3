"""What the relay promises: bodies as they are, keys where they belong, streams at once, an end when the caller goes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.unit.dataplane.model.conftest import COMPLETION, WAIT_S, Provider, Running, chunk

OWN_KEY, CALLERS_KEY = "sk-of-the-provider-canary", "sk-of-the-caller-canary"


@pytest.fixture(scope="module")
def relay(start_relay: Callable[..., Running], provider_server: Provider, mock_model: Running) -> Running:
    base = provider_server.base
    return start_relay(
        [
            ("plain", {"model": "openai/real-name", "api_base": base, "api_key": "os.environ/PROVIDER_KEY"}),
            ("keyless", {"model": "openai/keyless", "api_base": f"{base}/"}),
            ("few/*", {"model": "openai/*", "api_base": base}),
            ("few/exact", {"model": "openai/the-exact-one", "api_base": base}),
            ("prefix-*", {"model": "openai/new-*", "api_base": base}),
            ("bare", {"model": "llama3", "api_base": base}),
            ("slashes", {"model": "openai/org/model", "api_base": base}),
            ("ollama", {"model": "ollama/llama3", "api_base": base.removesuffix("/v1")}),
            ("headers", {"model": "openai/x", "api_base": base, "organization": "o-1", "extra_headers": {"X-T": "a"}}),
            ("impatient", {"model": "openai/x", "api_base": base, "timeout": 0.3}),
            ("dead", {"model": "openai/x", "api_base": "http://127.0.0.1:9/v1"}),
            ("nowhere", {"model": "openai/x", "api_base": "http://no-such-host.invalid/v1"}),
            ("said", {"model": "anthropic/claude", "mock_response": "as it was written"}),
            ("mock", {"model": "openai/mock", "api_base": mock_model.v1}),
            ("turns", {"model": "openai/first", "api_base": base}),
            ("turns", {"model": "openai/second", "api_base": base}),
            ("*", {"model": "*"}),
        ],
        PROVIDER_KEY=OWN_KEY,
        GROQ_API_BASE=base,
        GROQ_API_KEY="groq-key",
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(relay: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=relay.v1, api_key=CALLERS_KEY, max_retries=0, timeout=WAIT_S) as made:
        yield made


def asking(model: str, behave: str = "answer", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], "behave": behave, **more}


# The official client sees no difference.


def test_the_official_client_chats_streams_and_calls_tools(client: openai.OpenAI) -> None:
    user = [{"role": "user", "content": "hello there"}]
    assert client.chat.completions.create(model="mock", messages=user).choices[0].message.content == "mock: hello there"
    with client.chat.completions.stream(model="mock", messages=user) as stream:
        assert stream.get_final_completion().choices[0].message.content == "mock: hello there"
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    call = [{"role": "user", "content": 'call add {"a": 1}'}]
    asked = client.chat.completions.create(model="mock", messages=call, tools=[tool])
    assert asked.choices[0].message.tool_calls[0].function.name == "add"
    assert client.completions.create(model="mock", prompt="one").choices[0].text == "mock: one"
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="mock", messages=[{"role": "user", "content": "error 429"}])
    assert limited.value.response.headers["retry-after"] == "1"


def test_what_is_served_is_listed(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "plain"
    assert {"few/*", "*", "turns"} < set(names)
    assert len(names) == len(set(names))
    assert client.models.retrieve("few/exact").id == "few/exact"


# Bodies.


def test_only_the_models_name_changes_in_a_body(relay: Running, provider: Provider) -> None:
    body = (
        b'\n{ "model" :\t"plain" , "n":1.0, "big":123456789012345678901234567890,"tiny":1e-400 ,"huge":1e400,\r\n'
        b'"text":"\\u00e9 \xc3\xa9 \\"model\\": \\ud83d\\ude00 \\/", "inner":{"model":"plain"},"list":["model"],'
        b'"twice":1,"twice":2,"model":"plain" }  '
    )
    answer = relay.ask(body)
    assert answer.status_code == 200
    wanted = body.replace(b'\t"plain" ,', b'\t"real-name" ,').replace(
        b'"twice":2,"model":"plain"', b'"twice":2,"model":"real-name"'
    )
    assert provider.last().body == wanted  # fmt: skip
    assert answer.content == COMPLETION


def test_a_compressed_answer_stays_as_it_is(relay: Running, provider: Provider) -> None:
    answer = relay.ask(asking("plain", "squeezed"), accept_encoding="gzip")
    assert provider.last().header("accept-encoding") == "gzip"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == COMPLETION, "httpx unpacks it"


def test_a_body_of_a_picture_s_size_passes(relay: Running, provider: Provider) -> None:
    picture = "A" * 20_000_000
    assert relay.ask(asking("plain", picture=picture)).status_code == 200
    assert json.loads(provider.last().body)["picture"] == picture


@pytest.mark.parametrize("path", ["chat/completions", "completions", "embeddings", "responses"])
@pytest.mark.parametrize("prefix", ["/v1/", "/"])
def test_every_path_leads_to_the_providers_own(relay: Running, provider: Provider, path: str, prefix: str) -> None:
    assert relay.ask(asking("plain"), prefix + path).status_code == 200
    assert provider.last().line == f"POST /v1/{path} HTTP/1.1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'{"model": "plain"} x', "not a JSON object"),
        (b'{"model": "plain",}', "not a JSON object"),
        (b'{"model" "plain"}', "not a JSON object"),
        (b'{1: "plain"}', "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        (b'{"a":' * 100_000, "not a JSON object"),
        (b"{}", "names no model"),
        (b'{"model": ""}', "names no model"),
        (b'{"model": ["plain"]}', "names no model"),
    ],
)
def test_what_is_no_request_goes_nowhere(relay: Running, provider: Provider, body: bytes, words: str) -> None:
    refused = relay.ask(body)
    assert refused.status_code == 400
    assert words in refused.json()["error"]["message"]
    assert provider.heard == []


# Where a name leads.


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("plain", "real-name"),
        ("few/any", "any"),
        ("few/exact", "the-exact-one"),
        ("few/a/b", "a/b"),
        ("prefix-7b", "new-7b"),
        ("bare", "llama3"),
        ("slashes", "org/model"),
        ("ollama", "llama3"),
        ("groq/llama", "llama"),
    ],
)
def test_a_name_leads_to_its_provider(relay: Running, provider: Provider, wanted: str, there: str) -> None:
    assert relay.ask(asking(wanted)).status_code == 200
    assert json.loads(provider.last().body)["model"] == there
    assert provider.last().line == "POST /v1/chat/completions HTTP/1.1"


def test_entries_of_one_name_take_turns(relay: Running, provider: Provider) -> None:
    for _ in range(4):
        relay.ask(asking("turns"))
    assert [json.loads(heard.body)["model"] for heard in provider.heard] == ["first", "second"] * 2


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("anthropic/claude", "is not reached by OpenAI's protocol"),
        ("hosted_vllm/x", "needs an api_base"),
    ],
)
def test_a_name_that_leads_nowhere_says_so(relay: Running, wanted: str, words: str) -> None:
    refused = relay.ask(asking(wanted))
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "model_not_found"
    assert words in refused.json()["error"]["message"]


# Keys and headers.


def test_the_callers_credentials_never_travel_on(relay: Running, provider: Provider) -> None:
    secrets = {"authorization": f"Bearer {CALLERS_KEY}", "x_litellm_api_key": CALLERS_KEY, "api_key": CALLERS_KEY}
    for model, wanted in (("plain", f"Bearer {OWN_KEY}"), ("keyless", None), ("groq/x", "Bearer groq-key")):
        relay.ask(asking(model), **secrets, cookie=CALLERS_KEY, x_api_key=CALLERS_KEY, proxy_authorization=CALLERS_KEY)
        assert provider.last().header("authorization") == wanted
        assert CALLERS_KEY not in str(provider.last().headers)


def test_what_concerns_the_call_travels_on(relay: Running, provider: Provider) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = relay.ask(asking("plain"), traceparent=trace, idempotency_key="once", x_other="stays")
    heard = provider.last()
    assert (heard.header("traceparent"), heard.header("idempotency-key"), heard.header("x-other")) == (
        trace,
        "once",
        None,
    )
    assert heard.header("content-type") == "application/json"
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.headers["x-ratelimit-remaining-requests"] == "9"
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers


def test_headers_of_the_configuration_are_sent(relay: Running, provider: Provider) -> None:
    relay.ask(asking("headers"))
    assert (provider.last().header("openai-organization"), provider.last().header("x-t")) == ("o-1", "a")


@pytest.mark.parametrize("where", ["environment", "configuration"])
def test_a_master_key_is_needed_where_one_is_set(start_relay: Callable[..., Running], where: str) -> None:
    said = [("said", {"model": "openai/x", "mock_response": "yes"})]
    if where == "environment":
        relay = start_relay(said, LITELLM_MASTER_KEY="sk-master")
    else:
        relay = start_relay(said, {"general_settings": {"master_key": "os.environ/MINE"}}, MINE="sk-master")
    for headers in ({}, {"authorization": "Bearer sk-other"}, {"authorization": "sk-mäster".encode()}):
        refused = httpx.post(f"{relay.v1}/chat/completions", json=asking("said"), headers=headers)
        assert refused.status_code == 401
        assert refused.json()["error"]["type"] == "authentication_error"
        assert "sk-" not in refused.text
    for headers in (
        {"authorization": "Bearer sk-master"},
        {"x_litellm_api_key": "Bearer sk-master"},
        {"x_litellm_api_key": "sk-master", "authorization": "Bearer of-the-api-server"},
    ):
        assert relay.ask(asking("said"), **headers).status_code == 200
    assert relay.get("/health/liveliness").status_code == relay.get("/health/readiness").status_code == 200


# Streams.


def test_an_event_is_passed_on_before_the_next_one_comes(relay: Running, provider: Provider) -> None:
    with httpx.stream("POST", f"{relay.v1}/chat/completions", json=asking("plain", "stream"), timeout=WAIT_S) as stream:
        pieces = stream.iter_bytes()
        first = next(pieces)
        assert first == chunk("one ")
        assert stream.headers["content-type"] == "text/event-stream"
        provider.go_on.set()
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("behave", ["silent", "endless"], ids=["before the answer", "in the middle"])
def test_a_caller_who_goes_ends_the_providers_work(relay: Running, provider: Provider, behave: str) -> None:
    data = json.dumps(asking("plain", behave)).encode()
    with socket.create_connection(("127.0.0.1", int(relay.url.rpartition(":")[2]))) as caller:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        caller.sendall(head.encode() + data)
        heard = provider.until_heard(1)
        if behave == "endless":
            caller.settimeout(WAIT_S)
            assert caller.recv(4096)
        assert not heard.gone.is_set()
    assert heard.gone.wait(WAIT_S)


def test_a_slow_reader_holds_the_provider_back(relay: Running, provider: Provider) -> None:
    provider.held.clear()
    with httpx.stream("POST", f"{relay.v1}/chat/completions", json=asking("plain", "flood"), timeout=WAIT_S) as stream:
        assert provider.held.wait(WAIT_S), "nothing is read here, and still the relay takes more and more"
        assert provider.flooded < 32 * 1024 * 1024
        provider.go_on.set()
        assert sum(map(len, stream.iter_bytes())) == provider.flooded


# Faults.


@pytest.mark.parametrize(
    ("model", "behave", "status", "words", "headers"),
    [
        ("plain", "limited", 429, ["slow down"], {"retry-after": "7", "retry-after-ms": "6500"}),
        ("plain", "broken", 500, ["our own words"], {}),
        ("plain", "page", 503, ["HTTP 503", "text/html"], {"retry-after": "30"}),
        ("plain", "login_page", 502, ["HTTP 200", "text/html"], {}),
        ("plain", "plain_404", 404, ["404 page not found"], {}),
        ("plain", "moved", 502, ["redirects to https://elsewhere.example/v1"], {}),
        ("plain", "hang_up", 502, ["closed the connection"], {}),
        ("plain", "no_http", 502, ["cannot be reached"], {}),
        ("impatient", "silent", 504, ["did not answer in time"], {}),
        ("dead", "answer", 502, ["http://127.0.0.1:9/v1", "Connection refused"], {}),
        ("nowhere", "answer", 502, ["no-such-host.invalid"], {}),
    ],
)
def test_a_failing_provider_is_told_in_the_protocols_shape(
    relay: Running, provider: Provider, model: str, behave: str, status: int, words: list[str], headers: dict[str, str]
) -> None:
    for streaming in (False, True):
        failed = relay.ask(asking(model, behave, stream=streaming))
        assert failed.status_code == status
        for word in words:
            assert word in failed.json()["error"]["message"]
        assert headers.items() <= dict(failed.headers).items()
        assert OWN_KEY not in failed.text
    assert relay.ask(asking("plain")).status_code == 200, "and the next call goes well"


def test_an_error_of_the_provider_s_comes_back_to_the_byte(relay: Running, provider: Provider) -> None:
    assert (
        relay.ask(asking("plain", "broken")).content == b'{"error":{"message":"our own words","type":"server_error"}}'
    )


def test_a_stream_that_is_cut_ends_with_an_error_that_clients_understand(
    client: openai.OpenAI, provider: Provider
) -> None:
    stream = client.chat.completions.create(
        model="plain", messages=[{"role": "user", "content": "x"}], stream=True, extra_body={"behave": "cut_stream"}
    )
    said = []
    with pytest.raises(openai.APIError, match="broke off"):
        said += [one.choices[0].delta.content for one in stream]


def test_an_answer_that_is_cut_is_not_taken_for_a_whole_one(relay: Running, provider: Provider) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        relay.ask(asking("plain", "cut_json"))


def test_a_stream_that_falls_silent_ends_with_an_error(relay: Running, provider: Provider) -> None:
    failed = relay.ask(asking("impatient", "endless"))
    assert failed.content.startswith(chunk("one "))
    last = json.loads(failed.text.strip().rpartition("data: ")[2])
    assert "fell silent" in last["error"]["message"]


# mock_response.


def test_a_written_answer_is_given_whole_and_streamed(client: openai.OpenAI) -> None:
    user = [{"role": "user", "content": "hello"}]
    answer = client.chat.completions.create(model="said", messages=user)
    assert answer.choices[0].message.content == "as it was written"
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    with client.chat.completions.stream(model="said", messages=user) as stream:
        assert stream.get_final_completion().choices[0].message.content == "as it was written"
    assert client.completions.create(model="said", prompt="x").choices[0].text == "as it was written"
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="said", input="x")


def test_a_request_may_bring_its_answer(relay: Running, provider: Provider) -> None:
    answer = relay.ask(asking("plain", mock_response="brought along"))
    assert answer.json()["choices"][0]["message"]["content"] == "brought along"
    assert provider.heard == []


# The process.


def test_numbers_for_prometheus(start_relay: Callable[..., Running], provider: Provider) -> None:
    relay = start_relay([("m", {"model": "openai/x", "api_base": provider.base})])
    provider.go_on.set()
    for behave in ("answer", "stream", "limited"):
        relay.ask(asking("m", behave))
    lines = relay.get("/metrics").text.splitlines()
    for line in (
        'kaos_model_requests_total{model="m",status="200"} 2',
        'kaos_model_requests_total{model="m",status="429"} 1',
        'kaos_model_tokens_total{model="m",kind="prompt"} 14',
        'kaos_model_tokens_total{model="m",kind="completion"} 9',
        'kaos_model_request_seconds_count{model="m"} 3',
    ):
        assert line in lines


def test_a_stream_under_way_is_finished_before_the_end(start_relay: Callable[..., Running], provider: Provider) -> None:
    relay = start_relay([("m", {"model": "openai/x", "api_base": provider.base})])
    with httpx.stream("POST", f"{relay.v1}/chat/completions", json=asking("m", "stream"), timeout=WAIT_S) as stream:
        pieces = stream.iter_bytes()
        next(pieces)
        relay.process.send_signal(signal.SIGTERM)
        threading.Timer(0.5, provider.go_on.set).start()
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
    assert relay.process.wait(WAIT_S) == 0


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_pages_cannot_spend_a_persons_money(relay: Running, provider: Provider, headers: dict[str, str]) -> None:
    assert relay.ask(asking("plain"), **headers).status_code == 403
    assert provider.heard == []


def test_calls_go_through_the_environments_proxy_but_where_it_says_no(
    start_relay: Callable[..., Running], provider: Provider
) -> None:
    through = f"http://127.0.0.1:{provider.port}"
    models = [("far", {"model": "openai/x", "api_base": "http://far.example/v1"}),
              ("near", {"model": "openai/x", "api_base": provider.base})]  # fmt: skip
    relay = start_relay(models, http_proxy=through, no_proxy="127.0.0.1")
    assert relay.ask(asking("far")).status_code == 200
    assert provider.last().line == "POST http://far.example/v1/chat/completions HTTP/1.1"
    assert relay.ask(asking("near")).status_code == 200
    assert provider.last().line == "POST /v1/chat/completions HTTP/1.1"


def test_it_takes_little_memory(start_relay: Callable[..., Running]) -> None:
    assert start_relay([("m", {"model": "openai/x"})]).resident_mb() < 50


def test_nothing_heavy_is_loaded() -> None:
    heavy = "{'pydantic', 'openai', 'litellm', 'starlette', 'uvicorn', 'prometheus_client', 'kubernetes', 'httpx'}"
    code = (
        "import sys; from kaos.dataplane.model import __main__, litellm, mock_app, relay, routing; "
        f"print({heavy} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
