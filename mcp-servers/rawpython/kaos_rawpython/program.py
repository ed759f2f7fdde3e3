"""The program: from the text a person wrote under `params` to Python functions, or one line that says what is wrong.

The text is ordinary Python, or a YAML document with the key `code:` that holds it. It runs once, as a module named
`params`; line numbers in messages and tracebacks are those of the Python text.
"""

from __future__ import annotations

import inspect
import linecache
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType, TracebackType
from typing import Any

import yaml

PARAMS = "params"  # the module's name, and its file in tracebacks
MAX_BYTES = 98_304

Function = Callable[..., Any]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ProgramError(Exception):
    """Why the params are no tools, on one line."""


@dataclass(frozen=True)
class Program:
    """The tools in the order of their definition, and what the text says about itself as a whole."""

    tools: dict[str, Function]
    instructions: str


def load(params: str) -> Program:
    """Run the program. Raises ProgramError."""
    source = python_text(params)
    module = ModuleType(PARAMS)
    module.__file__ = PARAMS
    # Dataclasses, annotations and pickle look the module up by name; tracebacks look up its lines.
    sys.modules[PARAMS] = module
    linecache.cache[PARAMS] = (len(source), None, source.splitlines(keepends=True), PARAMS)
    try:
        exec(compile(source, PARAMS, "exec", dont_inherit=True), vars(module))  # noqa: S102
    except BaseException as error:
        raise ProgramError(_told(error)) from error
    tools = _tools(module)
    if not source.strip():
        raise ProgramError(f"{PARAMS} define no tools: they are empty")
    if not tools:
        raise ProgramError(
            f"{PARAMS} define no tools: no tools remain after names with a leading underscore are left out, "
            "and only functions defined in the text are tools"
        )
    return Program(tools, inspect.cleandoc(module.__doc__ or ""))


def python_text(params: str) -> str:
    """The Python in the params. Raises ProgramError for YAML that is meant to hold some and does not."""
    if (size := len(params.encode(errors="replace"))) > MAX_BYTES:
        raise ProgramError(f"{PARAMS} are {size:,} bytes long; at most {MAX_BYTES:,} are allowed")
    params = params.removeprefix("\ufeff")
    mapping: dict[str, str | None] = {}
    unreadable: yaml.YAMLError | None = None
    try:
        mapping = _mapping(params)
    except yaml.YAMLError as error:
        unreadable = error
    if list(mapping) == ["code"] and mapping["code"] is not None:
        return mapping["code"]
    if _is_python(params):  # `code: int = 1` above a function on one line is YAML too
        return params
    if "code" in mapping:
        extra = [key for key in mapping if key != "code"]
        why = f"beside code stands {', '.join(extra)}" if extra else "code is not a text"
        raise ProgramError(f"{PARAMS} are YAML, but {why}; write `code: |` and the Python below it, indented")
    if unreadable and re.match(r"(---\s*\n|#.*\n|\s)*code\s*:", params):
        mark = getattr(unreadable, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ProgramError(f"{PARAMS}{where}: not YAML: {getattr(unreadable, 'problem', unreadable)}")
    return params


def at_function(function: Function) -> str:
    """`params, line N`, where the function is defined."""
    return f"{PARAMS}, line {inspect.unwrap(function).__code__.co_firstlineno}"


def from_params(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in the program; None when it was not reached."""
    while trace is not None and trace.tb_frame.f_code.co_filename != PARAMS:
        trace = trace.tb_next
    return trace


def _mapping(text: str) -> dict[str, str | None]:
    """The keys of a YAML mapping, up to the first value that is no scalar; empty for other YAML. Raises YAMLError.

    Read as events, and no deeper than needed: no tag, alias or nesting can do any harm.
    """
    events = yaml.parse(text, Loader=_Loader)
    found: dict[str, str | None] = {}
    if not all(isinstance(next(events), kind) for kind in _BEGINNING):
        return {}
    while isinstance(key := next(events), yaml.ScalarEvent):
        value = next(events)
        found[key.value] = value.value if isinstance(value, yaml.ScalarEvent) else None
        if found[key.value] is None:
            return found
    ended = isinstance(key, yaml.MappingEndEvent) and all(isinstance(next(events), kind) for kind in _ENDING)
    return found if ended else {}


_BEGINNING = (yaml.StreamStartEvent, yaml.DocumentStartEvent, yaml.MappingStartEvent)
_ENDING = (yaml.DocumentEndEvent, yaml.StreamEndEvent)


def _is_python(text: str) -> bool:
    try:
        compile(text, PARAMS, "exec", dont_inherit=True)
    except Exception:
        return False
    return True


def _tools(module: ModuleType) -> dict[str, Function]:
    """The functions that the text defines, also decorated; one under two names counts once."""
    found: dict[str, Function] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or not inspect.isroutine(value) or value in found.values():
            continue
        function = inspect.unwrap(value)
        own = isinstance(function, FunctionType) and function.__code__.co_filename == PARAMS
        if own and function.__name__ != "<lambda>":
            found[name] = value
    return found


def _told(error: BaseException) -> str:
    """`params, line N: Error: message` for what stopped the program."""
    text = str(error)
    if isinstance(error, SyntaxError) and error.filename == PARAMS:
        line, text = error.lineno, error.msg
    else:
        line = None
        trace = from_params(error.__traceback__)
        while trace is not None:
            line, trace = trace.tb_lineno, from_params(trace.tb_next)
    if isinstance(error, SystemExit):
        text = f"the program ended itself with {error.code or 0!r}"
    where = f"{PARAMS}, line {line}" if line else PARAMS
    told = " ".join(f"{type(error).__name__}: {text}".split()).removesuffix(":")
    return f"{where}: {told[:1000]}"
