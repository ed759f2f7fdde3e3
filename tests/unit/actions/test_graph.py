"""Who uses whom, and which of it does not work."""

from __future__ import annotations

import pytest

from kaos.actions.graph import graph
from kaos.actions.health import Ref, State, parse_ref
from kaos.errors import UsageError
from tests.unit.actions.surveys import agent, model, ref, server, survey


def drawn(*objects):
    return graph(survey(*objects).resources)


EDGES = [
    ([model()], agent("a"), "modelapi/mock", ""),
    ([], agent("a"), "modelapi/mock", "does not exist"),
    ([model(reason="CrashLooping")], agent("a"), "modelapi/mock", "is not ready: CrashLooping"),
    ([model(reason="")], agent("a"), "modelapi/mock", "is not ready: no operator has looked at it"),
    ([model()], agent("a", "ModelNotServed"), "modelapi/mock", "does not serve gpt"),
    ([server("s", phase="Degraded")], agent("a", mcpServers=["s"]), "mcp/s", ""),
    ([agent("b")], agent("a", peers=("b",)), "agent/b", ""),
    ([agent("b", expose=False)], agent("a", peers=("b",)), "agent/b", "does not expose itself"),
]


@pytest.mark.parametrize(("others", "user", "used", "problem"), EDGES)
def test_an_edge_says_why_it_does_not_work(others, user, used, problem):
    [edge] = drawn(*others, user).used_by(ref(used))
    assert (edge.user, edge.problem) == (ref("agent/a"), problem)


def test_what_is_named_and_not_there_is_a_node_too():
    node = drawn(agent("a")).nodes[ref("modelapi/mock")]
    assert (node.state, node.reason) == (State.MISSING, "does not exist")


def test_both_directions_can_be_walked():
    whole = drawn(model(), server("s"), agent("a", mcpServers=["s"]), agent("b", mcpServers=["s"]))
    assert [edge.used.word for edge in whole.uses(ref("agent/a"))] == ["modelapi/mock", "mcp/s"]
    assert [edge.user.word for edge in whole.used_by(ref("mcp/s"))] == ["agent/a", "agent/b"]


def test_everything_is_met_from_the_roots_circles_too():
    whole = drawn(
        model(), server("unused"), agent("boss", peers=("one",)), agent("one", peers=("two",)),
        agent("two", peers=("one",)), agent("x", peers=("y",)), agent("y", peers=("x",)),
        agent("self", peers=("self",)),
    )  # fmt: skip
    assert [root.word for root in whole.roots()] == ["agent/boss", "agent/self", "mcp/unused", "agent/x"]


@pytest.mark.parametrize("word", ["mcp/x", "mcpserver/x", "mcpservers/x", "MCPServer/x", "mcps/x"])
def test_a_kind_goes_by_all_its_names(word):
    assert parse_ref(word, "demo") == Ref("MCPServer", "demo", "x")


@pytest.mark.parametrize("word", ["x", "mcp", "mcp/", "mcp/a/b", "pod/x", "/x", ""])
def test_what_is_no_kind_and_name_is_refused(word):
    with pytest.raises(UsageError, match="is not KIND/NAME"):
        parse_ref(word, "demo")
