"""What reaches the screen: columns that line up, YAML that a person would write, and nothing hostile."""

from __future__ import annotations

import io
import sys

import pytest
import yaml

from kaos.cli import output


def printed(headers, rows, **more):
    stream = io.StringIO()
    output.table(headers, rows, stream=stream, **more)
    return stream.getvalue()


def test_columns_line_up_three_apart():
    assert printed(["NAME", "AGE"], [["a", "5m"], ["longer", "1h"]]) == "NAME     AGE\na        5m\nlonger   1h\n"


def test_wide_and_combining_characters_take_the_room_they_take():
    assert printed(["A", "B"], [["日本", "x"], ["e\u0301", "y"]]) == "A      B\n日本   x\ne\u0301      y\n"


def test_a_table_has_minimum_widths_and_no_blanks_at_the_end():
    assert printed(["A", "B"], [["x", ""]], minimum=(6,)) == "A     B\nx\n"


def test_cells_cannot_move_the_cursor_or_break_the_line():
    told = printed(["A", "B"], [["x\x1b[2J\ny", "\x9b31m\u202e"]])
    assert told == "A           B\nx\\e[2J\\ny   \\x9b31m\\u202e\n"


def test_programs_are_shown_as_blocks():
    text = output.yaml_text({"spec": {"params": "def f():\n    return 1\n"}, "a": 1})
    assert text == "spec:\n  params: |\n    def f():\n        return 1\na: 1\n"


@pytest.mark.parametrize(
    "value", ["yes", "1", "null", "2026-11-24", "a: b", " x", "tab\there\n", "\x1b[31m", "line \nnext\n", "ü ✓", ""]
)
def test_what_is_printed_as_yaml_reads_back_the_same(value):
    assert yaml.safe_load(output.yaml_text({"key": value})) == {"key": value}


def test_a_pipe_gets_a_result_byte_for_byte(capsys):
    output.result("raw \x1b[31m\u202e", end="")
    assert capsys.readouterr().out == "raw \x1b[31m\u202e"


def test_a_terminal_gets_a_result_made_safe(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    output.result("two\nlines \x1b[31m\x9b\u202e")
    assert terminal.getvalue() == "two\nlines \\e[31m\\x9b\\u202e\n"
