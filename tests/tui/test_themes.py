"""Every theme can be read: text stands out from what is behind it."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from kaos.tui import themes

ALL = {theme.name: theme for theme in (*BUILTIN_THEMES.values(), *themes.THEMES)}
OF_THE_TERMINAL = {name for name in ALL if name.startswith("ansi")}


def variables(name: str) -> dict[str, str]:
    app = App()
    app.register_theme(ALL[name])
    app.theme = name
    return themes.readable(app.get_css_variables())


@pytest.mark.parametrize("name", sorted(ALL.keys() - OF_THE_TERMINAL))
def test_muted_text_and_tones_stand_out(name):
    found = variables(name)
    background, foreground = Color.parse(found["background"]), Color.parse(found["foreground"])
    best = themes.contrast(foreground, background)
    for tone in ("muted", "success", "warning", "error", "primary", "accent"):
        colour = Color.parse(found[f"text-{tone}"])
        assert themes.contrast(colour, background) >= min(themes.CONTRAST, best), tone
    cursor = background + Color.parse(found["block-cursor-background"])
    assert themes.contrast(Color.parse(found["block-cursor-foreground"]), cursor) >= themes.CONTRAST


@pytest.mark.parametrize("name", sorted(OF_THE_TERMINAL))
def test_the_terminals_own_colours_are_left_to_it(name):
    assert all(variables(name)[key].startswith("ansi_") for key in ("background", "foreground", "text-muted"))


def test_a_colour_that_stands_out_stays_as_it_is():
    assert variables("kaos-dark")["text-muted"].lower() == "#8b949e"
