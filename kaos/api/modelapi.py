"""ModelAPI: models behind one OpenAI-compatible address: a proxy to providers, a hosted model, or a mock."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kaos.api.mcpserver import SecretKeyRef
from kaos.api.names import NAME_LIMIT
from kaos.api.rules import Model, Once, Rule, pattern
from kaos.api.storage import Storage
from kaos.api.workload import Workload, WorkloadStatus, name_rules

RESPONSES_LIMIT_BYTES = 61_440  # a variable of the pod, where JSON may double them, and Linux takes 128 KiB
Served = Annotated[
    str,
    Field(max_length=256),
    pattern(r"\*|[!-)+-~]+(/\*)?", "a model's name holds no blanks, and * only alone or at the end: provider/*"),
]
MockName = Annotated[
    str, Field(max_length=256), pattern("[!-)+.-~-]+", "the name of a mock's model holds no blanks, commas and *")
]
HostedName = Annotated[
    str,
    Field(max_length=256),
    pattern("[A-Za-z0-9][A-Za-z0-9._:/@-]*", "hostedConfig.model must be a name of Ollama's such as qwen3:0.6b"),
]
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:[0-9]{1,5})?"
BaseUrl = Annotated[
    str,
    Field(max_length=2048),
    pattern(
        rf"https?://{_HOST}(/[!\"$->@-~]*)?",
        "apiBase must be http(s)://HOST[:PORT][/PATH], without credentials and query; a key goes into apiKey",
    ),
]
Key = Annotated[
    str, Field(max_length=4096), pattern("[!-~]+", "a key holds no blanks and line breaks, and is not empty")
]
Latency = Annotated[
    str, Field(max_length=16), pattern("[0-9]+(ms|s)", "latency must be a length of time such as 200ms")
]


def _one(first: str, second: str) -> tuple[str, str]:
    return f"has(self.{first}) != has(self.{second})", f"set either {first} or {second}"


class KeySource(Model):
    secretKeyRef: Annotated[SecretKeyRef, Field(description="The Secret and its key.")]


class ApiKey(Model):
    """The provider's key."""

    RULES = (Rule(*_one("value", "valueFrom"), lambda key: (key.value is None) != (key.valueFrom is None)),)

    value: Annotated[Key | None, Field(description="As it is; a Secret is better.")] = None
    valueFrom: Annotated[KeySource | None, Field(description="From a Secret.")] = None


class ConfigYaml(Model):
    """A whole configuration of LiteLLM's."""

    RULES = (
        Rule(
            *_one("fromString", "fromSecretKeyRef"),
            lambda config: (config.fromString is None) != (config.fromSecretKeyRef is None),
        ),
    )

    fromString: Annotated[str | None, Field(max_length=98_304, description="The text itself.")] = None
    fromSecretKeyRef: Annotated[SecretKeyRef | None, Field(description="The Secret and key that hold it.")] = None


class ProxyConfig(Model):
    models: Annotated[
        list[Served],
        Field(min_length=1, max_length=256, description="What is served: names, provider/*, or *."),
        Once(),
    ]
    provider: Annotated[
        str | None,
        Field(max_length=64, description="Put before names that name no provider, for example anthropic."),
        pattern("[a-z0-9_-]+", "provider must be a name such as openai or anthropic"),
    ] = None
    apiBase: Annotated[BaseUrl | None, Field(description="The provider's address, if it is not the usual one.")] = None
    apiKey: Annotated[ApiKey | None, Field(description="The provider's key.")] = None
    configYaml: Annotated[ConfigYaml | None, Field(description="A whole LiteLLM configuration, for all else.")] = None


class HostedConfig(Model):
    model: Annotated[HostedName, Field(description="The model that Ollama pulls and serves.")]
    storage: Annotated[Storage | None, Field(description="Keep pulled models on a volume.")] = None


class MockConfig(Model):
    RULES = (
        Rule(
            f"!has(self.responses) || self.responses.map(one, bytes(one).size()).sum() <= {RESPONSES_LIMIT_BYTES}",
            "mockConfig.responses may hold at most 60 KiB in all",
            lambda mock: sum(len(one.encode()) for one in mock.responses or ()) <= RESPONSES_LIMIT_BYTES,
        ),
    )

    models: Annotated[
        Annotated[list[MockName], Field(max_length=64), Once()] | None,
        Field(description="Names to answer to; default: mock."),
    ] = None
    responses: Annotated[
        list[Annotated[str, Field(max_length=16_384)]] | None,
        Field(max_length=64, description="Scripted answers, one a model call; without any it answers by rules."),
    ] = None
    latency: Annotated[Latency | None, Field(description="How long an answer takes, for example 200ms.")] = None


def _named(kind: str) -> str:
    upper = kind.capitalize()
    return f"((has(self.type) && self.type == '{kind}') || (has(self.mode) && self.mode == '{upper}'))"


def _is(spec: Any, kind: str) -> bool:
    return (spec.type or (spec.mode or "").lower()) == kind


class ModelAPISpec(Workload):
    """Where the models come from."""

    RULES = (
        Rule(
            "has(self.type) != has(self.mode)",
            "set either type or mode",
            lambda spec: (spec.type is None) != (spec.mode is None),
        ),
        Rule(
            f"{_named('proxy')} == has(self.proxyConfig)",
            "type proxy and proxyConfig go together",
            lambda spec: _is(spec, "proxy") == (spec.proxyConfig is not None),
        ),
        Rule(
            f"{_named('hosted')} == has(self.hostedConfig)",
            "type hosted and hostedConfig go together",
            lambda spec: _is(spec, "hosted") == (spec.hostedConfig is not None),
        ),
        Rule(
            f"!has(self.mockConfig) || {_named('mock')}",
            "mockConfig needs type mock",
            lambda spec: spec.mockConfig is None or _is(spec, "mock"),
        ),
        Rule(
            "!has(self.hostedConfig) || !has(self.hostedConfig.storage) || self.replicas <= 1",
            "a hosted model with storage can have one replica only",
            lambda spec: not (spec.hostedConfig and spec.hostedConfig.storage) or spec.replicas <= 1,
        ),
    )

    type: Annotated[Literal["proxy", "hosted", "mock"] | None, Field(description="What it is.")] = None
    mode: Annotated[Literal["Proxy", "Hosted", "Mock"] | None, Field(description="Another name for type.")] = None
    proxyConfig: Annotated[ProxyConfig | None, Field(description="Providers, through LiteLLM.")] = None
    hostedConfig: Annotated[HostedConfig | None, Field(description="A model of one's own, through Ollama.")] = None
    mockConfig: Annotated[MockConfig | None, Field(description="No model: deterministic answers, for tests.")] = None


class ModelAPIStatus(WorkloadStatus):
    """What the operator saw last."""

    type: Annotated[str | None, Field(description="proxy, hosted or mock.")] = None
    models: Annotated[list[str] | None, Field(max_length=256, description="What it really serves.")] = None
    modelsSummary: Annotated[str | None, Field(description="The same in short.")] = None


class ModelAPI(Model):
    """Models behind one OpenAI-compatible address."""

    RESOURCE: ClassVar[dict[str, object]] = {
        "plural": "modelapis",
        "singular": "modelapi",
        "shortNames": ["mapi", "api"],
        "columns": [
            ("Type", "string", ".status.type"),
            ("Models", "string", ".status.modelsSummary"),
            ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            ("Reason", "string", ".status.reason"),
            ("Age", "date", ".metadata.creationTimestamp"),
        ],
        "wide": [("Endpoint", "string", ".status.endpoint"), ("Message", "string", ".status.message")],
    }
    RULES = name_rules("modelapi", NAME_LIMIT)

    apiVersion: Literal["kaos.tools/v1alpha1"]
    kind: Literal["ModelAPI"]
    metadata: dict[str, Any]
    spec: ModelAPISpec
    status: ModelAPIStatus | None = None
