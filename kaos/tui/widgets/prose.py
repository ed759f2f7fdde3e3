"""Text of models and tools as lines: Markdown where it is finished, plain where it is not; nothing stays hidden."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, TableElement
from rich.padding import Padding
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from kaos.kube import sanitize

PLAIN_FROM = 30_000  # characters: more than that is not worth the time that Markdown takes
LONG_LINE = 4_000
_DEEPEST = 16  # of lists and quotes within one another: the parser leaves out what lies below 20
_NARROWEST = 6  # cells of a table's column
Line = list[Segment]


@dataclass(frozen=True)
class Look:
    """The styles of a theme."""

    base: Style
    muted: Style
    accent: Style
    code: Style
    ok: Style
    warn: Style
    bad: Style
    busy: Style
    dark: bool = True

    def tone(self, name: str) -> Style:
        return self.base + getattr(self, name) if name else self.base


def markdown(text: str, width: int, look: Look) -> list[Line]:
    """Finished text. Raw HTML is shown, not hidden; links show where they lead."""
    safe = sanitize.text(text)
    tokens = _parser().parse(safe) if len(safe) <= PLAIN_FROM else []
    if not tokens or _would_hide(tokens, width):
        return plain(safe, width, look.base)
    console = _console(look)
    made = _Markdown(tokens, look)
    lines = console.render_lines(made, console.options.update(width=max(1, width), height=None), pad=False)
    return _trimmed([Segment(sanitize.text(text), _transparent(style)) for text, style, _ in line] for line in lines)


def _would_hide(tokens: list[Token], width: int) -> bool:
    """Whether there is text that would not be drawn."""
    if any(token.level >= _DEEPEST for token in tokens):
        return True
    columns = 0
    for token in tokens:
        columns = 0 if token.type == "tr_open" else columns + (token.type in ("th_open", "td_open"))
        if columns * _NARROWEST > max(width, _NARROWEST * 2):
            return True
    return False


def plain(text: str, width: int, style: Style) -> list[Line]:
    """Text as it is, wrapped."""
    return [[Segment(piece, style)] for line in sanitize.text(text).split("\n") for piece in wrapped(line, width)]


def wrapped(line: str, width: int) -> list[str]:
    """The pieces of one line: at blanks, and within a word only where it is longer than a line."""
    line = line.expandtabs(4)
    width = max(1, width)
    if len(line) * 2 <= width or cell_len(line) <= width:
        return [line]
    if len(line) > LONG_LINE:
        return chop_cells(line, width)
    pieces = Text(line, end="").wrap(_bare_console(), width, overflow="fold")
    return [piece.plain for piece in pieces]


def finished(text: str, start: int = 0) -> int:
    """Up to where the blocks of a growing Markdown text will not change any more; `start` is what was found before."""
    at, fence, end = start, "", start
    while (newline := text.find("\n", at)) >= 0:
        line = text[at:newline].strip()
        at = newline + 1
        if fence:
            if line.startswith(fence) and not line.strip(fence[0]):
                fence, end = "", at
        elif line.startswith(("```", "~~~")):
            fence = line[: len(line) - len(line.lstrip(line[0]))]
        elif not line:
            end = at
    return end


class _Markdown(Markdown):
    """Rich's Markdown with quiet headings and code, and without ways to hide text."""

    def __init__(self, tokens: list[Token], look: Look) -> None:
        super().__init__("", hyperlinks=False, code_theme="ansi_dark" if look.dark else "ansi_light")
        self.parsed = tokens


class _Heading(Heading):
    LEVEL_ALIGN = dict.fromkeys(Heading.LEVEL_ALIGN, "left")


class _Code(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        known = Syntax.guess_lexer("x", code) if self.lexer_name == "text" else self.lexer_name
        yield Padding(Syntax(code, known, theme=self.theme, word_wrap=True, background_color="default"), (0, 0, 0, 2))


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                table.box, table.show_edge = box.SIMPLE_HEAD, False
            yield table


_Markdown.elements = Markdown.elements | {
    "heading_open": _Heading, "fence": _Code, "code_block": _Code, "table_open": _Table,
}  # fmt: skip


@lru_cache(512)
def _transparent(style: Style | None) -> Style | None:
    """Without the terminal's default background, which is not that of the theme."""
    if style is None or style.bgcolor is None or not style.bgcolor.is_default:
        return style
    kept = {name: getattr(style, name) for name in ("bold", "dim", "italic", "underline", "strike", "reverse")}
    return Style(color=style.color, **kept)


@lru_cache(1)
def _parser() -> MarkdownIt:
    """Without definitions of links, which are not drawn, and entities, which may stand for what is not safe to show."""
    made = MarkdownIt("commonmark", {"html": False})
    return made.enable(["strikethrough", "table"]).disable(["reference", "entity"])


@lru_cache(1)
def _bare_console() -> Console:
    return Console(file=io.StringIO(), width=80)


@lru_cache(4)
def _console(look: Look) -> Console:
    styles = {
        "markdown.h1": look.accent + Style(bold=True, underline=True),
        "markdown.h2": look.accent + Style(bold=True),
        "markdown.h3": Style(bold=True),
        "markdown.h4": Style(bold=True, italic=True),
        "markdown.code": look.code,
        "markdown.code_block": look.code,
        "markdown.block_quote": look.muted,
        "markdown.list": Style(),
        "markdown.item.bullet": look.accent,
        "markdown.item.number": look.accent,
        "markdown.link": look.accent,
        "markdown.link_url": look.muted + Style(underline=True),
        "markdown.table.border": look.muted,
        "markdown.table.header": Style(bold=True),
        "markdown.hr": look.muted,
    }
    return Console(
        file=io.StringIO(), width=80, color_system="truecolor", force_terminal=True, legacy_windows=False,
        theme=Theme(styles), emoji=False, highlight=False, markup=False, style=look.base, no_color=False,
    )  # fmt: skip


def _trimmed(lines: Iterable[Line]) -> list[Line]:
    """Without empty lines at both ends."""
    kept = list(lines)
    while kept and not _text(kept[0]).strip():
        kept.pop(0)
    while kept and not _text(kept[-1]).strip():
        kept.pop()
    return kept


def _text(line: Line) -> str:
    return "".join(segment.text for segment in line)
