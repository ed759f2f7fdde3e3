"""The operator that the console runs, when it is asked to: a process of its own that stops with the console."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from typing import TYPE_CHECKING

from kaos.kube import sanitize

if TYPE_CHECKING:
    from kaos.tui.app import Console

_KEPT_LINES = 2000
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_STOP_S = 10.0


class EmbeddedOperator:
    """Started on request only, started again when it ends by itself, stopped with the console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._task: asyncio.Task[None] | None = None
        self.state = "stopped"  # starting, works, failed
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def runs(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """On the session's cluster. Two operators do no harm: one of them stands by."""
        if self._task is None and self._console.session.connected:
            self._task = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.state = "stopped"

    async def _supervise(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            self.state = "starting"
            code = await self._run()
            self.state = "failed"
            self._console.notify(
                f"The console's operator ended with {code}: {self._last_word()}\nIt is started again in {pause:.0f} s.",
                severity="error",
                markup=False,
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _last_word(self) -> str:
        return sanitize.line(self.lines[-1]) if self.lines else "no word"

    async def _run(self) -> int:
        target = self._console.session
        command = [
            sys.executable,
            "-m",
            "kaos.actions.embedded",
            target.context if not target.target.kubeconfig else "",
        ]
        if target.target.kubeconfig:
            command.append(target.target.kubeconfig)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async for line in process.stdout:
                text = line.decode(errors="replace").rstrip("\n")
                if text == "ready":
                    self.state = "works"
                else:
                    self.lines.append(text)
            return await process.wait()
        finally:
            if process.returncode is None:
                process.stdin.close()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), _STOP_S)
                if process.returncode is None:
                    process.kill()
                    await process.wait()
