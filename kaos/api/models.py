"""Which models a ModelAPI serves: names and their `*`, and what a configuration of LiteLLM's says of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from kaos.kube import yaml_limits

Object = dict[str, Any]
_SHOWN = 10


class BadConfig(ValueError):
    """What is no configuration; the text says where and why."""


def stands_for(served: str, wanted: str) -> str | None:
    """What the served name's `*` stands for; empty when it has none; None when it does not cover the wanted one."""
    if served == wanted:
        return ""
    before, star, after = served.partition("*")
    long_enough = len(wanted) > len(before) + len(after)
    if star and long_enough and wanted.startswith(before) and wanted.endswith(after):
        return wanted[len(before) : len(wanted) - len(after)]
    return None


def covers(served: Iterable[str], wanted: str) -> bool:
    """Whether one of the served names is the wanted one, or stands for it."""
    return any(stands_for(name, wanted) is not None for name in served)


def best(served: Iterable[str], wanted: str) -> str | None:
    """The served name that fits best: the same one, else the one of which most is given."""
    fitting = [name for name in served if stands_for(name, wanted) is not None]
    return max(fitting, key=lambda name: (name == wanted, len(name)), default=None)


def shown(names: list[str]) -> str:
    """The first of the names, for a message."""
    return f"{', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"


def read_config(text: str | bytes, where: str) -> Object:
    """The configuration, with a good `model_list`. Raises BadConfig, which repeats no word of the text."""
    try:
        yaml_limits.check(text)
        document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark, lines = getattr(error, "problem_mark", None), len(text.rstrip().splitlines())
        line = f", line {min(mark.line + 1, lines)}" if mark else ""
        raise BadConfig(f"{where} is not YAML{line}") from None
    except ValueError as error:
        raise BadConfig(f"{where} cannot be read: {error}") from None
    listed = document.get("model_list") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        raise BadConfig(f"{where} has no model_list with a model in it")
    for number, entry in enumerate(listed):
        params = entry.get("litellm_params") if isinstance(entry, dict) else None
        if not (isinstance(params, dict) and _is_text(entry.get("model_name")) and _is_text(params.get("model"))):
            raise BadConfig(f"{where}: model_list[{number}] needs a model_name and a litellm_params.model")
    return document


def served_by(document: Object) -> list[str]:
    """The names that a configuration serves; several entries of one name share its calls."""
    return list(dict.fromkeys(entry["model_name"] for entry in document["model_list"]))


def lacking(served: list[str], models: list[str], where: str) -> str | None:
    """What to say of models that a configuration was to serve and does not; None when it serves them all."""
    absent = [name for name in models if not covers(served, name)]
    if not absent:
        return None
    return f"{where} does not serve {shown(absent)}, which models lists; it serves: {shown(served)}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
