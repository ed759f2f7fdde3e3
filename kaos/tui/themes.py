"""KAOS's own two themes; Textual's can be chosen as well, the terminal's own colours among them (ansi-dark, -light)."""

from __future__ import annotations

from textual.theme import Theme

# `text-muted` is a colour of its own here: Textual's is only known against a background, and widgets that draw line by
# line lay their styles over one another without.

DARK = Theme(
    name="kaos-dark",
    primary="#5fafd7",
    secondary="#87afaf",
    accent="#d7af5f",
    foreground="#d8dee4",
    background="#14181d",
    surface="#1a1f26",
    panel="#222932",
    success="#87c18a",
    warning="#e0b060",
    error="#e57373",
    dark=True,
    variables={"text-muted": "#8b949e"},
)
LIGHT = Theme(
    name="kaos-light",
    primary="#1f6f9f",
    secondary="#4f7a7a",
    accent="#8a5a00",
    foreground="#1d232a",
    background="#fbfbf9",
    surface="#f3f3ef",
    panel="#e6e7e3",
    success="#2e7d32",
    warning="#9a6700",
    error="#b3261e",
    dark=False,
    variables={"text-muted": "#5c6670"},
)
THEMES = (DARK, LIGHT)
DEFAULT = DARK.name
