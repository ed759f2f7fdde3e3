"""From a function of the program to an MCP tool: schema and description by FastMCP, the call itself by `calls`."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from typing import Any

import pydantic
from fastmcp.exceptions import FastMCPError, ToolError, ValidationError
from fastmcp.server.context import Context, set_context
from fastmcp.server.dependencies import get_context
from fastmcp.tools import ToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp_types import TextContent
from pydantic_core import PydanticSerializationError, to_jsonable_python

from kaos_rawpython.calls import Calls, Refused
from kaos_rawpython.program import Function, Program, ProgramError, at_function, from_params

MAX_RESULT = 16 * 2**20  # characters; while a result is written as JSON no other answer is

log = logging.getLogger("kaos_rawpython")


def tools_of(program: Program, calls: Calls) -> list[ProgramTool]:
    """A tool for each function. Raises ProgramError for a function that cannot be one."""
    return [_tool(name, function, calls) for name, function in program.tools.items()]


class ProgramTool(FunctionTool):
    """FastMCP's tool, which tells wrong arguments in words and gives structured results without a return annotation."""

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        try:
            return await super().run(arguments)
        except ValidationError as error:
            if isinstance(error.__cause__, pydantic.ValidationError):
                raise ValidationError(_in_words(error.__cause__), log_level=error.log_level) from error.__cause__
            raise

    def convert_result(self, raw_value: Any) -> ToolResult:
        if isinstance(raw_value, str) and _sendable(raw_value) != raw_value:
            raise ToolError(f"{self.name} returned text that is not Unicode (half of a surrogate pair)")
        result = super().convert_result(raw_value)
        size = sum(len(block.text) for block in result.content if isinstance(block, TextContent))
        if size > MAX_RESULT:
            raise ToolError(f"{self.name} returned {size:,} characters; at most {MAX_RESULT:,} are sent")
        plain = isinstance(raw_value, str | int | float | list | tuple | set | frozenset)
        if result.structured_content is None and plain and all(type(c) is TextContent for c in result.content):
            try:
                return ToolResult(result.content, {"result": to_jsonable_python(raw_value)})
            except PydanticSerializationError:
                return result
        return result


class ContextElsewhere:
    """The Context of a call for code on another event loop: what is awaited runs where the connection lives."""

    def __init__(self, context: Context, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._context, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        @functools.wraps(attribute)
        async def there(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(attribute(*args, **kwargs), self._loop))

        return there


def _tool(name: str, function: Function, calls: Calls) -> ProgramTool:
    @functools.wraps(function)
    async def call(**arguments: Any) -> Any:
        return await _call(name, function, arguments, calls)

    try:
        return ProgramTool.from_function(call, name=name)
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, pydantic.errors.PydanticErrorMixin):  # its second sentence is for authors of types
            why = why.partition(". ")[0]
        raise ProgramError(f"{at_function(function)}: function {name} cannot be a tool: {why[:1000]}") from error


async def _call(name: str, function: Function, arguments: dict[str, Any], calls: Calls) -> Any:
    context: Any = ContextElsewhere(get_context(), asyncio.get_running_loop())
    arguments = {key: context if isinstance(value, Context) else value for key, value in arguments.items()}
    try:
        with set_context(context):
            outcome = await calls.run(name, function, arguments)
    except Refused as error:
        log.warning("tool %s: %s", name, error)
        raise ToolError(str(error), log_level=logging.DEBUG) from error
    if outcome.error is None:
        return outcome.value
    error = outcome.error
    if isinstance(error, FastMCPError):  # meant for the caller as it is
        raise error
    own_part = from_params(error.__traceback__)
    log.error("tool %s raised %s", name, type(error).__name__, exc_info=(type(error), error, own_part))
    told = _sendable(f"{type(error).__name__}: {error}".removesuffix(": "))
    raise ToolError(told, log_level=logging.DEBUG) from error


def _sendable(text: str) -> str:
    """Names of files that are no UTF-8 reach Python as lone surrogates, which JSON cannot carry."""
    return text.encode(errors="backslashreplace").decode()


def _in_words(wrong: pydantic.ValidationError) -> str:
    """`a: Input should be a valid integer; c: Unexpected keyword argument`."""
    return "; ".join(f"{'.'.join(map(str, found['loc'])) or 'arguments'}: {found['msg']}" for found in wrong.errors())
