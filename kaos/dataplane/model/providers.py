"""Which providers speak OpenAI's protocol, by the names that LiteLLM gives them, and where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

OPENAI = "openai"
# Provider -> its address; empty where only the person knows it. What needs more than another address is not here.
BASES = {
    OPENAI: "https://api.openai.com/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "custom_openai": "",
    "deepseek": "https://api.deepseek.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "hosted_vllm": "",
    "litellm_proxy": "",
    "llamafile": "http://127.0.0.1:8080/v1",
    "lm_studio": "",
    "mistral": "https://api.mistral.ai/v1",
    "ollama": "http://127.0.0.1:11434",
    "ollama_chat": "http://127.0.0.1:11434",
    "openai_like": "",
    "openrouter": "https://openrouter.ai/api/v1",
    "together_ai": "https://api.together.xyz/v1",
    "xai": "https://api.x.ai/v1",
}
_OLLAMA = ("ollama", "ollama_chat")
_OPENAIS_OWN = re.compile(r"(gpt|o\d|chatgpt|text-embedding)(-.+)?")


def split(model: str, has_address: bool) -> tuple[str, str] | None:
    """Provider and the model's name there; None when that provider speaks a protocol of its own.

    Without a provider a name is OpenAI's, if it looks so or has an address of its own.
    """
    prefix, slash, rest = model.partition("/")
    if slash and prefix in BASES:
        return prefix, rest
    if not slash and (has_address or _OPENAIS_OWN.fullmatch(model)):
        return OPENAI, model
    return None


def base(provider: str, given: str, environ: Mapping[str, str]) -> str:
    """The address to which `/chat/completions` is added; empty when nobody has told it."""
    found = given or environ.get(f"{_variable(provider)}_API_BASE") or BASES[provider]
    found = found.rstrip("/")
    # Ollama's own protocol is at its root, and LiteLLM is given that.
    return f"{found}/v1" if provider in _OLLAMA and found and not found.endswith("/v1") else found


def key(provider: str, given: str, environ: Mapping[str, str]) -> str:
    return given or environ.get(f"{_variable(provider)}_API_KEY", "")


def _variable(provider: str) -> str:
    return "OLLAMA" if provider in _OLLAMA else provider.upper()
