"""A person reads what several resources say at once, and what the operator says."""

from __future__ import annotations

import re

import pytest

from tests.stories import manifests, mcpserver, modelapi

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\S+ ")


@pytest.fixture
def two(kaos, namespace):
    """A tool server and a model, both ready: each has something to say."""
    text = manifests(modelapi(), mcpserver("calc"))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()


def pods_of(text):
    return {line.partition("]")[0].lstrip("[") for line in text.splitlines()}


def test_one_resource_speaks_without_a_label(kaos, namespace, two):
    alone = kaos("logs", "mcp/calc", "-n", namespace).ok().stdout
    assert alone == kaos("mcp", "logs", "calc", "-n", namespace).ok().stdout
    assert not alone.startswith("[")


def test_lines_of_several_resources_are_labelled_and_in_the_order_of_time(kaos, namespace, two):
    said = kaos("logs", "mcp/calc", "modelapi/mock", "-n", namespace, "--timestamps").ok().stdout
    labels = pods_of(said)
    assert any(label.startswith("mcpserver-calc-") for label in labels)
    assert any(label.startswith("modelapi-mock-") for label in labels)
    times = [STAMP.match(line.partition("] ")[2])[0] for line in said.splitlines()]
    assert times == sorted(times)


def test_following_several_resources_goes_on_with_pods_to_come(place, kaos, namespace, two):
    following = place.start("logs", "mcp/calc", "modelapi/mock", "-n", namespace, "-f")
    try:
        first = next(line for line in following.stdout if line.startswith("[mcpserver-calc-"))
        before = first.partition("]")[0]
        kaos("mcp", "restart", "calc", "-n", namespace).ok()
        assert any(line.startswith("[mcpserver-calc-") and not line.startswith(before) for line in following.stdout)
    finally:
        following.terminate()
        following.communicate(timeout=20)


def test_one_pod_can_be_chosen(kaos, namespace, two):
    pod = pods_of(kaos("logs", "mcp/calc", "modelapi/mock", "-n", namespace).ok().stdout)
    (calc,) = [name for name in pod if name.startswith("mcpserver-calc-")]
    said = kaos("logs", "mcp/calc", "-n", namespace, "--pod", calc).ok().stdout
    assert said == kaos("logs", "mcp/calc", "-n", namespace).ok().stdout
    refused = kaos("logs", "mcp/calc", "-n", namespace, "--pod", "nobody")
    assert refused.code == 3
    assert refused.stderr == f"Error: mcp/calc has no pod nobody.\nIt has: {calc}\n"


def test_only_the_end_is_shown_when_asked_for(kaos, namespace, two):
    assert len(kaos("logs", "mcp/calc", "-n", namespace, "--tail", "1").ok().stdout.splitlines()) == 1


@pytest.mark.only("local")
def test_the_operator_in_the_local_daemon_tells_what_it_did_and_nothing_else(kaos, namespace, two):
    said = kaos("logs", "--operator").ok().stdout
    assert re.search(rf"INFO +kaos\.operator: MCPServer {namespace}/calc: Ready", said)
    assert "kaos.local" not in said
    assert kaos("logs", "--operator", "--tail", "1").ok().stdout == said.splitlines(keepends=True)[-1]


@pytest.mark.only("local")
def test_the_operator_and_a_resource_are_told_apart(kaos, namespace, two):
    labels = pods_of(kaos("logs", "mcp/calc", "--operator", "-n", namespace).ok().stdout)
    assert "operator" in labels
    assert any(label.startswith("mcpserver-calc-") for label in labels)


@pytest.mark.only("local")
def test_following_the_operator_shows_what_it_does_now(place, kaos, namespace):
    following = place.start("logs", "--operator", "-f", "--tail", "0")
    try:
        kaos("apply", "-f", "-", "-n", namespace, stdin=mcpserver("later")).ok()
        assert any(f"MCPServer {namespace}/later" in line for line in following.stdout)
    finally:
        following.terminate()
        following.communicate(timeout=20)


@pytest.mark.only("cluster")
def test_an_operator_outside_the_cluster_is_named(kaos):
    refused = kaos("logs", "--operator")
    assert refused.code == 3
    assert "runs outside the cluster, as " in refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "Logs of what?"),
        (("mcp/nobody",), 3, "There is no MCPServer nobody in namespace"),
        (("pod/nobody",), 2, "'pod/nobody' is not KIND/NAME."),
        (("nobody",), 2, "'nobody' is not KIND/NAME."),
        (("mcp/nobody", "-f"), 3, "There is no MCPServer nobody in namespace"),
        (("mcp/nobody", "-f", "--previous"), 2, "--follow and --previous do not go together."),
        (("mcp/nobody", "--since", "soon"), 2, "is no length of time"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line(kaos, namespace, words, code, told):
    refused = kaos("logs", *words, "-n", namespace)
    assert (refused.code, refused.stdout) == (code, "")
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
