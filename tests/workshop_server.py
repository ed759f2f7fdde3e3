"""An MCP server with something of everything, by fastmcp: what the console and the command are tried on.

Run as a program: listens on 127.0.0.1:$PORT, path /mcp. With ERA=sessions it knows no revision of 2026.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import zlib
from enum import Enum
from typing import Annotated, Literal

import uvicorn
from fastmcp import Context, FastMCP
from fastmcp.utilities.types import Image
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field

server = FastMCP("workshop", version="1.0", instructions="Orders of a small workshop.")
CANCELLED: list[str] = []


class Material(Enum):
    OAK = "oak"
    PINE = "pine"


class Size(BaseModel):
    width: Annotated[int, Field(ge=1, le=400)]
    height: Annotated[float, Field(gt=0)] = 75.5


class Order(BaseModel):
    customer: Annotated[str, Field(min_length=1, description="Who it is for")]
    size: Size
    material: Material = Material.OAK
    extras: list[Literal["drawer", "varnish", "wheels"]] = []
    notes: list[str] = []
    discount: float | None = None


@server.tool(annotations={"readOnlyHint": True, "openWorldHint": False, "title": "Price an order"})
def price(order: Order, rush: bool = False, by: str | int = "anybody") -> dict:
    """Tell what a piece of furniture costs.

    Nothing is ordered by it.
    """
    return {"order": order.model_dump(mode="json"), "rush": rush, "by": by}


@server.tool(annotations={"destructiveHint": True, "idempotentHint": True})
def scrap(name: str, password: str = "") -> str:
    """Throw a piece away."""
    return f"{name} is gone{' for good' if password else ''}"


@server.tool(annotations={"readOnlyHint": True})
def stock() -> list[dict]:
    """What is there."""
    return [
        {"item": "table", "count": 3, "price": 120.5, "sold": False},
        {"item": "chair", "count": 12, "price": 40, "sold": True},
    ]


@server.tool
def picture() -> Image:
    """A picture of one red pixel."""
    rows = zlib.compress(b"\0\xff\0\0")
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return Image(data=data, format="png")


@server.tool
def break_down() -> str:
    """Fail, with a colourful message."""
    raise ValueError("the saw is \x1b[31mblunt\x1b[0m\nsharpen it")


@server.tool
async def build(steps: int = 3, pause_s: float = 0.0, forever: bool = False, ctx: Context = None) -> str:
    """Build something step by step, telling how far it is."""
    try:
        for step in range(1, steps + 1):
            await ctx.report_progress(step, steps, f"step {step}")
            await ctx.info(f"sawing {step}")
            await asyncio.sleep(pause_s)
        if forever:
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        CANCELLED.append("build")
        raise
    return f"built in {steps} steps"


@server.tool
def cancelled() -> list[str]:
    """The calls that were cancelled."""
    return CANCELLED


class Delivery(BaseModel):
    street: Annotated[str, Field(min_length=1, description="Where to")]
    floor: Annotated[int, Field(ge=0, le=9)] = 0
    speed: Literal["slow", "fast"] = "slow"
    lift: bool = False


@server.tool
async def deliver(ctx: Context) -> str | InputRequiredResult:
    """Bring the piece home; asks for the address."""
    question = "Where to \x1b[31mbring\x1b[0m it?"
    if os.environ.get("ERA") == "sessions":
        answer = await ctx.elicit(question, Delivery)
        action, content = answer.action, answer.data.model_dump() if answer.action == "accept" else None
    elif ctx.input_responses is None:
        form = ElicitRequestFormParams(message=question, requested_schema=Delivery.model_json_schema())
        return InputRequiredResult(input_requests={"where": ElicitRequest(params=form)}, request_state="on the way")
    else:
        found = ctx.input_responses["where"]
        action, content = found.action, found.content
    return f"{action}: {json.dumps(content, sort_keys=True)}"


@server.tool
async def slogan(ctx: Context) -> str | InputRequiredResult:
    """A slogan for the workshop; asks a model for it."""
    said = [SamplingMessage(role="user", content=TextContent(type="text", text="A slogan for oak?"))]
    if os.environ.get("ERA") == "sessions":
        here = {"related_request_id": ctx.request_id}
        return (await ctx.session.create_message(said, system_prompt="Be brief.", max_tokens=50, **here)).content.text
    if ctx.input_responses is None:
        asked = CreateMessageRequestParams(messages=said, system_prompt="Be brief.", max_tokens=50)
        return InputRequiredResult(input_requests={"words": CreateMessageRequest(params=asked)}, request_state="s")
    return ctx.input_responses["words"].content.text


@server.resource("workshop://rules", name="rules", description="The rules of the house")
def rules() -> str:
    return "Wear goggles.\nSweep the floor.\n"


@server.resource("workshop://logo", name="logo", mime_type="image/png")
def logo() -> bytes:
    return b"\x89PNG not really"


@server.resource("workshop://pieces/{name}", name="piece", description="What is known of a piece")
def piece(name: str) -> dict:
    return {"name": name, "legs": 4}


@server.prompt
def offer(customer: str, tone: str = "friendly") -> str:
    """Write an offer."""
    return f"Write a {tone} offer to {customer}."


def only_sessions(app):
    """The server as one of 2025 would be: it refuses what it has never heard of."""

    async def guarded(scope, receive, send):
        if dict(scope.get("headers") or ()).get(b"mcp-protocol-version") == b"2026-07-28":
            await send({"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Unsupported protocol version"})
            return
        await app(scope, receive, send)

    return guarded


if __name__ == "__main__":
    app = server.http_app()
    uvicorn.run(
        only_sessions(app) if os.environ.get("ERA") == "sessions" else app,
        host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", timeout_graceful_shutdown=1,
    )  # fmt: skip
