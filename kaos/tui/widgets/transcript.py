"""A conversation that scrolls, however long: only what is seen is drawn at once, the rest in the pauses.

Heights of blocks that were not drawn yet are guessed; what is seen stays where it is while they become known.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from kaos.tui.widgets.blocks import Answer, Block, Said, gap_between
from kaos.tui.widgets.prose import Line, Look

PROSE = 100  # wider text is hard to read
GUTTER = 2
_SLICE_S = 0.008  # of drawing in a pause
_PAUSE_S = 0.02


class _Item:
    """A block and how it was drawn."""

    def __init__(self, block: Block, gap: int, width: int) -> None:
        self.block, self.gap = block, gap
        self.version = -1
        self.lines: list[Line] | None = None  # no Strips: each has five caches, and a long conversation many lines
        self.height = gap + block.guessed_height(width)

    def draw(self, width: int, look: Look) -> None:
        self.version = self.block.version
        self.lines = self.block.lines(width, look)
        self.height = self.gap + len(self.lines)


class Transcript(ScrollView, can_focus=True):
    """`show` gives it the blocks of a conversation; `sync` tells it that they have changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--muted", "transcript--accent", "transcript--code", "transcript--ok", "transcript--warn",
        "transcript--bad", "transcript--busy", "transcript--cursor", "transcript--more",
    }  # fmt: skip
    DEFAULT_CSS = """
    Transcript {
        height: 1fr; background: transparent; overflow-x: hidden; scrollbar-gutter: stable;
        & > .transcript--muted { color: $text-muted; }
        & > .transcript--accent { color: $text-accent; }
        & > .transcript--code { color: $text-secondary; }
        & > .transcript--ok { color: $text-success; }
        & > .transcript--warn { color: $text-warning; }
        & > .transcript--bad { color: $text-error; }
        & > .transcript--busy { color: $text-primary; }
        & > .transcript--more { background: $primary; color: $text; }
        & > .transcript--cursor { color: $text-accent; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("up,k", "move(-1)", "previous block", key_display="↑↓", id="transcript.up"),
        Binding("down,j", "move(1)", "next block", id="transcript.down", show=False),
        Binding("enter,space", "fold", "fold", id="transcript.fold"),
        Binding("c", "copy_block", "copy", id="transcript.copy"),
        Binding("C", "copy_code", "copy code", id="transcript.copy-code"),
        Binding("e", "edit", "edit and resend", id="transcript.edit"),
        Binding("l", "more('logs')", "logs", id="transcript.logs"),
        Binding("t", "more('trace')", "trace", id="transcript.trace"),
        Binding("home,g", "ends(0)", "first", id="transcript.first", show=False),
        Binding("end,G", "ends(1)", "last", id="transcript.last", show=False),
    ]

    class Copied(Message):
        """Something is to be copied."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """One went on below the last block."""

    class Edited(Message):
        """A question is to be asked again in other words."""

        def __init__(self, block: Said) -> None:
            super().__init__()
            self.block = block

    class Asked(Message):
        """More is to be seen of what a block tells of: logs, trace."""

        def __init__(self, block: Block | None, view: str) -> None:
            super().__init__()
            self.block, self.view = block, view

    def __init__(self, blocks: list[Block] | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: Sequence[Block] = blocks if blocks is not None else []
        self._items: list[_Item] = []
        self._starts: list[int] = [0]  # the first line of each item, and the end
        self._following = True
        self._placing = False
        self._filling = False
        self._look: Look | None = None
        self._base = Style.null()
        self.cursor: Block | None = None

    # What it holds.

    def show(self, blocks: list[Block]) -> None:
        """Another conversation, from its end."""
        self._blocks, self._items, self.cursor, self._following = blocks, [], None, True
        self.sync()

    def sync(self) -> None:
        """The conversation has gone on: draw what has changed."""
        width = self._width
        for index, block in enumerate(self._blocks):
            if index < len(self._items) and self._items[index].block is block:
                continue
            del self._items[index:]
            before = self._blocks[index - 1] if index else None
            self._items.append(_Item(block, gap_between(before, block), width))
        del self._items[len(self._blocks) :]
        if self.cursor is not None and self.cursor not in self._blocks:
            self.cursor = None
        for item in self._items:
            if item.lines is not None and (item.block.live or item.version != item.block.version):
                item.draw(width, self.look)
        self._settle()

    @property
    def following(self) -> bool:
        """Whether it stays at the end."""
        return self._following

    @property
    def drawn(self) -> bool:
        """Whether all is drawn, also what nobody sees."""
        return all(item.lines is not None for item in self._items)

    @property
    def look(self) -> Look:
        if self._look is None:
            part = {
                # What `$text-muted` is, is only known against the background.
                name: Style(color=self.get_component_rich_style(f"transcript--{name}").color)
                for name in ("muted", "accent", "code", "ok", "warn", "bad", "busy")
            }
            self._look = Look(base=Style.null(), dark=self.app.current_theme.dark, **part)
            self._base = self.rich_style
        return self._look

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._look = None
        if self.is_mounted:
            self._forget()

    def on_resize(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Another width or theme: all is to be drawn again, but first of all what is seen."""
        for item in self._items:
            item.lines = None
        self._settle()

    # Placing.

    @property
    def _width(self) -> int:
        return max(10, min(PROSE, self.scrollable_content_region.width - GUTTER))

    def _measure(self) -> None:
        self._starts = [0, *accumulate(item.height for item in self._items)]

    def _at(self, line: int) -> int:
        """Which item has this line."""
        return min(max(0, bisect_right(self._starts, line) - 1), len(self._items) - 1)

    def _settle(self) -> None:
        """Draw what is seen, and keep it where it is."""
        height = self.size.height
        self._measure()
        if not self._items or height <= 0 or not self.is_mounted:
            self.virtual_size = Size(self.size.width, self._starts[-1])
            self.refresh()
            return
        anchor, within = self._anchor()
        while True:
            top = self._top(anchor, within, height)
            first, last = self._at(top), self._at(top + height - 1)
            blank = [item for item in self._items[first : last + 1] if item.lines is None]
            if not blank:
                break
            for item in reversed(blank) if self._following else blank:
                item.draw(self._width, self.look)
            self._measure()
        self._place(top)
        self._fill_soon()

    def _anchor(self) -> tuple[int, int]:
        index = self._at(self.scroll_offset.y)
        return index, self.scroll_offset.y - self._starts[index]

    def _top(self, anchor: int, within: int, height: int) -> int:
        end = max(0, self._starts[-1] - height)
        if self._following:
            return end
        return min(end, self._starts[anchor] + min(within, max(0, self._items[anchor].height - 1)))

    def _place(self, top: int) -> None:
        self._placing = True
        try:
            self.virtual_size = Size(self.size.width, self._starts[-1])
            self.scroll_to(y=top, animate=False, force=True, immediate=True)
        finally:
            self._placing = False
        self.refresh()

    def _fill_soon(self) -> None:
        if not self._filling and any(item.lines is None for item in self._items):
            self._filling = True
            self.set_timer(_PAUSE_S, self._fill)

    def _fill(self) -> None:
        """Draw some of what nobody sees yet, the last first."""
        self._filling = False
        anchor, within = self._anchor() if self._items else (0, 0)
        until = time.perf_counter() + _SLICE_S
        for item in reversed(self._items):
            if item.lines is None:
                item.draw(self._width, self.look)
                if time.perf_counter() > until:
                    break
        self._measure()
        if self._items:
            self._place(self._top(anchor, within, self.size.height))
        self._fill_soon()

    def watch_scroll_y(self, before: float, now: float) -> None:
        super().watch_scroll_y(before, now)
        if not self._placing and round(before) != round(now):
            self._following = now >= self.max_scroll_y
            self._settle()

    # Drawing.

    def render_line(self, y: int) -> Strip:
        line = y + self.scroll_offset.y
        width, base = self.scrollable_content_region.width, self._base
        if not self._items or line >= self._starts[-1]:
            return Strip.blank(width, base)
        item = self._items[self._at(line)]
        inside = line - self._starts[self._at(line)] - item.gap
        here = item.block is self.cursor and inside >= 0
        mark = self.get_component_rich_style("transcript--cursor", partial=True)
        segments = [Segment("▌ " if here else "  ", base + mark if here else base)]
        if inside >= 0 and item.lines is not None and inside < len(item.lines):
            segments += [Segment(text, base + style if style else base) for text, style, _ in item.lines[inside]]
        strip = self._selected(Strip(segments), line).crop_extend(0, width, base)
        if y == self.size.height - 1 and (below := self._starts[-1] - line - 1) > 0:
            strip = self._with_pill(strip, f" ▼ {below} more ", width, base)
        return strip.apply_offsets(0, line)

    def _with_pill(self, strip: Strip, pill: str, width: int, base: Style) -> Strip:
        """That there is more below, over the end of the last line that is seen."""
        style = base + self.get_component_rich_style("transcript--more", partial=True)
        return Strip.join([strip.crop(0, width - len(pill)), Strip([Segment(pill, style)], len(pill))])

    def _selected(self, strip: Strip, line: int) -> Strip:
        selection = self.text_selection
        span = selection.get_span(line) if selection is not None else None
        if span is None:
            return strip
        start, end = span[0], strip.cell_length if span[1] == -1 else min(span[1], strip.cell_length)
        if start >= end:
            return strip
        style = self.screen.get_component_rich_style("screen--selection")
        chosen = strip.crop(start, end)
        chosen = Strip([Segment(text, (own or Style.null()) + style) for text, own, _ in chosen])
        return Strip.join([strip.crop(0, start), chosen, strip.crop(end)])

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        for item in self._items:
            if item.lines is None:
                item.draw(self._width, self.look)
        lines = [
            f"  {''.join(segment.text for segment in line)}".rstrip()
            for item in self._items
            for line in [*[[]] * item.gap, *(item.lines or ())]
        ]
        found = selection.extract("\n".join(lines))
        return "\n".join(line.removeprefix("  ") for line in found.split("\n")), "\n"

    # Moving.

    def action_move(self, by: int) -> None:
        """Choose the block before or after; without one, the last that is seen."""
        blocks = [item.block for item in self._items if item.block.selectable]
        if not blocks:
            return
        if self.cursor is None:
            self._choose(blocks[-1])
            return
        at = blocks.index(self.cursor) + by
        if at < len(blocks):
            self._choose(blocks[max(0, at)])
        else:
            self.leave()
            self.post_message(self.Left())

    def leave(self) -> None:
        """No block is chosen; the end is seen again."""
        self.cursor = None
        self.scroll_to_end()

    def scroll_to_end(self) -> None:
        self._following = True
        self._settle()

    def action_ends(self, last: int) -> None:
        blocks = [item.block for item in self._items if item.block.selectable]
        if blocks:
            self._choose(blocks[-1 if last else 0])

    def _choose(self, block: Block) -> None:
        self.cursor = block
        index = next(i for i, item in enumerate(self._items) if item.block is block)
        item = self._items[index]
        if item.lines is None:
            item.draw(self._width, self.look)
            self._measure()
        top, bottom, height = self._starts[index], self._starts[index + 1], self.size.height
        y = self.scroll_offset.y
        if top < y or bottom - top > height:
            y = top
        elif bottom > y + height:
            y = bottom - height
        self._following = y >= self._starts[-1] - height
        self._place(max(0, y))
        self._settle()
        self.refresh_bindings()

    def action_fold(self) -> None:
        if self.cursor is not None and self.cursor.foldable:
            self._fold(self.cursor)

    def _fold(self, block: Block) -> None:
        block.folded = not block.folded
        block.changed()
        self._following = False  # what is unfolded is to be seen from its beginning
        self.sync()
        self._choose(block)

    def on_click(self, event: events.Click) -> None:
        line = event.y + self.scroll_offset.y
        if not self._items or line >= self._starts[-1] or self.text_selection is not None:
            return
        index = self._at(line)
        item = self._items[index]
        if item.block.foldable and line - self._starts[index] == item.gap:
            self._fold(item.block)
        elif item.block.selectable and line - self._starts[index] >= item.gap:
            self._choose(item.block)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "fold":
            return bool(self.cursor and self.cursor.foldable)
        if action == "edit":
            return isinstance(self.cursor, Said)
        if action == "copy_code":
            return isinstance(self.cursor, Answer) and bool(code_of(self.cursor.text))
        return super().check_action(action, parameters)

    def action_copy_block(self) -> None:
        block = self.cursor or next((one for one in reversed(self._blocks) if isinstance(one, Answer)), None)
        if block is not None:
            self.post_message(self.Copied(block.copies))

    def action_copy_code(self) -> None:
        if self.cursor is not None and (code := code_of(self.cursor.copies)):
            self.post_message(self.Copied(code))

    def action_edit(self) -> None:
        if isinstance(self.cursor, Said):
            self.post_message(self.Edited(self.cursor))

    def action_more(self, view: str) -> None:
        self.post_message(self.Asked(self.cursor, view))


def code_of(text: str) -> str:
    """The code blocks of a Markdown text, without what is around them."""
    pieces: list[str] = []
    fence = ""
    for line in text.split("\n"):
        bare = line.strip()
        if fence and bare.startswith(fence) and not bare.strip(fence[0]):
            fence = ""
        elif fence:
            pieces[-1] += f"{line}\n"
        elif bare.startswith(("```", "~~~")):
            fence = bare[: len(bare) - len(bare.lstrip(bare[0]))]
            pieces.append("")
    return "\n".join(pieces).rstrip("\n")
