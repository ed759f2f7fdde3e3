"""A person looks at how busy everything is."""

from __future__ import annotations

import json
import signal

from tests.stories import agent, manifests, mcpserver, modelapi


def test_calls_errors_and_tokens_are_counted_for_each_kind(kaos, namespace):
    text = manifests(modelapi(), mcpserver("calc"), agent("helper"), mcpserver("asleep", suspend=True))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    kaos("mcp", "invoke", "calc", "-n", namespace, "--tool", "add", "--args", '{"a": 1, "b": 2}').ok()
    kaos("agent", "invoke", "helper", "-n", namespace, "-m", "hello").ok()
    found = {one["ref"]["name"]: one for one in json.loads(kaos("top", "-n", namespace, "-o", "json").ok().stdout)}
    assert (found["calc"]["requests"], found["calc"]["errors"]) == (1, 0)
    assert (found["helper"]["requests"], found["helper"]["pods"]) == (1, 1)
    assert found["helper"]["tokens"] == found["mock"]["tokens"] > 0
    assert found["mock"]["p50_s"] > 0
    assert found["calc"]["per_minute"] == 0, "nobody has called since"
    assert found["asleep"]["note"] == "no pods"


def test_the_table_says_why_there_are_no_numbers(kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("asleep", suspend=True)).ok()
    header, row = kaos("top", "-n", namespace).ok().stdout.splitlines()
    assert header.split()[:5] == ["KIND", "NAME", "PODS", "CALLS/MIN", "REQUESTS"]
    assert row.endswith("no pods")


def test_nothing_there_is_said_at_once(kaos, namespace):
    shown = kaos("top", "-n", namespace).ok()
    assert (shown.stdout, f"Nothing in namespace {namespace}" in shown.stderr) == ("", True)


def test_watching_goes_on_with_a_line_a_reading_until_it_is_interrupted(place, kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("calc")).ok()
    watching = place.start("top", "-n", namespace, "--watch", "-o", "json")
    first, second = (json.loads(watching.stdout.readline()) for _ in range(2))
    watching.send_signal(signal.SIGINT)
    assert watching.wait(20) == 130
    watching.stdout.close()
    watching.stderr.close()
    assert [one["ref"]["name"] for one in first] == [one["ref"]["name"] for one in second] == ["calc"]
