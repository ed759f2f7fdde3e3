"""The tools of my-tools: a function with types and a docstring is a tool."""

from typing import Annotated

from fastmcp import FastMCP
from pydantic import Field

mcp: FastMCP = FastMCP("my-tools")


@mcp.tool
def hello(name: Annotated[str, Field(description="Whom to greet.")] = "World") -> str:
    """Greet somebody by name."""
    return f"Hello, {name}!"


@mcp.tool
def count_words(text: Annotated[str, Field(description="Any text.")]) -> dict[str, int]:
    """Count how often each word comes in a text, whatever its case."""
    counts: dict[str, int] = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts


if __name__ == "__main__":
    mcp.run()
