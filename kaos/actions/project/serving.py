"""A project's server as a process on this machine, and what it answers over MCP."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kaos.actions.project import environment, source
from kaos.actions.project.environment import Project
from kaos.errors import KaosError, UsageError
from kaos.kube import sanitize
from kaos.local.ports import free_port, is_free
from kaos.mcp.blocking import HttpAnswer, McpSession
from kaos.mcp.wire import Head, McpError

Object = dict[str, Any]
START_S = 120.0  # the first import of everything, on a busy machine
ANSWER_S = 30.0
ENDING_S = 5.0
_HOST = "127.0.0.1"
_PATH = "/mcp"
_PLAIN_LOGS = {
    "FASTMCP_ENABLE_RICH_LOGGING": "false",
    "FASTMCP_ENABLE_RICH_TRACEBACKS": "false",
    "PYTHONUNBUFFERED": "1",
}


def server_place(project: Project) -> str:
    """Where the server is, as FastMCP is told of it: `server.py:mcp`.

    Raises UsageError when there is no such server, naming those that are there.
    """
    module, _, attribute = project.place.partition(":")
    file = source.file_of(project.root, module)
    if file is None:
        here = sorted(file.stem for file in project.root.glob("*.py") if source.servers(project.root, file.stem))
        raise UsageError(
            f"There is no module {module} in {project.root}.",
            f"Servers are in: {', '.join(here)}; --fastmcp-path {here[0]}:mcp"
            if here
            else "--fastmcp-path MODULE:NAME",
        )
    names = source.servers(project.root, module)
    first = attribute.partition(".")[0]
    if names is not None and first not in names and not source.defines(project.root, module, first):
        raise UsageError(
            f"The module {module} has no {first}.",
            f"It has: {', '.join(names)}; --fastmcp-path {module}:{names[0]}" if names else "mcp = FastMCP(NAME)",
        )
    return f"{file.relative_to(project.root).as_posix()}:{attribute}"


def url(port: int) -> str:
    """Where a server on this port answers."""
    return f"http://{_HOST}:{port}{_PATH}"


def command(place: str, python: Path, host: str, port: int, reload: bool = False, stateless: bool = False) -> list[str]:
    """What serves, over HTTP, the server at that place."""
    served = ["--transport", "http", "--host", host, "--port", str(port), "--no-banner", "--skip-env"]
    return [str(python), "-m", "fastmcp.cli", "run", place, *served, *(["--reload"] if reload else []),
            *(["--stateless"] if stateless else [])]  # fmt: skip


def variables(project: Project, python: Path) -> dict[str, str]:
    """The environment of the server's process: no secrets of the shell; those of the project's own `.env`."""
    ours = environment.variables()
    path = {"PATH": f"{python.parent}{os.pathsep}{ours.get('PATH', '')}"}  # FastMCP starts itself again by its name
    return ours | path | _PLAIN_LOGS | _dotenv(project.root / ".env")


def tools(project: Project, python: Path) -> tuple[Object, list[Object]]:
    """The server's name and version, and its tools. Raises KaosError with the server's own words."""
    with running(project, python) as url:
        try:
            with McpSession(_sender(url)) as session:
                session.open()
                return session.server_info, session.list_tools()
        except (McpError, OSError, http.client.HTTPException) as error:
            raise KaosError(f"The server does not answer as MCP: {sanitize.line(str(error))}.", "") from None


def serve(project: Project, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted, again and again as files change; `on_ready` gets the URL. The server's words go to ours.

    Raises UsageError when the port is taken, KaosError when the server ends by itself.
    """
    place = server_place(project)
    python = environment.python(project)
    if port and not is_free(port):
        raise UsageError(f"Port {port} on {_HOST} is taken.", "Take another: --port PORT, or 0 for a free one")
    port = port or free_port()
    process = subprocess.Popen(
        command(place, python, _HOST, port, reload=True),
        cwd=project.root,
        env=variables(project, python),
        stdout=sys.stderr,
    )
    try:
        while process.poll() is None and not listens(port):
            time.sleep(0.05)
        if process.poll() is None:
            on_ready(url(port))
            process.wait()
    finally:
        end(process)
    raise KaosError(f"The server has ended with exit code {process.returncode}.", "")


@contextmanager
def running(project: Project, python: Path) -> Iterator[str]:
    """The server for as long as the block lasts, as a URL."""
    place, port = server_place(project), free_port()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command(place, python, _HOST, port),
            cwd=project.root,
            env=variables(project, python),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            _await(process, port, project, said)
            yield url(port)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int, project: Project, said: Any) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said.seek(0)
            text = said.read()[-64_000:].decode(errors="replace")
            raise KaosError(f"The server does not start: {cause(text, project.root)}", "All it said: kaos mcp run")
        if listens(port):
            return
        time.sleep(0.05)
    raise KaosError(f"The server listens on no port after {START_S:.0f} s.", "All it said: kaos mcp run")


def cause(text: str, root: Path) -> str:
    """The one line of a traceback that matters, and where it is in the project's own code."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception|Exit|Interrupt)\b", line)]
    last = (errors or lines or ["it said nothing"])[-1].strip()
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    own = [(Path(file), line) for file, line in places if Path(file).is_relative_to(root.resolve())]
    own = [(file, line) for file, line in own if ".venv" not in file.parts]
    where = f" ({own[-1][0].relative_to(root.resolve())}:{own[-1][1]})" if own else ""
    return sanitize.line(last)[:400] + where


def _dotenv(file: Path) -> dict[str, str]:
    """KEY=VALUE lines, quoted or not; what is no such line is left out."""
    try:
        text = file.read_text()
    except OSError:
        return {}
    pairs = re.findall(r"(?m)^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$", text)
    return {key: value[1:-1] if value[:1] in "'\"" and value[-1:] == value[:1] else value for key, value in pairs}


def _sender(url: str) -> Any:
    where = urlsplit(url)

    def send(method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=ANSWER_S)
        connection.request(method, where.path, body or None, headers)
        response = connection.getresponse()
        head = Head(response.status, {name.lower(): value for name, value in response.getheaders()})
        return HttpAnswer(head, iter(lambda: response.read1(65536), b""), connection.close)

    return send


def listens(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
