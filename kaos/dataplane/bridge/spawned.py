"""A process of the server that is a child of ours."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence

from kaos.dataplane.bridge.child import LEAVE_S, Child, ServerEnded

HOLD_S = 0.5  # for pipes that descendants keep open after its end


class Spawned(Child, asyncio.SubprocessProtocol):
    """Starts with `start`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._transport: asyncio.SubprocessTransport | None = None

    @classmethod
    async def start(cls, command: Sequence[str], env: dict[str, str]) -> Spawned:
        """Raises ServerEnded when there is no such program."""
        child = cls(os.path.basename(command[0]))
        try:
            await asyncio.get_running_loop().subprocess_exec(lambda: child, *command, env=env, start_new_session=True)
        except OSError as error:
            raise ServerEnded(f"cannot start {command[0]}: {error.strerror or error}") from None
        return child

    @property
    def is_running(self) -> bool:
        return not self.exited.done() and self._transport.get_returncode() is None

    @property
    def code(self) -> int | None:
        return self._transport.get_returncode()

    async def end(self) -> None:
        if self.is_running:
            self._input.close()
            for number in (signal.SIGTERM, signal.SIGKILL):
                await asyncio.wait([self.exited], timeout=LEAVE_S)
                if self.exited.done():
                    break
                self._kill_group(number)
        await self.exited

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._input = transport.get_pipe_transport(0)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.words.feed(data)
        else:
            self.feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1 and self.is_running:
            # Whoever can answer nothing any more is no server; what it was asked would wait for ever.
            asyncio.get_running_loop().call_later(LEAVE_S, self._kill_group, signal.SIGKILL)
        if fd == 0:
            self.resume_writing()

    def process_exited(self) -> None:
        self._kill_group(signal.SIGKILL)
        asyncio.get_running_loop().call_later(HOLD_S, self.finish)

    def connection_lost(self, exc: Exception | None) -> None:
        self.finish()

    def finish(self) -> None:
        is_first = not self.exited.done()
        super().finish()
        if is_first:
            self._transport.close()

    def _kill_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._transport.get_pid(), number)
        except (ProcessLookupError, PermissionError):  # nobody is left of it (macOS: only zombies)
            return
