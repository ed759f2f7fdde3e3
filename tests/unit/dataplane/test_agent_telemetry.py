"""With a collector named, the agent's traces and metrics reach it; while it is away nothing waits for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import httpx
import pytest

from kaos.dataplane.otel import _Collector

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def begin(start, backend, tool_server):
    """Start an agent that tells this collector; its URL."""

    def agent(collector: str, **env: str) -> str:
        settings = {
            "AGENT_NAME": "traced",
            "MODEL_API_URL": backend.url,
            "MODEL_NAME": "scripted",
            "MCP_SERVERS": "tools",
            "MCP_SERVER_TOOLS_URL": tool_server,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }
        return start("kaos.dataplane.agent", "/health", **(settings | env))

    return agent


def asked(url: str, words: str, **headers: str) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": words}]}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    process.terminate()
    began = time.monotonic()
    return process.wait(30) == 0 and time.monotonic() - began < seconds


def test_a_question_is_one_trace_from_the_caller_to_model_and_tool(begin, backend, collector):
    url = begin(collector.url)
    asked(url, 'call echo {"text": "a secret"}', traceparent=f"00-{TRACE}-{CALLER}-01")
    whole = collector.span("traced", "invoke_agent traced")
    model, tool = collector.span("traced", "chat scripted"), collector.span("traced", "execute_tool echo")
    assert {one.trace for one in collector.spans()} == {TRACE}
    assert (whole.parent, model.parent, tool.parent) == (CALLER, whole.id, whole.id)
    assert (whole.kind, model.kind, tool.kind) == ("internal", "client", "client")
    sent = {name.lower(): value for name, value in backend.headers[-1].items()}["traceparent"]
    assert sent.split("-")[1:3] == [TRACE, model.id]


def test_a_callers_baggage_and_a_broken_trace_do_not_travel_on(begin, backend, collector):
    url = begin(collector.url)
    answer = asked(url, "say x", traceparent="00-zz-zz-zz", baggage="user=canary", tracestate="a=canary")
    assert answer.status_code == 200
    sent = {name.lower(): value for name, value in backend.headers[-1].items()}
    assert sent["traceparent"].split("-")[1] == collector.span("traced", "invoke_agent traced").trace
    assert "canary" not in json.dumps(sent)


def test_spans_speak_the_words_of_the_conventions(begin, backend, tool_server, collector):
    url = begin(collector.url)
    asked(url, 'call echo {"text": "a secret"}')
    whole = collector.span("traced", "invoke_agent traced").attributes
    assert (whole["gen_ai.operation.name"], whole["gen_ai.agent.name"]) == ("invoke_agent", "traced")
    first, last = [one.attributes for one in collector.spans() if one.name == "chat scripted"]
    assert (first["gen_ai.request.model"], first["server.port"]) == ("scripted", int(backend.url.rpartition(":")[2]))
    assert first["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert last["gen_ai.response.finish_reasons"] == ["stop"]
    tool = collector.span("traced", "execute_tool echo").attributes
    assert (tool["gen_ai.tool.name"], tool["mcp.method.name"]) == ("echo", "tools/call")
    assert "a secret" not in json.dumps([one.attributes for one in collector.spans()])


def test_what_failed_is_marked(begin, collector):
    url = begin(collector.url)
    asked(url, "call fail {}")
    assert collector.span("traced", "execute_tool fail").failed
    assert not collector.span("traced", "invoke_agent traced").failed
    asked(url, "status 400")
    assert collector.span("traced", "invoke_agent traced", **{"error.type": "model_error"}).failed


def test_times_and_tokens_are_measured(begin, collector):
    url = begin(collector.url)
    asked(url, "call echo {}")
    asked(url, "say x")
    wanted = {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    collector.until(lambda: wanted <= collector.names_of_metrics("traced"))
    operations = {told["gen_ai.operation.name"] for _, _, told in collector.metrics()}
    assert operations == {"invoke_agent", "chat", "execute_tool"}


def test_what_was_not_sent_yet_is_sent_at_the_end(begin, start, collector):
    url = begin(collector.url, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_METRIC_EXPORT_INTERVAL="60000")
    asked(url, "say x")
    assert ends_within(start.running[-1], 5)
    assert collector.span("traced", "invoke_agent traced")
    assert "gen_ai.client.token.usage" in collector.names_of_metrics("traced")


def test_a_collector_that_is_away_costs_one_line_and_no_answer(begin, start, capfd):
    url = begin("http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    told = ""
    while "takes no traces" not in told:
        assert asked(url, "say x").status_code == 200
        told += capfd.readouterr().err
    for _ in range(100):
        assert asked(url, "say x").status_code == 200
    assert ends_within(start.running[-1], 6)
    told += capfd.readouterr().err
    (line,) = [line for line in told.splitlines() if "collector" in line or "opentelemetry" in line.lower()]
    assert "http://127.0.0.1:9" in line
    assert "Traceback" not in told


def test_a_collector_that_never_answers_holds_neither_answers_nor_the_end(begin, start):
    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = begin(f"http://127.0.0.1:{hole.getsockname()[1]}")
        began = time.monotonic()
        for _ in range(20):
            assert asked(url, "say x").status_code == 200
        assert time.monotonic() - began < 5
        assert ends_within(start.running[-1], 6)


def test_who_names_the_port_of_grpc_is_told_the_other(caplog):
    collector = _Collector("http://collector:4317")
    for takes in (True, False, False, True):
        collector.heard(takes)
    first, second = (record.getMessage() for record in caplog.records)
    assert "over HTTP it is 4318" in first
    assert "takes traces and metrics again" in second


@pytest.mark.parametrize("module", ["kaos.dataplane.agent", "kaos_rawpython"])
def test_an_endpoint_that_is_no_address_is_refused_by_name(module):
    env = {"AGENT_NAME": "a", "DEBUG_MOCK_RESPONSES": '["x"]', "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}
    ended = subprocess.run([sys.executable, "-m", module], env=env, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 78
    assert ended.stderr == (
        "OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// address, not 'collector:4318'\n"
    )


def test_without_the_packages_it_says_what_to_install():
    env = {"AGENT_NAME": "a", "DEBUG_MOCK_RESPONSES": '["x"]', "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    hide = "import sys; sys.modules['opentelemetry.sdk'] = None; from kaos.dataplane.agent.__main__ import main; main()"
    ended = subprocess.run([sys.executable, "-c", hide], env=kept | env, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 78
    assert "kaos-console[telemetry]" in ended.stderr
