"""YAML as Kubernetes reads it: moments and `12:30` are text, not dates and numbers to the base of sixty."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9_]+|[0-9]+[eE][-+]?[0-9]+|\.inf|\.Inf|\.INF)$"
    r"|\.(?:nan|NaN|NAN)$"
)


def load(text: str | bytes) -> Any:
    """The document. Raises yaml.YAMLError."""
    import yaml

    return yaml.load(text, Loader=_loader())


def load_all(text: str | bytes) -> list[Any]:
    """All documents of a stream. Raises yaml.YAMLError."""
    import yaml

    return list(yaml.load_all(text, Loader=_loader()))


@cache
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        """Without the types that JSON does not know."""

    left = {_TAG + name for name in ("timestamp", "int", "float")}
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in left]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(_TAG + "int", _INTEGER, list("-+0123456789"))
    Loader.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+0123456789."))
    return Loader
