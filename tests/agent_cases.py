"""What an Agent may say: one table, judged by the models, by the local API server and by a real one."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.mcpserver_cases import Case, Object

Agent = partial(Case, kind="Agent")


def agent(**more: Any) -> Object:
    return {"modelAPI": "mock", "model": "mock"} | more


def config(**more: Any) -> Object:
    return agent(config=more)


def memory(**more: Any) -> Object:
    return config(memory=more)


def filtered(*filters: Object, servers: tuple[str, ...] = ("calc",)) -> Object:
    return agent(mcpServers=list(servers), toolFilters=list(filters))


_LABEL = "must be a DNS label: lower-case letters, digits and -"
_MODEL = "model must be the name of one model, without blanks and *"
_GLOB = "a tool's name or pattern holds no blanks and commas"
_FILTER = "toolFilters may only name servers of mcpServers"

CASES = [
    # Accepted.
    Agent("a model alone", agent()),
    Agent("a model of a provider", agent(model="openai/gpt-4o")),
    Agent("a model of a registry", agent(model="127.0.0.1:5000/library/tiny:latest")),
    Agent("tools and peers", agent(mcpServers=["calc", "web"], agentNetwork={"expose": True, "access": ["helper"]})),
    Agent("64 servers", agent(mcpServers=[f"s{number}" for number in range(64)])),
    Agent("itself as a peer, which the status tells", agent(agentNetwork={"access": ["calculator"]})),
    Agent("filters", filtered({"mcpServer": "calc", "allow": ["add", "get_*"], "deny": ["[a-c]?", "x-y/z.w"]})),
    Agent("filters of two servers", filtered({"mcpServer": "a"}, {"mcpServer": "b"}, servers=("a", "b"))),
    Agent("words", config(description="Does sums.", instructions="Be brief.\nNever guess: $(X) `y` \"z\"")),
    Agent("instructions of 96 KiB in three-byte letters", config(instructions="漢" * 32_768)),
    Agent("no words", config(description="", instructions="")),
    Agent("a memory at its limits", memory(contextLimit=100, maxSessions=100_000, maxSessionEvents=10_000)),
    Agent("a memory on a volume", memory(storage={"size": "1Gi", "retain": False})),
    Agent("no memory", memory(enabled=False)),
    Agent("twenty steps", config(reasoningLoopMaxSteps=20)),
    Agent("not waiting", agent(waitForDependencies=False)),
    Agent("no pods, with a memory on a volume", memory(storage={}) | {"replicas": 0}),
    Agent("null in place of absent", agent(mcpServers=None, config={"memory": None}, agentNetwork={"access": None})),
    Agent("a name of 53 characters", agent(), metadata={"name": "a" * 53}),
    # Refused: its model.
    Agent("nothing", {}, "modelAPI"),
    Agent("no model", {"modelAPI": "mock"}, "model"),
    Agent("an empty model", agent(model=""), _MODEL),
    Agent("every model", agent(model="*"), _MODEL),
    Agent("every model of a provider", agent(model="openai/*"), _MODEL),
    Agent("a model with a blank", agent(model="gpt 4"), _MODEL),
    Agent("a model with a line break", agent(model="gpt-4\n"), _MODEL),
    Agent("a model of 257 characters", agent(model="m" * 257), "model"),
    Agent("a ModelAPI elsewhere", agent(modelAPI="mock.other-ns"), f"modelAPI {_LABEL}"),
    Agent("a ModelAPI that is a URL", agent(modelAPI="http://x"), f"modelAPI {_LABEL}"),
    Agent("an empty ModelAPI", agent(modelAPI=""), f"modelAPI {_LABEL}"),
    # Refused: tools and peers.
    Agent("a server elsewhere", agent(mcpServers=["calc.other-ns"]), f"a name in this list {_LABEL}"),
    Agent("a server with a comma", agent(mcpServers=["a,b"]), f"a name in this list {_LABEL}"),
    Agent("a server twice", agent(mcpServers=["a", "b", "a"]), "Duplicate value"),
    Agent("65 servers", agent(mcpServers=[f"s{number}" for number in range(65)]), "mcpServers"),
    Agent("servers as one text", agent(mcpServers="calc"), "mcpServers"),
    Agent("a peer twice", agent(agentNetwork={"access": ["a", "a"]}), "Duplicate value"),
    Agent("a peer in capitals", agent(agentNetwork={"access": ["Helper"]}), f"a name in this list {_LABEL}"),
    Agent("expose in words", agent(agentNetwork={"expose": "yes"}), "expose"),
    Agent("a filter of a server that it has not", filtered({"mcpServer": "web"}), _FILTER),
    Agent("a filter without servers", agent(toolFilters=[{"mcpServer": "calc"}]), _FILTER),
    Agent("two filters of one server", filtered({"mcpServer": "calc"}, {"mcpServer": "calc"}), "Duplicate value"),
    Agent("a filter of no server", filtered({"allow": ["x"]}), "mcpServer"),
    Agent("two patterns in one", filtered({"mcpServer": "calc", "allow": ["a,b"]}), _GLOB),
    Agent("an empty pattern", filtered({"mcpServer": "calc", "deny": [""]}), _GLOB),
    Agent("a pattern with a blank", filtered({"mcpServer": "calc", "deny": ["get x"]}), _GLOB),
    Agent("257 patterns", filtered({"mcpServer": "calc", "allow": [f"t{number}" for number in range(257)]}), "allow"),
    # Refused: how it behaves.
    Agent("no steps", config(reasoningLoopMaxSteps=0), "reasoningLoopMaxSteps"),
    Agent("21 steps", config(reasoningLoopMaxSteps=21), "reasoningLoopMaxSteps"),
    Agent("steps in quotes", config(reasoningLoopMaxSteps="5"), "reasoningLoopMaxSteps"),
    Agent("instructions a letter too long", config(instructions="x" * 65_537), "instructions"),
    Agent("instructions too long in bytes, not in letters", config(instructions="漢" * 32_769), "at most 96 KiB"),
    Agent("a description of 1025 letters", config(description="x" * 1025), "description"),
    Agent("the field env of old", config(env=[]), "env"),
    Agent("a memory of no messages", memory(contextLimit=0), "contextLimit"),
    Agent("a memory of 101 messages", memory(contextLimit=101), "contextLimit"),
    Agent("a memory of no sessions", memory(maxSessions=0), "maxSessions"),
    Agent("a volume without a memory", memory(enabled=False, storage={}), "memory.storage needs memory.enabled"),
    Agent("a volume of nothing", memory(storage={"size": "0"}), "storage.size must be more than nothing"),
    Agent("a volume of words", memory(storage={"size": "1 Gi"}), "storage.size must be an amount such as 1Gi"),
    Agent("two pods on one volume", memory(storage={}) | {"replicas": 2}, "can have one replica only"),
    Agent("an unknown field", agent(temperature=1), "temperature"),
    Agent("a name of 54 characters", agent(), "at most 53 characters", metadata={"name": "a" * 54}),
]  # fmt: skip
