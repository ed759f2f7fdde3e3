"""What the conformance suite asks a server for, made with fastmcp: on stdio, or over HTTP on the port that is named."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import mcp_types as types
from fastmcp import Context, FastMCP
from fastmcp.prompts import Message
from fastmcp.tools import Tool, ToolResult

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA="
PAUSE_S = 0.05

server = FastMCP("reference", version="1.0.0")
IMAGE = types.ImageContent(type="image", data=PIXEL, mime_type="image/png")


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> types.EmbeddedResource:
    resource = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return types.EmbeddedResource(type="resource", resource=resource)


@server.tool
def test_simple_text() -> str:
    """Gives text."""
    return "This is a simple text response for testing."


@server.tool
def test_image_content() -> ToolResult:
    """Gives a picture."""
    return ToolResult(content=[IMAGE])


@server.tool
def test_audio_content() -> ToolResult:
    """Gives a sound."""
    return ToolResult(content=[types.AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")])


@server.tool
def test_embedded_resource() -> ToolResult:
    """Gives a resource."""
    return ToolResult(content=[embedded("test://embedded-resource", "This is an embedded resource content.")])


@server.tool
def test_multiple_content_types() -> ToolResult:
    """Gives one of each."""
    resource = embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
    text = types.TextContent(type="text", text="Multiple content types test:")
    return ToolResult(content=[text, IMAGE, resource])


@server.tool
async def test_tool_with_logging(ctx: Context) -> str:
    """Logs while it works."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(line)
        await asyncio.sleep(PAUSE_S)
    return "logged"


@server.tool
async def test_tool_with_progress(ctx: Context) -> str:
    """Reports progress."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await asyncio.sleep(PAUSE_S)
    return "progressed"


@server.tool
def test_error_handling() -> str:
    """Fails."""
    raise ValueError("This tool intentionally returns an error for testing")


@server.tool
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Asks the client's model."""
    wish = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=prompt))
    answer = await ctx.session.create_message(messages=[wish], max_tokens=100)
    return f"LLM response: {answer.content.text}"


async def elicited(ctx: Context, message: str, properties: dict[str, Any], required: list[str]) -> str:
    schema = {"type": "object", "properties": properties, "required": required}
    answer = await ctx.session.elicit_form(message=message, requested_schema=schema)
    return f"action={answer.action}, content={json.dumps(answer.content)}"


@server.tool
async def test_elicitation(message: str, ctx: Context) -> str:
    """Asks the person."""
    asked = {"username": {"type": "string"}, "email": {"type": "string"}}
    return await elicited(ctx, message, asked, ["username", "email"])


@server.tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Asks with an answer proposed for each kind of field."""
    asked = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return await elicited(ctx, "Is this right?", asked, [])


@server.tool
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Asks for choices of each kind."""
    options = ["option1", "option2", "option3"]
    titled = [{"const": f"value{n}", "title": title} for n, title in enumerate(("First", "Second", "Third"), 1)]
    old = {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]}
    asked = {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": old,
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return await elicited(ctx, "Choose.", asked, [])


class Declared(Tool):
    """A tool whose schema is given as it is."""

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        return ToolResult(content=[types.TextContent(type="text", text=json.dumps(arguments))])


server.add_tool(
    Declared(
        name="json_schema_2020_12_tool",
        description="Tool with JSON Schema 2020-12 features",
        parameters={
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "type": "object",
                    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
                }
            },
            "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
            "additionalProperties": False,
        },
    )
)


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    return b"\x89PNG\r\n"


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    return "watch me"


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.prompt
def test_simple_prompt() -> str:
    """Says something."""
    return "This is a simple prompt for testing."


@server.prompt
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Says what it is told."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:
    """Shows a resource."""
    shown = embedded(resourceUri, "Embedded resource content for testing.")
    return [Message(shown), Message("Please process the embedded resource above.")]


@server.prompt
def test_prompt_with_image() -> list[Message]:
    """Shows a picture."""
    return [Message(IMAGE), Message("Please analyze the image above.")]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False, log_level="error")
    else:
        server.run(transport="stdio", show_banner=False, log_level="ERROR")
