"""Every runtime of the registry, called for real."""

from __future__ import annotations

import json
import textwrap

import pytest

from tests.stories import mcpserver

CODE = textwrap.dedent(
    '''
    import asyncio
    import math
    from dataclasses import dataclass
    from textwrap import dedent

    SCALE = 10


    @dataclass
    class Point:
        x: float
        y: float


    def _length(x: float, y: float) -> float:
        return math.hypot(x, y)


    def distance(point: Point) -> float:
        """Distance from the origin, scaled."""
        return SCALE * _length(point.x, point.y)


    async def later(word: str, times: int = 2) -> list[str]:
        """Repeat a word, a moment later."""
        await asyncio.sleep(0.01)
        return [word] * times


    def tidy(text: str) -> str:
        return dedent(text)
    '''
)


@pytest.mark.parametrize("shape", ["code: key", "program text"])
def test_rawpython_takes_ordinary_python(kaos, namespace, shape):
    params = CODE if shape == "program text" else "code: |\n" + textwrap.indent(CODE, "  ")
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("shapes", params)).ok()

    def call(*arguments):
        return json.loads(kaos("mcp", "invoke", "shapes", "-n", namespace, *arguments).ok().stdout)["result"]

    tools = json.loads(kaos("mcp", "tools", "shapes", "-n", namespace, "-o", "json").ok().stdout)
    assert [tool["name"] for tool in tools] == ["distance", "later", "tidy"]
    assert call("distance", 'point:={"x": 3, "y": 4}') == 50
    assert call("later", "word=hi") == ["hi", "hi"]
    assert call("later", "word=hi", "times=3") == ["hi"] * 3


def test_rawpython_answers_a_client_of_the_official_sdk(place, kaos, namespace):
    """The MCP SDK's own client, through the API server's proxy as any program could."""
    import asyncio

    import yaml

    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("calculator")).ok()
    service = f"/api/v1/namespaces/{namespace}/services/mcpserver-calculator:8000/proxy"
    cluster = yaml.safe_load(place.kubeconfig.read_text())["clusters"][0]["cluster"]

    async def call() -> dict:
        from fastmcp import Client
        from fastmcp.client.transports import StreamableHttpTransport

        transport = StreamableHttpTransport(
            cluster["server"] + service + "/mcp", httpx_client_factory=_client_factory(place)
        )
        async with Client(transport) as client:
            names = [tool.name for tool in await client.list_tools()]
            assert names == ["add", "subtract"]
            return (await client.call_tool("subtract", {"a": 7, "b": 2})).structured_content

    assert asyncio.run(call()) == {"result": 5}


def _client_factory(place):
    """An HTTP client with the kubeconfig's credentials, for the SDK's transport."""
    import base64
    import ssl
    import tempfile

    import httpx2
    import yaml

    config = yaml.safe_load(place.kubeconfig.read_text())
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    user = config["users"][0]["user"]
    token = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
            pem.flush()
            context.load_cert_chain(pem.name)

    def factory(headers=None, timeout=None, auth=None, **rest):
        return httpx2.AsyncClient(verify=context, headers=(headers or {}) | token, timeout=timeout, auth=auth, **rest)

    return factory


def test_one_stuck_tool_blocks_no_other(place, kaos, namespace):
    code = "import time\ndef stuck() -> None:\n    time.sleep(600)\ndef quick() -> int:\n    return 1\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("stuck", code)).ok()
    hanging = [place.start("mcp", "invoke", "stuck", "-n", namespace, "stuck") for _ in range(5)]
    try:
        answer = kaos("mcp", "invoke", "stuck", "-n", namespace, "quick", "--timeout", "10").ok()
        assert json.loads(answer.stdout) == {"result": 1}
    finally:
        for process in hanging:
            process.kill()
            process.wait()


def test_metrics_count_calls_errors_and_latency_of_each_tool(place, kaos, namespace):
    from kubernetes import client

    code = "def fine() -> int:\n    return 1\ndef bad() -> None:\n    raise ValueError('x')\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("counted", code)).ok()
    kaos("mcp", "invoke", "counted", "-n", namespace, "fine").ok()
    kaos("mcp", "invoke", "counted", "-n", namespace, "bad")
    proxy = client.CoreV1Api(place.kubernetes())
    metrics = proxy.connect_get_namespaced_service_proxy_with_path("mcpserver-counted:8000", namespace, "metrics")
    assert 'tool="fine"' in metrics
    assert 'tool="bad"' in metrics
