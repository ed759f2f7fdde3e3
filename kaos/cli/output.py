"""What reaches the screen: tables, JSON, YAML, colour. Text from outside passes the sanitiser here."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import click

from kaos.kube import sanitize
from kaos.kube.yaml_text import yaml_text

GAP = 3


def colourful(stream: TextIO) -> bool:
    """Colour is for terminals whose owner does not refuse it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def red(text: str) -> str:
    """Red on standard error."""
    return f"\x1b[31m{text}\x1b[0m" if colourful(sys.stderr) else text


def say(text: str) -> None:
    """A line about what happens, beside the result: standard error."""
    click.echo(sanitize.line(text), err=True)


def result(text: str, end: str = "\n") -> None:
    """A result, byte for byte; a terminal gets it made safe."""
    sys.stdout.write((sanitize.text(text) if sys.stdout.isatty() else text) + end)


def as_json(value: Any) -> None:
    result(json.dumps(value, indent=2, ensure_ascii=False))


def as_yaml(value: Any) -> None:
    result(yaml_text(value), end="")


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], minimum: Sequence[int] = (), stream: TextIO | None = None
) -> None:
    """Columns, three spaces apart, as kubectl prints them."""
    safe = [[sanitize.line(cell) for cell in row] for row in rows]
    lines = [list(headers), *safe]
    widths = [max(map(width, column)) + GAP for column in zip(*lines, strict=True)]
    widths = [max(pair) for pair in zip(widths, [*minimum, *[0] * len(widths)], strict=False)]
    text = "\n".join(("".join(map(pad, line[:-1], widths)) + line[-1]).rstrip() for line in lines)
    click.echo(text, file=stream)


def pad(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def width(text: str) -> int:
    """How many columns a terminal needs for it."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
