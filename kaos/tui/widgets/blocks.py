"""What a conversation consists of: what was said, calls as cards, and what each answer cost. Each can draw itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from kaos.kube import sanitize
from kaos.tui.widgets.prose import Line, Look, finished, markdown, plain, wrapped

if TYPE_CHECKING:
    from kaos.actions.trace import Turn

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
RESULT_LINES = 200
LONG = 8_000  # characters of an answer
_DEPTH = 6


class Block:
    """One thing in a transcript. `version` counts its changes; `copies` is what a copy of it gives."""

    selectable = True
    foldable = False
    folded = False
    live = False  # whether it looks different from moment to moment

    def __init__(self) -> None:
        self.version = 0

    @property
    def copies(self) -> str:
        return ""

    def changed(self) -> None:
        self.version += 1

    def lines(self, width: int, look: Look) -> list[Line]:
        raise NotImplementedError

    def guessed_height(self, width: int) -> int:
        """About how many lines it will have."""
        text = self.copies
        return 1 + text.count("\n") + len(text) // max(1, width)


class Said(Block):
    """What the person said."""

    def __init__(self, text: str, who: str = "you") -> None:
        super().__init__()
        self.text, self.who = text, who

    @property
    def copies(self) -> str:
        return self.text

    def lines(self, width: int, look: Look) -> list[Line]:
        label = f"{self.who}  "
        style = look.base + look.accent + Style(bold=True)
        body = plain(self.text, width - len(label), look.base + Style(bold=True))
        return [[Segment(label if n == 0 else " " * len(label), style), *line] for n, line in enumerate(body)]


class Speaker(Block):
    """Whose words follow."""

    selectable = False

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def lines(self, width: int, look: Look) -> list[Line]:
        return [[Segment(sanitize.line(self.name), look.base + look.ok + Style(bold=True))]]


class Answer(Block):
    """What the agent or model says: finished blocks as Markdown, the rest as plain text until the end."""

    def __init__(self, text: str = "", ended: bool = False) -> None:
        super().__init__()
        self.text, self.ended = text, ended
        self._done = 0  # characters that are drawn for good, at one width and look
        self._drawn: list[Line] = []
        self._drawn_for: tuple[int, Look] | None = None

    @property
    def copies(self) -> str:
        return self.text

    def add(self, piece: str) -> None:
        self.text += piece
        self.changed()

    def end(self) -> None:
        self.ended = True
        self.changed()

    def lines(self, width: int, look: Look) -> list[Line]:
        if self.ended and len(self.text) > LONG and self._drawn_for == (width, look):
            # To draw it anew as a whole would be felt; what was drawn piece by piece looks the same.
            return self._drawn + markdown(self.text[self._done :], width, look)
        if self.ended:
            return markdown(self.text, width, look)
        if self._drawn_for != (width, look):
            self._drawn_for, self._drawn, self._done = (width, look), [], 0
        if (done := finished(self.text, self._done)) > self._done:
            lines = markdown(self.text[self._done : done], width, look)
            self._drawn += [*lines, []] if lines else []
            self._done = done
        return self._drawn + plain(self.text[self._done :], width, look.base)


class Call(Block):
    """A call of a tool or another agent, as a card that unfolds. What fails unfolds by itself."""

    foldable = True

    def __init__(self, label: str, arguments: Any, delegation: bool = False, owner: str = "") -> None:
        super().__init__()
        self.owner = owner  # the MCPServer, or the other agent; nothing where that is not known
        self.label, self.arguments, self.delegation = label, arguments, delegation
        self.result: str | None = None
        self.state = "running"  # running, done, failed, stopped
        self.seconds = 0.0
        self.folded = True
        self.live = True
        self.below: tuple[Turn, ...] = ()  # what the other agent did meanwhile
        self._began = time.monotonic()

    @property
    def copies(self) -> str:
        return f"{self.label} {_json(self.arguments)}\n{self.result or ''}".rstrip()

    def end(self, state: str, result: str | None = None, seconds: float | None = None) -> None:
        self.state, self.result = state, result
        self.seconds = time.monotonic() - self._began if seconds is None else seconds
        self.live = False
        self.folded = self.folded and state != "failed"
        self.changed()

    def guessed_height(self, width: int) -> int:
        return 1 if self.folded else super().guessed_height(width)

    def lines(self, width: int, look: Look) -> list[Line]:
        indent = "    " if self.delegation else "  "
        lines = [self._head(indent, width, look)]
        if not self.folded:
            inner = indent + "    "
            lines += [[Segment(inner, look.base), *line] for line in self._inside(width - len(inner), look)]
        return lines

    def _head(self, indent: str, width: int, look: Look) -> Line:
        glyph, word, tone = _STATES[self.state]
        seconds = time.monotonic() - self._began if self.live else self.seconds
        state = f"{glyph} {word} {duration(seconds)}"
        mark = "▸ " if self.folded else "▾ "
        name = sanitize.line(self.label) + (" (agent)" if self.delegation else "")
        left = f"{indent[2:]}{mark}{'↳ ' if self.delegation else ''}{name}"
        room = width - cell_len(state) - 2
        if cell_len(left) > room:
            left = set_cell_size(left, max(1, room - 1)) + "…"
        given = sanitize.line(_json(self.arguments))
        space = room - cell_len(left) - 2
        shown = given if cell_len(given) <= space else set_cell_size(given, space - 1) + "…" if space > 4 else ""
        gap = width - cell_len(left) - cell_len(shown) - cell_len(state) - (2 if shown else 0)
        return [
            Segment(left, look.base + Style(bold=True)),
            *([Segment("  " + shown, look.base + look.muted)] if shown else []),
            Segment(" " * max(1, gap), look.base),
            Segment(state, look.tone(tone)),
        ]

    def _inside(self, width: int, look: Look) -> Iterable[Line]:
        yield from _titled("arguments", _pretty(self.arguments), width, look, look.base)
        if self.below:
            yield from _turns(self.below, width, look, 0)
        if self.result is not None:
            style = look.tone("bad") if self.state == "failed" else look.base
            yield from _titled(
                "error" if self.state == "failed" else "result", _pretty(self.result), width, look, style
            )


class Foot(Block):
    """Where an answer stands while it is made, and what it has cost afterwards."""

    selectable = False

    def __init__(self) -> None:
        super().__init__()
        self.live = True
        self.text, self.tone = "thinking", "busy"
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def begin(self) -> None:
        self._began = time.monotonic()

    def answering(self) -> None:
        self.text = "answering"

    def end(self, text: str, tone: str = "muted") -> None:
        self.live, self.text, self.tone = False, text, tone
        self.changed()

    def lines(self, width: int, look: Look) -> list[Line]:
        if self.live:
            turning = SPINNER[int(self.elapsed * 10) % len(SPINNER)]
            return [[Segment(f"{turning} {self.text} {duration(self.elapsed)}   esc stops", look.tone(self.tone))]]
        return plain(self.text, width, look.tone(self.tone))


class Trouble(Block):
    """Why there is no answer, and what to do about it."""

    def __init__(self, cause: str, cure: str = "") -> None:
        super().__init__()
        self.cause, self.cure = cause, cure

    @property
    def copies(self) -> str:
        return "\n".join(part for part in (self.cause, self.cure) if part)

    def lines(self, width: int, look: Look) -> list[Line]:
        lines = plain(f"✖ {self.cause}", width, look.tone("bad"))
        return lines + (plain(f"  {self.cure}", width, look.base) if self.cure else [])


class Note(Block):
    """Something that the console says itself."""

    selectable = False

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def lines(self, width: int, look: Look) -> list[Line]:
        return plain(self.text, width, look.tone("muted"))


_STATES = {
    "running": ("⟳", "running", "busy"),
    "done": ("✔", "done", "ok"),
    "failed": ("✖", "failed", "bad"),
    "stopped": ("■", "stopped", "warn"),
}


def duration(seconds: float) -> str:
    """As short as people say it: 88 ms, 4.1 s, 2 m 5 s."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} m {int(seconds) % 60} s"


def gap_between(before: Block | None, after: Block) -> int:
    """Empty lines between two blocks."""
    if before is None or isinstance(before, Speaker):
        return 0
    return 0 if isinstance(before, Call) and isinstance(after, Call) else 1


def _titled(title: str, text: str, width: int, look: Look, style: Style) -> Iterable[Line]:
    yield [Segment(title, look.base + look.muted)]
    shown: list[str] = []
    for line in sanitize.text(text).split("\n"):
        shown += wrapped(line, width - 2)
        if len(shown) > RESULT_LINES:
            break
    for piece in shown[:RESULT_LINES]:
        yield [Segment(f"  {piece}", style)]
    if len(shown) > RESULT_LINES:
        yield [Segment(f"  … {len(text):,} characters in all; c copies them", look.base + look.muted)]


def _turns(turns: tuple[Turn, ...], width: int, look: Look, depth: int) -> Iterable[Line]:
    """What another agent did: its calls, and theirs below them."""
    for turn in turns:
        for step in turn.steps:
            if step.kind in ("model", "answer"):
                continue  # the answer is the result of the call
            tone, glyph = ("bad", "✖ failed") if step.failed else ("ok", "✔ done") if step.seconds is not None else (
                "busy", "⟳ running")  # fmt: skip
            name = f"{'↳ ' if step.kind == 'delegation' else ''}{step.name or step.kind}"
            told = _json(step.arguments) if step.arguments is not None else step.text
            took = f" {duration(step.seconds)}" if step.seconds is not None else ""
            left = "  " * depth + sanitize.line(f"{turn.agent} · {name}  {told}")
            room = width - cell_len(glyph + took) - 2
            if cell_len(left) > room:
                left = set_cell_size(left, max(1, room - 1)) + "…"
            yield [
                Segment(left, look.base),
                Segment(" " * max(1, width - cell_len(left) - cell_len(glyph + took)), look.base),
                Segment(glyph + took, look.tone(tone)),
            ]
            if depth < _DEPTH:
                yield from _turns(step.below, width, look, depth + 1)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value not in (None, {}) else "{}"


def _pretty(value: Any) -> str:
    """JSON with its structure shown; any other text as it is."""
    if isinstance(value, str):
        if value[:1] not in "{[" or len(value) > 200_000:
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    return json.dumps(value, ensure_ascii=False, indent=2)
