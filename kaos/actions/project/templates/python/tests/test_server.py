"""What the tools promise, asked as a client asks: over the protocol."""

from fastmcp import Client

from server import mcp


async def test_hello_greets_by_name() -> None:
    async with Client(mcp) as client:
        answer = await client.call_tool("hello", {"name": "World"})
    assert answer.data == "Hello, World!"


async def test_words_are_counted_whatever_their_case() -> None:
    async with Client(mcp) as client:
        answer = await client.call_tool("count_words", {"text": "to be or not To be"})
    assert answer.data == {"to": 2, "be": 2, "or": 1, "not": 1}
