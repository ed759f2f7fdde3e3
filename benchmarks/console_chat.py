"""Chat in the console: opening a long conversation, and answers as they come. CPU and the worst block of the loop.

    python benchmarks/console_chat.py [--turns 100] [--tokens 3000] [--per-second 200]

The console runs in a pseudo-terminal of its own process, 120x40, true colour, so that it paints for real.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import resource
import subprocess
import sys
import threading
import time

from textual.app import App, ComposeResult

from kaos.tui.widgets.blocks import Answer, Block, Call, Foot, Said, Speaker
from kaos.tui.widgets.transcript import Transcript

ANSWER = """## What is wrong

The pod **cannot start**: secret `gh-token` is missing the key `token`. Three things may be done, in this order:

1. Make the secret again, with the key that the runtime asks for.
2. Restart the server, so that it reads it.
3. Look at the log.

```yaml
apiVersion: v1
kind: Secret
metadata: {name: gh-token}
stringData: {token: x}
```

| what | state |
|------|-------|
| pod  | waits |
| secret | incomplete |

"""
# What research measured with Textual's own widgets, on the same kind of machine.
BEFORE = {
    "open": "40 messages as Markdown widgets: 12.0 s CPU; as one Static each: 1.15 s",
    "stream": "3000 tokens at 200/s: MarkdownStream 14.0 s CPU, worst block 650 ms; block by block at 20 Hz 8.5 s",
}


def conversation(turns: int) -> list[Block]:
    blocks: list[Block] = []
    for number in range(turns):
        call = Call("kubernetes.get_pod", {"name": f"github-{number}"})
        call.end("done", "Running", 0.088)
        foot = Foot()
        foot.end("✔ 4.1 s   first word 0.6 s   ↑ 812 in   ↓ 240 out   gpt-x")
        said = Said(f"Why is github-{number} failing?")
        blocks += [said, Speaker("planner"), call, Answer(ANSWER, ended=True), foot]
    return blocks


class Bench(App[None]):
    """One transcript, measured."""

    def __init__(self, turns: int, tokens: int, per_second: int) -> None:
        super().__init__()
        self._turns, self._tokens, self._per_second = turns, tokens, per_second
        self.figures: dict[str, float] = {}
        self._worst = 0.0

    def compose(self) -> ComposeResult:
        yield Transcript()

    def on_mount(self) -> None:
        self.run_worker(self._measure())

    async def _watch(self) -> None:
        """How long the loop is kept from doing anything else, in CPU time: others may want the machine as well."""
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.002)
            self._worst = max(self._worst, time.thread_time() - before)

    async def _measure(self) -> None:
        transcript = self.query_one(Transcript)
        watch = asyncio.create_task(self._watch())
        await asyncio.sleep(0.3)
        await self._open(transcript)
        await self._stream(transcript)
        watch.cancel()
        self.exit()

    async def _open(self, transcript: Transcript) -> None:
        blocks = conversation(self._turns)
        self._worst, began, cpu = 0.0, time.perf_counter(), time.process_time()
        painted = asyncio.Event()
        transcript.show(blocks)
        transcript.call_after_refresh(painted.set)
        await painted.wait()
        self.figures["open, seen after (s)"] = time.perf_counter() - began
        self.figures["open, CPU until seen (s)"] = time.process_time() - cpu
        await _drawn(transcript)
        self.figures["open, CPU until all is drawn (s)"] = time.process_time() - cpu
        self.figures["open, worst block (CPU ms)"] = self._worst * 1000

    async def _stream(self, transcript: Transcript) -> None:
        blocks, answer, foot = [Said("Tell me."), Speaker("planner")], Answer(), Foot()
        transcript.show([*conversation(self._turns), *blocks, answer, foot])
        await _drawn(transcript)
        text = ANSWER * (self._tokens * 4 // len(ANSWER) + 1)
        self._worst, began, cpu, sent = 0.0, time.perf_counter(), time.process_time(), 0
        while sent < self._tokens:
            await asyncio.sleep(0.05)
            due = min(self._tokens, int((time.perf_counter() - began) * self._per_second))
            answer.add(text[sent * 4 : due * 4])
            sent = due
            transcript.sync()
        answer.end()
        foot.end("✔")
        transcript.sync()
        self.figures["stream, wall (s)"] = time.perf_counter() - began
        self.figures["stream, CPU (s)"] = time.process_time() - cpu
        self.figures["stream, worst block (CPU ms)"] = self._worst * 1000
        self.figures["RSS (MB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _drawn(transcript: Transcript) -> None:
    while not transcript.drawn:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.02)


def in_terminal(arguments: list[str]) -> dict[str, float]:
    """Run this file in a pseudo-terminal and take its figures."""
    ours, theirs = pty.openpty()
    reading, writing = os.pipe()
    env = os.environ | {"COLUMNS": "120", "LINES": "40", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, __file__, "--inside", str(writing), *arguments]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, pass_fds=[writing], env=env)
    os.close(theirs)
    os.close(writing)
    threading.Thread(target=_swallow, args=(ours,), daemon=True).start()
    with os.fdopen(reading) as told:
        figures = json.loads(told.read() or "{}")
    child.wait()
    return figures


def _swallow(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        return  # the other end has closed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=3000)
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside is not None:
        bench = Bench(given.turns, given.tokens, given.per_second)
        bench.run()
        with os.fdopen(given.inside, "w") as told:
            json.dump(bench.figures, told)
        return
    words = ["--turns", given.turns, "--tokens", given.tokens, "--per-second", given.per_second]
    figures = in_terminal([str(word) for word in words])
    for name, value in figures.items():
        print(f"{name:34} {value:8.3f}")
    print(f"\nWith Textual's own widgets\n  open:   {BEFORE['open']}\n  stream: {BEFORE['stream']}")


if __name__ == "__main__":
    main()
