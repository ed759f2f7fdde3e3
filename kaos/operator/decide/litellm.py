"""The configuration of the proxy, LiteLLM's `config.yaml`, from `spec.proxyConfig`."""

from __future__ import annotations

from typing import Any

import yaml

from kaos.api import models
from kaos.api.names import Reason
from kaos.operator.decide.workload import Blocked
from kaos.operator.decide.world import Handshake

Object = dict[str, Any]
API_BASE = "os.environ/PROXY_API_BASE"  # LiteLLM's way to name a variable of its environment
API_KEY = "os.environ/PROXY_API_KEY"
OPENAI = "openai"
FIELD = "proxyConfig.configYaml"
# What LiteLLM 1.106 takes for a provider before a `/`; any other word there is part of the model's own name.
_PROVIDERS = """
    ai21 ai21_chat aiml aiohttp_openai amazon_nova anthropic anthropic_text azure azure_ai azure_text baseten bedrock
    cerebras clarifai cloudflare codestral cohere cohere_chat cometapi custom custom_openai dashscope databricks
    datarobot deepinfra deepseek docker_model_runner featherless_ai fireworks_ai friendliai galadriel gemini gigachat
    github github_copilot gradient_ai groq heroku hosted_vllm huggingface hyperbolic infinity jina_ai lambda_ai lemonade
    litellm_proxy llamafile lm_studio maritalk meta_llama minimax mistral moonshot morph nebius nlp_cloud novita nscale
    nvidia_nim oci ollama ollama_chat oobabooga openai openai_like openrouter ovhcloud perplexity petals predibase
    replicate sagemaker sagemaker_chat sambanova sap snowflake text-completion-codestral text-completion-openai
    together_ai triton v0 vercel_ai_gateway vertex_ai vertex_ai_beta vllm volcengine voyage wandb watsonx watsonx_text
    xai xinference zai
"""
PROVIDERS = frozenset(_PROVIDERS.split())


def config(proxy: Object, traced: bool = False) -> str | None:
    """The text of the file; None when it comes from a Secret. Raises Blocked for one that cannot serve the models.

    `traced`: it tells a collector, though not what is said in chats.
    """
    own = proxy.get("configYaml") or {}
    if own.get("fromSecretKeyRef"):
        return None
    if (text := own.get("fromString")) is not None:
        _check(text, proxy["models"])
        return text
    document = {
        "model_list": [_entry(name, proxy) for name in proxy["models"]],
        "litellm_settings": {
            "drop_params": True,  # parameters that a provider does not know are left out instead of refused
            "callbacks": ["prometheus", "otel"] if traced else ["prometheus"],
            **({"turn_off_message_logging": True} if traced else {}),
        },
    }
    return yaml.safe_dump(document, sort_keys=False, width=1000, allow_unicode=True)


def _entry(name: str, proxy: Object) -> Object:
    params: Object = {"model": _provider_name(name, proxy)}
    if proxy.get("apiBase"):
        params["api_base"] = API_BASE
    if proxy.get("apiKey"):
        params["api_key"] = API_KEY
    return {"model_name": name, "litellm_params": params}


def _provider_name(name: str, proxy: Object) -> str:
    """The name with its provider. An address of one's own speaks OpenAI's protocol, unless the name says otherwise."""
    provider = proxy.get("provider") or ""
    if not provider and proxy.get("apiBase") and not ("/" in name and name.partition("/")[0] in PROVIDERS):
        provider = OPENAI
    if not provider or name.startswith(f"{provider}/"):
        return name
    return f"{provider}/{name}"


def _check(text: str, wanted: list[str]) -> None:
    """Raises Blocked for what is no configuration of these models."""
    try:
        document = models.read_config(text, FIELD)
    except models.BadConfig as error:
        raise Blocked(Reason.INVALID_PARAMS, f"{error}; correct it") from None
    if message := models.lacking(models.served_by(document), wanted, FIELD):
        raise Blocked(Reason.MODEL_NOT_SERVED, message)


def served(proxy: Object, spoke: Handshake) -> list[str]:
    """What the proxy serves, by its configuration and by what it listed itself.

    LiteLLM lists no wildcards, but every name that it knows of their provider, hundreds in any order; and behind a
    master key it lists nothing. Then what it was told to serve stands.
    """
    declared = _declared(proxy)
    if spoke.keyed:
        return declared
    confirmed = [name for name in declared if "*" in name or models.covers(spoke.models, name)]
    if any("*" in name for name in confirmed):
        return confirmed
    return confirmed + [name for name in spoke.models if name not in confirmed]


def _declared(proxy: Object) -> list[str]:
    if text := (proxy.get("configYaml") or {}).get("fromString"):
        try:
            return models.served_by(models.read_config(text, FIELD))
        except models.BadConfig:  # the pods still have the one before
            pass
    return list(proxy["models"])
