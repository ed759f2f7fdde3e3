"""A table drawn line by line: only what is visible and has changed is painted, whatever the number of rows.

Textual's own DataTable repaints itself whole for one changed cell (40-60 ms; this one 2 ms).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kaos.tui.looks import Cell
from kaos.tui.widgets.filters import Filter, everything

_GAP = 2
_MARK_WIDTH = 2
_TINT_S = 1.0
_WIDEST = 48  # of a column that is not the last


@dataclass(frozen=True)
class Column:
    """One column. Those of the highest `rank` go first when there is little room."""

    title: str
    rank: int = 0
    right: bool = False
    flexible: bool = False  # takes the room that is left


@dataclass(frozen=True)
class Row:
    """One row: its key, its cells, and what to sort its cells by where the text would mislead."""

    key: Any
    cells: tuple[Cell, ...]
    order: tuple[Any, ...] = ()
    troubled: bool = False


class Table(ScrollView, can_focus=True):
    """Rows under a header, with a cursor, marks, sorting and filtering."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header", "table--cursor", "table--marked", "table--match", "table--changed",
        "table--ok", "table--warn", "table--bad", "table--muted", "table--busy",
    }  # fmt: skip
    DEFAULT_CSS = """
    Table {
        background: transparent;
        scrollbar-size-horizontal: 0;
        & > .table--header { text-style: bold; color: $text-muted; }
        & > .table--cursor { background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground; }
        &:focus > .table--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .table--marked { text-style: bold; color: $text-accent; }
        & > .table--match { text-style: underline; }
        & > .table--changed { background: $primary 20%; }
        & > .table--ok { color: $text-success; }
        & > .table--warn { color: $text-warning; }
        & > .table--bad { color: $text-error; }
        & > .table--muted { color: $text-muted; }
        & > .table--busy { color: $text-primary; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter", "open", "open", id="table.open"),
        Binding("up,k", "move(-1)", "up", id="table.up", show=False),
        Binding("down,j", "move(1)", "down", id="table.down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", id="table.page-up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", id="table.page-down", show=False),
        Binding("home,g", "edge(0)", "first", id="table.first", show=False),
        Binding("end,G", "edge(1)", "last", id="table.last", show=False),
        Binding("space", "mark", "mark", id="table.mark", show=False),
        Binding("shift+up", "mark_move(-1)", "mark up", id="table.mark-up", show=False),
        Binding("shift+down", "mark_move(1)", "mark down", id="table.mark-down", show=False),
        Binding("o", "sort", "sort", id="table.sort", show=False),
        Binding("O", "reverse", "reverse", id="table.reverse", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    class _About(Message):
        """Something about one table."""

        def __init__(self, table: Table) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> Table:
            return self.table

    class Opened(_About):
        """Enter or a double click on a row."""

        def __init__(self, table: Table, key: Any) -> None:
            super().__init__(table)
            self.key = key

    class Moved(_About):
        """The cursor stands on another row."""

        def __init__(self, table: Table, key: Any) -> None:
            super().__init__(table)
            self.key = key

    class Sorted(_About):
        """The rows are in another order."""

        def __init__(self, table: Table, column: str, backwards: bool) -> None:
            super().__init__(table)
            self.column, self.backwards = column, backwards

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, empty: str = "Nothing here.") -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.empty = empty
        self.marks: set[Any] = set()
        self.sorted_by = 0
        self.backwards = False
        self.filter: Filter = everything()
        self.troubled_only = False
        self._all: dict[Any, Row] = {}
        self._rows: list[Row] = []
        self._at: Any = None  # the key under the cursor: it stays there when rows come and go
        self._held = False  # once the person has moved it
        self._changed: dict[Any, tuple[float, frozenset[int]]] = {}
        self._layout: list[tuple[int, int]] = []  # (column, width) of those that are shown
        self._filled = False

    # What it holds.

    @property
    def total(self) -> int:
        return len(self._all)

    @property
    def rows(self) -> list[Row]:
        """Those that pass the filter, as shown."""
        return self._rows

    @property
    def key(self) -> Any:
        """Of the row under the cursor; None without rows."""
        return self._rows[self.cursor].key if self._rows else None

    @property
    def chosen(self) -> list[Any]:
        """The keys of the marked rows, else of the one under the cursor."""
        marked = [row.key for row in self._rows if row.key in self.marks]
        return marked or ([self.key] if self._rows else [])

    def fill(self, rows: Iterable[Row]) -> None:
        """Show these rows. Cells that differ from before are tinted for a moment."""
        before, self._all = self._all, {row.key: row for row in rows}
        if self._filled:
            self._tint(before)
        self._filled = True
        self.marks &= self._all.keys()
        self._arrange()

    def show_columns(self, columns: Sequence[Column]) -> None:
        if tuple(columns) != self.columns:
            self.columns, self._all = tuple(columns), {}
            self.sorted_by = min(self.sorted_by, len(self.columns) - 1)
            self._filled = False

    def narrow(self, found: Filter) -> None:
        """Show only what matches."""
        self.filter = found
        self._arrange()

    def only_troubled(self, wanted: bool) -> None:
        self.troubled_only = wanted
        self._arrange()

    def sort(self, column: str, backwards: bool) -> None:
        titles = [one.title for one in self.columns]
        if column in titles:
            self.sorted_by, self.backwards = titles.index(column), backwards
            self._arrange()

    def _tint(self, before: dict[Any, Row]) -> None:
        now = time.monotonic()
        self._changed = {key: value for key, value in self._changed.items() if value[0] > now}
        for key, row in self._all.items():
            old = before.get(key)
            if old is None or old.cells == row.cells:
                continue
            # An age changes by itself: that is no news.
            cells = {i for i, pair in enumerate(zip(old.cells, row.cells, strict=False)) if pair[0] != pair[1]}
            cells = {i for i in cells if self.columns[i].title != "AGE"}
            if cells:
                self._changed[key] = now + _TINT_S, frozenset(cells)
        if self._changed:
            self.set_timer(_TINT_S + 0.05, self.refresh)

    def _arrange(self) -> None:
        rows = [row for row in self._all.values() if self.filter.matches(" ".join(cell.text for cell in row.cells))]
        if self.troubled_only:
            rows = [row for row in rows if row.troubled]
        index = self.sorted_by
        rows.sort(key=lambda row: _order(row, index), reverse=self.backwards)
        before, self._rows = self._rows, rows
        keys = [row.key for row in rows]
        if self._held and self._at in self._all and self._at in keys:
            self.set_reactive(Table.cursor, keys.index(self._at))
        else:
            self.set_reactive(Table.cursor, max(0, min(self.cursor, len(rows) - 1)) if self._held else 0)
            if self.key != self._at:
                self._at = self.key
                self.post_message(self.Moved(self, self._at))
        self._measure()
        if len(before) != len(rows):
            self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.refresh()

    # Moving.

    def validate_cursor(self, value: int) -> int:
        return max(0, min(value, len(self._rows) - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        if not self._rows:
            return
        self._at, self._held = self._rows[now].key, True
        self.scroll_to_region(
            Region(0, now, max(1, self.size.width), 2), animate=False, force=True, x_axis=False, immediate=True
        )
        for line in (before, now):
            self.refresh(Region(0, line + 1 - self.scroll_offset.y, self.size.width, 1))
        self.post_message(self.Moved(self, self._at))

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, by: int) -> None:
        self.cursor += by * max(1, self.size.height - 2)

    def action_edge(self, last: int) -> None:
        self.cursor = len(self._rows) - 1 if last else 0

    def action_open(self) -> None:
        if self._rows:
            self.post_message(self.Opened(self, self.key))

    def action_mark(self) -> None:
        if self._rows:
            self.marks ^= {self.key}
            self.refresh()
            self.cursor += 1

    def action_mark_move(self, by: int) -> None:
        if self._rows:
            self.marks.add(self.key)
            self.cursor += by
            self.marks.add(self.key)
            self.refresh()

    def clear_marks(self) -> bool:
        """Whether there were any."""
        had, self.marks = bool(self.marks), set()
        self.refresh()
        return had

    def action_sort(self) -> None:
        shown = [index for index, _ in self._layout] or [0]
        at = shown.index(self.sorted_by) if self.sorted_by in shown else -1
        self._sort_by(shown[(at + 1) % len(shown)], False)

    def action_reverse(self) -> None:
        self._sort_by(self.sorted_by, not self.backwards)

    def _sort_by(self, index: int, backwards: bool) -> None:
        self.sorted_by, self.backwards = index, backwards
        self._arrange()
        self.post_message(self.Sorted(self, self.columns[index].title, backwards))

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self._sort_at(event.x)
            return
        line = event.y + self.scroll_offset.y - 1
        if 0 <= line < len(self._rows):
            self.cursor = line
            if event.chain == 2:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        start = _MARK_WIDTH
        for index, width in self._layout:
            if start <= x < start + width + _GAP:
                self._sort_by(index, not self.backwards if index == self.sorted_by else False)
                return
            start += width + _GAP

    # Drawing.

    def on_resize(self) -> None:
        self._measure()
        self.virtual_size = Size(self.size.width, len(self._rows) + 1)

    def _measure(self) -> None:
        """Which columns fit, and how wide each is."""
        room = self.scrollable_content_region.width - _MARK_WIDTH
        if room <= 0:
            return
        widths = [cell_len(column.title) + 2 for column in self.columns]  # and the arrow of the sorted one
        for row in self._rows:
            for index, cell in enumerate(row.cells):
                if len(cell.text) > widths[index]:
                    widths[index] = min(_WIDEST, max(widths[index], cell_len(cell.text)))
        shown = list(range(len(self.columns)))
        least = [12 if column.flexible else width for column, width in zip(self.columns, widths, strict=True)]
        for index in sorted(shown, key=lambda i: -self.columns[i].rank):
            if sum(least[i] + _GAP for i in shown) - _GAP <= room or self.columns[index].rank == 0:
                break
            shown.remove(index)
        spare = room - sum(least[i] + _GAP for i in shown) + _GAP
        if spare < 0 and shown:  # names have to give way
            longest = max(shown, key=lambda i: least[i])
            least[longest] = max(8, least[longest] + spare)
            spare = 0
        flexible = [i for i in shown if self.columns[i].flexible]
        for i in flexible:
            least[i] += max(0, spare) // len(flexible)
        self._layout = [(i, least[i]) for i in shown]

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        base = self.rich_style
        if not self._layout:
            self._measure()
        if y == 0:
            return self._header(width, base)
        line = y - 1 + self.scroll_offset.y
        if line >= len(self._rows):
            text = self._said_of_nothing() if y == 2 and not self._rows else ""
            muted = base + self.get_component_rich_style("table--muted", partial=True)
            return Strip([Segment(set_cell_size(f"  {text}" if text else "", width), muted)], width)
        return self._row(line, width, base)

    def _said_of_nothing(self) -> str:
        if not self._filled:
            return "…"
        if self._all:
            return f"None of {len(self._all)} matches {self.filter.text!r}." if self.filter.text else "No problems."
        return self.empty

    def _header(self, width: int, base: Style) -> Strip:
        style = base + self.get_component_rich_style("table--header", partial=True)
        segments = [Segment(" " * _MARK_WIDTH, style)]
        for index, size in self._layout:
            column = self.columns[index]
            arrow = (" ▼" if self.backwards else " ▲") if index == self.sorted_by else ""
            segments.append(Segment(_fit(column.title + arrow, size, column.right) + " " * _GAP, style))
        return Strip(segments).adjust_cell_length(width, style)

    def _row(self, line: int, width: int, base: Style) -> Strip:
        row = self._rows[line]
        here, marked = line == self.cursor, row.key in self.marks
        tinted = self._changed.get(row.key)
        if tinted and tinted[0] < time.monotonic():
            tinted = None
        over = self._shade("table--cursor") if here else Style.null()
        if marked:
            over = self.get_component_rich_style("table--marked", partial=True) + over
        segments = [Segment(("▸" if here else " ") + ("*" if marked else " "), base + over)]
        for index, size in self._layout:
            cell = row.cells[index] if index < len(row.cells) else Cell("")
            style = base + self._tone(cell.tone) + over
            if tinted and index in tinted[1] and not here:
                style += self._shade("table--changed")
            segments += self._text(_fit(cell.text, size, self.columns[index].right), style)
            segments.append(Segment(" " * _GAP, base + over))
        return Strip(segments).adjust_cell_length(width, base + over)

    def _text(self, text: str, style: Style) -> Iterable[Segment]:
        spans = list(self.filter.spans(text)) if self.filter.text else []
        if not spans:
            yield Segment(text, style)
            return
        match, end = style + self.get_component_rich_style("table--match", partial=True), 0
        for start, stop in spans:
            yield Segment(text[end:start], style)
            yield Segment(text[start:stop], match)
            end = stop
        yield Segment(text[end:], style)

    def _shade(self, name: str) -> Style:
        """A style whose background lets ours shine through, as far as it says so."""
        background = self.background_colors[1] + self.get_component_styles(name).background
        return self.get_component_rich_style(name, partial=True) + Style(bgcolor=background.rich_color)

    def _tone(self, tone: str) -> Style:
        return self.get_component_rich_style(f"table--{tone}", partial=True) if tone else Style.null()


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _order(row: Row, index: int) -> tuple[int, Any]:
    """Numbers by their value, after them texts; what is missing comes last."""
    if index < len(row.order) and row.order[index] is not None:
        value = row.order[index]
        return (1, value) if isinstance(value, str) else (0, value)
    text = row.cells[index].text if index < len(row.cells) else ""
    if text == "-":
        return 2, ""
    return (0, float(text)) if _NUMBER.fullmatch(text) else (1, text.lower())


def _fit(text: str, width: int, right: bool) -> str:
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)
