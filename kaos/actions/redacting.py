"""What must not leave a cluster with a support bundle: values that are secrets, or look like it. Pure.

Rather too much is hidden than too little: strangers read a bundle. What was hidden once, such as the literal value of
an environment variable, is hidden wherever else it turns up, as in logs.
"""

from __future__ import annotations

import json
import re
from typing import Any

HIDDEN = "<redacted>"
# Shorter ones would tear words apart elsewhere.
_TELLING = 6

_SECRET = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret(?!s?Name|NotFound|Key(?:Ref|NotFound)|Ref)|token(?!s\b|s?_total)|credential"
    r"|authorization|cookie|bearer|api[-_]?key|access[-_]?key|private[-_]?key|master[-_]?key|signing[-_]?key|salt_key"
    r"|connection[-_]?string|client[-_]?secret)"
)
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
_FLAG = re.compile(rf"--?[\w-]*{_SECRET}[\w-]*$", re.IGNORECASE)
# Fields whose names sound like secrets and whose values help whoever reads the bundle.
_HARMLESS = frozenset({"automountServiceAccountToken", "imagePullSecrets", "secretName", "secretKeyRef", "secretRef"})
_NAME = rf"{_SECRET}[\w.-]{{0,64}}"  # what is before that stays as it is
_QUOTE = r"""(?:\\*["'])"""
_PATTERNS = [
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    # A header's value has blanks.
    (re.compile(rf"((?:proxy-)?authorization|(?:set-)?cookie)({_QUOTE}?\s*[:=]\s*{_QUOTE}?)[^\"'\\\n]+", re.IGNORECASE),
     rf"\1\2{HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[\w+/=.~-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://)[^\s/\"'<>]*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(rf"({_NAME}{_QUOTE}?\s*[:=]\s*)(\\*[\"'])(?!<redacted>).*?\2", re.IGNORECASE), rf"\1\2{HIDDEN}\2"),
    (re.compile(rf"^([ \t]*(?:- )?[\w.-]{{0,64}}?{_NAME}:[ \t]+)(?![\"'|>]|<redacted>)\S.*$", re.I | re.M),
     rf"\1{HIDDEN}"),
    (re.compile(rf"({_NAME}\s*[:=]\s*)(?![\"'\\|>]|<redacted>)[^\s,;&)}}\]\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"((?<!\w)--?(?:[a-z][\w-]{{0,64}}?)?{_SECRET}[\w-]{{0,64}}\s+)(?![-<])\S+", re.I), rf"\1{HIDDEN}"),
    # What issuers mark as a key.
    (re.compile(
        r"\b(?:sk-[\w-]{8,}|gh[a-z]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{12,}|xox[a-z]-[\w-]{8,}|hf_\w{16,}"
        r"|AKIA\w{12,}|AIza[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"), HIDDEN),
]  # fmt: skip


class Redactor:
    """Objects first, then texts: it learns from the ones what to hide in the others."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def text(self, text: str) -> str:
        """Without what looks like a secret, and without what was one."""
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, HIDDEN)
        for pattern, shown in _PATTERNS:
            text = pattern.sub(shown, text)
        return text

    def object(self, value: Any, name: str = "") -> Any:
        """A copy without secrets, and without what only servers need."""
        if isinstance(value, dict):
            return self._mapping(value, name)
        if isinstance(value, list):
            return self._list(value, name)
        if isinstance(value, str):
            return self._hide(value) if _is_secret(name) and value else self.text(value)
        return HIDDEN if _is_secret(name) and isinstance(value, int | float) and not isinstance(value, bool) else value

    def _mapping(self, value: dict[str, Any], name: str) -> dict[str, Any]:
        if name == "metadata":
            value = {key: one for key, one in value.items() if key != "managedFields"}
        if name == "annotations":  # manifests within manifests
            value = {key: one for key, one in value.items() if not key.endswith("/last-applied-configuration")}
        # {name: API_TOKEN, value: ...}, and apiKey: {value: ...}
        pair = str(value.get("name") or name)
        return {key: self.object(one, pair if key == "value" else key) for key, one in value.items()}

    def _list(self, value: list[Any], name: str) -> list[Any]:
        kept: list[Any] = []
        for position, one in enumerate(value):
            before = value[position - 1] if position else None
            of_flag = isinstance(before, str) and isinstance(one, str) and _FLAG.match(before)
            kept.append(self._hide(one) if of_flag else self.object(one, name))
        return kept

    def _hide(self, value: str) -> str:
        if len(value) >= _TELLING and value != HIDDEN:
            self._known |= {value, json.dumps(value)[1:-1]}
        return HIDDEN


def _is_secret(name: str) -> bool:
    return name not in _HARMLESS and bool(_SECRET_NAME.search(name))
