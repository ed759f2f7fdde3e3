"""KAOS's own two themes; Textual's can be chosen as well, the terminal's own colours among them (ansi-dark, -light)."""

from __future__ import annotations

from textual.color import BLACK, WHITE, Color
from textual.theme import Theme

CONTRAST = 4.5  # of text with what is behind it, as WCAG has it
_TONES = ("text-success", "text-warning", "text-error", "text-primary", "text-accent")
_STEP = 0.1

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


def readable(variables: dict[str, str]) -> dict[str, str]:
    """The variables of any theme, so that text stands out. Textual's `auto` colours are known only against a
    background, and widgets that draw line by line lay styles over one another without; some themes' tones are faint."""
    background, foreground = (Color.parse(variables[name]) for name in ("background", "foreground"))
    if background.ansi is not None:  # the terminal's own, whatever they are
        return variables
    found = {name: _clear(Color.parse(variables[name]), background, foreground) for name in _TONES}
    muted = variables["text-muted"]
    faint = background.blend(foreground, 0.6) if muted.startswith("auto") else Color.parse(muted)
    found["text-muted"] = _clear(faint, background, foreground)
    cursor = background + Color.parse(variables["block-cursor-background"])
    on_cursor = variables["block-cursor-foreground"]
    if on_cursor.startswith("auto") or contrast(Color.parse(on_cursor), cursor) < CONTRAST:
        found["block-cursor-foreground"] = max((BLACK, WHITE), key=lambda colour: contrast(colour, cursor))
    return variables | {name: colour.hex for name, colour in found.items()}


def contrast(one: Color, other: Color) -> float:
    """From 1 (the same) to 21 (black on white)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _clear(colour: Color, background: Color, foreground: Color) -> Color:
    """The colour, as near to the foreground as it takes to be read."""
    share = 0.0
    while contrast(found := colour.blend(foreground, share), background) < CONTRAST and share < 1:
        share += _STEP
    return found


def _luminance(colour: Color) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
