"""A log drawn line by line, with the keys to read it: follow, wrap, filter, find, mark, fold, select, copy."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.selection import Selection
from textual.strip import Strip

from kaos.actions.podlogs import shown
from kaos.kube import sanitize
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.loglines import NOTICE
from kaos.tui.widgets.logpaint import Span, fitting, layered, row_of, shifted, width_of
from kaos.tui.widgets.logscroll import COLOURS, TIME_WIDTH, LogScroll
from kaos.tui.widgets.logtext import Shown

_TIME = slice(11, 23)  # of 2026-11-24T12:16:39.123456789Z
_LOOKED_AROUND = 2_000  # characters
_SIDEWAYS = 16


class LogView(LogScroll):
    """Lines of one or several pods."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--error", "log--warn", "log--info", "log--debug", "log--muted", "log--cursor", "log--match", "log--mark",
        "log--pill", "log--notice", *(f"log--pod{index}" for index in range(COLOURS)),
    }  # fmt: skip
    DEFAULT_CSS = """
    LogView {
        background: transparent;
        scrollbar-size-horizontal: 0;
        & > .log--error { color: $text-error; text-style: bold; }
        & > .log--warn { color: $text-warning; text-style: bold; }
        & > .log--info { color: $text-success; }
        & > .log--debug { color: $text-muted; }
        & > .log--muted { color: $text-muted; }
        & > .log--notice { color: $text-muted; text-style: italic; }
        & > .log--cursor { background: $boost; text-style: bold; }
        & > .log--match { text-style: underline reverse; }
        & > .log--mark { color: $text-accent; text-style: bold; }
        & > .log--pill { background: $primary; color: $background; text-style: bold; }
        & > .log--pod0 { color: $text-primary; }
        & > .log--pod1 { color: $text-accent; }
        & > .log--pod2 { color: $text-secondary; }
        & > .log--pod3 { color: $text-success; }
        & > .log--pod4 { color: $text-warning; }
        & > .log--pod5 { color: $foreground; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("s", "follow", "follow", id="log.follow"),
        Binding("w", "wrap", "wrap", id="log.wrap"),
        Binding("t", "timestamps", "times", id="log.timestamps"),
        Binding("enter", "unfold", "unfold", id="log.unfold"),
        Binding("n", "match(1)", "next match", id="log.next", show=False),
        Binding("N", "match(-1)", "match before", id="log.before", show=False),
        Binding("ampersand", "only", "only matches", key_display="&", id="log.only", show=False),
        Binding("m", "mark", "mark line", id="log.mark", show=False),
        Binding("M", "marked", "next mark", id="log.marked", show=False),
        Binding("c", "copy", "copy selection or line", id="log.copy", show=False),
        Binding("C", "clear", "clear", id="log.clear", show=False),
        Binding("up,k", "move(-1)", "up", id="log.up", show=False),
        Binding("down,j", "move(1)", "down", id="log.down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", id="log.page-up", show=False),
        Binding("pagedown,ctrl+f,space", "page(1)", "page down", id="log.page-down", show=False),
        Binding("home,g", "first", "first line", id="log.first", show=False),
        Binding("end,G", "last", "last line, follow", id="log.last", show=False),
        Binding("left,h", "sideways(-1)", "left", id="log.left", show=False),
        Binding("right,l", "sideways(1)", "right", id="log.right", show=False),
    ]

    # Drawing.

    _base: Style | None = None  # of one painting: asking for it on every row would cost more than the row

    def render_lines(self, crop: Region) -> list[Strip]:
        self._base = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._base = None

    def render_line(self, y: int) -> Strip:
        width, height = self.scrollable_content_region.size
        row = self._top + y if self.rows.height else self.rows.end
        found = self.rows.at(row)
        base = self._base or self.rich_style
        strip = self._blank(y, width, base) if found is None else self._row(row, *found, width, base)
        if y == height - 1 and self.unseen:
            strip = self._with_pill(strip, self._pill(), width)
        elif y == 0 and self.dropped and self._top == self.rows.first and not self.scanning:
            strip = self._with_pill(strip, f" ▲ {self.dropped:,} older lines dropped ", width)
        return strip

    def _blank(self, y: int, width: int, base: Style) -> Strip:
        """A row without a line; without any line they say what to do."""
        said = self.empty.splitlines() if not len(self.rows) and not self.scanning else []
        if not 1 <= y <= len(said):
            return Strip.blank(width, base)
        muted = base + self.get_component_rich_style("log--muted", partial=True)
        return Strip([Segment(f"  {said[y - 1]}", muted)]).adjust_cell_length(width, base)

    def _pill(self) -> str:
        more = ", more wait" if self.full else ""
        return f" ▼ {self.unseen:,} new{more}  G follow "

    def _with_pill(self, strip: Strip, text: str, width: int) -> Strip:
        pill = Strip([Segment(text, self.get_component_rich_style("log--pill"))], len(text))
        return Strip.join([strip.crop(0, max(0, width - len(text))), pill]).crop(0, width)

    def _row(self, row: int, number: int, part: int, width: int, base: Style) -> Strip:
        laid = self._lay(number)
        piece, start, stop = laid.parts[min(part, len(laid.parts) - 1)]
        text = laid.shown.pieces[piece]
        room = self._room
        if not self.wrapped:
            start = fitting(text, self.scroll_offset.x) if self.scroll_offset.x else 0
            stop = start + fitting(text[start : start + room + 1], room)
        if number == self.cursor:
            base += self.get_component_rich_style("log--cursor", partial=True)
        prefix = self._prefix(number, first=part == 0, base=base)
        segments = self._styled(laid.shown, piece, text, start, stop, base, number)
        before = sum(len(segment.text) for segment in prefix)
        selection = self.text_selection
        span = selection.get_span(row) if selection is not None else None
        if span is not None:
            chosen = self.screen.get_component_rich_style("screen--selection")
            first, last = span[0], span[1] if span[1] >= 0 else before + len(text) + 1
            prefix = layered(prefix, shifted([(first, last)], 0, before), chosen)
            segments = layered(segments, shifted([(first, last)], before + start, stop - start), chosen)
        return row_of(((0, prefix), (before + start, segments)), row, width, base)

    def _prefix(self, number: int, first: bool, base: Style) -> list[Segment]:
        if not first:
            return [Segment(" " * self._prefix_width, base)]
        mark = base + self.get_component_rich_style("log--mark", partial=True)
        out = [Segment("▸" if number == self.cursor else "*" if number in self.marks else " ", mark)]
        if self.dated:
            muted = base + self.get_component_rich_style("log--muted", partial=True)
            stamp = sanitize.line(self.store.time(number)[_TIME])
            out.append(Segment(f"{stamp:<{TIME_WIDTH}}"[:TIME_WIDTH], muted))
        if self._label_width:
            label, name = self._labels.get(self.store.speaker(number), ("", "log--notice"))
            padding = " " * (self._label_width - width_of(label))
            out.append(Segment(label + padding, base + self.get_component_rich_style(name, partial=True)))
        return out

    def _styled(
        self, what: Shown, piece: int, text: str, start: int, stop: int, base: Style, number: int
    ) -> list[Segment]:
        """The part of a piece that is on the row."""

        def on(segments: list[Segment], spans: list[Span], name: str) -> list[Segment]:
            style = self.get_component_rich_style(name, partial=True)
            return layered(segments, shifted(spans, start, stop - start), style)

        if self.store.speaker(number) is NOTICE:
            base += self.get_component_rich_style("log--notice", partial=True)
        segments = [Segment(text[start:stop], base)]
        if what.level and not piece:
            segments = on(segments, [what.level_span], f"log--{what.level}")
        if what.rest >= 0 and not piece:
            segments = on(segments, [(what.rest, len(text))], "log--muted")
        return on(segments, self._found(text, start, stop), "log--match")

    def _found(self, text: str, start: int, stop: int) -> list[Span]:
        """Where the filter matches about this part of a text; of a very long one no more is looked at."""
        pattern = self.filter.pattern
        if pattern is None or self.filter.inverted:
            return []
        found = pattern.finditer(text, max(0, start - _LOOKED_AROUND), stop + _LOOKED_AROUND)
        return [one.span() for one in found if one.end() > one.start()]

    # Keys.

    def action_follow(self) -> None:
        self.follow(not self.following)

    def action_wrap(self) -> None:
        self.wrapped = not self.wrapped
        self.scroll_to(x=0, animate=False, immediate=True)
        self.changed_look()

    def action_timestamps(self) -> None:
        self.dated = not self.dated
        self.changed_look()

    def changed_look(self) -> None:
        """Lay the rows anew, where that makes a difference."""
        if self.wrapped or len(self._laid):
            self._rebuild()
        self.refresh()
        self.post_message(self.Changed())

    def narrow(self, found: Filter) -> None:
        """Another filter holds."""
        self.filter = found
        self._rebuild()
        self.post_message(self.Changed())

    def action_only(self) -> None:
        """Show all lines with the matches among them, or only the lines that match."""
        self.only = not self.only
        if self.filter.pattern is not None:
            self._rebuild()
        self.post_message(self.Changed())

    @property
    def matching(self) -> int | None:
        """How many lines match; None without a filter."""
        return None if self.filter.pattern is None else len(self._matches)

    def action_match(self, by: int) -> None:
        """The next line that matches, after the last the first again."""
        if not self._matches:
            return
        here = self._here()
        if by > 0:
            index = bisect_right(self._matches, here) % len(self._matches)
        else:
            index = bisect_left(self._matches, here) - 1
        self.go_to(self._matches[index])

    def action_unfold(self) -> None:
        """Show the whole of a line of JSON, or fold it again."""
        number = self._here()
        if not len(self.rows) or not self._lay(number).shown.foldable:
            return
        self._unfolded ^= {number}
        self._laid.discard(number)
        self.rows.resize(number, self._height(number))
        self.go_to(number)

    def action_mark(self) -> None:
        """Mark the line under the cursor, or the last one, to find it again."""
        if len(self.rows):
            self.marks ^= {self._here()}
            self.refresh()

    def action_marked(self) -> None:
        """The next marked line, after the last the first again."""
        if self.marks:
            here = self._here()
            self.go_to(min((one for one in self.marks if one > here), default=min(self.marks)))

    def action_move(self, by: int) -> None:
        if self.cursor is None and not self.following:
            by = 0  # it appears first
        number = self.rows.neighbour(self._here(), by)
        if number is not None:
            self.go_to(number)

    def action_page(self, by: int) -> None:
        page = max(1, self.scrollable_content_region.height - 1)
        if by > 0 and self._top + page + self.scrollable_content_region.height >= self.rows.end:
            self.action_last()
            return
        self.follow(False)
        self.cursor = self._anchor = None
        self._top += by * page
        self._settle()

    def action_first(self) -> None:
        self.follow(False)
        self._anchor = None
        self.cursor = self.rows.neighbour(self.store.first, 0)
        self._top = self.rows.first
        self._settle()

    def action_last(self) -> None:
        self.follow(True)

    def action_sideways(self, by: int) -> None:
        if not self.wrapped:
            self.scroll_to(x=max(0, self.scroll_offset.x + by * _SIDEWAYS), animate=False, immediate=True, force=True)

    def action_clear(self) -> None:
        self.clear()

    def _here(self) -> int:
        """The line under the cursor, else the last one on the screen."""
        if self.cursor is not None:
            return self.cursor
        bottom = min(self._top + self.scrollable_content_region.height, self.rows.end) - 1
        found = self.rows.at(bottom)
        return found[0] if found else self.store.first

    def go_to(self, number: int) -> None:
        """Put the cursor on a line and show it; what comes does not move it away."""
        self.follow(False)
        self.cursor, self._anchor = number, None
        top, bottom = self.rows.top(number), self.rows.bottom(number)
        if top is None or bottom is None:
            return
        page = self.scrollable_content_region.height
        if bottom >= self._top + page:
            self._top = bottom - page + 1
        self._top = min(self._top, top)
        self._settle()

    # The mouse.

    def on_click(self, event: events.Click) -> None:
        width, height = self.scrollable_content_region.size
        if self.unseen and event.y == height - 1 and event.x >= width - width_of(self._pill()):
            self.action_last()
            return
        found = self.rows.at(self._top + event.y)
        if found:
            self.go_to(found[0])
            if event.chain == 2:
                self.action_unfold()

    # What is taken out of it.

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        first = selection.start.y if selection.start else self.rows.first
        last = min(selection.end.y if selection.end else self.rows.end - 1, self.rows.end - 1)
        out: list[str] = []
        for row in range(max(first, self.rows.first), last + 1):
            span, found = selection.get_span(row), self.rows.at(row)
            if span is None or found is None:
                continue
            whole, goes_on = self._row_text(*found)
            begin, end = span[0], span[1] if span[1] >= 0 else len(whole)
            if goes_on:
                out.append(whole[max(begin, self._prefix_width) : end])
            else:
                out.append(("\n" if out else "") + whole[begin:end])
        return ("".join(out), "\n") if out else None

    def _row_text(self, number: int, part: int) -> tuple[str, bool]:
        """What a row says, and whether it goes on from the row before."""
        laid = self._lay(number)
        piece, start, stop = laid.parts[min(part, len(laid.parts) - 1)]
        prefix = self._prefix(number, first=part == 0, base=Style.null())
        text = "".join(segment.text for segment in prefix)
        return text + laid.shown.pieces[piece][start:stop], start > 0

    def action_copy(self) -> None:
        """Copy what is selected, else the line under the cursor."""
        selected = self.screen.get_selected_text()
        text = selected if selected else self.line(self._here()) if len(self.rows) else ""
        if text:
            self.screen.copy(text)  # type: ignore[attr-defined]

    def line(self, number: int) -> str:
        """A whole line as `kaos logs` prints it."""
        if self.store.speaker(number) is NOTICE:
            return sanitize.line(self.store.text(number))
        label = f"[{sanitize.line(self.store.speaker(number).pod)}] " if self._label_width else ""
        time = f"{sanitize.line(self.store.time(number))} " if self.dated else ""
        return f"{label}{time}{shown(self.store.text(number))}"

    def saved(self) -> Iterator[str]:
        """The lines shown now, for a file."""
        for number in list(self.rows.numbers):
            if number >= self.store.first:  # it may have been dropped meanwhile
                yield self.line(number)
