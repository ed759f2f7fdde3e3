"""How fast the console's log view is: lines per CPU second, memory, following, and keys while 20,000 lines/s come.

python benchmarks/console_logs.py

The view runs in a pseudo-terminal of 120x36 of its own, which this program reads and types into.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import resource
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from textual.app import App

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kaos.actions.podlogs import LogLine  # noqa: E402
from kaos.tui.widgets.logview import LogView  # noqa: E402

SIZE = (120, 36)
LINES = 100_000
FLUSH_S = 0.05
STREAM = 20_000  # lines a second
KEYS = 100
# Textual's own widgets (8.2.8) on such lines: lines per CPU second, MB with 100,000, worst block in ms.
OTHERS = (("RichLog", "3,100-4,100", "358", "2500"), ("Log", "88,000-115,000", "62", "31-212"))


def line(number: int) -> LogLine:
    text = f"INFO:     10.244.0.7:{40000 + number % 9999} request {number:07} tools/call search_code answered after "
    text += f"{number % 977} ms with 200, {number * 7 % 65536} bytes, trace {number * 2654435761 % 2**64:016x}"
    stamp = f"2026-11-24T12:{number // 60000 % 60:02}:{number // 1000 % 60:02}.{number % 1000:03}456789Z"
    return LogLine("mcpserver-calculator-7d9f8b6c5-x2x9k", text, stamp, False, "mcp/calculator")


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_mb() -> float:
    return psutil.Process().memory_info().rss / 2**20


class Measured(App[None]):
    """The view alone, measured by what `task` names; the facts go into a file."""

    def __init__(self, task: str, facts: Path) -> None:
        super().__init__()
        self.part, self.facts, self.painted = task, facts, []

    def compose(self) -> Any:
        yield Keyed(self.painted)

    async def on_mount(self) -> None:
        self.run_worker(self.measure())

    async def measure(self) -> None:
        await asyncio.sleep(0.3)
        found = await getattr(self, self.part)(self.query_one(LogView))
        self.facts.write_text(json.dumps(found))
        self.exit()

    async def mass(self, view: LogView) -> dict[str, float]:
        """100,000 lines as fast as they are taken."""
        base, made, worst = memory_mb(), 0.0, 0.0
        began = cpu_s()
        for start in range(0, LINES, 4_000):
            before = cpu_s()
            block = [line(number) for number in range(start, start + 4_000)]
            made += cpu_s() - before
            before = time.thread_time()
            view.write(block)
            worst = max(worst, time.thread_time() - before)
            del block
            await asyncio.sleep(0.02)
        used = cpu_s() - began - made
        block = [line(number) for number in range(1_000)]
        began = time.thread_time()
        view.write(block)  # full: as many go as come
        full = time.thread_time() - began
        return {"lines/cpu s": LINES / used, "worst ms": worst * 1e3, "full ms": full * 1e3, "base MB": base,
                "MB": memory_mb()}  # fmt: skip

    async def follow(self, view: LogView) -> dict[str, float]:
        """200 lines/s for five seconds."""
        used = cpu_s()
        for start in range(0, 1_000, 20):
            view.write([line(number) for number in range(start, start + 20)])
            await asyncio.sleep(0.1)
        return {"cpu %": (cpu_s() - used) / 5 * 100}

    async def keys(self, view: LogView) -> dict[str, Any]:
        """Keys are typed while 20,000 lines a second come."""
        began, written, used, busy = time.monotonic(), 0, cpu_s(), []
        while len(self.painted) < KEYS:
            wanted = int((time.monotonic() - began) * STREAM)
            block = [line(number) for number in range(written, wanted)]
            written, before = wanted, time.thread_time()
            view.write(block)
            view.call_after_refresh(lambda before=before: busy.append(time.thread_time() - before))
            await asyncio.sleep(FLUSH_S)
        seconds = time.monotonic() - began
        share = (cpu_s() - used) / seconds * 100
        return {"painted": self.painted, "lines/s": written / seconds, "cpu %": share, "busy": sorted(busy)}


class Keyed(LogView):
    """Notes when a key's effect has been painted."""

    def __init__(self, painted: list[float]) -> None:
        super().__init__()
        self.painted = painted

    def action_wrap(self) -> None:
        self.note()

    def action_mark(self) -> None:
        super().action_mark()
        self.note()

    def note(self) -> None:
        self.call_after_refresh(lambda: self.painted.append(time.monotonic()))


def in_terminal(task: str, type_into: Callable[[int], None] = lambda terminal: None) -> dict[str, Any]:
    """Run a task in a terminal of its own; its facts."""
    with tempfile.TemporaryDirectory() as directory:
        facts = Path(directory) / "facts.json"
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        env = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        child = subprocess.Popen(
            [sys.executable, __file__, task, str(facts)], stdin=theirs, stdout=theirs, stderr=theirs, env=env
        )
        os.close(theirs)
        while child.poll() is None:
            if select.select([ours], [], [], 0.02)[0]:
                try:
                    os.read(ours, 1 << 16)
                except OSError:
                    break
            type_into(ours)
        child.wait()
        os.close(ours)
        return json.loads(facts.read_text())


class Typist:
    """Types a key ten times a second, once the view has begun."""

    def __init__(self) -> None:
        self.typed: list[float] = []
        self._next = time.monotonic() + 2.0

    def __call__(self, terminal: int) -> None:
        if time.monotonic() >= self._next and len(self.typed) < KEYS:
            self.typed.append(time.monotonic())
            os.write(terminal, b"m")
            self._next = time.monotonic() + 0.1


def main() -> None:
    mass, follow = in_terminal("mass"), in_terminal("follow")
    typist = Typist()
    keys = in_terminal("keys", typist)
    waits = sorted((painted - typed) * 1e3 for typed, painted in zip(typist.typed, keys["painted"], strict=False))
    print(f"{'':<22}{'lines/CPU s':>16}{'MB of 100,000':>16}{'worst block ms':>16}")
    for name, *figures in OTHERS:
        print(f"{name:<22}" + "".join(f"{figure:>16}" for figure in figures))
    print(f"{'this one':<22}{mass['lines/cpu s']:>16,.0f}{mass['MB']:>16.0f}{mass['worst ms']:>16.1f}")
    print(f"without a line: {mass['base MB']:.0f} MB; 1,000 more when full: {mass['full ms']:.1f} ms")
    print(f"following 200 lines/s: {follow['cpu %']:.0f} % of a core")
    busy = [seconds * 1e3 for seconds in keys["busy"]]
    print(f"while {keys['lines/s']:,.0f} lines/s come ({keys['cpu %']:.0f} % of a core):")
    print(f"  CPU of taking and painting them, 20 times a second: {spread(busy)}")
    print(f"  from a key to its effect on the screen, by the clock: {spread(waits)}")


def spread(milliseconds: list[float]) -> str:
    """Of sorted values."""
    p95 = milliseconds[int(len(milliseconds) * 0.95)]
    return f"median {statistics.median(milliseconds):.0f}, p95 {p95:.0f}, worst {milliseconds[-1]:.0f} ms"


if __name__ == "__main__":
    if sys.argv[1:]:
        Measured(sys.argv[1], Path(sys.argv[2])).run()
    else:
        main()
