"""`kaos mcp proxy`: a server of the cluster in programs that start their servers themselves, or take a URL."""

from __future__ import annotations

import os
import re

import fastmcp
import httpx
import pytest
from fastmcp.client.transports import StreamableHttpTransport
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from kaos.kube.resources import PODS
from tests.conftest import KAOS
from tests.stories import mcpserver

CODE = """code: |
  def add(a: int, b: int) -> int:
      return a + b
"""


@pytest.fixture(scope="module")
def namespace(place):
    """One for all of these stories."""
    name = f"proxied-{os.getpid()}"
    manifest = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"
    place.run("apply", "-f", "-", stdin=manifest).ok()
    yield name
    place.run("delete", "--yes", "-f", "-", stdin=manifest)


@pytest.fixture(scope="module")
def server(place, namespace):
    place.run("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("calculator", CODE)).ok()
    return "calculator"


def restarted(place, namespace, server):
    """Once the pod that served is leaving."""
    pods = place.run("mcp", "describe", server, "-n", namespace).ok().stdout
    before = re.search(rf"mcpserver-{server}-[a-z0-9]+-[a-z0-9]+", pods)[0]
    place.run("mcp", "restart", server, "-n", namespace).ok()
    place.until(PODS, before, namespace, lambda pod: not pod or "deletionTimestamp" in pod["metadata"], 180)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_outlives_its_server(place, namespace, server, tmp_path, mode):
    started = StdioServerParameters(command=KAOS[0], args=["mcp", "proxy", server, "-n", namespace], env=place.env)
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(started, errlog=log), mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["add"]
            assert (await client.call_tool("add", {"a": 2, "b": 3})).structured_content == {"result": 5}
            restarted(place, namespace, server)
            assert (await client.call_tool("add", {"a": 3, "b": 4})).structured_content == {"result": 7}
    assert (tmp_path / "log").read_text() == ""


@pytest.fixture
def port(place, namespace, server):
    """The URL of a proxy on a port, which wants a token."""
    proxy = place.start("mcp", "proxy", server, "-n", namespace, "--port", "0", KAOS_BRIDGE_TOKEN="open sesame")
    yield proxy.stdout.readline().strip()
    proxy.terminate()
    proxy.communicate(timeout=20)


async def test_on_a_port_it_serves_http(port):
    async with fastmcp.Client(StreamableHttpTransport(port, headers={"x-kaos-token": "open sesame"})) as client:
        assert (await client.call_tool("add", {"a": 2, "b": 3})).data == 5


def test_a_port_answers_this_machine_and_its_token_alone(port):
    def status(url, **headers):
        return httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers).status_code

    assert port.startswith("http://127.0.0.1:")
    token = {"authorization": "Bearer open sesame"}
    assert status(port) == 401
    assert status(port, **token, origin="https://evil.example") == 403
    assert status(port, **token, host="evil.example") == 403
    assert status(port.replace("/mcp", "/metrics"), **token) == 404


def test_a_server_that_is_not_there_is_named(kaos, namespace):
    missing = kaos("mcp", "proxy", "nobody", "-n", namespace, stdin="")
    assert (missing.code, missing.stdout) == (3, "")
    assert missing.stderr == f"Error: There is no MCPServer nobody in namespace {namespace}.\n"
