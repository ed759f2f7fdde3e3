"""A conversation on the screen: long ones open at once, answers grow, calls unfold, nothing from outside can act."""

from __future__ import annotations

import re
import time

import pytest
from textual.app import App

from kaos.tui.widgets.blocks import Answer, Call, Foot, Said, Speaker, Trouble, duration
from kaos.tui.widgets.prose import finished
from kaos.tui.widgets.transcript import PROSE, Transcript, code_of
from tests.tui.conftest import screen_text, until


class Alone(App[None]):
    """Nothing but a transcript."""

    def __init__(self, blocks):
        super().__init__()
        self.animation_level = "none"
        self.transcript = Transcript(blocks)
        self.copied = []
        self.edited = []

    def compose(self):
        yield self.transcript

    def on_mount(self):
        self.transcript.show(self.transcript._blocks)
        self.transcript.focus()

    def on_transcript_copied(self, event):
        self.copied.append(event.text)

    def on_transcript_edited(self, event):
        self.edited.append(event.block.text)


def turn(question="why?", answer="Because.", *calls):
    foot = Foot()
    foot.end("✔ 1.0 s")
    return [Said(question), Speaker("planner"), *calls, Answer(answer, ended=True), foot]


def call(label="calc.add", state="done", result="5", delegation=False, **arguments):
    made = Call(label, arguments, delegation)
    made.end(state, result, 0.088)
    return made


async def test_a_hundred_turns_open_at_once_and_at_their_end():
    blocks = [
        block for n in range(100) for block in turn(f"question {n}", f"# Answer {n}\n\nwith *words*\n\n- a\n- b\n")
    ]
    async with Alone([]).run_test(size=(100, 30)) as pilot:
        began = time.process_time()
        pilot.app.transcript.show(blocks)
        await pilot.pause()
        assert "question 99" in screen_text(pilot)
        assert time.process_time() - began < 0.5


async def test_what_is_seen_stays_where_it_is_while_the_rest_is_drawn():
    blocks = [block for n in range(60) for block in turn(f"question {n}", "line\n\n" + "- item\n" * (n % 7))]
    async with Alone(blocks).run_test(size=(80, 20)) as pilot:
        transcript = pilot.app.transcript
        transcript.scroll_to(y=transcript.max_scroll_y // 2, animate=False)
        await pilot.pause()
        seen = screen_text(pilot)
        await until(pilot, lambda: transcript.drawn)
        assert _words(screen_text(pilot)) == _words(seen)
        await pilot.press("home")
        assert screen_text(pilot).startswith("▌ you  question 0")


async def test_an_answer_is_shown_as_it_comes_and_the_same_at_its_end():
    answer, foot = Answer(), Foot()
    blocks = [Said("go"), Speaker("planner"), answer, foot]
    async with Alone(blocks).run_test(size=(80, 24)) as pilot:
        answer.add("# Title\n\nfirst **bold")
        pilot.app.transcript.sync()
        await pilot.pause()
        assert "Title" in screen_text(pilot)
        assert "# Title" not in screen_text(pilot)
        assert "first **bold" in screen_text(pilot)  # not finished: as it is
        assert "thinking" in screen_text(pilot)
        answer.add("** end\n\n```\ncode\n```\n")
        answer.end()
        foot.end("✔ 2.0 s")
        pilot.app.transcript.sync()
        await pilot.pause()
        text = screen_text(pilot)
        assert "first bold end" in text
        assert "code" in text
        assert "```" not in text
        assert "✔ 2.0 s" in text


async def test_a_long_answer_ends_without_a_pause_and_looks_as_if_drawn_at_once():
    text = "# Title\n\nsome **bold** words\n\n- a\n- b\n\n```\ncode\n```\n\n" * 200 + "the *end*"
    answer = Answer()
    async with Alone([answer]).run_test(size=(80, 24)) as pilot:
        for start in range(0, len(text), 1000):
            answer.add(text[start : start + 1000])
            pilot.app.transcript.sync()
        began = time.process_time()
        answer.end()
        pilot.app.transcript.sync()
        assert time.process_time() - began < 0.1
        look = pilot.app.transcript.look
        whole = Answer(text, ended=True).lines(78 - 2, look)
        assert [_plain(line) for line in answer.lines(78 - 2, look)] == [_plain(line) for line in whole]


async def test_it_follows_the_end_unless_one_looks_elsewhere():
    answer = Answer()
    blocks = [block for n in range(20) for block in turn(f"question {n}")] + [Said("go"), answer, Foot()]
    async with Alone(blocks).run_test(size=(80, 20)) as pilot:
        transcript = pilot.app.transcript
        answer.add("one\n\n" * 30)
        transcript.sync()
        await pilot.pause()
        assert transcript.following
        assert "thinking" in screen_text(pilot)
        transcript.scroll_to(y=5, animate=False)
        await pilot.pause()
        seen = screen_text(pilot)
        answer.add("two\n\n" * 30)
        transcript.sync()
        await pilot.pause()
        assert _words(screen_text(pilot)) == _words(seen)
        transcript.leave()
        await pilot.pause()
        assert "two" in screen_text(pilot)


async def test_what_is_below_is_counted():
    blocks = [block for n in range(20) for block in turn(f"question {n}")]
    async with Alone(blocks).run_test(size=(80, 20)) as pilot:
        assert "more" not in screen_text(pilot)
        await until(pilot, lambda: pilot.app.transcript.drawn)
        await pilot.press("home")
        below = pilot.app.transcript.virtual_size.height - 20
        assert f"▼ {below} more" in screen_text(pilot)


@pytest.mark.parametrize("key", ["enter", "space"])
async def test_a_call_is_one_line_that_unfolds(key):
    async with Alone(turn("add", "done", call(a=2, b=3))).run_test(size=(80, 24)) as pilot:
        assert '▸ calc.add  {"a": 2, "b": 3}' in screen_text(pilot)
        assert "✔ done 88 ms" in screen_text(pilot)
        await pilot.press("up", "up", key)
        assert "▾ calc.add" in screen_text(pilot)
        assert "arguments" in screen_text(pilot)
        assert '"a": 2' in screen_text(pilot)
        assert "result" in screen_text(pilot)
        await pilot.press(key)
        assert "arguments" not in screen_text(pilot)


async def test_the_mouse_unfolds_too():
    async with Alone(turn("add", "done", call(a=2))).run_test(size=(80, 24)) as pilot:
        line = next(n for n, text in enumerate(screen_text(pilot).splitlines()) if "calc.add" in text)
        await pilot.click(Transcript, offset=(6, line))
        await pilot.pause()
        assert "▾ calc.add" in screen_text(pilot)


async def test_what_failed_unfolds_by_itself_and_says_so_in_words():
    async with Alone(turn("add", "hm", call(state="failed", result="no such secret"))).run_test(size=(80, 24)) as pilot:
        assert "✖ failed 88 ms" in screen_text(pilot)
        assert "no such secret" in screen_text(pilot)


async def test_a_delegation_is_indented_and_named_an_agent():
    blocks = turn("ask", "done", call(), call("triage", delegation=True))
    async with Alone(blocks).run_test(size=(80, 24)) as pilot:
        lines = screen_text(pilot).splitlines()
        tool = next(line for line in lines if "calc.add" in line)
        other = next(line for line in lines if "triage" in line)
        assert "↳ triage (agent)" in other
        assert other.index("▸") > tool.index("▸")


async def test_prose_is_never_wider_than_one_can_read():
    async with Alone(turn("go", "word " * 200)).run_test(size=(200, 40)) as pilot:
        lines = [line for line in screen_text(pilot).splitlines() if "word" in line]
        assert PROSE - 10 < max(len(line.rstrip(" ▁▂▃▄▅▆▇█▔")) for line in lines) <= PROSE + 2


async def test_text_from_outside_is_only_text():
    hostile = "[bold red]markup[/] \x1b[31mred\x1b]52;c;AAAA\x07 <script>x</script> <!-- hidden --> \u202eabc"
    blocks = [
        Said(hostile), Speaker(hostile), call(hostile, result=hostile, x=hostile), call("f", "failed", hostile),
        Answer(hostile, ended=True), Trouble(hostile, hostile),
    ]  # fmt: skip
    async with Alone(blocks).run_test(size=(160, 50)) as pilot:
        text = screen_text(pilot)
        assert not any(letter in text for letter in "\x1b\x07\u202e")
        assert text.count("[bold red]markup[/]") >= 5
        assert "<script>x</script> <!-- hidden -->" in text
        for strip in pilot.app.screen._compositor.render_strips():
            assert all(segment.control is None for segment in strip)
            assert all(segment.style is None or not segment.style.link for segment in strip)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("".join("  " * n + f"- level{n}\n" for n in range(40)), "level39"),
        ("> " * 60 + "quoted", "quoted"),
        ("|" + "|".join(f"c{n}" for n in range(90)) + "|\n" + "|-" * 90 + "|\n|x|", "c89"),
        ("[note]: http://x.example 'whispered'\n\ntext", "whispered"),
        ("<div hidden>\nveiled\n</div>", "veiled"),
        ("&#x202e;turned", "&#x202e;turned"),
        ("a[link](http://x.example/&#x202e;)", "link"),
    ],
)
async def test_markdown_hides_nothing(text, shown):
    async with Alone([Answer(text, ended=True)]).run_test(size=(80, 60)) as pilot:
        assert shown in screen_text(pilot)
        assert "\u202e" not in screen_text(pilot)


async def test_links_show_where_they_lead():
    async with Alone([Answer("[safe](http://elsewhere.example)", ended=True)]).run_test(size=(80, 10)) as pilot:
        assert "safe (http://elsewhere.example)" in screen_text(pilot)


@pytest.mark.parametrize("theme", ["textual-light", "textual-dark"])
async def test_what_is_muted_is_readable_in_light_and_dark(theme):
    async with Alone(turn()).run_test(size=(80, 10)) as pilot:
        pilot.app.theme = theme
        await pilot.pause()
        segments = [one for strip in pilot.app.screen._compositor.render_strips() for one in strip]
        foot = next(one.style for one in segments if "✔ 1.0 s" in one.text)
        text, behind = (sum(color.triplet) / 3 for color in (foot.color, foot.bgcolor))
        assert 60 < abs(text - behind) < 200


async def test_blocks_and_their_code_are_copied():
    blocks = turn("how?", "Run:\n\n```sh\nkaos status\n```\n\nand look.", call(a=1))
    async with Alone(blocks).run_test(size=(80, 24)) as pilot:
        await pilot.press("up", "c", "C", "up", "c")
        assert pilot.app.copied == [blocks[-2].text, "kaos status", 'calc.add {"a": 1}\n5']


async def test_a_question_is_handed_back_to_be_edited():
    async with Alone(turn("first")).run_test(size=(80, 24)) as pilot:
        await pilot.press("up", "up", "e")
        assert pilot.app.edited == ["first"]


async def test_the_mouse_selects_text():
    async with Alone(turn("selected words")).run_test(size=(80, 24)) as pilot:
        await pilot.mouse_down(Transcript, offset=(7, 0))
        await pilot.hover(Transcript, offset=(15, 0))
        await pilot.mouse_up(Transcript, offset=(15, 0))
        assert pilot.app.screen.get_selected_text().strip() == "selected"


async def test_it_is_drawn_anew_for_another_width():
    async with Alone(turn("go", "word " * 60)).run_test(size=(120, 40)) as pilot:
        await pilot.resize_terminal(40, 40)
        await pilot.pause()
        lines = screen_text(pilot).splitlines()
        assert max(len(line) for line in lines) <= 40
        assert " ".join(_words(screen_text(pilot))).count("word") == 60


async def test_a_huge_answer_and_a_huge_line_do_not_hold_it_up():
    blocks = [Answer("x" * 300_000, ended=True), Answer("- item\n" * 20_000, ended=True)]
    async with Alone([]).run_test(size=(80, 24)) as pilot:
        began = time.process_time()
        pilot.app.transcript.show(blocks)
        await until(pilot, lambda: pilot.app.transcript.drawn)
        assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("one\n", ""),
        ("one\n\ntwo", "one\n\n"),
        ("```\na\n\nb\n", ""),
        ("```\na\n\nb\n```\nc", "```\na\n\nb\n```\n"),
        ("~~~~\n```\n\n~~~~\n", "~~~~\n```\n\n~~~~\n"),
    ],
)
def test_only_finished_blocks_are_drawn_for_good(text, done):
    assert text[: finished(text)] == done
    growing = 0
    for end in range(len(text) + 1):
        growing = max(growing, finished(text[:end]))
    assert growing == finished(text)


def test_code_is_taken_out_of_its_fences():
    assert code_of("a\n```py\nx = 1\n```\nb\n~~~\ny\n~~~\n") == "x = 1\n\ny"
    assert code_of("nothing") == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.088, "88 ms"), (4.13, "4.1 s"), (125, "2 m 5 s")])
def test_times_are_told_shortly(seconds, text):
    assert duration(seconds) == text


def _plain(line):
    return "".join(segment.text for segment in line).rstrip()


def _words(text):
    """What is said, without the scroll bar and what it counts."""
    text = re.sub(r"▼ \d+ more", "", text)
    return [word for word in text.split() if not set(word) <= set("▁▂▃▄▅▆▇█▔")]
