"""Numbers of pods: read as Prometheus writes them, put together, and turned into rates."""

from __future__ import annotations

import math

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from kaos.actions import exposition
from kaos.actions.exposition import Sample
from kaos.actions.top import Reading, port_of, rate, reading

PAGE = r"""
# HELP kaos_agent_requests_total Questions.
# TYPE kaos_agent_requests_total counter
kaos_agent_requests_total{status="200"} 7.0
kaos_agent_requests_total{status="500"} 2.0
kaos_agent_requests_total{status="499"} 1.0
kaos_agent_tokens_total{kind="prompt"} 30
kaos_agent_tokens_total{kind="completion"} 12 1700000000000
kaos_agent_request_seconds_bucket{le="0.1"} 5
kaos_agent_request_seconds_bucket{le="1.0"} 10
kaos_agent_request_seconds_bucket{le="+Inf"} 10
process_resident_memory_bytes 1.5e+07
odd{text="a \"quoted\" } brace, and a\nline\\"} NaN
rubbish
also rubbish {
"""


def test_the_page_of_an_agent():
    found = reading(5.0, "Agent", exposition.parse(PAGE))
    assert found == Reading(5.0, 10, 2, 42, {0.1: 5, 1.0: 10, math.inf: 10}, 15_000_000)


def test_labels_are_read_with_their_escapes_and_rubbish_is_passed_over():
    *_, odd = exposition.parse(PAGE)
    assert odd.labels == {"text": 'a "quoted" } brace, and a\nline\\'}
    assert math.isnan(odd.value)


def test_what_the_official_library_writes_is_read_back():
    registry = CollectorRegistry()
    prometheus_client.disable_created_metrics()
    counter = Counter("calls", "Calls.", ["tool"], registry=registry)
    counter.labels('we"ird\\na\nme').inc(3)
    Histogram("seconds", "Times.", registry=registry, buckets=(1, 2)).observe(1.5)
    samples = exposition.parse(prometheus_client.generate_latest(registry).decode())
    assert Sample("calls_total", {"tool": 'we"ird\\na\nme'}, 3.0) in samples
    assert exposition.buckets(samples, "seconds") == {1.0: 0, 2.0: 1, math.inf: 1}


QUANTILES = [
    ({}, 0.5, None),
    ({1.0: 0, math.inf: 0}, 0.5, None),
    ({1.0: 10, math.inf: 10}, 0.5, 0.5),
    ({1.0: 5, 2.0: 10, math.inf: 10}, 0.5, 1.0),
    ({1.0: 5, 2.0: 10, math.inf: 10}, 0.95, 1.9),
    ({1.0: 0, 2.0: 0, math.inf: 3}, 0.5, 2.0),  # all beyond the last bound
]


@pytest.mark.parametrize(("counts", "part", "value"), QUANTILES)
def test_quantiles_lie_straight_between_the_bounds(counts, part, value):
    assert exposition.quantile(part, counts) == (value if value is None else pytest.approx(value))


RATES = [
    (Reading(0, requests=10), Reading(30, requests=15), 10.0),
    (Reading(0, requests=10), Reading(60, requests=4), 4.0),  # the container began anew
    (Reading(0, requests=10), Reading(0, requests=15), None),
    (Reading(0, note="not ready"), Reading(30, requests=15), None),
    (Reading(0), Reading(30, note="not ready"), None),
]


@pytest.mark.parametrize(("before", "now", "a_minute"), RATES)
def test_two_readings_give_a_rate(before, now, a_minute):
    assert rate(before, now) == a_minute


def test_numbers_of_another_program_are_called_so():
    assert reading(0, "ModelAPI", [Sample("go_goroutines", {}, 7)]).note == "gives other metrics than KAOS's"


def test_a_model_that_was_never_asked_has_no_numbers_but_zeros():
    assert reading(0, "ModelAPI", []) == Reading(0, 0, 0, 0, {})


@pytest.mark.parametrize(
    ("containers", "port"),
    [
        ([{"name": "mcp-server", "ports": [{"containerPort": 9000}]}], 9000),
        ([{"name": "mcp-server"}, {"name": "bridge", "ports": [{"name": "http", "containerPort": 8001}]}], 8001),
        ([{"name": "x", "ports": [{"containerPort": 1}]}, {"name": "mcp-server", "ports": [{"containerPort": 2}]}], 2),
        ([{"name": "mcp-server"}], 8000),
    ],
)
def test_the_port_is_the_one_that_the_service_leads_to(containers, port):
    assert port_of({"spec": {"containers": containers}}, "mcp-server") == port
