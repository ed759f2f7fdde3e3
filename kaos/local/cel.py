"""CEL rules of CRD schemas (`x-kubernetes-validations`), with the Kubernetes extension functions.

The library brings the language; the string, list, regex, URL and quantity functions that Kubernetes adds are here.
A rule that calls anything else does not compile, and a CRD that holds it is refused: no rule is ever ignored.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kaos.kube import quantities
from kaos.local import patterns


class CelError(ValueError):
    """The rule does not compile, or failed while it ran."""


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    return text.split(separator, limit - 1 if limit > 0 else -1) if separator else list(text)


def _url(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if not (parts.scheme or text.startswith("/")):
        raise ValueError(f"URL parse error: {text}")
    return {"scheme": parts.scheme, "host": parts.netloc, "path": parts.path, "query": parse_qs(parts.query)}


def _is(convert: Callable[[Any], Any]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        try:
            convert(value)
        except ValueError:
            return False
        return True

    return check


def _amount(value: Any) -> float:
    return float(value if isinstance(value, (int, float)) else quantities.parse(value))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "split": _split,
    "join": lambda items, separator="": separator.join(items),
    "replace": lambda text, old, new, limit=-1: text.replace(old, new, limit),
    "trim": lambda text: text.strip(),
    "lowerAscii": lambda text: text.lower(),
    "upperAscii": lambda text: text.upper(),
    "charAt": lambda text, index: text[index : index + 1],
    "substring": lambda text, start, end=None: text[start:end],
    "indexOf": lambda items, value: items.find(value) if isinstance(items, str) else _index(items, value),
    "lastIndexOf": lambda items, value: items.rfind(value) if isinstance(items, str) else _last_index(items, value),
    "reverse": lambda items: items[::-1],
    "find": lambda text, pattern: (patterns.compiled(pattern).search(text) or [""])[0],
    "findAll": lambda text, pattern: [match[0] for match in patterns.compiled(pattern).finditer(text)],
    "isSorted": lambda items: list(items) == sorted(items),
    "sum": sum,
    "isURL": _is(_url),
    "url": _url,
    "getScheme": lambda url: url["scheme"],
    "getHost": lambda url: url["host"],
    "getHostname": lambda url: urlsplit("//" + url["host"]).hostname or "",
    "getPort": lambda url: url["host"].rpartition(":")[2] if ":" in url["host"] else "",
    "getEscapedPath": lambda url: url["path"],
    "getQuery": lambda url: url["query"],
    "isQuantity": _is(quantities.parse),
    "quantity": _amount,
    "isGreaterThan": lambda a, b: _amount(a) > _amount(b),
    "isLessThan": lambda a, b: _amount(a) < _amount(b),
    "compareTo": lambda a, b: (_amount(a) > _amount(b)) - (_amount(a) < _amount(b)),
}
_LANGUAGE = set(
    [
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "size",
        "matches",
        "startsWith",
        "endsWith",
        "contains",
        "int",
        "uint",
        "double",
        "string",
        "bool",
        "bytes",
        "type",
        "dyn",
        "duration",
        "timestamp",
        "min",
        "max",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ]
)
_LITERALS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


def _index(items: list[Any], value: Any) -> int:
    return items.index(value) if value in items else -1


def _last_index(items: list[Any], value: Any) -> int:
    return len(items) - 1 - items[::-1].index(value) if value in items else -1


@cache
def _library() -> Any:
    """The compiled part of the package `cel` alone: the package itself loads a terminal application with it."""
    package = importlib.util.find_spec("cel")
    finder = FileFinder(package.submodule_search_locations[0], (ExtensionFileLoader, EXTENSION_SUFFIXES))
    spec = finder.find_spec("cel")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=4096)
def compile_rule(rule: str) -> Any:
    """The compiled rule. Raises CelError when it is no CEL or calls a function that is not known here."""
    unknown = {name for name in _CALL.findall(_LITERALS.sub("''", rule))} - _LANGUAGE - set(FUNCTIONS) - {"in"}
    if unknown:
        raise CelError(f"undeclared reference to '{min(unknown)}'")
    try:
        return _library().compile(rule)
    except (ValueError, TypeError) as error:
        raise CelError(str(error).splitlines()[0]) from None


_NO_OLD = object()


def evaluate(rule: str, value: Any, old: Any = _NO_OLD) -> Any:
    """The rule's value with `self` (and `oldSelf` when given). Raises CelError when it fails, as on a missing key."""
    context = _library().Context(variables={"self": value} | ({} if old is _NO_OLD else {"oldSelf": old}))
    for name, function in FUNCTIONS.items():
        context.add_function(name, function)
    try:
        return compile_rule(rule).execute(context)
    except KeyError as error:
        raise CelError(f"no such key: {error.args[0]}") from None
    except (ValueError, TypeError, RuntimeError, IndexError, ArithmeticError) as error:
        raise CelError(str(error).splitlines()[0]) from None
