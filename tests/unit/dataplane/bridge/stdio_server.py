"""A stdio server made with fastmcp: a tool for each thing that has to pass a bridge, and for each way to misbehave."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass

import mcp_types as types
from fastmcp import Context, FastMCP

server = FastMCP("stdio", version="1.2.3", instructions="Add things.")
state = {"value": 0}


@dataclass
class Name:
    name: str


@server.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool
def remember(value: int) -> int:
    """Give back what was remembered before."""
    state["value"], before = value, state["value"]
    return before


@server.tool
def pid() -> int:
    return os.getpid()


@server.tool
async def count(to: int, ctx: Context) -> str:
    """Count with progress."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
    return "counted"


@server.tool
async def log(text: str, ctx: Context) -> str:
    await ctx.info(text)
    return "logged"


@server.tool
async def ask_model(question: str, ctx: Context) -> str:
    wish = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=question))
    answer = await ctx.session.create_message(messages=[wish], max_tokens=10)
    return answer.content.text


@server.tool
async def ask_person(ctx: Context) -> str:
    answer = await ctx.elicit("Who are you?", Name)
    return f"{answer.action}: {answer.data.name}"


@server.tool
async def ask_roots(ctx: Context) -> list[str]:
    return [str(root.uri) for root in (await ctx.session.list_roots()).roots]


@server.tool
async def wait(seconds: float, file: str = "") -> str:
    """Wait; one file is there when the wait has begun, the other when it is cancelled."""
    if file:
        with open(f"{file}.begun", "w"):  # noqa: ASYNC230
            pass
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if file:
            with open(file, "w") as out:  # noqa: ASYNC230
                out.write("cancelled")
        raise
    return "waited"


@server.tool
def fail() -> str:
    raise ValueError("out of cheese")


@server.tool
def die(code: int) -> str:
    print("the disk is full", file=sys.stderr, flush=True)
    os._exit(code)


@server.tool
def noise(lines: int) -> str:
    for number in range(lines):
        sys.__stdout__.write(f"debug: line {number}\n")
    sys.__stdout__.flush()
    return "noisy"


@server.tool
def shout(megabytes: int) -> str:
    """A flood on stderr."""
    line = "x" * 999 + "\n"
    for _ in range(megabytes * 1000):
        sys.stderr.write(line)
    return "shouted"


@server.tool
def big(size: int) -> str:
    return "x" * size


@server.tool
def breed() -> int:
    """Start a program that would outlive us."""
    return subprocess.Popen(["sleep", "600"]).pid


@server.resource("data://greeting")
def greeting() -> str:
    return "Grüß Gott"


@server.prompt
def review(code: str) -> str:
    return f"Review {code}"


if __name__ == "__main__":
    server.run(transport="stdio", show_banner=False)
