"""The bridge in front of an HTTP server: what passes, what does not, and who is told which headers."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from fastmcp import Client

from kaos.dataplane.bridge.addresses import forbidden
from kaos.dataplane.bridge.settings import Settings
from tests.unit.dataplane.bridge.running import HEADERS, Running, call, modern, request

WORKSHOP = Path(__file__).parents[3] / "workshop_server.py"
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("get_a", "get_b", "drop")]


class Scripted:
    """An HTTP server that does what a request's id says, and remembers what it was sent."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.go_on = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._runner = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)
        self.url = f"http://127.0.0.1:{self.port}/api"

    async def _begin(self) -> int:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return site._server.sockets[0].getsockname()[1]

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append((request.method, {key.lower(): value for key, value in request.headers.items()}, body))
        if request.method == "GET":
            return await self._events(request, [_listed(1), {"jsonrpc": "2.0", "method": "notifications/x"}])
        message = json.loads(body)
        match message["id"]:
            case "redirect":
                raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{self.port}/elsewhere?key=1")
            case "unauthorized":
                return web.Response(status=401, headers={"www-authenticate": "Bearer"})
            case "events":
                progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
                return await self._events(request, [progress, _listed("events")])
            case "cut":
                response = await self._events(request, [{"jsonrpc": "2.0", "method": "notifications/x"}])
                request.transport.abort()
                return response
            case "batch":
                return web.json_response([_listed("batch")])
            case "slow":
                progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
                return await self._events(request, [progress, {"jsonrpc": "2.0", "id": "slow", "result": {}}], True)
        if message["method"] == "tools/list":
            return web.json_response(_listed(message["id"]), headers={"mcp-session-id": "s1", "set-cookie": "a=b"})
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})

    async def _events(self, request: web.Request, messages: list[dict], wait: bool = False) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\r\n\r\n")
        for number, message in enumerate(messages):
            if wait and number == 1:
                await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, 30)
            await response.write(f"id: {number}\r\ndata: {json.dumps(message)}\r\n\r\n".encode())
        return response


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def _listed(number: object) -> dict:
    return {"jsonrpc": "2.0", "id": number, "result": {"tools": TOOLS, "nextCursor": "more"}}


@pytest.fixture(scope="module")
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.end()


@pytest.fixture(scope="module")
def relay(server: Scripted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(
        (), tmp_path_factory.mktemp("relay") / "log",
        "--upstream", server.url, "--allow", "get_*", "--deny", "*_b", "--header", "Authorization=UPSTREAM_TOKEN",
        UPSTREAM_TOKEN="Bearer top-secret",
    )  # fmt: skip
    yield running
    assert running.end() == 0
    assert "top-secret" not in running.log.read_text()


def post(relay: Running, body: dict | bytes, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(relay.mcp, content=content, headers=sent, timeout=30)


def names(result: dict) -> list[str]:
    return [tool["name"] for tool in result["tools"]]


def test_each_page_of_the_list_is_filtered_and_keeps_the_rest(relay: Running) -> None:
    answer = post(relay, request("tools/list", number=5))
    assert names(answer.json()["result"]) == ["get_a"]
    assert answer.json()["result"]["nextCursor"] == "more"
    assert answer.headers["mcp-session-id"] == "s1"


def test_a_list_that_comes_as_events_is_filtered(relay: Running) -> None:
    answer = post(relay, request("tools/list", number="events")).text
    assert answer.startswith(": hello\r\n\r\nid: 0\r\ndata: {")  # what is not filtered keeps its bytes
    listed = json.loads(answer.rstrip().rpartition("data: ")[2])
    assert (names(listed["result"]), "id: 1\n" in answer) == (["get_a"], True)


def test_a_list_that_a_standing_stream_brings_late_is_filtered(relay: Running) -> None:
    answer = httpx.get(relay.mcp, headers={"accept": "text/event-stream"}).text
    assert "get_a" in answer
    assert "drop" not in answer
    assert "notifications/x" in answer


def test_a_list_in_an_odd_shape_shows_nothing(relay: Running) -> None:
    answer = post(relay, request("tools/list", number="batch"))
    assert (answer.status_code, "drop" in answer.text) == (502, False)


def test_a_refused_call_does_not_reach_the_server(relay: Running, server: Scripted) -> None:
    before = len(server.seen)
    answer = post(relay, call("drop", 9))
    assert (answer.status_code, answer.json()["id"], answer.json()["error"]["code"]) == (200, 9, -32602)
    headers, body = modern(call("get_b"))
    assert post(relay, body, **headers).json()["error"]["code"] == -32602
    assert len(server.seen) == before


def test_headers_that_say_another_tool_are_refused(relay: Running, server: Scripted) -> None:
    before = len(server.seen)
    headers, body = modern(call("get_a"))
    answer = post(relay, body, **(headers | {"mcp-name": "drop"}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    assert post(relay, request("ping"), mcp_method="tools/call", mcp_name="drop").status_code == 400
    assert len(server.seen) == before
    assert post(relay, body, **headers).status_code == 200


def test_a_request_keeps_its_bytes_and_gets_the_headers(relay: Running, server: Scripted) -> None:
    body = b' {"jsonrpc":"2.0", "id":1.0e0 ,"method":"x"}'.replace(b"1.0e0", b'"\\u00e9"')
    post(relay, body, authorization="Bearer of-the-caller", mcp_session_id="abc", x_own="kept", cookie="a=b")
    method, headers, seen = server.seen[-1]
    assert (method, seen, headers["authorization"]) == ("POST", body, "Bearer top-secret")
    assert (headers["mcp-session-id"], headers["x-own"]) == ("abc", "kept")


def test_a_redirect_is_not_followed_and_told(relay: Running, server: Scripted) -> None:
    before = len(server.seen)
    answer = post(relay, request("x", number="redirect"))
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == (
        f"the server at 127.0.0.1 redirects to http://127.0.0.1:{server.port}/elsewhere, which is not followed; "
        "name that URL"
    )
    assert len(server.seen) == before + 1


def test_events_pass_as_they_come(relay: Running, server: Scripted) -> None:
    server.go_on.clear()
    body = request("tools/call", {"name": "get_a"}, "slow")
    with httpx.stream("POST", relay.mcp, json=body, headers=HEADERS, timeout=30) as answer:
        lines = answer.iter_lines()
        assert "notifications/progress" in next(line for line in lines if line.startswith("data"))
        server.go_on.set()
        assert '"id": "slow"' in next(line for line in lines if line.startswith("data"))


def test_a_cut_stream_looks_cut(relay: Running) -> None:
    with pytest.raises(httpx.TransportError):
        post(relay, request("x", number="cut"))


def test_calls_are_counted_by_tool(relay: Running) -> None:
    post(relay, request("tools/list"))
    before = relay.metric('kaos_bridge_calls_total{tool="get_a"}')
    post(relay, call("get_a"))
    assert relay.metric('kaos_bridge_calls_total{tool="get_a"}') == before + 1
    assert 'tool="drop"' not in httpx.get(f"{relay.url}/metrics").text


def test_pages_strangers_and_too_much_are_kept_out(relay: Running) -> None:
    assert post(relay, request("x"), origin="https://evil.example").status_code == 403
    assert post(relay, request("x"), host="evil.example").status_code == 403
    assert post(relay, b"[]").status_code == 400
    assert post(relay, b"x" * (16 * 2**20 + 1)).status_code == 413
    assert httpx.put(relay.mcp).status_code == 405


def test_a_server_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    gone = Running((), tmp_path / "log", "--upstream", f"http://127.0.0.1:{free_port()}/mcp")
    answer = post(gone, request("x", number=3))
    assert (answer.status_code, answer.json()["id"]) == (502, 3)
    assert answer.json()["error"]["message"] == "the server at 127.0.0.1 gives no answer: Connection refused"
    assert gone.end() == 0


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://169.254.169.254/latest", "169.254.169.254 is a link-local address"),
        ("http://[::ffff:169.254.169.254]/", "is a link-local address"),
        ("http://[fe80::1]/", "is a link-local address"),
        ("http://me:secret@example.com/", "credentials belong into headers"),
        ("ftp://example.com/", "no http(s) URL"),
        ("http://192.168.0.1/mcp", ""),
    ],
)
def test_there_are_addresses_that_are_not_relayed(url: str, told: str) -> None:
    assert told in forbidden(url)
    assert bool(told) is bool(forbidden(url))


@pytest.mark.parametrize("value", ["", "a\nb", "ü"])
def test_a_header_that_cannot_be_sent_is_a_fault_of_the_configuration(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        Settings.read(["--upstream", "http://example.com/", "--header", "X-Key=KEY"], {"KEY": value})
    assert ended.value.code == 78
    assert "the value of header X-Key, in KEY, is empty or" in capsys.readouterr().err


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(WORKSHOP)], env=os.environ | {"PORT": str(port)})
    log = tmp_path_factory.mktemp("workshop") / "log"
    relay = Running((), log, "--upstream", f"http://127.0.0.1:{port}/mcp", "--deny", "scrap")
    relay.until(lambda: post(relay, request("ping")).status_code != 502, "in front of its server")
    yield relay
    assert relay.end() == 0
    process.terminate()
    process.wait(20)


@pytest.mark.full
@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_real_server_is_used_through_it(workshop: Running, era: str) -> None:
    told: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        told.append(done)

    async with Client(workshop.mcp, mode=era) as client:
        tools = {tool.name for tool in await client.list_tools()}
        assert "stock" in tools
        assert "scrap" not in tools
        built = await client.call_tool("build", {"steps": 2}, progress_handler=on_progress)
    assert (built.data, told) == ("built in 2 steps", [1, 2])
