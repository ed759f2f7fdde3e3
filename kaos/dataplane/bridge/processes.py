"""The processes that the bridge keeps: the shared one, started again when it ends, and a spare for the next session."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import kaos
from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.child import Child, ServerEnded
from kaos.dataplane.bridge.connected import Connected
from kaos.dataplane.bridge.conversation import Conversation
from kaos.dataplane.bridge.listeners import Listeners
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.metrics import Metrics
from kaos.dataplane.bridge.spawned import Spawned
from kaos.kube import sanitize
from kaos.mcp.wire import HANDSHAKE, METHOD_NOT_FOUND

INITIALIZED_S = 120.0  # programs that are fetched first take their time
STABLE_S = 10.0  # who has lived so long may start again at once
FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 30.0
PATIENCE_S = 1.0  # a pause that is no longer is part of a start
MAX_PAGES = 20

log = logging.getLogger("kaos.bridge")


class Starter:
    """Starts processes of the server."""

    def __init__(self, command: Sequence[str], env: dict[str, str], metrics: Metrics, socket: str = "") -> None:
        """`socket`, where there is one, is asked for processes in place of the command."""
        self._command = command
        self._env = env
        self._socket = socket
        self._metrics = metrics
        self._children: set[Child] = set()

    @property
    def running(self) -> int:
        return len(self._children)

    async def start(self) -> Child:
        """Raises ServerEnded."""
        child = await (Connected.start(self._socket) if self._socket else Spawned.start(self._command, self._env))
        self._metrics.started()
        self._children.add(child)
        child.exited.add_done_callback(lambda _: self._children.discard(child))
        return child

    async def converse(self) -> Conversation:
        return Conversation(await self.start(), self._metrics)

    async def end(self) -> None:
        await asyncio.gather(*(child.end() for child in list(self._children)))


class Shared:
    """The process for clients without sessions; what it is like is also what readiness means."""

    def __init__(self, starter: Starter, metrics: Metrics) -> None:
        self.listeners = Listeners()
        self.initialized: dict[str, Any] = {}  # the result of its handshake
        self.why_not = "the server is starting"
        self.exit_code: int | None = None  # of the process that ended last
        self._is_at_fault = False  # the server, and not what it runs in
        self.failures = 0  # starts in a row after which none lived for long
        self.on_failure: Callable[[], None] = lambda: None
        self.on_change: Callable[[Message], None] = lambda message: None  # told by the server of its own accord
        self.on_end: Callable[[str], None] = lambda why: None  # after it was ready
        self._starter = starter
        self._metrics = metrics
        self._conversation: Conversation | None = None
        self._changed = asyncio.Condition()
        self._pausing = False

    @property
    def is_ready(self) -> bool:
        return self._conversation is not None and self._conversation.child.is_running

    async def conversation(self) -> Conversation:
        """Waits for a start that is under way. Raises ServerEnded."""
        if not self.is_ready:
            async with self._changed:
                await self._changed.wait_for(lambda: self.is_ready or self._pausing)
        if not self.is_ready:
            raise ServerEnded(self.why_not)
        return self._conversation

    async def until_ready(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_ready)

    async def keep(self) -> None:
        """Keep one running, for ever."""
        pause = FIRST_PAUSE_S
        while True:
            began, self.exit_code, self._is_at_fault = time.monotonic(), None, False
            try:
                await self._live()
            except ServerEnded as ended:
                self.why_not = str(ended)
            self._metrics.crashed()
            if time.monotonic() - began > STABLE_S:
                pause, self.failures = FIRST_PAUSE_S, 0
            if self._is_at_fault:
                self.failures += 1
                self.on_failure()
            log.warning("%s; it is started again in %.1f s", self.why_not, pause)
            await self._turn(None, pausing=pause > PATIENCE_S)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_S)
            await self._turn(None, pausing=False)

    async def _live(self) -> None:
        """From start to end. Raises ServerEnded."""
        conversation = await self._starter.converse()
        conversation.on_message = lambda message: self._hear(conversation, message)
        child = conversation.child
        try:
            async with asyncio.timeout(INITIALIZED_S):
                self.initialized = await _shake_hands(conversation)
        except TimeoutError:
            raise ServerEnded(f"the server has not answered initialize within {INITIALIZED_S:.0f} s") from None
        else:
            await self._turn(conversation, pausing=False)
            await asyncio.shield(child.exited)
            self.on_end(child.why)
            raise ServerEnded(child.why)
        finally:
            self._conversation = None
            self.listeners.end_all()
            if child.is_running:
                await child.end()
            self.exit_code = child.code
            self._is_at_fault = child.code is not None or child.closed_output

    def _hear(self, conversation: Conversation, message: Message) -> None:
        """A request of the server is no client's: it was told that nobody is there who could do more than a ping."""
        if message.is_request:
            refused = f'"error":{{"code":{METHOD_NOT_FOUND},"message":"there is no client to ask"}}'
            conversation.answer(message, '"result":{}' if message.method == "ping" else refused)
        else:
            self.listeners.hear(message)
            self.on_change(message)

    async def _turn(self, conversation: Conversation | None, pausing: bool) -> None:
        async with self._changed:
            self._conversation, self._pausing = conversation, pausing
            self._changed.notify_all()


class Spare:
    """A process that has been started before anybody needs it."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._child: Child | None = None
        self._wanted = asyncio.Event()

    def want(self) -> None:
        self._wanted.set()

    async def take(self) -> Child:
        """Raises ServerEnded."""
        child, self._child = self._child, None
        if child is not None and child.is_running:
            return child
        return await self._starter.start()

    async def keep(self) -> None:
        """Have one whenever it is wanted, for ever. Nothing is said to it: servers may end at anything but initialize,
        and that is the client's to say."""
        pause = FIRST_PAUSE_S
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._child is None:
                pause = FIRST_PAUSE_S
            elif not self._child.is_running:  # it has ended before anybody needed it
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE_S)
            if self._child is None or not self._child.is_running:
                try:
                    self._child = await self._starter.start()
                    self._child.on_exit = self._wanted.set
                except ServerEnded as ended:
                    log.warning("%s", ended)


async def _shake_hands(conversation: Conversation) -> dict[str, Any]:
    client = {"name": "kaos-bridge", "version": kaos.__version__}
    params = {"protocolVersion": HANDSHAKE[0], "capabilities": {}, "clientInfo": client}
    answer = await conversation.exchange("initialize", params)
    if not isinstance(answer.result, dict) or not isinstance(answer.result.get("capabilities"), dict):
        raise ServerEnded(f"the server gives no good answer to initialize: {sanitize.line(answer.text[:300])}")
    await conversation.tell(messages.read(b'{"jsonrpc":"2.0","method":"notifications/initialized"}'))
    if "tools" in answer.result["capabilities"]:
        await _learn_tools(conversation)
    return answer.result


async def _learn_tools(conversation: Conversation) -> None:
    """Metrics are by the names of tools that the server lists."""
    params: dict[str, Any] = {}
    for _ in range(MAX_PAGES):
        page = (await conversation.exchange("tools/list", params)).result
        cursor = page.get("nextCursor") if isinstance(page, dict) else None
        if not cursor:
            return
        params = {"cursor": cursor}
