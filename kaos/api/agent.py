"""Agent: a model with instructions, tools and peers, answering chats."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kaos.api.mcpserver import StatusTool
from kaos.api.names import NAME_LIMIT
from kaos.api.rules import Model, Once, Rule, pattern
from kaos.api.storage import Storage
from kaos.api.workload import Int32, Workload, WorkloadStatus, dns_label, name_rules

INSTRUCTIONS_LIMIT_BYTES = 98_304  # a variable of the pod, and Linux takes 128 KiB
Names = Annotated[list[dns_label("a name in this list")], Field(max_length=64), Once()]
OneModel = Annotated[
    str, Field(max_length=256), pattern("[!-)+-~]+", "model must be the name of one model, without blanks and *")
]
Glob = Annotated[
    str, Field(max_length=128), pattern("[!-+.-~-]+", "a tool's name or pattern holds no blanks and commas")
]


class ToolFilter(Model):
    mcpServer: Annotated[dns_label("mcpServer"), Field(description="Which of spec.mcpServers this is about.")]
    allow: Annotated[
        list[Glob] | None, Field(max_length=256, description="Only these tools; shell-style patterns such as get_*.")
    ] = None
    deny: Annotated[list[Glob] | None, Field(max_length=256, description="None of these tools; deny wins.")] = None


class AgentNetwork(Model):
    expose: Annotated[bool, Field(description="Reachable by other agents and through the Gateway.")] = False
    access: Annotated[Names | None, Field(description="Agents that this one may delegate to.")] = None


class Memory(Model):
    """What the agent remembers of a conversation."""

    RULES = (
        Rule(
            "!has(self.storage) || self.enabled",
            "memory.storage needs memory.enabled",
            lambda memory: memory.storage is None or memory.enabled,
        ),
    )

    enabled: Annotated[bool, Field(description="Keep sessions and their events.")] = True
    contextLimit: Annotated[
        Int32, Field(ge=1, le=100, description="How many earlier messages of a session the model sees.")
    ] = 6
    maxSessions: Annotated[Int32, Field(ge=1, le=100_000, description="Sessions kept; the oldest goes first.")] = 1000
    maxSessionEvents: Annotated[Int32, Field(ge=1, le=10_000, description="Events kept of one session.")] = 500
    storage: Annotated[Storage | None, Field(description="Keep the memory on a volume.")] = None


class AgentConfig(Model):
    RULES = (
        Rule(
            f"!has(self.instructions) || bytes(self.instructions).size() <= {INSTRUCTIONS_LIMIT_BYTES}",
            "instructions may hold at most 96 KiB",
            lambda config: len((config.instructions or "").encode()) <= INSTRUCTIONS_LIMIT_BYTES,
        ),
    )

    description: Annotated[str | None, Field(max_length=1024, description="What it is for, for people and peers.")] = (
        None
    )
    instructions: Annotated[str | None, Field(max_length=65_536, description="The system prompt.")] = None
    reasoningLoopMaxSteps: Annotated[Int32, Field(ge=1, le=20, description="Model calls for one answer at most.")] = 5
    memory: Annotated[Memory | None, Field(description="What it remembers.")] = None


class AgentSpec(Workload):
    """What the agent is made of."""

    RULES = (
        Rule(
            "!has(self.toolFilters) || self.toolFilters.all(f, has(self.mcpServers) && f.mcpServer in self.mcpServers)",
            "toolFilters may only name servers of mcpServers",
            lambda spec: all(one.mcpServer in (spec.mcpServers or ()) for one in spec.toolFilters or ()),
        ),
        Rule(
            "!has(self.config) || !has(self.config.memory) || !has(self.config.memory.storage) || self.replicas <= 1",
            "an agent with memory.storage can have one replica only",
            lambda spec: not (spec.config and spec.config.memory and spec.config.memory.storage) or spec.replicas <= 1,
        ),
    )

    modelAPI: Annotated[dns_label("modelAPI"), Field(description="The ModelAPI that it thinks with.")]
    model: Annotated[OneModel, Field(description="A model that the ModelAPI serves.")]
    mcpServers: Annotated[Names | None, Field(description="MCPServers whose tools it may use.")] = None
    toolFilters: Annotated[
        Annotated[list[ToolFilter], Field(max_length=64), Once("mcpServer")] | None,
        Field(description="Which tools of a server it may use."),
    ] = None
    agentNetwork: Annotated[AgentNetwork | None, Field(description="Other agents.")] = None
    config: Annotated[AgentConfig | None, Field(description="How it behaves.")] = None
    waitForDependencies: Annotated[bool, Field(description="Start only when ModelAPI and MCPServers are ready.")] = True


class AgentStatus(WorkloadStatus):
    """What the operator saw last."""

    model: Annotated[str | None, Field(description="The model it uses.")] = None
    linkedResources: Annotated[
        dict[str, Any] | None,
        Field(
            description="The resources it uses, by kind.",
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = None
    tools: Annotated[list[StatusTool] | None, Field(max_length=256, description="Its first 256 tools.")] = None
    toolCount: Annotated[Int32 | None, Field(description="How many tools it has.")] = None
    peers: Annotated[list[str] | None, Field(max_length=64, description="Peers that are there.")] = None


class Agent(Model):
    """A model with instructions, tools and peers, answering chats."""

    RESOURCE: ClassVar[dict[str, object]] = {
        "plural": "agents",
        "singular": "agent",
        "shortNames": ["ag"],
        "columns": [
            ("Model", "string", ".spec.model"),
            ("ModelAPI", "string", ".spec.modelAPI"),
            ("Tools", "integer", ".status.toolCount"),
            ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            ("Reason", "string", ".status.reason"),
            ("Age", "date", ".metadata.creationTimestamp"),
        ],
        "wide": [("Endpoint", "string", ".status.endpoint"), ("Message", "string", ".status.message")],
    }
    RULES = name_rules("agent", NAME_LIMIT)

    apiVersion: Literal["kaos.tools/v1alpha1"]
    kind: Literal["Agent"]
    metadata: dict[str, Any]
    spec: AgentSpec
    status: AgentStatus | None = None
