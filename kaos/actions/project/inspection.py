"""What clients and models will trip over in a server's tools. Pure: tools as MCP lists them in, findings out.

Limits are those of the protocol (names: specification 2025-11-25, server/tools) and of the model APIs that agents call
tools through (names: OpenAI's function calling, `^[a-zA-Z0-9_-]{1,64}$`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kaos.actions.project.source import BlockingCall

Object = dict[str, Any]

LARGE_TOOL_BYTES = 16_384
LARGE_LIST_BYTES = 65_536
BYTES_A_TOKEN = 4  # about, for JSON
_PROTOCOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_MODEL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECRET_VALUE = re.compile(
    r"sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|glpat-[\w-]{16,}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_SECRET_NAME = re.compile(r"(?i)(^|_)(pass(word|wd)?|secret|token|api_?key|private_?key|credentials?)$")


class Level(Enum):
    """An error breaks the tool for somebody; a warning makes it worse than it could be."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing to mend: which tool, what is wrong, and what to do."""

    level: Level
    tool: str
    problem: str
    cure: str


def findings(tools: list[Object], blocking: Iterable[BlockingCall] = ()) -> list[Finding]:
    """All there is to say, errors first, otherwise in the order of the tools."""
    found = list(_of_all(tools))
    for tool in tools:
        found += _of_name(tool)
        found += _of_descriptions(tool)
        found += _of_schema(tool)
        found += _of_secrets(tool)
    names = {str(tool.get("name")) for tool in tools}
    found += [_of_blocking(call) for call in blocking if call.function in names]
    return sorted(found, key=lambda finding: finding.level is not Level.ERROR)


def _error(tool: Object, problem: str, cure: str) -> Finding:
    return Finding(Level.ERROR, str(tool.get("name", "")), problem, cure)


def _warning(tool: Object, problem: str, cure: str) -> Finding:
    return Finding(Level.WARNING, str(tool.get("name", "")), problem, cure)


def _of_all(tools: list[Object]) -> Iterator[Finding]:
    if not tools:
        yield Finding(Level.ERROR, "", "there are no tools", "Decorate a function with @mcp.tool.")
    for name, times in Counter(str(tool.get("name")) for tool in tools).items():
        if times > 1:
            yield Finding(Level.ERROR, name, f"{times} tools have this name; clients see one", "Rename the others.")
    size = sum(map(_size, tools))
    if size > LARGE_LIST_BYTES:
        cost = f"all tools together take about {size // BYTES_A_TOKEN:,} tokens of every conversation"
        yield Finding(Level.WARNING, "", cost, "Have fewer tools, or say less of each.")


def _of_name(tool: Object) -> Iterator[Finding]:
    name = str(tool.get("name", ""))
    if not _PROTOCOL_NAME.fullmatch(name):
        yield _error(tool, "the name is against the protocol", "Letters, digits, '_', '-' and '.', at most 128.")
    elif not _MODEL_NAME.fullmatch(name):
        yield _error(tool, "models cannot call it by this name", "Letters, digits, '_' and '-', at most 64.")


def _of_descriptions(tool: Object) -> Iterator[Finding]:
    if not str(tool.get("description") or "").strip():
        yield _warning(tool, "has no description, by which a model chooses it", "Give the function a docstring.")
    silent = [name for name, schema in _properties(tool) if not schema.get("description")]
    if silent:
        cure = 'Annotated[str, Field(description="...")]'
        yield _warning(tool, f"{_listed(silent)} without description", cure)


def _of_schema(tool: Object) -> Iterator[Finding]:
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        yield _error(tool, "its arguments are no JSON object", 'inputSchema needs "type": "object".')
        return
    names = {name for name, _ in _properties(tool)}
    if missing := sorted(set(schema.get("required") or ()) - names):
        yield _error(tool, f"requires {', '.join(missing)}, which it does not describe", "Mend its inputSchema.")
    untyped = [name for name, one in _properties(tool) if not _is_typed(one)]
    if untyped:
        yield _warning(tool, f"{_listed(untyped)} without type, so anything is accepted", "Annotate the parameters.")
    if (size := _size(tool)) > LARGE_TOOL_BYTES:
        cost = f"its schema takes about {size // BYTES_A_TOKEN:,} tokens of every conversation"
        yield _warning(tool, cost, "Split the tool, or simplify its arguments.")


def _of_secrets(tool: Object) -> Iterator[Finding]:
    """Every client gets to see a default."""
    for name, schema in _properties(tool):
        default = schema.get("default")
        if not isinstance(default, str) or not default:
            continue
        if _SECRET_VALUE.search(default) or _SECRET_NAME.search(name):
            cure = "Read it from the environment: kaos mcp deploy --secret VAR=SECRET/KEY"
            yield _error(tool, f"the default of {name} looks like a secret, and every client sees it", cure)


def _of_blocking(call: BlockingCall) -> Finding:
    problem = f"{call.call} at {call.file}:{call.line} holds up all other calls"
    return Finding(Level.WARNING, call.function, problem, "Make it a plain def, which gets a thread, or await.")


def _properties(tool: Object) -> list[tuple[str, Object]]:
    schema = tool.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return []
    return [(name, one) for name, one in properties.items() if isinstance(one, dict)]


def _is_typed(schema: Object) -> bool:
    return bool(schema.keys() & {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"})


def _size(tool: Object) -> int:
    return len(json.dumps(tool, ensure_ascii=False).encode())


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"argument{'s' if len(names) > 1 else ''} {shown}"
