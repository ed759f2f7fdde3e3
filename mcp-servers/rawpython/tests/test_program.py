"""The program: how it is found in the params, which of its functions are tools, what is told when it is bad."""

from __future__ import annotations

import pickle
import sys
import traceback
from dataclasses import fields

import pytest

from kaos_rawpython.program import ProgramError, load, python_text

CODE = "def f() -> int:\n    return 1\n"


@pytest.fixture(autouse=True)
def _no_program_stays():
    yield
    sys.modules.pop("params", None)


@pytest.mark.parametrize(
    "params",
    [
        CODE,
        "\ufeff" + CODE,
        "code: |\n  def f() -> int:\n      return 1\n",
        "# my tools\n---\ncode: |\n  def f() -> int:\n      return 1\n",
        '{"code": "def f() -> int:\\n    return 1\\n"}',
        '"code": "def f() -> int:\\n    return 1\\n"',
    ],
    ids=["program text", "with a byte order mark", "YAML", "YAML with a comment", "JSON", "quoted YAML"],
)
def test_the_program_is_the_text_itself_or_stands_under_code(params):
    assert python_text(params) == CODE


def test_python_that_could_be_read_as_yaml_is_python():
    program = "code: int = 1\ndef f(): return 'ran'\n"
    assert python_text(program) == program
    assert load(program).tools["f"]() == "ran"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("code: |\n  def f(): pass\nname: x\n", ["YAML", "beside code stands name"]),
        ("code:\n  - a: b\n    c: [d]\n  - e\n", ["YAML", "code is not a text"]),
        ("code: |\n\tdef f(): pass\n", ["line 2", "not YAML", "tab"]),
        ("code: |\n  def f(): pass\n nonsense: x\n", ["line 3", "not YAML"]),
        ("code: &a [x]\nb: [*a, *a]\n", ["YAML", "code is not a text"]),
        ("code: " + "[" * 90_000, ["code is not a text"]),
        ("x = 1  # " + "x" * 98_304, ["98,313 bytes", "98,304"]),
    ],
    ids=["another key", "no text", "tab", "indentation", "aliases", "deep", "too large"],
)
def test_yaml_that_holds_no_program_is_told(params, words):
    with pytest.raises(ProgramError) as told:
        python_text(params)
    for word in words:
        assert word in str(told.value)


def test_tools_are_the_functions_that_the_text_defines_in_their_order():
    program = """
import functools
import json
from math import sqrt
from textwrap import dedent

class Shape: pass

def _helper(): return 'helped'
def zebra(): return _helper()
async def apple(): return 1
def count():
    yield 1
@functools.cache
def cached(): return json.dumps(1)
def _loud(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs): return function(*args, **kwargs)
    return wrapper
@_loud
def decorated(a: int): return a
same_as_zebra = zebra
short = lambda: 1
bound = functools.partial(zebra)
"""
    tools = load(program).tools
    assert list(tools) == ["zebra", "apple", "count", "cached", "decorated"]
    assert tools["zebra"]() == "helped"
    assert tools["cached"]() == "1"


def test_the_docstring_of_the_program_becomes_the_instructions():
    assert load('"""Sums.\n\n   Use them.\n"""\n' + CODE).instructions == "Sums.\n\nUse them."
    assert load(CODE).instructions == ""


def test_the_program_is_a_module_as_any_other():
    tools = load(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Point:\n"
        "    x: int\n"
        "def make(x: int) -> Point:\n"
        "    return Point(x)\n"
        "if __name__ == '__main__':\n"
        "    raise SystemExit('not run as a script')\n"
    ).tools
    point = tools["make"](3)
    assert pickle.loads(pickle.dumps(point)) == point
    assert [field.name for field in fields(point)] == ["x"]


def test_the_program_does_not_inherit_the_future_of_ours():
    assert load("def f(a: int): return f.__annotations__['a']\n").tools["f"](1) is int


def test_a_traceback_shows_the_line():
    tool = load("def f():\n    return 1 / 0  # here\n").tools["f"]
    with pytest.raises(ZeroDivisionError) as raised:
        tool()
    assert 'File "params", line 2, in f' in "".join(traceback.format_exception(raised.value))
    assert "return 1 / 0  # here" in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("def broken(:\n    pass\n", "params, line 1: SyntaxError: invalid syntax"),
        ("code: |\n  x = 1\n  def broken(:\n", "params, line 2: SyntaxError: invalid syntax"),
        (
            "if 1:\nx = 1\n",
            "params, line 2: IndentationError: expected an indented block after 'if' statement on line 1",
        ),
        ("import no_such_module\n", "params, line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("X = 1\n\n\nY = undefined_name\n", "params, line 4: NameError: name 'undefined_name' is not defined"),
        ("def g():\n    return 1 / 0\n\ng()\n", "params, line 2: ZeroDivisionError: division by zero"),
        ("import json\n\njson.loads('{')\n", "params, line 3: JSONDecodeError: Expecting property name"),
        ("raise ValueError('two\\nlines')\n", "params, line 1: ValueError: two lines"),
        ("assert False\n", "params, line 1: AssertionError"),
        ("import sys\nsys.exit(3)\n", "params, line 2: SystemExit: the program ended itself with 3"),
        ("import sys\nsys.exit()\n", "params, line 2: SystemExit: the program ended itself with 0"),
        ("def f(): return f()\nf()\n", "params, line 1: RecursionError: maximum recursion depth exceeded"),
        ("(" * 5000, "params, line 1: SyntaxError: too many nested parentheses"),
        ("raise KeyboardInterrupt\n", "params, line 1: KeyboardInterrupt"),
        ("def _hidden(): pass\n", "params define no tools: no tools remain after names with a leading underscore"),
        ("from textwrap import dedent\n", "params define no tools"),
        ("", "params define no tools: they are empty"),
        ("code: ''\n", "params define no tools: they are empty"),
    ],
)
def test_a_program_that_gives_no_tools_is_told_on_one_line_with_its_place(program, told):
    with pytest.raises(ProgramError) as error:
        load(program)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)
