"""Serve the program in MCP_TOOLS_STRING on PORT until SIGTERM.

A program that gives no tools ends the process with exit code 78 (EX_CONFIG) and one line that says where and why, on
stderr and in the container's termination message, where the operator finds it.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import signal
import socket
import sys
from typing import NoReturn

from kaos_rawpython import __version__
from kaos_rawpython.program import ProgramError, load
from kaos_rawpython.telemetry import telemetry_of

EX_CONFIG = 78

log = logging.getLogger("kaos_rawpython")


def main() -> NoReturn:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    # The first process of a container ignores SIGTERM unless it says otherwise, and the program may take its time.
    signal.signal(signal.SIGTERM, lambda *_: _end(0))
    signal.signal(signal.SIGINT, lambda *_: _end(130))
    _log_to_stderr(os.environ.get("LOG_LEVEL") or "INFO")
    os.environ["FASTMCP_LOG_ENABLED"] = "false"  # its log handlers would come beside ours
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it reads the metadata of every package: 0.04 s
    host, port = os.environ.get("HOST") or "0.0.0.0", os.environ.get("PORT") or "8000"
    try:
        telemetry = telemetry_of(os.environ, __version__)
    except ValueError as error:
        _refuse(error)
    try:
        _tell_kubelet("params: the program ended the process itself, or was still being read when it was ended")
        program = load(_program_text())
        _tell_kubelet("")
        gc.disable()  # nothing that is imported here ever becomes garbage, and looking for it takes 0.1 s
        from kaos_rawpython.server import PATH, server_of

        server = server_of(program, host, telemetry)
        gc.freeze()
        gc.enable()
    except ProgramError as error:
        _refuse(error)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, int(port)), family=family, backlog=1024)
    except (OSError, OverflowError, ValueError) as error:
        print(f"cannot listen on {host}, port {port}: {error}", file=sys.stderr)
        _end(1)
    log.info("serving %d tools on %s:%s%s: %s", len(program.tools), host, port, PATH, ", ".join(program.tools))
    server.run(sockets=[listening])
    telemetry.close()
    _end(0)


def _program_text() -> str:
    try:
        return os.environb.get(b"MCP_TOOLS_STRING", b"").decode()
    except UnicodeDecodeError as error:
        raise ProgramError(f"params are not UTF-8: {error.reason} at byte {error.start}") from error


def _log_to_stderr(level: str) -> None:
    """Stdout is the program's own. The libraries' everyday lines are for debugging."""
    known = logging.getLevelNamesMapping()
    chosen = known.get(level.upper(), logging.INFO)
    logging.basicConfig(level=chosen, format="%(levelname)s %(message)s", stream=sys.stderr)
    for library in ("fastmcp", "mcp", "uvicorn", "asyncio", "httpx2", "sse_starlette"):
        logging.getLogger(library).setLevel(chosen if chosen <= logging.DEBUG else max(chosen, logging.WARNING))


def _tell_kubelet(text: str) -> None:
    """Write the termination message. Outside a container there is no such file, and none is made."""
    try:
        path = os.environ.get("TERMINATION_LOG") or "/dev/termination-log"
        with open(path, "r+", encoding="utf-8", errors="backslashreplace") as file:
            file.truncate()
            file.write(text)
    except OSError as error:
        log.debug("no termination message: %s", error)


def _refuse(error: Exception) -> NoReturn:
    print(error, file=sys.stderr)
    _tell_kubelet(str(error))
    _end(EX_CONFIG)


def _end(status: int) -> NoReturn:
    """End now: a stuck tool, or a thread of the program, must not keep the process."""
    with contextlib.suppress(OSError, RuntimeError):  # a closed pipe; or a signal came in the middle of a print
        sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
