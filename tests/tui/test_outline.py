"""The outline by itself: lines that fold and wrap, and a cursor that stays where it was."""

from __future__ import annotations

from textual.app import App

from kaos.tui.looks import BAD, Cell
from kaos.tui.widgets.outline import Outline, Twig


class Alone(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[object] = []

    def compose(self):
        yield Outline(empty="Nothing.")

    def on_outline_opened(self, event: Outline.Opened) -> None:
        self.opened.append(event.twig.target)


def leaf(key, text="", **more):
    return Twig(key, (Cell(text or str(key)),), **more)


TREE = [
    Twig("a", (Cell("a"),), (leaf("b", target="B"), Twig("c", (Cell("c"),), (leaf("d"),)))),
    Twig("e", (Cell("e"),), (leaf("f"),), folded=True),
]


async def shown(size, twigs, *keys):
    app = Alone()
    async with app.run_test(size=size) as pilot:
        outline = app.query_one(Outline)
        outline.focus()
        outline.fill(twigs)
        await pilot.press(*keys)
        return outline.text.splitlines(), outline.twig.key if outline.twig else None, app.opened


async def test_a_tree_is_drawn_with_its_lines():
    lines, at, _ = await shown((40, 12), TREE)
    assert lines == ["▾ a", "├─ b", "└─ ▾ c", "   └─ d", "", "▸ e"]
    assert at == "a"


async def test_folding_hides_what_is_below_and_unfolding_brings_it_back():
    assert (await shown((40, 12), TREE, "space"))[0] == ["▸ a", "", "▸ e"]
    assert (await shown((40, 12), TREE, "space", "space"))[0][1] == "├─ b"
    lines, at, _ = await shown((40, 12), TREE, "end", "right")
    assert (lines[-1], at) == ("└─ f", "e")


async def test_left_goes_to_the_parent_and_then_folds_it():
    assert (await shown((40, 12), TREE, "down", "left"))[1] == "a"
    assert (await shown((40, 12), TREE, "down", "left", "left"))[0][0] == "▸ a"


async def test_enter_opens_what_leads_somewhere_and_folds_the_rest():
    assert (await shown((40, 12), TREE, "down", "enter"))[2] == ["B"]
    assert (await shown((40, 12), TREE, "enter"))[0][0] == "▸ a"


async def test_long_lines_are_wrapped_under_themselves():
    lines, _, _ = await shown((24, 12), [Twig("a", (Cell("●", BAD), Cell("one two three four five six seven")),
                                             (leaf("b"),))])  # fmt: skip
    assert lines == ["▾ ● one two three four", "│   five six seven", "└─ b"]


async def test_a_word_without_blanks_is_cut_in_pieces_and_nothing_is_lost():
    lines, _, _ = await shown((24, 12), [leaf("a", "x" * 50)])
    assert "".join(line.strip() for line in lines) == "x" * 50
    assert max(map(len, lines)) <= 22


async def test_the_cursor_stays_with_its_twig_when_others_come():
    app = Alone()
    async with app.run_test(size=(40, 12)) as pilot:
        outline = app.query_one(Outline)
        outline.focus()
        outline.fill([leaf("b"), leaf("d")])
        await pilot.press("down")
        outline.fill([leaf("a"), leaf("b"), leaf("c"), leaf("d")])
        assert outline.twig.key == "d"
        outline.fill([leaf("a")])
        assert outline.twig.key == "a"
        outline.fill([])
        assert outline.twig is None
        await pilot.press("down", "enter", "space", "left", "end")


async def test_a_click_takes_the_line_under_it():
    app = Alone()
    async with app.run_test(size=(40, 12)) as pilot:
        outline = app.query_one(Outline)
        outline.fill(TREE)
        await pilot.pause()
        await pilot.click(Outline, offset=(6, 1))
        assert outline.twig.key == "b"
        await pilot.click(Outline, offset=(0, 0))
        assert outline.text.splitlines()[0] == "▸ a"
