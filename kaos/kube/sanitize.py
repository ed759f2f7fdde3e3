"""The one sanitiser: text from outside (logs, tool output, names, events) becomes safe to show on a terminal.

Control characters, escape sequences, bidirectional overrides and invisible characters are shown as visible escapes,
so that nothing a pod prints can move the cursor, rewrite a line, set the clipboard or hide a word.
"""

from __future__ import annotations

import re

# C0 without \t and \n, DEL, C1, soft hyphen, bidi marks and overrides, zero-width, fillers that show as nothing,
# line separators, surrogates, format characters of scripts, tags and the variation selectors that can smuggle text.
_HOSTILE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U00013430-\U0001345f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_TEXT = re.compile(f"[{_HOSTILE}]")
_LINE = re.compile(f"[{_HOSTILE}\n\t]")


def text(value: str) -> str:
    """Make `value` safe to print; newlines and tabs stay."""
    return value if value.isascii() and value.isprintable() else _TEXT.sub(_visible, value)


def line(value: str) -> str:
    """Make `value` safe to print on one line; newlines and tabs are shown too."""
    return value if value.isascii() and value.isprintable() else _LINE.sub(_visible, value)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    named = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x1B: "\\e"}.get(code)
    if named:
        return named
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
