"""The configuration of the proxy, LiteLLM's `config.yaml`, from `spec.proxyConfig`."""

from __future__ import annotations

from typing import Any

import yaml

from kaos.api.names import Reason
from kaos.operator.decide.models import matches
from kaos.operator.decide.workload import Blocked

Object = dict[str, Any]
API_BASE = "os.environ/PROXY_API_BASE"  # LiteLLM's way to name a variable of its environment
API_KEY = "os.environ/PROXY_API_KEY"


def config(proxy: Object) -> str | None:
    """The text of the file; None when it comes from a Secret. Raises Blocked for one that cannot serve the models."""
    own = proxy.get("configYaml") or {}
    if own.get("fromSecretKeyRef"):
        return None
    if (text := own.get("fromString")) is not None:
        _check(text, proxy["models"])
        return text
    entries = [_entry(name, proxy) for name in proxy["models"]]
    return yaml.safe_dump({"model_list": entries}, sort_keys=False, width=1000)


def _entry(name: str, proxy: Object) -> Object:
    params: Object = {"model": _provider_name(name, proxy)}
    if proxy.get("apiBase"):
        params["api_base"] = API_BASE
    if proxy.get("apiKey"):
        params["api_key"] = API_KEY
    return {"model_name": name, "litellm_params": params}


def _provider_name(name: str, proxy: Object) -> str:
    """The name with its provider. An address of one's own without a provider speaks OpenAI's protocol."""
    provider = proxy.get("provider") or ("openai" if proxy.get("apiBase") and "/" not in name else "")
    if not provider or name.startswith(f"{provider}/"):
        return name
    return f"{provider}/{name}"


def _check(text: str, models: list[str]) -> None:
    try:
        document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise Blocked(Reason.INVALID_PARAMS, f"proxyConfig.configYaml is not YAML{where}; correct it") from None
    listed = document.get("model_list") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) and one.get("model_name") for one in listed):
        raise Blocked(Reason.INVALID_PARAMS, "proxyConfig.configYaml needs a list model_list with a model_name in each")
    served = [str(one["model_name"]) for one in listed]
    lacking = [name for name in models if not any(name == one or matches(one, name) for one in served)]
    if lacking:
        message = f"proxyConfig.configYaml does not serve {', '.join(lacking)}; it serves: {', '.join(served[:10])}"
        raise Blocked(Reason.MODEL_NOT_SERVED, message)


def only_openai(text: str) -> bool:
    """Whether every model of the configuration is reached by OpenAI's protocol, so that a plain relay will do."""
    for entry in (yaml.safe_load(text) or {}).get("model_list") or ():
        params = entry.get("litellm_params") or {}
        if "mock_response" in params or str(params.get("model", "")).startswith("openai/"):
            continue
        return False
    return True
