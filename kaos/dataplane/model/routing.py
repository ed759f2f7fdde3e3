"""LiteLLM's configuration as the relay reads it: which served name leads to which provider, by which name and key."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kaos.api import models
from kaos.dataplane.model import providers
from kaos.dataplane.model.openai import no_such_model, not_served

Object = dict[str, Any]

SILENCE_S = 300.0
# What the relay does itself; whoever writes anything else needs LiteLLM.
_PARAMS = {"model", "api_base", "api_key", "mock_response", "timeout", "organization", "extra_headers"}
_SETTINGS = {
    "model_list": None,
    "litellm_settings": {"drop_params", "request_timeout", "callbacks", "turn_off_message_logging"},
    "general_settings": {"master_key"},
}
_CALLBACKS = ("prometheus", "otel")  # what they do, the relay does by itself
_VARIABLE = re.compile(r"os\.environ/(\w+)")


@dataclass(frozen=True)
class Entry:
    """One entry of `model_list`, its variables filled in."""

    name: str  # as it is served; a `*` stands for any part
    model: str  # as LiteLLM calls it, with its provider; a `*` stands for what the name's does
    base: str
    key: str = field(repr=False)
    timeout_s: float
    headers: dict[str, str] = field(repr=False)
    mock_response: str | None


@dataclass(frozen=True)
class Target:
    """Where one call goes."""

    base: str
    model: str
    headers: dict[str, str] = field(repr=False)
    timeout_s: float


def load(path: str) -> Object:
    """The configuration of a file. Raises ValueError with what is wrong with it."""
    try:
        document = models.read_config(Path(path).read_bytes(), path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    for entry in document["model_list"]:
        if not isinstance(entry["litellm_params"].get("extra_headers") or {}, dict):
            raise ValueError(f"{path}: extra_headers of {entry['model_name']} must be a mapping")
    for section in ("litellm_settings", "general_settings"):
        if not isinstance(document.get(section) or {}, dict):
            raise ValueError(f"{path}: {section} must be a mapping")
    return document


def unsupported(document: Object) -> list[str]:
    """What in the configuration only LiteLLM can do, a line each; empty when the relay will do."""
    found = []
    for entry in document["model_list"]:
        name, params = entry["model_name"], entry["litellm_params"]
        model = params["model"]
        spoken = "mock_response" in params or "*" in model.partition("/")[0]  # the latter is known with the call
        if not spoken and providers.split(model, bool(params.get("api_base"))) is None:
            found.append(f"model {name}: {model} is not reached by OpenAI's protocol")
        found += [f"model {name}: litellm_params.{param}" for param in sorted(params.keys() - _PARAMS)]
    for section, values in document.items():
        known = _SETTINGS.get(section, set())
        if known is not None and values:
            inside = sorted(values.keys() - known) if isinstance(values, dict) else []
            found += [f"{section}.{key}" for key in inside] if known else [str(section)]
    callbacks = (document.get("litellm_settings") or {}).get("callbacks") or []
    if not isinstance(callbacks, list) or any(one not in _CALLBACKS for one in callbacks):
        found.append(f"litellm_settings.callbacks beyond {', '.join(_CALLBACKS)}")
    return found


class Routes:
    """All entries. Several of one name take turns."""

    def __init__(self, document: Object, environ: Mapping[str, str]) -> None:
        """Raises ValueError for what the relay cannot do."""
        if foreign := unsupported(document):
            raise ValueError(f"the relay cannot do this, LiteLLM can: {'; '.join(foreign)}")
        self._environ = environ
        settings = document.get("litellm_settings") or {}
        default_s = _seconds("request_timeout", settings.get("request_timeout"), SILENCE_S)
        self._entries: dict[str, list[Entry]] = {}
        for number, one in enumerate(document["model_list"]):
            try:
                entry = self._entry(one["model_name"], one["litellm_params"], default_s)
            except ValueError as error:
                raise ValueError(f"model_list[{number}], {one['model_name']}: {error}") from None
            self._entries.setdefault(entry.name, []).append(entry)
        self._turns: dict[str, Iterator[Entry]] = {
            name: itertools.cycle(entries) for name, entries in self._entries.items()
        }
        general = document.get("general_settings") or {}
        given = environ.get("LITELLM_MASTER_KEY") or self._filled(str(general.get("master_key") or ""))
        self.master_key = given.encode()

    @property
    def served(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def entry(self, wanted: str) -> Entry:
        """The entry whose turn it is. Raises Failure for a name that none covers."""
        name = models.best(self._entries, wanted)
        if name is None:
            raise not_served(wanted, self.served)
        return next(self._turns[name])

    def target(self, entry: Entry, wanted: str) -> Target:
        """Where the entry leads for the wanted name. Raises Failure when that is nowhere."""
        model = entry.model.replace("*", models.stands_for(entry.name, wanted) or "*")
        found = providers.split(model, bool(entry.base))
        if found is None:
            raise no_such_model(
                f"{wanted}: {model} is not reached by OpenAI's protocol, which is all this relay speaks"
            )
        provider, name = found
        base = providers.base(provider, entry.base, self._environ)
        if not base:
            raise no_such_model(f"{wanted}: the address of {provider} is not known; it needs an api_base")
        headers = dict(entry.headers)
        if key := providers.key(provider, entry.key, self._environ):
            headers["authorization"] = f"Bearer {key}"
        return Target(base, name, headers, entry.timeout_s)

    def _entry(self, name: str, params: Object, default_s: float) -> Entry:
        base = self._filled(str(params.get("api_base") or ""))
        if base and (urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname):
            raise ValueError("api_base must be http(s)://HOST[:PORT][/PATH]")
        if "@" in urlsplit(base).netloc:
            raise ValueError("api_base holds credentials; put them into api_key")
        extra = params.get("extra_headers") or {}
        headers = {str(key).lower(): self._filled(str(value)) for key, value in extra.items()}
        if params.get("organization"):
            headers["openai-organization"] = self._filled(str(params["organization"]))
        mocked = params.get("mock_response")
        return Entry(
            name=name,
            model=self._filled(params["model"]),
            base=base,
            key=self._filled(str(params.get("api_key") or "")),
            timeout_s=_seconds("timeout", params.get("timeout"), default_s),
            headers=headers,
            mock_response=None if mocked is None else str(mocked),
        )

    def _filled(self, text: str) -> str:
        """The text, or the variable that it names. Raises ValueError for one that is not set."""
        found = _VARIABLE.fullmatch(text)
        if not found:
            return text
        if found[1] not in self._environ:
            raise ValueError(f"the variable {found[1]} is not set")
        return self._environ[found[1]]


def _seconds(name: str, value: Any, default_s: float) -> float:
    if value is None:
        return default_s
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{name} must be a number of seconds")
    return float(value)
