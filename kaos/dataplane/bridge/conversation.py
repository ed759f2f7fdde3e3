"""What is said with one process of the server: each request has a number of its own there, whoever asked.

Only ids and progress tokens are renumbered, on the way in and back; all else passes as it came.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.child import Child, ServerEnded
from kaos.dataplane.bridge.message import Edit, Malformed, Message
from kaos.dataplane.bridge.metrics import Metrics
from kaos.dataplane.bridge.stream import Stream

INTERNAL_ERROR = -32603
# Where the usual libraries write the number of an answer, should the rest of it be too long to be read.
_NUMBER_FIRST = re.compile(rb'\{"jsonrpc": ?"2\.0", ?"id": ?(\d+),')
_NUMBER_LAST = re.compile(rb'"id": ?(\d+)\}\s*$')
Dress = Callable[[Message], list[Edit]]  # what else is changed in an answer
_PROGRESS, CANCELLED = "notifications/progress", "notifications/cancelled"


@dataclass(slots=True, eq=False)
class Call:
    """A request that has not been answered."""

    number: int
    id: Any
    id_text: str
    method: str
    tool: Any
    token_text: str  # empty: wants no progress
    stream: Stream
    dress: Dress
    began: float
    owner: object  # whose it is, where several share the process


class Conversation:
    """Over one process. `on_message` gets what the server says of its own accord."""

    def __init__(self, child: Child, metrics: Metrics) -> None:
        self.child = child
        self.calls: dict[int, Call] = {}
        self.on_message: Callable[[Message], None] = lambda message: None
        self.on_exit: Callable[[], None] = lambda: None
        self._metrics = metrics
        self._number = 0
        child.on_line = self._hear
        child.on_long_line = self._hear_edges
        child.on_exit = self._exit

    async def ask(
        self,
        request: Message,
        stream: Stream,
        edits: Sequence[Edit] = (),
        dress: Dress = lambda answer: [],
        owner: object = None,
    ) -> Call:
        """Put a request to the server; the stream gets the answer, and before it what the server says meanwhile.
        Raises ServerEnded when it could not be put."""
        self._number += 1
        number = self._number
        renumbered = [request.replace(request.members["id"], str(number)), *edits]
        token_text, params = "", request.params
        if isinstance(meta := params.get("_meta"), dict) and "progressToken" in meta:
            token = request.inside("params", "_meta")["progressToken"]
            token_text = request.text[token.begin : token.end]
            renumbered.append(request.replace(token, str(number)))
        tool = params.get("name") if request.method == "tools/call" else None
        began = time.perf_counter()
        call = Call(number, request.id, request.id_text, request.method, tool, token_text, stream, dress, began, owner)
        self.calls[number] = call
        try:
            await self.child.write(messages.line(request.edited(*renumbered)))
        except ServerEnded:
            self.forget(call)
            raise
        except asyncio.CancelledError:  # the client left before the server had read it
            self.cancel(call)
            raise
        return call

    async def put(self, method: str, params: dict[str, Any]) -> Stream:
        """A request of our own; the stream gets the answer. Raises ServerEnded."""
        stream = Stream(takes_events=False)
        body = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
        await self.ask(messages.read(json.dumps(body).encode()), stream)
        return stream

    async def exchange(self, method: str, params: dict[str, Any]) -> Message:
        """A request of our own and its answer. Raises ServerEnded."""
        answer = messages.read((await (await self.put(method, params)).next()).encode())
        if not self.child.is_running:
            raise ServerEnded(self.child.why)
        return answer

    async def tell(self, message: Message, owner: object = None) -> None:
        """Pass on a notification or an answer of a client. Raises ServerEnded."""
        text = message.text
        if message.method == CANCELLED:
            wanted = message.params.get("requestId")
            own = self.calls_of(owner)
            call = next((one for one in own if one.id == wanted and type(one.id) is type(wanted)), None)
            if call is None:
                return  # it has been answered meanwhile
            text = message.edited(message.replace(message.inside("params")["requestId"], str(call.number)))
            self.forget(call)
            call.stream.end()  # to who has cancelled nothing more is said
        await self.child.write(messages.line(text))

    def calls_of(self, owner: object) -> list[Call]:
        """Those under way, the oldest first."""
        return [call for call in self.calls.values() if call.owner is owner]

    def cancel(self, call: Call) -> None:
        """Nobody waits for the answer any longer."""
        if self.forget(call) and self.child.is_running:
            told = f'{{"jsonrpc":"2.0","method":"{CANCELLED}","params":{{"requestId":{call.number}}}}}'
            self.child.write_soon(messages.line(told))

    def forget(self, call: Call) -> bool:
        """Whether it was still waiting."""
        if self.calls.pop(call.number, None) is None:
            return False
        if call.method == "tools/call":
            self._metrics.called(call.tool, True, time.perf_counter() - call.began)
        return True

    def answer(self, request: Message, text: str) -> None:
        """Answer a request of the server ourselves; `text` is its member `result` or `error`."""
        if self.child.is_running:
            self.child.write_soon(messages.line(f'{{"jsonrpc":"2.0","id":{request.id_text},{text}}}'))

    # What the server says.

    def _hear(self, line: bytes) -> None:
        try:
            message = messages.read(line)
        except Malformed:
            if line.strip():
                self._metrics.noise()
            return
        if message.is_response:
            self._answered(message)
        elif message.method == _PROGRESS:
            self._progressed(message)
        else:
            self.on_message(message)

    def _answered(self, message: Message) -> None:
        call = self.calls.pop(message.id, None) if type(message.id) is int else None
        if call is None:
            return  # to a request that was cancelled
        result = message.result
        if call.method == "tools/call":
            failed = not isinstance(result, dict) or result.get("isError") is True
            self._metrics.called(call.tool, failed, time.perf_counter() - call.began)
        elif call.method == "tools/list":
            self._metrics.learn(result)
        restored = message.edited(message.replace(message.members["id"], call.id_text), *call.dress(message))
        call.stream.end(restored, message.error_code)

    def _progressed(self, message: Message) -> None:
        token = message.params.get("progressToken")
        call = self.calls.get(token) if type(token) is int else None
        if call is not None and call.token_text:
            place = message.inside("params")["progressToken"]
            call.stream.say(message.edited(message.replace(place, call.token_text)))

    def _hear_edges(self, edges: bytes) -> None:
        """A line that is too long: whoever waits for it is told."""
        self._metrics.noise()
        found = _NUMBER_FIRST.match(edges) or _NUMBER_LAST.search(edges)
        call = self.calls.get(int(found[1])) if found else None
        if call is not None:
            self._fail(call, "the answer of the server is longer than 16 MiB")

    def _exit(self) -> None:
        for call in list(self.calls.values()):
            self._fail(call, self.child.why)
        self.on_exit()

    def _fail(self, call: Call, why: str) -> None:
        self.forget(call)
        call.stream.end(messages.error(call.id_text, INTERNAL_ERROR, why), INTERNAL_ERROR)
