"""The log view by itself: what is drawn, what the keys do, what is kept and what is dropped."""

from __future__ import annotations

import json
import time

import pytest
from textual.app import App

from kaos.actions.podlogs import LogLine
from kaos.errors import UsageError
from kaos.tui.widgets import filters
from kaos.tui.widgets.logview import LogView
from tests.tui.conftest import until

STAMP = "2026-11-24T12:16:{:02d}.{:03d}456789Z"


class Viewing(App[None]):
    """A log view and nothing else."""

    def __init__(self, most=100_000):
        super().__init__()
        self.most, self.changes = most, 0

    def on_log_scroll_changed(self):
        self.changes += 1

    def compose(self):
        yield LogView(self.most)

    @property
    def view(self):
        return self.query_one(LogView)


def lines(*texts, pod="mcpserver-calc-7d9f-x2x9k", source="mcp/calc", start=0):
    stamps = (STAMP.format((start + n) // 1000 % 60, (start + n) % 1000) for n in range(len(texts)))
    return [LogLine(pod, text, stamp, False, source) for text, stamp in zip(texts, stamps, strict=True)]


def counted(start, stop, **more):
    return lines(*(f"INFO line {n}" for n in range(start, stop)), start=start, **more)


def on_screen(pilot):
    view = pilot.app.view
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


@pytest.fixture
async def pilot():
    async with Viewing().run_test(size=(80, 24)) as pilot:
        yield pilot


async def test_the_end_stays_in_sight_while_lines_come(pilot):
    pilot.app.view.write(counted(0, 100))
    await pilot.pause()
    assert on_screen(pilot)[-1] == " INFO line 99"
    pilot.app.view.write(counted(100, 200))
    await pilot.pause()
    assert on_screen(pilot)[-1] == " INFO line 199"


async def test_few_lines_begin_at_the_top(pilot):
    pilot.app.view.write(counted(0, 2))
    await pilot.pause()
    assert on_screen(pilot)[:3] == [" INFO line 0", " INFO line 1", ""]


async def test_a_pause_loses_nothing_and_counts_what_is_new(pilot):
    pilot.app.view.write(counted(0, 100))
    await pilot.press("s")
    pilot.app.view.write(counted(100, 314))
    await pilot.pause()
    assert on_screen(pilot)[0] == " INFO line 76"
    assert on_screen(pilot)[-1].endswith("▼ 214 new  G follow")
    await pilot.press("G")
    assert on_screen(pilot)[-1] == " INFO line 313"
    assert len(pilot.app.view.store) == 314


async def test_scrolling_up_pauses_and_scrolling_to_the_end_follows_again(pilot):
    view = pilot.app.view
    view.write(counted(0, 100))
    await pilot.press("pageup")
    assert not view.following
    assert on_screen(pilot)[0] == " INFO line 53"
    view.write(counted(100, 101))
    await pilot.press("pagedown", "pagedown")
    assert view.following
    assert on_screen(pilot)[-1] == " INFO line 100"


async def test_the_wheel_pauses_and_follows_again(pilot):
    view = pilot.app.view
    view.write(counted(0, 100))
    await pilot.pause()
    view.scroll_to(y=10, animate=False, immediate=True)
    assert not view.following
    assert on_screen(pilot)[0] == " INFO line 10"
    view.scroll_to(y=view.max_scroll_y, animate=False, immediate=True)
    assert view.following


async def test_memory_is_bounded_and_what_was_dropped_is_told():
    async with Viewing(most=1_000).run_test(size=(80, 24)) as pilot:
        view = pilot.app.view
        for start in range(0, 3_000, 500):
            view.write(counted(start, start + 500))
        await pilot.press("g")
        assert len(view.store) == 1_000
        assert on_screen(pilot)[0].startswith("▸INFO line 2000")
        assert "▲ 2,000 older lines dropped" in on_screen(pilot)[0]


async def test_what_one_reads_is_never_dropped_and_more_has_to_wait():
    async with Viewing(most=1_000).run_test(size=(80, 24)) as pilot:
        view = pilot.app.view
        view.write(counted(0, 1_000))
        await pilot.press("g", "j")
        assert not view.full
        view.write(counted(1_000, 1_500))
        await pilot.pause()
        assert on_screen(pilot)[1].startswith("▸INFO line 1")
        assert view.full
        assert "500 new, more wait" in on_screen(pilot)[-1]
        await pilot.press("G")
        assert not view.full
        assert len(view.store) == 1_000


async def test_reading_on_makes_room_for_what_waited():
    async with Viewing(most=1_000).run_test(size=(80, 24)) as pilot:
        view = pilot.app.view
        view.write(counted(0, 1_000))
        await pilot.press("g")
        view.write(counted(1_000, 1_500))
        assert view.full
        await pilot.pause()
        changes = pilot.app.changes
        for _ in range(25):
            await pilot.press("pagedown")
        assert not view.following
        assert not view.full
        assert pilot.app.changes == changes + 1, "whoever waited is told"
        before = on_screen(pilot)[:-1]
        view.write(counted(1_500, 1_550))
        await pilot.pause()
        assert on_screen(pilot)[:-1] == before


async def test_the_mouse_follows_again_and_unfolds(pilot):
    view = pilot.app.view
    view.write(counted(0, 100))
    await pilot.press("s")
    view.write(lines('{"level":"info","msg":"hi","id":7}'))
    await pilot.pause()
    await pilot.click(offset=(75, 23))
    assert view.following
    await pilot.click(offset=(10, 23), times=2)
    assert not view.following
    assert [line for line in on_screen(pilot) if '"id": 7' in line]


async def test_a_very_long_line_is_no_burden(pilot):
    view = pilot.app.view
    view.write(lines(*["x" * 1_000_000] * 20, '{"msg":"' + "y" * 500_000 + '"}'))
    view.narrow(filters.parse("[xy]z?"))
    began = time.process_time()
    await pilot.press("w", "g", "pagedown", "w", "right", "G")
    assert time.process_time() - began < 2
    await until(pilot, lambda: not view.scanning)
    assert view.matching == 21


async def test_lines_dropped_above_do_not_move_what_one_reads():
    async with Viewing(most=1_000).run_test(size=(80, 24)) as pilot:
        view = pilot.app.view
        view.write(counted(0, 1_000))
        await pilot.press("pageup")
        before = on_screen(pilot)[:-1]
        view.write(counted(1_000, 1_600))
        await pilot.pause()
        assert on_screen(pilot)[:-1] == before
        assert view.dropped == 600


async def test_long_lines_are_cut_and_read_by_going_sideways(pilot):
    pilot.app.view.write(lines("".join(str(n % 10) for n in range(100))))
    await pilot.pause()
    assert on_screen(pilot)[0] == " " + "0123456789" * 7 + "012345678"
    await pilot.press("right")
    assert on_screen(pilot)[0].startswith(" 6789012345")
    await pilot.press("left")
    assert on_screen(pilot)[0].startswith(" 0123456789")


async def test_wrapped_every_character_is_on_the_screen(pilot):
    text = "x" * 79 + "y" * 79 + "z"
    pilot.app.view.write(lines("before", text, "after"))
    await pilot.press("w")
    assert on_screen(pilot)[:5] == [" before", " " + "x" * 79, " " + "y" * 79, " z", " after"]
    await pilot.press("w")
    assert on_screen(pilot)[:3] == [" before", " " + "x" * 79, " after"]


async def test_wide_characters_wrap_where_they_still_fit(pilot):
    pilot.app.view.write(lines("漢" * 45))
    await pilot.press("w")
    assert on_screen(pilot)[:2] == [" " + "漢" * 39, " " + "漢" * 6]


async def test_wrapping_follows_the_width(pilot):
    pilot.app.view.write(lines("x" * 100, "end"))
    await pilot.press("w")
    await pilot.resize_terminal(60, 24)
    await until(pilot, lambda: on_screen(pilot)[1] == " " + "x" * 41)
    assert on_screen(pilot)[2] == " end"


async def test_times_are_shown_when_asked_for(pilot):
    pilot.app.view.write(counted(0, 2))
    await pilot.press("t")
    assert on_screen(pilot)[1] == " 12:16:00.001 INFO line 1"


async def test_one_pod_needs_no_name_and_several_have_theirs(pilot):
    view = pilot.app.view
    view.write(lines("hello"))
    await pilot.pause()
    assert on_screen(pilot)[0] == " hello"
    view.write(lines("hi", pod="mcpserver-calc-7d9f-b4c2d"))
    await pilot.pause()
    assert on_screen(pilot)[:2] == [" x2x9k hello", " b4c2d hi"]


async def test_pods_of_several_resources_are_named_after_them(pilot):
    view = pilot.app.view
    view.write(lines("hello"))
    view.write(lines("hi", pod="agent-helper-7d9f-b4c2d", source="agent/helper"))
    view.write(lines("leading", pod="operator", source="operator"))
    await pilot.pause()
    assert on_screen(pilot)[:3] == [" calc-x2x9k   hello", " helper-b4c2d hi", " operator     leading"]


async def test_json_is_folded_to_level_and_message_and_unfolds(pilot):
    view = pilot.app.view
    record = {"time": "now", "level": "warn", "msg": "slow answer", "tool": "search", "args": {"q": "kaos"}}
    view.write(lines("before", json.dumps(record), "after"))
    await pilot.pause()
    assert on_screen(pilot)[1] == ' WARN  slow answer {"tool": "search", "args": {"q": "kaos"}}'
    await pilot.press("up", "enter")
    shown = on_screen(pilot)
    assert shown[1] == "▸WARN  slow answer"
    assert shown[2:6] == [" {", '   "time": "now",', '   "level": "warn",', '   "msg": "slow answer",']
    assert shown[10:12] == [" }", " after"]
    await pilot.press("enter")
    assert on_screen(pilot)[2] == " after"


async def test_what_looks_like_json_and_is_not_stays_as_it_is(pilot):
    pilot.app.view.write(lines("{not json}", "{" * 5_000 + "}" * 5_000, "[1]"))
    await pilot.pause()
    assert on_screen(pilot)[0] == " {not json}"
    assert on_screen(pilot)[2] == " [1]"


async def test_a_filter_shows_only_lines_that_match_and_marks_the_words(pilot):
    view = pilot.app.view
    view.write(counted(0, 50) + lines("ERROR Boom"))
    view.narrow(filters.parse("boom"))
    await pilot.pause()
    assert on_screen(pilot)[:2] == [" ERROR Boom", ""]
    reversed_text = [segment.text for segment in view.render_line(0) if segment.style and segment.style.reverse]
    assert reversed_text == ["Boom"]
    view.write(lines("nothing", "boom again"))
    await pilot.pause()
    assert on_screen(pilot)[:2] == [" ERROR Boom", " boom again"]
    view.narrow(filters.everything())
    await pilot.pause()
    assert on_screen(pilot)[-1] == " boom again"
    assert on_screen(pilot)[-2] == " nothing"


async def test_capitals_make_a_filter_heed_case(pilot):
    view = pilot.app.view
    view.write(lines("ERROR one", "error two"))
    view.narrow(filters.parse("ERROR"))
    await pilot.pause()
    assert on_screen(pilot)[:2] == [" ERROR one", ""]


async def test_all_lines_can_be_shown_with_the_matches_among_them(pilot):
    view = pilot.app.view
    view.write(counted(0, 500))
    view.narrow(filters.parse("line (100|300|400)$"))
    await pilot.press("ampersand")
    assert on_screen(pilot)[-1] == " INFO line 499"
    await pilot.press("N")
    assert "▸INFO line 400" in on_screen(pilot)
    await pilot.press("N")
    assert "▸INFO line 300" in on_screen(pilot)
    await pilot.press("N", "N")
    assert "▸INFO line 400" in on_screen(pilot), "before the first comes the last"
    await pilot.press("n")
    assert "▸INFO line 100" in on_screen(pilot), "after the last comes the first"


async def test_a_filter_over_many_lines_does_not_keep_a_key_waiting(pilot):
    view = pilot.app.view
    for start in range(0, 100_000, 5_000):
        view.write(counted(start, start + 5_000))
    began = time.process_time()
    view.narrow(filters.parse("LINE .*7$".lower()))
    taken = time.process_time() - began
    assert taken < 0.05
    await until(pilot, lambda: not view.scanning)
    assert view.matching == 10_000
    assert on_screen(pilot)[-1] == " INFO line 99997"


async def test_what_one_reads_stays_in_sight_when_lines_are_laid_anew(pilot):
    view = pilot.app.view
    for start in range(0, 50_000, 5_000):
        view.write(lines(*(f"INFO line {n} " + "x" * 100 for n in range(start, start + 5_000)), start=start))
    await pilot.press("g", *["pagedown"] * 20, "k")
    before = on_screen(pilot)
    (row,) = [row for row, text in enumerate(before) if text.startswith("▸")]
    for key in ("w", "w", "t"):
        await pilot.press(key)
        number = before[row].split()[2]
        assert f"line {number}" in on_screen(pilot)[row], "at once"
        await until(pilot, lambda: not view.scanning)
        assert f"line {number}" in on_screen(pilot)[row], "and for good"


async def test_following_again_need_not_wait_for_a_filter_to_be_through(pilot):
    view = pilot.app.view
    for start in range(0, 100_000, 5_000):
        view.write(counted(start, start + 5_000))
    await pilot.press("g")
    view.narrow(filters.parse("line .*9$"))
    assert view.scanning
    view.follow(True)
    await pilot.pause()
    assert on_screen(pilot)[-1] == " INFO line 99999"


async def test_hostile_text_can_neither_steer_nor_hide(pilot):
    pilot.app.view.write(lines("\x1b]0;title\x07\x1b[31mred\x1b[0m \u202eevil", "a\tb", "[bold]no markup[/]"))
    await pilot.pause()
    assert on_screen(pilot)[:3] == [" \\e]0;title\\x07red \\u202eevil", " a       b", " [bold]no markup[/]"]


async def test_the_mouse_selects_what_one_sees(pilot):
    view = pilot.app.view
    view.write(lines("first line", "second line", "third line"))
    await pilot.pause()
    await pilot.mouse_down(offset=(7, 0))
    await pilot.hover(offset=(7, 1))
    await pilot.mouse_up(offset=(7, 1))
    assert pilot.app.screen.get_selected_text() == "line\n second "


async def test_a_wrapped_line_is_copied_in_one_piece(pilot):
    view = pilot.app.view
    view.write(lines("x" * 70 + " y" * 20, "next"))
    await pilot.press("w")
    await pilot.mouse_down(offset=(1, 0))
    await pilot.hover(offset=(5, 2))
    await pilot.mouse_up(offset=(5, 2))
    assert pilot.app.screen.get_selected_text() == "x" * 70 + " y" * 20 + "\n next"


async def test_a_marked_line_is_found_again(pilot):
    view = pilot.app.view
    view.write(counted(0, 10))
    await pilot.press("m")
    view.write(counted(10, 200))
    await pilot.press("M")
    assert "▸INFO line 9" in on_screen(pilot)
    await pilot.press("j")
    assert "*INFO line 9" in on_screen(pilot)


async def test_notices_are_told_apart_from_what_pods_say(pilot):
    view = pilot.app.view
    view.write([LogLine("", "The API server answers again.", notice=True)])
    await pilot.pause()
    assert on_screen(pilot)[0] == " The API server answers again."
    assert any(segment.style.italic for segment in view.render_line(0) if segment.text.strip())


async def test_what_is_saved_is_what_the_command_prints(pilot):
    view = pilot.app.view
    view.write(lines("hello\x1b[0m") + lines("hi", pod="two-pod"))
    await pilot.press("t")
    assert list(view.saved()) == [
        f"[mcpserver-calc-7d9f-x2x9k] {STAMP.format(0, 0)} hello",
        f"[two-pod] {STAMP.format(0, 0)} hi",
    ]


@pytest.mark.parametrize("text", ["(", "[a", "*"])
def test_an_expression_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="is no regular expression"):
        filters.parse(text)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("INFO:     Started server", "info"),
        ("2026-11-24 10:04:33,747 WARNING kaos.local: slow", "warn"),
        ("level=error msg=x", "error"),
        ("E1124 12:16:39.123456       1 main.go:1] boom", "error"),
        ("[debug] x", "debug"),
        ("Traceback (most recent call last):", "error"),
        ("there was no error here", ""),
        ('{"severity":"ERROR","message":"x"}', "error"),
        ('{"level":40,"msg":"x"}', "warn"),
        ("TERROR", ""),
    ],
)
def test_levels_are_found_as_programs_write_them(text, level):
    from kaos.tui.widgets.logtext import show

    assert show(text).level == level
