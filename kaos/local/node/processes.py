"""The process backend: a pod's containers as processes of this machine, held by one shim a pod."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from kaos.local.node.backend import ExecFailed, Launch, OnExit
from kaos.local.node.sweep import MARKER, end_leftovers

log = logging.getLogger("kaos.local.node")
_SHIM = Path(__file__).with_name("shim.py")


class ProcessBackend:
    """One pod's processes."""

    watches_memory = True

    def __init__(self, uid: str, on_exit: OnExit) -> None:
        self._uid = uid
        self._on_exit = on_exit
        self._shim: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._starting: dict[str, asyncio.Future[int]] = {}
        self._execs: dict[int, asyncio.Future[int]] = {}
        self._exec_numbers = itertools.count(1)
        self._pids: dict[str, int] = {}

    async def start(self, launch: Launch) -> str:
        """Start the container; returns its id. Raises ExecFailed."""
        async with self._opening:
            if self._reader is None or self._reader.done():
                await self._open()
        told = self._starting[launch.name] = asyncio.get_running_loop().create_future()
        env = launch.env | {MARKER: self._uid, "KAOS_CONTAINER": launch.name}
        self._send(op="start", name=launch.name, argv=launch.argv, env=env, cwd=str(launch.cwd), log=str(launch.log))
        return f"process://{await told}"

    async def _open(self) -> None:
        if self._closed:
            raise ExecFailed("the pod has ended")
        self._shim = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_SHIM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={MARKER: self._uid, "PATH": os.environ.get("PATH", os.defpath)},
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read(self._shim))

    def signal(self, name: str, number: int) -> None:
        with contextlib.suppress(ExecFailed):  # what has ended needs no signal
            self._send(op="signal", name=name, signal=int(number))

    async def exec(self, launch: Launch, argv: list[str], timeout_s: float) -> int:
        """The exit code of a command beside the container, with its environment."""
        number = next(self._exec_numbers)
        told = self._execs[number] = asyncio.get_running_loop().create_future()
        env = launch.env | {MARKER: self._uid, "KAOS_CONTAINER": launch.name}
        try:
            self._send(op="exec", id=number, argv=argv, env=env, cwd=str(launch.cwd), timeout_s=timeout_s)
            return await told
        finally:
            self._execs.pop(number, None)

    def memory(self, name: str) -> int | None:
        """Resident bytes of the container's process tree."""
        import psutil

        try:
            main = psutil.Process(self._pids[name])
            return sum(p.memory_info().rss for p in [main, *main.children(recursive=True)])
        except (KeyError, psutil.Error):
            return None

    async def close(self) -> None:
        """End every process of the pod at once."""
        self._closed = True
        if self._shim is None:
            return
        self._shim.stdin.close()
        try:
            await asyncio.wait_for(self._shim.wait(), 8)
        except TimeoutError:
            self._shim.kill()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=1)

    def _send(self, **order: object) -> None:
        if self._shim is None or self._reader is None or self._reader.done() or self._shim.stdin.is_closing():
            raise ExecFailed("the pod's supervisor has ended")
        self._shim.stdin.write(json.dumps(order).encode() + b"\n")

    async def _read(self, shim: asyncio.subprocess.Process) -> None:
        try:
            while line := await shim.stdout.readline():
                self._told(json.loads(line))
        finally:
            if not self._closed:
                # The shim was killed. What it held must not run on beside what is started next.
                log.warning("the supervisor of pod %s ended; ending its processes", self._uid)
                await asyncio.to_thread(end_leftovers, {self._uid})
            for waiting in [*self._starting.values(), *self._execs.values()]:
                self._settle(waiting, ExecFailed("the pod's supervisor ended"))
            for name in list(self._pids):
                self._on_exit(name, 137)
            self._pids.clear()

    def _told(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "started":
                self._pids[event["name"]] = event["pid"]
                self._settle(self._starting.pop(event["name"], None), event["pid"])
            case "failed":
                self._settle(self._starting.pop(event["name"], None), ExecFailed(event["error"]))
            case "exited":
                self._pids.pop(event["name"], None)
                self._on_exit(event["name"], event["code"])
            case "exec":
                self._settle(self._execs.get(event["id"]), event["code"])

    @staticmethod
    def _settle(future: asyncio.Future[int] | None, outcome: int | Exception) -> None:
        if future is None or future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
