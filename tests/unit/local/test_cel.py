"""CEL rules: the language, the functions that Kubernetes adds, and no rule that is quietly ignored."""

from __future__ import annotations

import pytest

from kaos.local.cel import CelError, compile_rule, evaluate

SELF = {
    "name": "web",
    "n": 3,
    "list": ["b", "a"],
    "map": {"k": "v"},
    "url": "https://h:8/p?q=1",
    "cpu": "500m",
    "f": 1.5,
}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self.n > 2 && self.n < 4", True),
        ("has(self.name) && !has(self.missing)", True),
        ("self.list.all(x, x.size() == 1)", True),
        ("self.list.exists(x, x == 'c')", False),
        ("self.list.exists_one(x, x == 'a')", True),
        ("self.list.map(x, x + '!') == ['b!', 'a!']", True),
        ("self.list.filter(x, x > 'a').size() == 1", True),
        ("'a' in self.list && 'k' in self.map", True),
        ("self.map.all(k, self.map[k] == 'v')", True),
        ("self.name.matches('^w[a-z]+$')", True),
        ("self.name.startsWith('w') && self.name.endsWith('b') && self.name.contains('e')", True),
        ("self.n == 3 ? 'three' : 'other'", "three"),
        ("size(self.list) == 2 && self.map.size() == 1", True),
        ("string(self.n) + self.name", "3web"),
        ("int('7') + self.n", 10),
        ("self.f > 1.0", True),
        ("self.n % 2 == 1", True),
        ("type(self.n) == int", True),
        ("bytes(self.name).size() == 3", True),
        # What Kubernetes adds.
        ("self.name.charAt(1)", "e"),
        ("self.name.indexOf('b')", 2),
        ("self.name.substring(1)", "eb"),
        ("self.name.substring(0, 2)", "we"),
        ("'a,b'.split(',') == ['a', 'b']", True),
        ("['a', 'b'].join('-')", "a-b"),
        ("'aXbX'.replace('X', 'y')", "ayby"),
        ("' x '.trim()", "x"),
        ("'AbC'.lowerAscii() + 'AbC'.upperAscii()", "abcABC"),
        ("'abc12'.find('[0-9]+')", "12"),
        ("'a1b2'.findAll('[0-9]') == ['1', '2']", True),
        ("[1, 2, 2].isSorted() && ![2, 1].isSorted()", True),
        ("[1, 2, 3].sum()", 6),
        ("isURL(self.url) && url(self.url).getHost() == 'h:8'", True),
        ("url(self.url).getScheme() + url(self.url).getHostname() + url(self.url).getPort()", "httpsh8"),
        ("url(self.url).getEscapedPath()", "/p"),
        ("isURL('not a url')", False),
        ("isQuantity(self.cpu) && quantity(self.cpu).isLessThan(quantity('1'))", True),
        ("isQuantity('much')", False),
        ("quantity('1Gi').compareTo(quantity('1024Mi'))", 0),
    ],
)
def test_what_a_rule_says(rule, value):
    assert evaluate(rule, SELF) == value


def test_a_rule_may_look_at_the_old_value():
    assert evaluate("self.n >= oldSelf.n", SELF, {"n": 2}) is True


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("self.n >", "."),
        ("self.(", "."),
        ("nosuch(self)", "undeclared reference to 'nosuch'"),
        ("self.name.fly()", "undeclared reference to 'fly'"),
        ("ip('1.2.3.4')", "undeclared reference to 'ip'"),
    ],
)
def test_a_rule_that_does_not_compile_is_refused(rule, why):
    with pytest.raises(CelError, match=why):
        compile_rule(rule)


@pytest.mark.parametrize(
    "rule", ["self.missing == 1", "self.list[5] == 'x'", "self.n / 0 == 1", "self.name + 1 == 'x'"]
)
def test_a_rule_that_fails_is_an_error_not_a_yes(rule):
    with pytest.raises(CelError):
        evaluate(rule, SELF)


def test_text_in_a_rule_is_not_taken_for_a_call():
    assert evaluate("self.name != 'nosuch(self)'", SELF) is True


def test_the_library_is_loaded_without_its_command_line():
    import subprocess
    import sys

    program = "import sys; from kaos.local import cel; cel.compile_rule('true'); print('prompt_toolkit' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
