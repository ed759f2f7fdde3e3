"""With `spec.telemetry`, all three kinds tell a collector, and one chat is one trace; `/metrics` is always there."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.collector import Collector
from tests.stories import agent, manifests, mcpserver, modelapi

pytestmark = pytest.mark.only("local")  # the collector listens on this machine

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
SOON = [
    {"name": "OTEL_BSP_SCHEDULE_DELAY", "value": "100"},
    {"name": "OTEL_METRIC_EXPORT_INTERVAL", "value": "500"},
    {"name": "OTEL_EXPORTER_OTLP_TIMEOUT", "value": "1"},
]


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


class Claude(BaseHTTPRequestHandler):
    """A provider whose protocol is not the relay's."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        said = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn"}
        said["content"] = [{"type": "text", "text": "another secret"}]
        said["usage"] = {"input_tokens": 5, "output_tokens": 3}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def anthropic():
    with ThreadingHTTPServer(("127.0.0.1", 0), Claude) as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{provider.server_port}"
        provider.shutdown()


@pytest.fixture
def traced(collector) -> dict[str, Any]:
    """What is added to a spec."""
    return {"telemetry": {"enabled": True, "endpoint": collector.url}, "container": {"env": SOON}}


@pytest.fixture
def apply(kaos, namespace):
    def ready(*texts: str, within_s: int = 60) -> None:
        command = ["apply", "-f", "-", "-n", namespace, "--wait", str(within_s)]
        kaos(*command, stdin=manifests(*texts), timeout_s=within_s + 30).ok()

    return ready


@pytest.fixture
def address(place, namespace):
    """Where this machine reaches a Service."""
    from kubernetes import client

    def of(service: str) -> str:
        found = client.CoreV1Api(place.kubernetes()).read_namespaced_service(service, namespace)
        return f"http://{found.metadata.annotations['local.kaos.tools/address.8000']}"

    return of


def asked(address: str, model: str, words: str = "hello", **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": words}], **more}
    return httpx.post(f"{address}/v1/chat/completions", json=body, headers=PARENT, timeout=60).raise_for_status()


def numbers(address: str) -> dict[str, float]:
    """The samples of /metrics, as Prometheus's own parser reads them, added up over their labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(
        httpx.get(f"{address}/metrics", follow_redirects=True, timeout=60).text
    ):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_a_chat_is_one_trace_through_agent_model_and_tool_server(kaos, namespace, apply, traced, collector):
    apply(
        modelapi(**traced),
        mcpserver("calculator", **traced),
        agent("helper", mcpServers=["calculator"], **traced),
    )
    kaos("agent", "invoke", "helper", "-n", namespace, "--message", "what is 2 + 3?").ok()
    whole = collector.span("helper", "invoke_agent helper")
    thought, served = collector.span("helper", "chat mock"), collector.span("mock", "chat mock")
    acted, done = collector.span("helper", "execute_tool add"), collector.span("calculator", "tools/call add")
    assert {one.trace for one in (whole, thought, served, acted, done)} == {whole.trace}
    assert (thought.parent, acted.parent) == (whole.id, whole.id)
    assert (served.parent, done.parent) == (thought.id, acted.id)


def test_a_delegation_is_in_the_trace_and_counted(kaos, namespace, apply, traced, collector, address):
    apply(
        modelapi(),
        agent("worker", agentNetwork={"expose": True}, **traced),
        agent("boss", agentNetwork={"access": ["worker"]}, **traced),
    )
    call = 'call delegate_to_worker {"message": "hello"}'
    kaos("agent", "invoke", "boss", "-n", namespace, "--message", call).ok()
    given, taken = collector.span("boss", "invoke_agent worker"), collector.span("worker", "invoke_agent worker")
    assert (taken.trace, taken.parent) == (given.trace, given.id)
    assert given.parent == collector.span("boss", "invoke_agent boss").id
    found = numbers(address("agent-boss"))
    assert found["kaos_agent_delegations_total"] == found["kaos_agent_delegation_seconds_count"] == 1


def test_an_agent_measures_and_says_whose_it_is(kaos, namespace, apply, traced, collector):
    apply(modelapi(), agent("helper", **traced))
    kaos("agent", "invoke", "helper", "-n", namespace, "--message", "hello").ok()
    wanted = {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    collector.until(lambda: wanted <= collector.names_of_metrics("helper"))
    resource = collector.span("helper", "invoke_agent helper").resource
    assert (resource["service.namespace"], resource["kaos.resource.kind"]) == (namespace, "Agent")


def test_a_tool_server_measures_and_says_whose_it_is(kaos, namespace, apply, traced, collector):
    apply(mcpserver("calculator", **traced))
    kaos("mcp", "invoke", "calculator", "-n", namespace, "--tool", "add", "--args", '{"a": 1, "b": 2}').ok()
    collector.until(lambda: "mcp.server.operation.duration" in collector.names_of_metrics("calculator"))
    resource = collector.span("calculator", "tools/call add").resource
    assert (resource["service.namespace"], resource["kaos.resource.kind"]) == (namespace, "MCPServer")


def test_a_mock_measures_and_says_whose_it_is(namespace, apply, traced, collector, address):
    apply(modelapi(**traced))
    asked(address("modelapi-mock"), "mock")
    collector.until(lambda: "gen_ai.server.request.duration" in collector.names_of_metrics("mock"))
    span = collector.span("mock", "chat mock")
    assert (span.trace, span.parent) == (TRACE, CALLER)
    assert (span.resource["service.namespace"], span.resource["kaos.resource.kind"]) == (namespace, "ModelAPI")


def test_a_relay_stands_between_the_caller_and_the_provider(apply, traced, collector, address):
    proxy = {"models": ["mock"], "apiBase": "http://modelapi-mock:8000/v1"}
    apply(modelapi(**traced), modelapi("relay", type="proxy", proxyConfig=proxy, **traced))
    asked(address("modelapi-relay"), "mock")
    relayed, served = collector.span("relay", "chat mock"), collector.span("mock", "chat mock")
    assert (relayed.trace, relayed.parent, served.parent) == (TRACE, CALLER, relayed.id)
    collector.until(lambda: "gen_ai.server.request.duration" in collector.names_of_metrics("relay"))


@pytest.mark.full
@pytest.mark.timeout(600)
def test_litellm_tells_by_its_own_means_but_no_word_of_a_chat(apply, traced, collector, address, anthropic):
    proxy = {"models": ["anthropic/claude"], "apiBase": anthropic, "apiKey": {"value": "none"}}
    apply(modelapi("litellm", type="proxy", proxyConfig=proxy, **traced), within_s=500)
    url = address("modelapi-litellm")
    assert "another secret" in asked(url, "anthropic/claude", "a secret").text
    span = collector.span("litellm", "litellm_request", **{"gen_ai.request.model": "claude"})
    assert span.trace == TRACE
    assert span.attributes["gen_ai.usage.output_tokens"] > 0
    assert "secret" not in str(collector.spans())
    collector.until(lambda: "gen_ai.client.token.usage" in collector.names_of_metrics("litellm"))
    assert numbers(url)["litellm_proxy_total_requests_metric_total"] == 1


def test_a_collector_that_is_away_is_told_once_and_disturbs_nobody(kaos, namespace, apply):
    away = {"telemetry": {"enabled": True, "endpoint": "http://127.0.0.1:9"}, "container": {"env": SOON}}
    apply(modelapi(**away), mcpserver("calculator", **away), agent("helper", mcpServers=["calculator"], **away))

    def lines(kind: str, name: str) -> list[str]:
        log = kaos(kind, "logs", name, "-n", namespace).ok().stdout
        return [line for line in log.splitlines() if "127.0.0.1:9" in line or "opentelemetry" in line]

    servers = [("agent", "helper"), ("modelapi", "mock"), ("mcp", "calculator")]
    while not all(lines(*one) for one in servers):
        assert "5" in kaos("agent", "invoke", "helper", "-n", namespace, "--message", "what is 2 + 3?").ok().stdout
    for one in servers:
        (line,) = lines(*one)
        assert "takes no traces and metrics" in line


def test_numbers_are_there_without_telemetry(kaos, namespace, apply, address):
    apply(modelapi(), mcpserver("calculator"), agent("helper", mcpServers=["calculator"]))
    kaos("agent", "invoke", "helper", "-n", namespace, "--message", "what is 2 + 3?").ok()
    found = numbers(address("agent-helper"))
    assert found["kaos_agent_requests_total"] == 1
    assert found["kaos_agent_model_calls_total"] == found["kaos_agent_model_call_seconds_count"] == 2
    assert found["kaos_agent_tool_calls_total"] == found["kaos_agent_tool_call_seconds_count"] == 1
    assert found["kaos_agent_tokens_total"] > 0
    assert numbers(address("modelapi-mock"))["kaos_model_requests_total"] == 2
    assert numbers(address("mcpserver-calculator"))["kaos_mcp_tool_calls_total"] == 1
