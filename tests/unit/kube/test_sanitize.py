"""The sanitiser: nothing that a pod prints can move the cursor, set the clipboard, turn the text or hide a word."""

from __future__ import annotations

import random
import sys
import time
import unicodedata

import pytest

from kaos.kube import sanitize

# Format characters that are visible: Arabic and Syriac signs that stand before numbers, and two Kaithi ones.
VISIBLE = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
INVISIBLE_LETTERS = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}


def is_hostile(character: str) -> bool:
    code = ord(character)
    category = unicodedata.category(character)
    return (category in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in VISIBLE) or code in INVISIBLE_LETTERS


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[H", "\\e[2J\\e[H"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\e]52;c;ZXZpbA==\\x07"),
        ("\x1b]0;title\x1b\\", "\\e]0;title\\e\\"),
        ("\x1b]8;;http://evil\x07click\x1b]8;;\x07", "\\e]8;;http://evil\\x07click\\e]8;;\\x07"),
        ("\x9b31mred", "\\x9b31mred"),
        ("\x9d0;t\x9c", "\\x9d0;t\\x9c"),
        ("ok\rfailed", "ok\\rfailed"),
        ("a\x08\x08b", "a\\x08\\x08b"),
        ("\x00\x0b\x0c\x7f", "\\x00\\x0b\\x0c\\x7f"),
        ("a\x85b", "a\\x85b"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("pass\u200bword", "pass\\u200bword"),
        ("\ufeffbom", "\\ufeffbom"),
        ("soft\xadhyphen", "soft\\xadhyphen"),
        ("line\u2028separator", "line\\u2028separator"),
        ("half \ud83d", "half \\ud83d"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("smuggled\U000e0100", "smuggled\\U000e0100"),
        ("blank\u3164name", "blank\\u3164name"),
    ],
)
def test_hostile_text_is_shown_not_obeyed(hostile: str, shown: str) -> None:
    assert sanitize.text(hostile) == sanitize.line(hostile) == shown


@pytest.mark.parametrize(
    "harmless", ["", "plain", "größe", "日本語", "🧀👍🏽", "❤️", "नमस्ते", "مرحبا", "a\\e[2J", "×÷€…", "\xa0x"]
)
def test_harmless_text_is_left_as_it_is(harmless: str) -> None:
    assert sanitize.text(harmless) == sanitize.line(harmless) == harmless


def test_text_keeps_lines_and_tabs_and_a_line_is_one_line() -> None:
    assert sanitize.text("a\tb\nc\r\n") == "a\tb\nc\\r\n"
    assert sanitize.line("a\tb\nc\r\n") == "a\\tb\\nc\\r\\n"


def test_of_all_characters_none_that_is_hostile_gets_through() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert not [hex(ord(character)) for character in sanitize.line(everything) if is_hostile(character)]
    assert {character for character in sanitize.text(everything) if is_hostile(character)} == {"\n", "\t"}


def test_whatever_stands_beside_it_nothing_hostile_gets_through() -> None:
    chance = random.Random(1)
    alphabet = "ab\\[]0;m\n\t\r\x1b\x9b\x07\u202e\u200b\ud800\udc00é🧀"
    for _ in range(2000):
        text = "".join(chance.choices(alphabet, k=20))
        assert not any(map(is_hostile, sanitize.line(text)))
        assert sanitize.line(sanitize.line(text)) == sanitize.line(text), "what is shown is not shown twice"


def test_what_comes_out_can_be_encoded() -> None:
    sanitize.text("".join(map(chr, range(0xD800, 0xE000)))).encode()


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "x" * 99 + "\n" + "", ("y" * 99 + "\n") * 10_000], ids=["line", "short", "lines"]
)
def test_a_megabyte_of_plain_text_takes_no_time(text: str) -> None:
    began = time.process_time()
    assert sanitize.text(text) == text
    assert time.process_time() - began < 0.1


def test_a_megabyte_of_escapes_takes_little() -> None:
    began = time.process_time()
    assert len(sanitize.text("\x1b[0m" * 250_000)) == 1_250_000
    assert time.process_time() - began < 1.5
