"""From what is broken to the one cause behind it, and from there to the command that cures it."""

from __future__ import annotations

import shlex

import pytest

from kaos.actions.evidence import Link
from kaos.actions.health import State
from kaos.actions.survey import Reference, references
from kaos.actions.why import diagnose, troubles
from tests.unit.actions.surveys import GONE, agent, model, pod, ref, server, survey


def found(*objects, **more):
    """(sentence, command, what it breaks) of every trouble."""
    return [
        (one.cause.sentence, shlex.join(one.cause.command), [each.word for each in one.breaks])
        for one in troubles(survey(*objects, **more))
    ]


def test_where_all_is_well_there_is_no_trouble():
    assert found(model(), server("calc"), agent("helper", mcpServers=["calc"]), server("asleep", "Suspended")) == []


REASONS = [
    ("InvalidParams", "line 1: SyntaxError", "MCPServer demo/x: line 1: SyntaxError.", "kaos mcp edit x -n demo"),
    ("RuntimeNotFound", "there is no runtime pyton; use one of: kaos system runtimes",
     "MCPServer demo/x: there is no runtime pyton.", "kaos mcp edit x -n demo"),
    ("CrashLooping", "container mcp-server ended with code 1 (restarts: 3); read its log",
     "MCPServer demo/x: container mcp-server ended with code 1 (restarts: 3).", "kaos mcp logs x -n demo"),
    ("HandshakeFailed", "no answer", "MCPServer demo/x: no answer.", "kaos mcp logs x -n demo"),
    ("SecretNotFound", "Secret tok does not exist; create it: kaos secret create tok",
     "Secret demo/tok does not exist.", "kaos secret create tok KEY -n demo"),
    ("SecretKeyNotFound", "Secret tok has no key a; add it", "Secret demo/tok has no key a.",
     "kubectl edit secret tok -n demo"),
    ("ConfigMapNotFound", "ConfigMap conf does not exist; create it", "ConfigMap demo/conf does not exist.",
     "kubectl create configmap conf --from-file FILE -n demo"),
    ("ServiceAccountNotFound", "ServiceAccount sa does not exist; create it", "ServiceAccount demo/sa does not exist.",
     "kubectl create serviceaccount sa -n demo"),
    ("ServiceAccountNotFound", "ServiceAccount mcpserver-x does not exist; create it",
     "ServiceAccount demo/mcpserver-x does not exist.", "kaos system create-rbac --name x -n demo"),
    ("ServiceAccountRequired", "runtime kubernetes acts on the cluster; name a ServiceAccount",
     "MCPServer demo/x: runtime kubernetes acts on the cluster; name a ServiceAccount.",
     "kaos system create-rbac --name x -n demo"),
    ("ServiceAccountNotAllowed",
     "ServiceAccount sa does not allow this; its owner can: kubectl annotate serviceaccount sa a/b=mcpserver/x",
     "MCPServer demo/x: ServiceAccount sa does not allow this.",
     "kubectl annotate serviceaccount sa a/b=mcpserver/x -n demo"),
    ("Conflict", "Service mcpserver-x exists and is not ours; delete it or rename this MCPServer",
     "MCPServer demo/x: Service mcpserver-x exists and is not ours.", "kubectl describe service mcpserver-x -n demo"),
    ("RuntimeRegistryInvalid", "no registry", "MCPServer demo/x: no registry.", "kaos system install --no-operator"),
    ("ImageNeedsDocker", "no Docker daemon answers", "MCPServer demo/x: no Docker daemon answers.", ""),
    ("RolloutInProgress", "pods are being started", "MCPServer demo/x: pods are being started.",
     "kaos mcp describe x -n demo"),
    ("SomethingNew", "", "MCPServer demo/x is not ready: SomethingNew.", "kaos mcp describe x -n demo"),
    ("", "", "MCPServer demo/x is not ready: no operator has looked at it yet.", "kaos mcp describe x -n demo"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "message", "sentence", "command"), REASONS, ids=[row[0] or "-" for row in REASONS])
def test_every_reason_becomes_a_sentence_and_a_command(reason, message, sentence, command):
    assert found(server("x", reason, message)) == [(sentence, command, ["mcp/x"])]


def test_the_keys_that_a_missing_secret_needs_are_named():
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "tok", "key": key}}} for key in ("one", "two")]
    broken = server("x", "SecretNotFound", "Secret tok does not exist; create it", container={"env": env})
    assert found(broken)[0][1] == "kaos secret create tok one two -n demo"


def test_the_log_of_the_life_before_is_read_once_a_new_one_has_begun():
    broken = server("x", "CrashLooping", "it ended")
    pods = {ref("mcp/x"): [pod("p", "mcp-server", {"running": {}}, restarts=2)]}
    assert found(broken, pods=pods)[0][1] == "kaos mcp logs x -n demo --previous"


def test_the_cure_is_in_the_words_of_the_message_which_knows_the_case():
    message = "there is no runtime pyton; there are: rawpython, custom"
    [trouble] = troubles(survey(server("x", "RuntimeNotFound", message)))
    assert (trouble.cause.sentence, trouble.cause.cure) == (
        "MCPServer demo/x: there is no runtime pyton.",
        "Name one of: rawpython, custom.",
    )


@pytest.mark.parametrize(
    ("message", "sentence", "cure"),
    [
        ("it ended with code 1: a; b; c", "it ended with code 1: a; b; c", "Read its log."),
        ("it ended with code 1: a; b; read its log", "it ended with code 1: a; b", "Read its log."),
        ("no node takes the pod: 0/3; lower its requests or add nodes", "no node takes the pod: 0/3",
         "Lower its requests or add nodes."),
        ("Secret tok does not exist; create it: kaos secret create tok", "Secret tok does not exist", "Create it."),
    ],
)  # fmt: skip
def test_what_a_program_said_is_not_taken_for_a_cure(message, sentence, cure):
    [trouble] = troubles(survey(server("x", "CrashLooping", message)))
    assert (trouble.cause.sentence, trouble.cause.cure) == (f"MCPServer demo/x: {sentence}.", cure)


# Who is at fault.

WAITS = ("WaitingForMCPServer", "MCPServer calc is not ready: InvalidParams")
BROKEN = ("InvalidParams", "line 1: SyntaxError")


def test_what_waits_is_not_at_fault():
    objects = [model(), server("calc", *BROKEN), agent("helper", *WAITS, mcpServers=["calc"])]
    assert found(*objects) == [
        ("MCPServer demo/calc: line 1: SyntaxError.", "kaos mcp edit calc -n demo", ["agent/helper", "mcp/calc"])
    ]


def test_one_missing_secret_breaks_all_that_need_it_and_is_told_once():
    why = ("SecretNotFound", "Secret tok does not exist; create it: kaos secret create tok")
    assert [(told[0], told[2]) for told in found(server("a", *why), server("b", *why))] == [
        ("Secret demo/tok does not exist.", ["mcp/a", "mcp/b"])
    ]


def test_a_missing_model_is_made_with_what_the_agent_asks_of_it():
    [(sentence, command, _)] = found(agent("helper", "WaitingForModelAPI", "...", modelAPI="openai", model="gpt-4o"))
    assert sentence == "ModelAPI demo/openai does not exist."
    assert command == "kaos modelapi deploy --name openai --model gpt-4o -n demo"


def test_a_misspelt_name_is_corrected_where_it_was_written():
    [(sentence, command, _)] = found(model("mock"), agent("helper", "WaitingForModelAPI", "...", modelAPI="mok"))
    assert (sentence, command) == ("ModelAPI demo/mok does not exist.", "kaos agent edit helper -n demo")


def test_a_suspended_server_is_at_fault_only_where_it_is_needed():
    asleep = server("calc", "Suspended", "suspended", suspend=True)
    assert found(asleep) == []
    [(_, command, breaks)] = found(model(), asleep, agent("helper", *WAITS, mcpServers=["calc"]))
    assert (command, breaks) == ("kaos mcp resume calc -n demo", ["agent/helper"])


def test_an_agent_whose_server_has_come_back_only_waits():
    [(sentence, command, _)] = found(model(), server("calc"), agent("helper", *WAITS, mcpServers=["calc"]))
    assert sentence.startswith("Agent demo/helper: MCPServer calc is not ready")
    assert command == "kaos agent describe helper -n demo"


def test_a_ready_agent_that_cannot_delegate_is_in_trouble():
    told = found(model(), agent("boss", peers=("ghost", "shy")), agent("shy", expose=False))
    assert [(sentence, breaks) for sentence, _, breaks in told] == [
        ("Agent demo/ghost does not exist.", ["agent/boss"]),
        ("Agent demo/shy does not expose itself.", ["agent/boss"]),
    ]


def test_a_circle_of_agents_ends_and_its_cause_is_told_once():
    broken = ("CrashLooping", "it ended; read its log")
    told = found(model(), agent("one", *broken, peers=("two",)), agent("two", peers=("one",)))
    assert told == [("Agent demo/one: it ended.", "kaos agent logs one -n demo", ["agent/one", "agent/two"])]


def test_an_agent_that_may_call_itself_is_no_endless_story():
    assert found(model(), agent("me", peers=("me",))) == []


# KAOS itself.


def test_without_an_operator_that_is_told_first_and_what_it_has_not_seen_is_not_blamed():
    told = found(server("new", ""), server("bad", *BROKEN), operators=GONE)
    assert [sentence for sentence, _, _ in told] == [
        "No operator runs in context here; the last was laptop_12.",
        "MCPServer demo/bad: line 1: SyntaxError.",
    ]
    assert told[0][1] == "kaos operator run"


def test_an_operator_that_is_to_run_in_the_cluster_and_does_not_is_asked_for_its_log():
    [(sentence, command, _)] = found(operators=GONE, operator_pods=(0, 1))
    assert (
        sentence == "No operator works in context here: 0 of 1 pods of Deployment kaos-system/kaos-operator are ready."
    )
    assert command == "kaos logs --operator"
    assert found(operators=GONE, operator_pods=(0, 0))[0][1] == "kaos operator run", "it is scaled to none on purpose"


def test_who_may_not_read_leases_is_not_told_that_no_operator_runs():
    assert found(server("calc"), operators=None) == []


def test_a_cluster_without_the_kinds_is_told_how_to_get_them():
    [(sentence, command, _)] = found(installed=False)
    assert sentence == "KAOS is not installed on the cluster of context here."
    assert command == "kaos system install --no-operator"


def test_the_worst_comes_first():
    objects = [
        server("a-slow", "RolloutInProgress", "pods are being started"),
        server("b-weak", "SecretNotFound", "Secret tok does not exist; create it", phase="Degraded"),
        server("c-bad", *BROKEN),
        agent("d", "WaitingForModelAPI", "..."),
    ]
    assert [one.cause.state for one in troubles(survey(*objects))] == [
        State.MISSING,
        State.FAILED,
        State.PENDING,
        State.DEGRADED,
    ]


# The chain.


def told(link: Link, depth: int = 0) -> list[str]:
    return [f"{'  ' * depth}{link.what}: {link.text}", *(line for one in link.below for line in told(one, depth + 1))]


def test_the_chain_leads_from_the_agent_through_what_it_needs_to_the_container():
    ended = {"terminated": {"exitCode": 78, "reason": "Error", "message": "line 1: SyntaxError"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    calc = server("calc", *BROKEN)
    deployment = {"metadata": {"name": "mcpserver-calc"}, "spec": {"replicas": 1}, "status": {}}
    whole = survey(
        model(),
        calc,
        agent("helper", *WAITS, mcpServers=["calc"]),
        pods={ref("mcp/calc"): [pod("mcpserver-calc-1", "mcp-server", waiting, 4, ended)]},
        deployments={ref("mcp/calc"): deployment},
    )
    assert told(diagnose(whole, ref("agent/helper")).chain) == [
        "Agent demo/helper: pending, WaitingForMCPServer: MCPServer calc is not ready: InvalidParams",
        "  thinks with ModelAPI demo/mock: ready",
        "  uses tools of MCPServer demo/calc: failed, InvalidParams: line 1: SyntaxError",
        "    Deployment mcpserver-calc: 0 of 1 ready",
        "      Pod mcpserver-calc-1: CrashLoopBackOff, 0 of 1 ready, 4 restarts",
        "        container mcp-server: CrashLoopBackOff; ended with code 78 (Error): line 1: SyntaxError; 4 restarts",
    ]


def test_the_chain_shows_which_key_of_a_secret_is_missing():
    env = [{"name": key, "valueFrom": {"secretKeyRef": {"name": "tok", "key": key}}} for key in ("a", "b")]
    whole = survey(server("x", container={"env": env}), keys={("Secret", "demo", "tok"): frozenset({"a"})})
    links = {one.what: (one.state, one.text) for one in diagnose(whole, ref("mcp/x")).chain.below}
    assert links["Secret tok, key a"] == (State.READY, "")
    assert links["Secret tok, key b"] == (State.MISSING, "has no such key; it has: a")


def test_what_a_spec_refers_to_is_found_wherever_it_stands():
    spec = {
        "proxyConfig": {"apiKey": {"valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
                        "configYaml": {"fromSecretKeyRef": {"name": "conf", "key": "c"}}},
        "container": {"envFrom": [{"configMapRef": {"name": "env"}}, {"secretRef": {"name": "opt", "optional": True}}]},
        "podSpec": {"volumes": [{"name": "v", "secret": {"secretName": "files"}},
                                {"name": "w", "configMap": {"name": "more"}}]},
    }  # fmt: skip
    assert references({"spec": spec}) == [
        Reference("ConfigMap", "env"),
        Reference("ConfigMap", "more"),
        Reference("Secret", "conf", "c"),
        Reference("Secret", "files"),
        Reference("Secret", "key", "k"),
    ]


def test_agents_that_all_know_each_other_are_looked_at_once():
    names = [f"a{number}" for number in range(12)]
    broken = ("CrashLooping", "it ended; read its log")
    crowd = [agent(name, *broken, peers=tuple(one for one in names if one != name)) for name in names]
    whole = survey(model(), *crowd)
    assert len(troubles(whole)) == len(names)
    assert len(told(diagnose(whole, ref("agent/a0")).chain)) < 200


def test_the_chain_of_a_cause_begins_where_it_is_nearest():
    why = ("SecretNotFound", "Secret tok does not exist; create it: kaos secret create tok")
    waits = ("WaitingForMCPServer", "...")
    objects = [model(), agent("boss", peers=("helper",)), agent("helper", *waits, mcpServers=["z"]), server("z", *why)]
    [trouble] = troubles(survey(*objects))
    assert (trouble.chain.what, len(trouble.breaks)) == ("MCPServer demo/z", 3)


def test_two_that_wait_for_the_same_have_the_same_cause_whichever_is_looked_at_first():
    why = ("SecretNotFound", "Secret tok does not exist; create it: kaos secret create tok")
    crew = [agent(name, *WAITS, mcpServers=["keyed"]) for name in ("one", "two")]
    whole = survey(model(), server("keyed", *why), *crew, agent("boss", peers=("one", "two")))
    assert [one.cause.sentence for one in diagnose(whole, ref("agent/boss")).troubles] == [
        "Secret demo/tok does not exist."
    ]


def test_a_long_row_of_agents_is_followed_to_its_end():
    crew = [agent(f"a{n:04}", "WaitingForMCPServer", "...", peers=(f"a{n + 1:04}",)) for n in range(1500)]
    whole = survey(model(), *crew)
    sentences = [one.cause.sentence for one in diagnose(whole, ref("agent/a0000")).troubles]
    assert sentences[-1] == "Agent demo/a1500 does not exist."
    assert len(told(diagnose(whole, ref("agent/a0000")).chain)) < 100
