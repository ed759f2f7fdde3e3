"""With a collector named, a tool server tells it of every request, in the trace of the agent that calls."""

from __future__ import annotations

import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"
PROGRAM = """
def echo(text: str = "nothing") -> str:
    return text
def fail() -> str:
    raise ValueError("no such luck")
"""


@pytest.fixture
def begin(start):
    """Start a tool server that tells this collector; its URL."""

    def tools(collector: str, **env: str) -> str:
        settings = {
            "MCP_TOOLS_STRING": PROGRAM,
            "OTEL_SERVICE_NAME": "tools",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }
        return start("kaos_rawpython", "/health", **(settings | env))

    return tools


def call(url: str, tool: str, **meta: str) -> httpx.Response:
    """A tool call of the era without sessions."""
    protocol = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": {}, "_meta": protocol | meta}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return httpx.post(f"{url}/mcp", json=body, headers=headers, timeout=30).raise_for_status()


def test_a_call_is_a_span_in_the_words_of_mcps_conventions(begin, collector):
    call(begin(collector.url), "echo", traceparent=PARENT)
    span = collector.span("tools", "tools/call echo")
    assert (span.trace, span.parent, span.kind, span.failed) == (TRACE, CALLER, "server", False)
    assert span.attributes["mcp.method.name"] == "tools/call"
    assert span.attributes["gen_ai.tool.name"] == "echo"
    assert span.attributes["mcp.protocol.version"] == "2026-07-28"


def test_a_call_that_failed_is_marked_and_its_time_measured(begin, collector):
    url = begin(collector.url)
    call(url, "echo")
    call(url, "fail")
    assert collector.span("tools", "tools/call fail").failed

    def errors() -> dict[str, str]:
        points = [told for _, name, told in collector.metrics() if name == "mcp.server.operation.duration"]
        return {told["gen_ai.tool.name"]: told.get("error.type", "") for told in points}

    collector.until(lambda: errors() == {"echo": "", "fail": "tool_error"})


def test_an_agents_call_is_in_the_agents_trace(begin, start, backend, collector):
    url = start(
        "kaos.dataplane.agent",
        "/health",
        AGENT_NAME="asking",
        MODEL_API_URL=backend.url,
        MODEL_NAME="scripted",
        MCP_SERVERS="tools",
        MCP_SERVER_TOOLS_URL=f"{begin(collector.url)}/mcp",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="50",
    )
    body = {"messages": [{"role": "user", "content": "call echo {}"}]}
    httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30).raise_for_status()
    here, there = collector.span("asking", "execute_tool echo"), collector.span("tools", "tools/call echo")
    assert (there.trace, there.parent) == (here.trace, here.id)


def test_a_collector_that_is_away_costs_one_line_and_no_call(begin, start, capfd):
    url = begin("http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    told = ""
    while "takes no traces" not in told:
        call(url, "echo")
        told += capfd.readouterr().err
    for _ in range(30):
        call(url, "echo")
    began = time.monotonic()
    start.running[-1].terminate()
    assert start.running[-1].wait(20) == 0
    assert time.monotonic() - began < 6
    told += capfd.readouterr().err
    assert told.count("http://127.0.0.1:9") == 1
    assert "Traceback" not in told


def test_numbers_are_there_without_telemetry(start):
    url = start("kaos_rawpython", "/health", MCP_TOOLS_STRING=PROGRAM)
    call(url, "echo")
    call(url, "fail")
    found = {
        (sample.name, sample.labels.get("tool")): sample.value
        for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
        for sample in family.samples
    }
    assert found["kaos_mcp_tool_calls_total", "echo"] == 1
    assert found["kaos_mcp_tool_errors_total", "fail"] == 1
    assert found["kaos_mcp_tool_duration_seconds_count", "echo"] == 1
