"""What a ModelAPI may say: one table, judged by the models, by the local API server and by a real one."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.mcpserver_cases import Case, Object

ModelAPI = partial(Case, kind="ModelAPI")
SECRET: Object = {"name": "keys", "key": "token"}


def proxy(*models: Any, **config: Any) -> Object:
    return {"type": "proxy", "proxyConfig": {"models": list(models), **config}}


def base(url: Any) -> Object:
    return proxy("a", apiBase=url)


def key(**source: Any) -> Object:
    return proxy("a", apiKey=source)


def hosted(model: Any = "qwen3:0.6b", replicas: int = 1, **storage: Any) -> Object:
    kept = {"storage": storage} if storage else {}
    return {"type": "hosted", "replicas": replicas, "hostedConfig": {"model": model, **kept}}


def mock(**config: Any) -> Object:
    return {"type": "mock", "mockConfig": config}


_KIND = "set either type or mode"
_PROXY = "type proxy and proxyConfig go together"
_BOTH: Object = {"fromString": "a", "fromSecretKeyRef": SECRET}
_NAME = "a model's name holds no blanks, and * only alone or at the end: provider/*"
_MOCK = "the name of a mock's model holds no blanks, commas and *"
_HOSTED = "hostedConfig.model must be a name of Ollama's such as qwen3:0.6b"
_BASE = "apiBase must be http(s)://HOST[:PORT][/PATH], without credentials and query"
_SOURCE = "set either value or valueFrom"
_CONFIG = "set either fromString or fromSecretKeyRef"
_KEY = "a key holds no blanks and line breaks, and is not empty"
_SIZE = "storage.size must be an amount such as 1Gi"
_LATENCY = "latency must be a length of time such as 200ms"
_RESPONSES = "mockConfig.responses may hold at most 60 KiB in all"

CASES = [
    # Accepted.
    ModelAPI("a mock alone", {"type": "mock"}),
    ModelAPI("the alias mode", {"mode": "Proxy", "proxyConfig": {"models": ["a"]}}),
    ModelAPI("one model of a provider", proxy("anthropic/claude")),
    ModelAPI("every model", proxy("*")),
    ModelAPI("every model of providers", proxy("openai/*", "openrouter/anthropic/*")),
    ModelAPI("names that models really have", proxy("gpt-4o", "o3-mini", "meta-llama/Llama-3.1:free", "gemma@v2")),
    ModelAPI("a provider with a dash", proxy("a", provider="text-completion-openai")),
    ModelAPI("an address of one's own", base("http://models.example:8080/v1")),
    ModelAPI("an address without a path", base("https://models.example")),
    ModelAPI("an address in the cluster", base("http://modelapi-x.apps.svc.cluster.local:8000")),
    ModelAPI("an address of six", base("http://[2001:db8::1]:8080/v1")),
    ModelAPI("an address with a slash at the end", base("http://10.0.0.1:1/v1/")),
    ModelAPI("a key from a Secret", key(valueFrom={"secretKeyRef": SECRET})),
    ModelAPI("a key as it is", key(value="sk-0_A.b/c=")),
    ModelAPI("a configuration as text", proxy("a", configYaml={"fromString": "model_list: []"})),
    ModelAPI("a configuration that is none, which the operator tells", proxy("a", configYaml={"fromString": "{["})),
    ModelAPI("a configuration in a Secret", proxy("a", configYaml={"fromSecretKeyRef": SECRET})),
    ModelAPI("a configuration of 96 KiB", proxy("a", configYaml={"fromString": "#" * 98_304})),
    ModelAPI("256 models", proxy(*(f"m{number}" for number in range(256)))),
    ModelAPI("a hosted model", hosted()),
    ModelAPI("a hosted model of a registry", hosted("127.0.0.1:5000/library/tiny:latest")),
    ModelAPI("a hosted model of Hugging Face", hosted("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M")),
    ModelAPI("a hosted model on a volume", hosted(size="1.5Gi", storageClassName="fast", retain=False)),
    ModelAPI("a hosted model in many pods, each with its own", hosted(replicas=3)),
    ModelAPI("a hosted model that is stopped", hosted(replicas=0, size="10G")),
    ModelAPI("a mock with models", mock(models=["small", "openai/large-2.5", "a:b@c"])),
    ModelAPI("a mock with responses", mock(responses=["", "one", '{"tool_calls": []}'], latency="0ms")),
    ModelAPI("a mock with responses of 60 KiB", mock(responses=["x" * 15_360] * 4)),
    ModelAPI("null in place of absent", {"type": "mock", "mode": None, "mockConfig": {"models": None}}),
    ModelAPI("limits for Kubernetes to judge", mock() | {"container": {"resources": {"limits": {"cpu": "x"}}}}),
    ModelAPI("a name of 53 characters", {"type": "mock"}, metadata={"name": "a" * 53}),
    # Refused: what it is.
    ModelAPI("nothing", {}, _KIND),
    ModelAPI("no spec", ..., "spec"),
    ModelAPI("type and mode", {"type": "mock", "mode": "Mock"}, _KIND),
    ModelAPI("a type that is none", {"type": "cloud"}, "type"),
    ModelAPI("the mode in small letters", {"mode": "mock"}, "mode"),
    ModelAPI("a proxy without a configuration", {"type": "proxy"}, _PROXY),
    ModelAPI("a hosted one without a model", {"type": "hosted"}, "type hosted and hostedConfig go together"),
    ModelAPI("a mock with a proxy's configuration", proxy("a") | {"type": "mock"}, _PROXY),
    ModelAPI("a mock that is hosted", hosted() | {"type": "mock"}, "type hosted and hostedConfig go together"),
    ModelAPI("a proxy that is mocked", proxy("a") | {"mockConfig": {}}, "mockConfig needs type mock"),
    # Refused: models.
    ModelAPI("no models", proxy(), "models"),
    ModelAPI("models left out", {"type": "proxy", "proxyConfig": {}}, "models"),
    ModelAPI("an empty model", proxy(""), _NAME),
    ModelAPI("a model with a blank", proxy("gpt 4"), _NAME),
    ModelAPI("a model with a line break", proxy("gpt-4\n"), _NAME),
    ModelAPI("a * in the middle of a name", proxy("gpt-*"), _NAME),
    ModelAPI("a * before a provider", proxy("*/gpt-4"), _NAME),
    ModelAPI("two *", proxy("openai/*/*"), _NAME),
    ModelAPI("a * with a provider's dash", proxy("openai/gpt-*", provider="openai"), _NAME),
    ModelAPI("a model twice", proxy("a", "b", "a"), "Duplicate value"),
    ModelAPI("a model of 257 characters", proxy("m" * 257), "models"),
    ModelAPI("257 models", proxy(*(f"m{number}" for number in range(257))), "models"),
    ModelAPI("a model that is a number", proxy(4), "models"),
    ModelAPI("models as one text", {"type": "proxy", "proxyConfig": {"models": "a"}}, "models"),
    ModelAPI("a provider in capitals", proxy("a", provider="OpenAI"), "provider must be a name such as openai"),
    ModelAPI("a provider with its slash", proxy("a", provider="openai/"), "provider must be a name such as openai"),
    ModelAPI("an empty provider", proxy("a", provider=""), "provider must be a name such as openai"),
    # Refused: addresses.
    ModelAPI("an address without a scheme", base("models.example:8080/v1"), _BASE),
    ModelAPI("an address of another scheme", base("ftp://models.example/v1"), _BASE),
    ModelAPI("an address with credentials", base("https://me:sk-canary@models.example/v1"), _BASE),
    ModelAPI("an address with a name before it", base("https://me@models.example/v1"), _BASE),
    ModelAPI("an address with a query", base("https://models.example/v1?api-version=1"), _BASE),
    ModelAPI("an address with a fragment", base("https://models.example/v1#x"), _BASE),
    ModelAPI("an address with a blank", base("https://models.example/v 1"), _BASE),
    ModelAPI("an address with a second line", base("https://models.example\nx"), _BASE),
    ModelAPI("an address without a host", base("http://:8080/v1"), _BASE),
    ModelAPI("an address of colons", base("http://a:b:c"), _BASE),
    ModelAPI("an address of a long port", base("http://a:123456"), _BASE),
    ModelAPI("an empty address", base(""), _BASE),
    ModelAPI("an address of 2049 characters", base("http://a/" + "x" * 2040), "apiBase"),
    # Refused: keys and configurations.
    ModelAPI("a key from nowhere", key(), _SOURCE),
    ModelAPI("a key from two places", key(value="a", valueFrom={"secretKeyRef": SECRET}), _SOURCE),
    ModelAPI("an empty key", key(value=""), _KEY),
    ModelAPI("a key with its line break", key(value="sk-canary\n"), _KEY),
    ModelAPI("a key that is two words", key(value="Bearer sk-canary"), _KEY),
    ModelAPI("a key from no Secret", key(valueFrom={}), "secretKeyRef"),
    ModelAPI("a key from a ConfigMap", key(valueFrom={"configMapKeyRef": SECRET}), "configMapKeyRef"),
    ModelAPI("a Secret without a key", key(valueFrom={"secretKeyRef": {"name": "keys"}}), "key"),
    ModelAPI("a Secret without a name", key(valueFrom={"secretKeyRef": {"name": "", "key": "token"}}), "name"),
    ModelAPI("a key alone", proxy("a", apiKey="sk-canary"), "apiKey"),
    ModelAPI("a configuration from nowhere", proxy("a", configYaml={}), _CONFIG),
    ModelAPI("a configuration from two places", proxy("a", configYaml=_BOTH), _CONFIG),
    ModelAPI("a configuration as it is", proxy("a", configYaml="model_list: []"), "configYaml"),
    ModelAPI("a configuration as a mapping", proxy("a", configYaml={"fromString": {"model_list": []}}), "fromString"),
    ModelAPI("a configuration one byte too long", proxy("a", configYaml={"fromString": "#" * 98_305}), "fromString"),
    # Refused: hosted.
    ModelAPI("every hosted model", hosted("*"), _HOSTED),
    ModelAPI("an empty hosted model", hosted(""), _HOSTED),
    ModelAPI("a hosted model that is a flag", hosted("-x"), _HOSTED),
    ModelAPI("two hosted models", hosted("a,b"), _HOSTED),
    ModelAPI("a hosted model with a query", hosted("a?x=1"), _HOSTED),
    ModelAPI("a volume of words", hosted(size="big"), _SIZE),
    ModelAPI("a volume without an amount", hosted(size=""), _SIZE),
    ModelAPI("a volume below zero", hosted(size="-1Gi"), _SIZE),
    ModelAPI("a volume in bytes of eight bits", hosted(size="1GB"), _SIZE),
    ModelAPI("a volume in thousandths", hosted(size="100m"), _SIZE),
    ModelAPI("a volume of nothing", hosted(size="0Gi"), "storage.size must be more than nothing"),
    ModelAPI("a volume that is a number", hosted(size=5), "size"),
    ModelAPI("two pods on one volume", hosted(replicas=2, size="1Gi"), "can have one replica only"),
    # Refused: mocks.
    ModelAPI("a mock's model with a comma", mock(models=["a,b"]), _MOCK),
    ModelAPI("a mock's model with a blank", mock(models=["a b"]), _MOCK),
    ModelAPI("an empty mock's model", mock(models=[""]), _MOCK),
    ModelAPI("a mock of all models", mock(models=["*"]), _MOCK),
    ModelAPI("a mock's model twice", mock(models=["a", "a"]), "Duplicate value"),
    ModelAPI("65 models of a mock", mock(models=[f"m{number}" for number in range(65)]), "models"),
    ModelAPI("responses one byte too long in all", mock(responses=["x" * 15_360] * 4 + ["x"]), _RESPONSES),
    ModelAPI("responses too long in bytes, not in letters", mock(responses=["ä" * 15_360] * 3), _RESPONSES),
    ModelAPI("a response of 16 KiB and a letter", mock(responses=["x" * 16_385]), "responses"),
    ModelAPI("65 responses", mock(responses=["x"] * 65), "responses"),
    ModelAPI("a response that is a mapping", mock(responses=[{"tool_calls": []}]), "responses"),
    ModelAPI("latency without a unit", mock(latency="200"), _LATENCY),
    ModelAPI("latency below zero", mock(latency="-1s"), _LATENCY),
    ModelAPI("latency that is a number", mock(latency=200), "latency"),
    # Refused: fields that do not exist, and names.
    ModelAPI("the field env of old", proxy("a", env=[]), "env"),
    ModelAPI("an unknown field", {"type": "mock", "model": "a"}, "model"),
    ModelAPI("a name of 54 characters", {"type": "mock"}, "at most 53 characters", metadata={"name": "a" * 54}),
    ModelAPI("a name with a dot", {"type": "mock"}, "the name must be a DNS label", metadata={"name": "a.b"}),
]  # fmt: skip
