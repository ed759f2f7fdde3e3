"""With a collector named, mock and relay tell it of every request; their numbers are Prometheus's own in any case."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"
QUESTION = {"model": "mock", "messages": [{"role": "user", "content": "a secret"}]}


@pytest.fixture
def telling(collector):
    """The environment of a server that tells the collector."""
    return {
        "OTEL_SERVICE_NAME": "model",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
    }


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_of_the_mock_is_a_span_in_the_callers_trace(start, collector, telling, stream):
    start("mock", MOCK_MODELS="mock", **telling).ask(QUESTION | {"stream": stream}, traceparent=PARENT)
    span = collector.span("model", "chat mock")
    assert (span.trace, span.parent, span.kind, span.failed) == (TRACE, CALLER, "server", False)
    assert span.attributes["gen_ai.request.model"] == "mock"
    assert span.attributes["gen_ai.usage.input_tokens"] > 0
    assert span.attributes["gen_ai.usage.output_tokens"] > 0
    assert "a secret" not in str(span.attributes)
    wanted = {"gen_ai.server.request.duration", "gen_ai.client.token.usage"}
    collector.until(lambda: wanted <= collector.names_of_metrics("model"))


def test_the_relay_carries_the_trace_on_to_the_provider(start_relay, provider, collector, telling):
    params = {"model": "openai/real", "api_base": provider.base, "api_key": "k"}
    start_relay([("mock", params)], **telling).ask(QUESTION, traceparent=PARENT)
    span = collector.span("model", "chat mock")
    assert (span.trace, span.parent) == (TRACE, CALLER)
    assert provider.last().header("traceparent").split("-")[1:3] == [TRACE, span.id]
    assert (span.attributes["gen_ai.usage.input_tokens"], span.attributes["gen_ai.usage.output_tokens"]) == (11, 7)


def test_a_refusal_is_marked(start, collector, telling):
    start("mock", MOCK_MODELS="mock", **telling).ask(QUESTION | {"model": "absent"})
    span = collector.span("model", "chat")
    assert (span.failed, span.attributes["error.type"]) == (True, "404")


def test_a_collector_that_is_away_costs_one_line_and_no_answer(start, telling):
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    mock = start("mock", MOCK_MODELS="mock", **(telling | away))
    mock.ask(QUESTION)
    while "takes no traces" not in (line := mock.process.stdout.readline()):
        assert line
    for _ in range(50):
        assert mock.ask(QUESTION).status_code == 200
    mock.process.terminate()
    assert mock.process.wait(10) == 0
    assert mock.process.stdout.read() == ""


def test_numbers_are_there_without_telemetry(start):
    mock = start("mock", MOCK_MODELS="mock")
    mock.ask(QUESTION)
    mock.ask(QUESTION | {"model": "absent"})
    found = {
        (sample.name, sample.labels.get("status") or sample.labels.get("kind")): sample.value
        for family in text_string_to_metric_families(mock.get("/metrics").text)
        for sample in family.samples
    }
    assert found["kaos_model_requests_total", "200"] == 1
    assert found["kaos_model_requests_total", "404"] == 1
    assert found["kaos_model_tokens_total", "prompt"] > 0
    assert found["kaos_model_request_seconds_count", None] == 1
