"""The local cluster as a person handles it: up, down, status, reset, logs.

One background daemon a data directory. Who runs is told by the directory's lock, never by a bare process id:
a recycled pid is not our daemon.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kaos.cluster import Client
from kaos.cluster.connection import CONTEXT_LOCAL, local_directory, resolve, save_context, saved_context
from kaos.errors import KaosError, NotFound, NotReady, UsageError
from kaos.local.lock import holder

START_TIMEOUT_S = 60.0
ENDING_S = 1.0
PING_S = 5.0
STOP_TIMEOUT_S = 30.0
LOG_KEEP_BYTES = 10_000_000

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class LocalStatus:
    """What is known of the local cluster in one directory."""

    directory: Path
    running: bool
    pid: int | None = None
    server: str | None = None  # https://127.0.0.1:<port>

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"


@dataclass(frozen=True)
class Started:
    """The outcome of `up`."""

    status: LocalStatus
    already_running: bool
    saved_as_default: bool  # nothing was saved before, so plain `kaos ...` now means this cluster


def status(directory: Path | None = None) -> LocalStatus:
    directory = directory or local_directory()
    pid = holder(directory)
    if pid is None:
        return LocalStatus(directory, running=False)
    return LocalStatus(directory, running=True, pid=pid, server=_server(directory / "kubeconfig"))


def _server(kubeconfig: Path) -> str | None:
    try:
        return resolve(kubeconfig=str(kubeconfig)).server
    except KaosError:
        return None  # the daemon is still starting


def up(directory: Path | None = None, port: int | None = None, on_step: Progress = lambda step, ms: None) -> Started:
    """Start the daemon unless it runs; return when the operator works. Raises KaosError with the daemon's own cause."""
    if sys.platform == "win32":
        raise UsageError("The local cluster does not run on Windows itself.", "Run it inside WSL 2.")
    now = _settled(directory or local_directory())
    if now.running:
        if port is not None and now.server and not now.server.endswith(f":{port}"):
            raise UsageError(
                f"The local cluster already runs at {now.server} (pid {now.pid}).", "Stop it first: kaos local down"
            )
        return Started(now, already_running=True, saved_as_default=False)
    try:
        now.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"Cannot make the data directory {now.directory}: {error.strerror}.", "Set another: KAOS_LOCAL_DIR=DIR"
        ) from None
    _start_daemon(now.directory, port, on_step)
    saved = False
    if saved_context() is None:
        save_context(CONTEXT_LOCAL)
        saved = True
    return Started(status(now.directory), already_running=False, saved_as_default=saved)


def _settled(directory: Path) -> LocalStatus:
    """Whether a daemon runs: one that is just starting is waited for, one that is just ending does not count."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (now := status(directory)).running and not _answers(directory):
        if time.monotonic() > deadline:
            raise NotReady(f"The daemon in {directory} (pid {now.pid}) does not answer.", f"End it: kill -9 {now.pid}")
        time.sleep(0.05)  # a process that is not our child can only be polled
    return now


def _answers(directory: Path) -> bool:
    try:
        Client(resolve(kubeconfig=str(directory / "kubeconfig"))).request("GET", "/readyz", timeout_s=PING_S).close()
    except KaosError:
        return False
    return True


def _start_daemon(directory: Path, port: int | None, on_step: Progress) -> None:
    read_fd, write_fd = os.pipe()
    command = [sys.executable, "-m", "kaos.actions.daemon", str(directory), "--report-fd", str(write_fd)]
    if port is not None:
        command += ["--port", str(port)]
    log_path = log_file(directory)
    if log_path.exists() and log_path.stat().st_size > LOG_KEEP_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            pass_fds=[write_fd],
            cwd=directory,
        )
    finally:
        os.close(descriptor)
        os.close(write_fd)
    for event in _events(read_fd, time.monotonic() + START_TIMEOUT_S):
        if "step" in event:
            on_step(event["step"], event["ms"])
        elif "cause" in event:
            error = KaosError(event["cause"], event["cure"])
            error.exit_code = event["exit_code"]
            raise error
        elif "ready" in event:
            return
    try:
        process.wait(ENDING_S)  # it closes the pipe a moment before it is gone
    except subprocess.TimeoutExpired:
        process.terminate()
        raise NotReady(f"The local cluster was not up after {START_TIMEOUT_S:.0f} s.", "See: kaos local logs") from None
    raise KaosError(f"The local cluster's daemon ended while starting: {_last_line(log_path)}", "See: kaos local logs")


def _events(read_fd: int, deadline: float) -> Iterator[dict]:
    """JSON lines from the daemon until it closes the pipe or time is up."""
    import select

    buffer = b""
    try:
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([read_fd], [], [], left)[0]:
                return
            chunk = os.read(read_fd, 65536)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines)
    finally:
        os.close(read_fd)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it wrote nothing"


def down(directory: Path | None = None) -> bool:
    """Stop the daemon and its pods. False when none runs. Everything comes back with `up`."""
    now = status(directory)
    if now.pid is None:
        return False
    os.kill(now.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while holder(now.directory) == now.pid:
        if time.monotonic() > deadline:
            raise NotReady(
                f"The daemon (pid {now.pid}) has not ended after {STOP_TIMEOUT_S:.0f} s.",
                f"End it at once; its pods end with it: kill -9 {now.pid}",
            )
        time.sleep(0.02)  # a process that is not our child can only be polled
    return True


def reset(directory: Path | None = None) -> Path:
    """Stop the daemon and delete all its data: every resource, volume and log."""
    down(directory)
    target = directory or local_directory()
    if not target.exists():
        return target
    if not _is_ours(target):
        raise UsageError(f"{target} does not look like the data of a local cluster; nothing deleted.", "Check --dir.")
    shutil.rmtree(target)
    return target


def _is_ours(directory: Path) -> bool:
    return any((directory / name).exists() for name in ("state.db", "kubeconfig", log_file(directory).name)) or not any(
        directory.iterdir()
    )


def log_file(directory: Path) -> Path:
    return directory / "daemon.log"


def kubeconfig(directory: Path | None = None) -> str:
    """The kubeconfig's text, for `KUBECONFIG` of other programs. It holds the token."""
    path = (directory or local_directory()) / "kubeconfig"
    try:
        return path.read_text()
    except FileNotFoundError:
        raise NotFound(f"There is no local cluster in {path.parent}.", "Make one: kaos local up") from None


def logs(directory: Path | None = None, tail: int | None = None, follow: bool = False) -> Iterator[str]:
    """Lines of the daemon's log: API server, node and operator."""
    path = log_file(directory or local_directory())
    try:
        stream = path.open(errors="replace")
    except FileNotFoundError:
        raise NotFound(f"There is no local cluster in {path.parent}.", "Make one: kaos local up") from None
    with stream:
        lines = stream.readlines()
        yield from (line.rstrip("\n") for line in (lines[-tail:] if tail is not None else lines))
        while follow:
            line = stream.readline()
            if line:
                yield line.rstrip("\n")
            else:
                time.sleep(0.1)  # a plain file announces nothing; only a person waits here
