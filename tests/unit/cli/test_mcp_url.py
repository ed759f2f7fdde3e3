"""A server at a URL, without a cluster, from the command line."""

from __future__ import annotations

import threading

import pytest
from fastmcp import FastMCP

from tests.conftest import free_port


@pytest.fixture(scope="module")
def url():
    """A server with one tool."""
    import socket
    import time

    import uvicorn

    mcp = FastMCP("x")

    @mcp.tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(mcp.http_app(), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = True
    thread.join(10)


def test_its_tools_are_listed_and_called(alone, url):
    assert "a: integer, b: integer" in alone("mcp", "tools", "--url", url).ok().stdout
    assert alone("mcp", "invoke", "--url", url, "add", "a=2", "b=3").ok().stdout.strip() == '{"result": 5}'
    assert (
        alone("mcp", "invoke", "--url", url, "--tool", "add", "--args", '{"a":1,"b":1}').ok().stdout
        == '{"result": 2}\n'
    )


def test_a_tool_that_it_has_not_is_told_with_the_nearest(alone, url):
    refused = alone("mcp", "invoke", "--url", url, "ad", "a=2", "b=3")
    assert refused.code == 2
    assert f"The server at {url} has no tool ad.\nDid you mean add?" in refused.stderr


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("tools", "--url", "http://127.0.0.1:1/mcp"), "The server at http://127.0.0.1:1/mcp does not answer", None),
        (("tools", "--url", "calculator"), "'calculator' is no URL of a server.", 2),
        (("tools", "--url", "http://127.0.0.1:99999/"), "is no URL of a server.", 2),
        (("tools",), "Which server?", 2),
        (("invoke",), "Which server?", 2),
        (("tools", "calculator", "--url", "http://127.0.0.1:1/mcp"), "Which server, calculator or", 2),
    ],
)
def test_what_names_no_server_is_told(alone, words, told, code):
    refused = alone("mcp", *words)
    assert told in refused.stderr
    assert refused.code == code if code else refused.code != 0
