"""An answer on the screen: as a table, a tree, text or raw, with a line that says how it went."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static, TextArea

from kaos.actions.mcp import Answer
from kaos.kube import sanitize
from kaos.tui import results
from kaos.tui.forms.draft import written
from kaos.tui.looks import cell
from kaos.tui.widgets.jsontree import JsonTree
from kaos.tui.widgets.table import Column, Row, Table

SHOWN = 100_000  # characters of a text; the whole is saved
_LINE = 2_000  # of these; a longer line is broken, for wrapping takes its time


class ResultView(Vertical):
    """Shows one answer at a time."""

    DEFAULT_CSS = """
    ResultView { height: 1fr;
        & #outcome { height: auto; padding: 0 1; }
        & Container { height: 1fr; }
        & TextArea, & TextArea:focus { height: 1fr; border: none; padding: 0 1; background: transparent; }
        & Table { height: 1fr; padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("v", "view", "next view", id="result.view"),
        Binding("c", "copy", "copy", id="result.copy"),
    ]

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.answer: Answer | None = None
        self.view = ""
        self._how = Content("")

    def compose(self) -> ComposeResult:
        yield Static(id="outcome", markup=False)
        yield Container()

    async def show(self, answer: Answer, seconds: float) -> None:
        """Another answer; it is looked at as the last one was, where it can be."""
        before, self.answer = self.view, answer
        self.view = before if before in results.views(answer)[1:] and not answer.is_error else results.views(answer)[0]
        if answer.is_error:
            self.view = "text"
        size = results.size_text(len(results.text_of(answer).encode(errors="replace")))
        told = ("✖ the tool failed", "$text-error") if answer.is_error else ("✔ done", "$text-success")
        self._how = Content.assemble(told, f"  {elapsed(seconds)} · {size}")
        await self._fill()

    async def tell(self, cause: str, cure: str, seconds: float) -> None:
        """There is no answer, and why."""
        self.answer, self.view = None, ""
        self._how = Content.assemble(("✖ no answer", "$text-error"), f"  {elapsed(seconds)}")
        text = "\n\n".join(part for part in (cause, cure) if part)
        await self._replace(read_only_text(sanitize.text(text)))

    async def action_view(self) -> None:
        """The next way to look at it."""
        if self.answer is not None:
            ways = results.views(self.answer)
            self.view = ways[(ways.index(self.view) + 1) % len(ways)]
            await self._fill()
            self.focus_content()

    async def action_copy(self) -> None:
        self.screen.copy(await asyncio.to_thread(self.as_text))  # type: ignore[attr-defined]

    def as_text(self) -> str:
        """What is shown, as text."""
        if self.answer is None:
            area = self.query("TextArea")
            return area.first(TextArea).text if area else ""
        if self.view == "text":
            return results.text_of(self.answer)
        return written(self.answer.result if self.view == "raw" else results.data_of(self.answer))

    def save(self, name: str, directory: Path) -> list[Path]:
        """Raises OSError."""
        return results.save(self.answer, name, directory) if self.answer is not None else []

    def focus_content(self) -> None:
        for widget in self.query_one(Container).query("*"):
            if widget.can_focus:
                widget.focus()
                return

    async def _fill(self) -> None:
        match self.view:
            case "table":
                columns, rows = results.rows_of(results.data_of(self.answer)) or ([], [])
                await self._replace(table := _table(columns, rows))
                table.fill(
                    Row(
                        number,
                        tuple(cell(results.cell_text(row.get(column))) for column in columns),
                        tuple(_order(row.get(column)) for column in columns),
                    )
                    for number, row in enumerate(rows)
                )
            case "structured":
                await self._replace(JsonTree(results.data_of(self.answer)))
            case _:
                text = await asyncio.to_thread(lambda: sanitize.text(self.as_text()[: SHOWN * 2]))
                await self._replace(read_only_text(text))

    async def _replace(self, content: Widget) -> None:
        self._tell()
        place = self.query_one(Container)
        async with self.batch():
            await place.remove_children()
            await place.mount(content)

    def _tell(self) -> None:
        ways = results.views(self.answer) if self.answer is not None else []
        told = [(f"[{way}]", "bold") if way == self.view else (way, "$text-muted") for way in ways]
        parts = [part for one in told for part in ("  ", one)]
        self.query_one("#outcome", Static).update(Content.assemble(self._how, "  ", *parts))


def read_only_text(text: str) -> TextArea:
    """To look at, select and copy; the text is safe to show."""
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN} more characters: save it"
    lines = [line[at : at + _LINE] for line in shown.split("\n") for at in range(0, len(line) or 1, _LINE)]
    area = TextArea("\n".join(lines), read_only=True, soft_wrap=True, compact=True)
    area.show_cursor = False
    return area


def _table(columns: list[str], rows: list[dict[str, Any]]) -> Table:
    def is_number(column: str) -> bool:
        return all(isinstance(row.get(column, 0), int | float) for row in rows)

    return Table(
        tuple(
            Column(sanitize.line(column).upper(), rank=index, right=is_number(column))
            for index, column in enumerate(columns)
        )
    )


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before texts, so that a mixed column can be sorted."""
    return (0, value) if isinstance(value, int | float) else (1, results.cell_text(value))


def elapsed(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
