"""What is read from a project's text without running it."""

from __future__ import annotations

import textwrap

import pytest

from kaos.actions.project import source


@pytest.fixture
def root(tmp_path):
    (tmp_path / "server.py").write_text(
        textwrap.dedent(
            """
            import time
            import subprocess as sp
            from urllib.request import urlopen
            import httpx
            from fastmcp import FastMCP
            import fastmcp

            mcp = FastMCP("one")
            other: FastMCP = fastmcp.FastMCP("two")
            app = object()

            async def slow():
                time.sleep(1)
                sp.run(["ls"])
                urlopen("http://example.org")
                httpx.get("http://example.org")

            async def fine():
                def on_a_thread():
                    time.sleep(1)
                async with httpx.AsyncClient() as client:
                    await client.get("http://example.org")

            def plain():
                time.sleep(1)
            """
        )
    )
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text("import time\nasync def slow():\n    time.sleep(1)\n")
    return tmp_path


def test_servers_are_found_by_how_they_are_made(root):
    assert source.servers(root, "server") == ["mcp", "other"]
    assert source.servers(root, "broken") is None
    assert source.servers(root, "missing") is None


def test_names_that_are_no_servers_are_known_too(root):
    assert source.defines(root, "server", "app")
    assert source.defines(root, "server", "urlopen")
    assert not source.defines(root, "server", "nothing")


def test_calls_that_hold_up_the_loop_are_found_with_their_lines(root):
    found = {(one.function, one.call, one.line) for one in source.blocking_calls(root)}
    assert found == {
        ("slow", "time.sleep", 14),
        ("slow", "subprocess.run", 15),
        ("slow", "urllib.request.urlopen", 16),
        ("slow", "httpx.get", 17),
    }
