"""`kaos why` and `kaos map` as typed and printed."""

from __future__ import annotations

import json

import pytest

from kaos.actions.kinds import AGENT, MCPSERVER
from kaos.cli.tree import Branch, lines
from kaos.kube import times
from tests.live import LiveCluster


@pytest.fixture
def operator(hold_lease):
    hold_lease(renewTime=times.micro_now())


def make(client, room, kind, name, spec, **status):
    client.create(kind.resource, {"apiVersion": "kaos.tools/v1alpha1", "kind": kind.title, "metadata": {"name": name},
                                  "spec": spec}, room)  # fmt: skip
    client.patch(kind.resource, name, {"status": status}, room, subresource="status")


BROKEN = {"phase": "Failed", "ready": False, "reason": "InvalidParams", "message": "line 1: \x1b[31mSyntaxError"}
WAITING = {"phase": "Waiting", "ready": False, "reason": "WaitingForMCPServer", "message": "MCPServer calc ..."}


@pytest.fixture
def broken(client, room, operator):
    make(client, room, MCPSERVER, "calc", {"runtime": "rawpython"}, **BROKEN)
    make(client, room, AGENT, "helper", {"modelAPI": "mok", "model": "gpt", "mcpServers": ["calc"]}, **WAITING)


def test_the_cause_comes_first_with_its_cure_and_what_it_breaks(kaos, room, broken):
    shown = kaos("why", "-n", room)
    assert shown.code == 1
    assert shown.stdout == (
        f"✖ ModelAPI {room}/mok does not exist.\n"
        "  Means:   Agent helper names it in its spec.\n"
        "  Cure:    Create it.\n"
        f"  Command: kaos modelapi deploy --name mok --model gpt -n {room}\n"
        f"  Breaks:  Agent {room}/helper\n"
        "\n"
        f"✖ MCPServer {room}/calc: line 1: \x1b[31mSyntaxError.\n"
        "  Means:   The runtime cannot use spec.params, or LiteLLM proxyConfig.configYaml.\n"
        "  Cure:    Correct them; the message says where.\n"
        f"  Command: kaos mcp edit calc -n {room}\n"
        f"  Breaks:  Agent {room}/helper\n"
    ).replace("\x1b", "\\e")


def test_one_resource_is_told_with_the_chain_below_it(kaos, room, broken):
    shown = kaos("why", "mcp/calc", "-n", room)
    assert shown.code == 1
    assert (
        shown.stdout.splitlines()[-1] == f"✖ MCPServer {room}/calc: failed, InvalidParams: line 1: \\e[31mSyntaxError"
    )


def test_the_same_as_data(kaos, room, broken):
    facts = json.loads(kaos("why", "agent/helper", "-n", room, "-o", "json").stdout)
    assert facts["healthy"] is False
    assert [one["reason"] for one in facts["causes"]] == ["NotFound", "InvalidParams"]
    assert facts["causes"][1]["command"] == f"kaos mcp edit calc -n {room}"
    assert facts["chain"]["below"][0]["ref"] == {"kind": "ModelAPI", "namespace": room, "name": "mok"}


def test_all_well_ends_with_0(kaos, room, client, operator):
    make(client, room, MCPSERVER, "calc", {"runtime": "rawpython"}, phase="Ready", ready=True, reason="Ready")
    assert kaos("why", "-n", room).ok().stdout == f"Nothing is wrong in namespace {room}: 1 resource looked at.\n"
    shown = kaos("why", "mcp/calc", "-n", room).ok().stdout
    assert shown.startswith(f"MCPServer {room}/calc is ready. Nothing is wrong.\n")


def test_a_missing_operator_is_trouble_enough(kaos, room):
    shown = kaos("why", "-n", room)
    assert (shown.code, shown.stdout.splitlines()[0]) == (1, "✖ No operator runs in context kaos-local.")


def test_what_is_not_there_is_3_with_the_nearest_name(kaos, room, broken):
    shown = kaos("why", "mcp/calk", "-n", room)
    assert (shown.code, shown.stdout) == (3, "")
    assert shown.stderr == f"Error: There is no MCPServer calk in namespace {room}.\nDid you mean mcp/calc?\n"


def test_a_namespace_that_is_not_there_is_not_called_well(kaos, operator):
    shown = kaos("why", "-n", "no-such-room")
    assert (shown.code, shown.stdout) == (3, "")
    assert "There is no namespace no-such-room." in shown.stderr
    assert "namespace no-such-room, which does not exist" in kaos("map", "-n", "no-such-room").ok().stderr


@pytest.mark.parametrize("words", [["calc"], ["pod/x"], ["mcp/x", "-A"]])
def test_what_cannot_be_meant_is_2(kaos, words):
    assert kaos("why", *words).code == 2


def test_the_map_is_a_tree_with_states_and_broken_edges(kaos, room, broken):
    assert kaos("map", "-n", room).ok().stdout == (
        "Agent helper           ◐ pending, gpt, WaitingForMCPServer\n"
        "├─ thinks with mok     ✖ missing, does not exist\n"
        "└─ uses tools of calc  ✖ failed, rawpython, InvalidParams\n"
    )


def test_the_map_as_data_and_as_drawings(kaos, room, broken):
    facts = json.loads(kaos("map", "-n", room, "-o", "json").ok().stdout)
    assert {(one["kind"], one["state"]) for one in facts["nodes"]} == {
        ("Agent", "pending"), ("MCPServer", "failed"), ("ModelAPI", "missing")
    }  # fmt: skip
    assert [edge["problem"] for edge in facts["edges"]] == ["does not exist", "is not ready: InvalidParams"]
    dot = kaos("map", "-n", room, "-o", "dot").ok().stdout
    assert f'"Agent/{room}/helper" -> "ModelAPI/{room}/mok" [label="thinks with: does not exist", color="red"' in dot
    mermaid = kaos("map", "-n", room, "-o", "mermaid").ok().stdout
    assert mermaid.startswith("flowchart LR\n")
    assert '-. "thinks with: does not exist" .->' in mermaid


def test_an_empty_map_says_so_beside_the_result(kaos, room):
    shown = kaos("map", "-n", room).ok()
    assert (shown.stdout, f"Nothing in namespace {room}" in shown.stderr) == ("", True)


def test_a_tree_is_folded_to_the_width_and_keeps_its_lines():
    tree = Branch("root", below=(Branch("● " + "words " * 8, below=(Branch("leaf", "beside"),)), Branch("last")))
    assert lines(tree, 30) == [
        "root",
        "├─ ● words words words words",
        "│  │    words words words",
        "│  │    words",
        "│  └─ leaf  beside",
        "└─ last",
    ]


def test_a_long_row_of_agents_is_drawn_in_pieces_that_fit(kaos, client, room, operator):
    for number in range(12):
        spec = {"modelAPI": "m", "model": "gpt", "agentNetwork": {"access": [f"a{number + 1:02}"], "expose": True}}
        make(client, room, AGENT, f"a{number:02}", spec, phase="Ready", ready=True, reason="Ready")
    drawn = kaos("map", "-n", room).ok().stdout.splitlines()
    assert max(map(len, drawn)) <= 80
    assert [line.split()[1] for line in drawn if line.startswith("Agent")] == ["a00", "a08"]
    assert any("delegates to a08" in line and "↓ see below" in line for line in drawn)


@pytest.mark.parametrize(("words", "code"), [(["why"], 1), (["why", "mcp/x"], 1), (["map"], 3), (["top"], 3)])
def test_a_cluster_without_kaos_is_told_how_to_get_it(alone, bare, monkeypatch, words, code):
    monkeypatch.setenv("KAOS_LOCAL_DIR", str(bare.directory))
    monkeypatch.setenv("KAOS_CONTEXT", "kaos-local")
    shown = alone(*words)
    assert shown.code == code
    assert "KAOS is not installed on the cluster of context kaos-local." in shown.stdout + shown.stderr
    assert "kaos system install" in shown.stdout + shown.stderr


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    with LiveCluster(tmp_path_factory.mktemp("bare")) as cluster:
        yield cluster
