"""A tree of lines that one can walk and fold: long lines are wrapped, and only what is visible is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kaos.tui.looks import Cell

_HANG = 2  # columns that wrapped lines stand further in


@dataclass(frozen=True)
class Twig:
    """One node: its pieces of text in a line, what hangs below, and what it stands for."""

    key: Any  # the cursor and what is folded stay where they are by it
    cells: tuple[Cell, ...]
    below: tuple[Twig, ...] = ()
    target: Any = None  # where enter leads; None: nowhere
    folded: bool = False  # at first


@dataclass(frozen=True)
class _Line:
    twig: Twig
    guides: str
    cells: tuple[Cell, ...]


class Outline(ScrollView, can_focus=True):
    """Twigs with a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "outline--cursor", "outline--guides", "outline--ok", "outline--warn", "outline--bad", "outline--muted",
        "outline--busy", "outline--strong",
    }  # fmt: skip
    DEFAULT_CSS = """
    Outline {
        background: transparent;
        overflow-x: hidden;
        scrollbar-gutter: stable;
        & > .outline--cursor { background: $panel; text-style: bold; }
        &:focus > .outline--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .outline--guides { color: $text-muted; }
        & > .outline--ok { color: $text-success; }
        & > .outline--warn { color: $text-warning; }
        & > .outline--bad { color: $text-error; }
        & > .outline--muted { color: $text-muted; }
        & > .outline--busy { color: $text-primary; }
        & > .outline--strong { text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter", "open", "open", id="outline.open"),
        Binding("space", "fold", "fold", id="outline.fold"),
        Binding("left,h", "out", "fold or go up", id="outline.out", show=False),
        Binding("right", "into", "unfold", id="outline.into", show=False),
        Binding("up,k", "move(-1)", "up", id="outline.up", show=False),
        Binding("down,j", "move(1)", "down", id="outline.down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", id="outline.page-up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", id="outline.page-down", show=False),
        Binding("home,g", "edge(0)", "first", id="outline.first", show=False),
        Binding("end,G", "edge(1)", "last", id="outline.last", show=False),
    ]

    class Opened(Message):
        """Enter or a double click on a twig that leads somewhere."""

        def __init__(self, outline: Outline, twig: Twig) -> None:
            super().__init__()
            self.outline, self.twig = outline, twig

    class Moved(Message):
        """The cursor stands on another twig."""

        def __init__(self, outline: Outline, twig: Twig | None) -> None:
            super().__init__()
            self.outline, self.twig = outline, twig

    def __init__(self, *, id: str | None = None, empty: str = "Nothing here.") -> None:
        super().__init__(id=id)
        self._empty = empty
        self._twigs: tuple[Twig, ...] = ()
        self._filled = False
        self._turned: set[Any] = set()  # keys of those that are folded, or not, against what they say of themselves
        self._shown: list[Twig] = []
        self._parents: dict[Any, Twig] = {}
        self._lines: list[_Line] = []
        self._starts: list[int] = []  # of each shown twig: its first line
        self._at = 0

    # What it holds.

    @property
    def twig(self) -> Twig | None:
        """The one under the cursor."""
        return self._shown[self._at] if self._shown else None

    @property
    def empty(self) -> str:
        """What is said where there is nothing."""
        return self._empty

    @empty.setter
    def empty(self, words: str) -> None:
        self._empty = words
        self.refresh()

    @property
    def text(self) -> str:
        """All lines as they stand there."""
        return "\n".join(line.guides + " ".join(cell.text for cell in line.cells) for line in self._lines)

    def fill(self, twigs: Iterable[Twig]) -> None:
        """Show these; cursor and folds stay as they are."""
        twigs = tuple(twigs)
        if not self._filled or twigs != self._twigs:
            self._twigs, self._filled = twigs, True
            self._arrange(self.twig)

    def select(self, key: Any) -> None:
        """Put the cursor there, if it is shown."""
        for index, twig in enumerate(self._shown):
            if twig.key == key:
                self._go(index)
                return

    def _is_folded(self, twig: Twig) -> bool:
        return twig.folded != (twig.key in self._turned)

    def _arrange(self, stay: Twig | None) -> None:
        self._shown, self._lines, self._starts, self._parents = [], [], [], {}
        width = max(self.scrollable_content_region.width, 20)
        for index, twig in enumerate(self._twigs):
            if index and (twig.below or self._twigs[index - 1].below):
                self._lines.append(_Line(twig, "", ()))  # a blank line between trees
            self._add(twig, "", "", width, None)
        keys = [twig.key for twig in self._shown]
        before = stay.key if stay else None
        self._at = keys.index(before) if before in keys else max(0, min(self._at, len(keys) - 1))
        self.virtual_size = Size(self.size.width, len(self._lines))
        if self.twig != stay:
            self.post_message(self.Moved(self, self.twig))
        self.refresh()

    def _add(self, twig: Twig, first: str, rest: str, width: int, parent: Twig | None) -> None:
        self._starts.append(len(self._lines))
        self._shown.append(twig)
        if parent is not None:
            self._parents[twig.key] = parent
        folded = self._is_folded(twig)
        mark = ("▸ " if folded else "▾ ") if twig.below else ""
        hang = rest + ("│ " if twig.below and not folded else "  ") + " " * _HANG
        for number, cells in enumerate(_wrapped(twig.cells, width - len(first + mark), width - len(hang))):
            self._lines.append(_Line(twig, hang if number else first + mark, cells))
        if not folded:
            for index, one in enumerate(twig.below):
                last = index == len(twig.below) - 1
                self._add(one, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), width, twig)

    # Moving.

    def _go(self, index: int) -> None:
        if not self._shown:
            return
        self._at = max(0, min(index, len(self._shown) - 1))
        start, stop = self._span(self._at)
        self.scroll_to_region(
            Region(0, start, max(1, self.size.width), stop - start), animate=False, force=True, x_axis=False,
            immediate=True,
        )  # fmt: skip
        self.refresh()
        self.post_message(self.Moved(self, self.twig))

    def _span(self, index: int) -> tuple[int, int]:
        start, twig = self._starts[index], self._shown[index]
        stop = start
        while stop < len(self._lines) and self._lines[stop].twig is twig and (stop == start or self._lines[stop].cells):
            stop += 1
        return start, stop

    def action_move(self, by: int) -> None:
        self._go(self._at + by)

    def action_page(self, by: int) -> None:
        self._go(self._at + by * max(1, self.size.height - 2))

    def action_edge(self, last: int) -> None:
        self._go(len(self._shown) - 1 if last else 0)

    def action_open(self) -> None:
        twig = self.twig
        if twig is None:
            return
        if twig.target is not None:
            self.post_message(self.Opened(self, twig))
        else:
            self.action_fold()

    def action_fold(self) -> None:
        twig = self.twig
        if twig is not None and twig.below:
            self._turned ^= {twig.key}
            self._arrange(twig)

    def action_out(self) -> None:
        twig = self.twig
        if twig is None:
            return
        if twig.below and not self._is_folded(twig):
            self.action_fold()
        elif parent := self._parents.get(twig.key):
            self.select(parent.key)

    def action_into(self) -> None:
        twig = self.twig
        if twig is not None and twig.below:
            if self._is_folded(twig):
                self.action_fold()
            else:
                self.action_move(1)

    def on_click(self, event: events.Click) -> None:
        line = event.y + self.scroll_offset.y
        if not 0 <= line < len(self._lines):
            return
        index = self._shown.index(self._lines[line].twig)
        again = index == self._at
        self._go(index)
        guides = self._lines[line].guides
        if guides and event.x < len(guides) and guides[-2:-1] in ("▸", "▾"):
            self.action_fold()
        elif again and event.chain == 2:
            self.action_open()

    # Drawing.

    def on_resize(self) -> None:
        self._arrange(self.twig)

    def render_line(self, y: int) -> Strip:
        width, base = self.scrollable_content_region.width, self.rich_style
        number = y + self.scroll_offset.y
        if number >= len(self._lines):
            said = ("…" if not self._filled else self.empty) if y == 1 and not self._lines else ""
            muted = base + self._tone("muted")
            return Strip([Segment(set_cell_size(f"  {said}" if said else "", width), muted)], width)
        line = self._lines[number]
        here = line.cells and line.twig is self.twig
        over = self.get_component_rich_style("outline--cursor", partial=True) if here else Style.null()
        guides = base + self.get_component_rich_style("outline--guides", partial=True) + over
        segments = [Segment(line.guides, guides)]
        for index, cell in enumerate(line.cells):
            segments.append(Segment((" " if index else "") + cell.text, base + self._tone(cell.tone) + over))
        return Strip(segments).adjust_cell_length(width, base + over)

    def _tone(self, tone: str) -> Style:
        return self.get_component_rich_style(f"outline--{tone}", partial=True) if tone else Style.null()


def _wrapped(cells: tuple[Cell, ...], first: int, rest: int) -> Iterator[tuple[Cell, ...]]:
    """The cells on lines of at most so many columns, broken between words; a word that is too long is cut in pieces."""
    line: list[Cell] = []
    used, room = 0, max(first, 8)
    for cell in cells:
        for word in cell.text.split(" ") if cell.text else ():
            while word:
                size = cell_len(word)
                if used and used + 1 + size > room:
                    yield _joined(line)
                    line, used, room = [], 0, max(rest, 8)
                    continue
                piece = word if size <= room else set_cell_size(word, room)
                line.append(Cell(piece, cell.tone))
                used += cell_len(piece) + (1 if used else 0)
                word = word[len(piece) :] if size > room else ""
    yield _joined(line)


def _joined(words: list[Cell]) -> tuple[Cell, ...]:
    """Neighbours of one tone as one piece."""
    found: list[Cell] = []
    for word in words:
        if found and found[-1].tone == word.tone:
            found[-1] = Cell(f"{found[-1].text} {word.text}", word.tone)
        else:
            found.append(word)
    return tuple(found)
