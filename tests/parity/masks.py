"""What two clusters may say differently: identities, moments, addresses. Everything else must be equal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Managers whose claims come at their own pace: the controllers of either cluster.
_CONTROLLERS = {"kube-controller-manager", "kubelet", "kube-scheduler", "kube-apiserver", "kaos-local"}
_OWN_ANNOTATIONS = "local.kaos.tools/"
_PATTERNS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"(resource ?[vV]ersion: )\d+"), r"\1<version>"),
    (re.compile(r"(, current: )\d+"), r"\1<version>"),
    (re.compile(r"(too old resource version: <version>) \(\d+\)"), r"\1 (<version>)"),
    (re.compile(r"\b10\.96\.\d+\.\d+\b"), "<ip>"),
    (re.compile(r"(\?hash=)[0-9A-F]+"), r"\1<hash>"),
    (re.compile(r'(Invalid value: )"\{(?:[^"\\]|\\.)*"'), r"\1<the whole object>"),
)
_AGE = re.compile(r"(\d+[smhdy])+|<unknown>")


def masked(value: Any, kept: Mapping[str, str], namespace: str) -> Any:
    """`value` with everything that belongs to one cluster and one run replaced by a word for it."""
    if isinstance(value, dict):
        return _masked_object(value, kept, namespace)
    if isinstance(value, list):
        return [masked(item, kept, namespace) for item in value]
    return _masked_text(value, kept, namespace) if isinstance(value, str) else value


def _masked_text(text: str, kept: Mapping[str, str], namespace: str) -> str:
    for name, known in kept.items():
        if text == known:
            return f"{{{name}}}"
    text = text.replace(namespace, "{ns}")
    for name, known in kept.items():
        if len(known) > 8:  # a generated name, not a number that could stand anywhere
            text = text.replace(known, f"{{{name}}}")
    for pattern, word in _PATTERNS:
        text = pattern.sub(word, text)
    return text


def _masked_object(obj: dict[str, Any], kept: Mapping[str, str], namespace: str) -> dict[str, Any]:
    made = {}
    for key, value in obj.items():
        if key.startswith((_OWN_ANNOTATIONS, f"f:{_OWN_ANNOTATIONS}")):
            continue
        if key == "managedFields" and isinstance(value, list):
            claims = [claim for claim in value if claim["manager"] not in _CONTROLLERS]
            claims.sort(key=lambda c: (c["operation"], c["manager"], c.get("subresource", ""), c["apiVersion"]))
            made[key] = masked(claims, kept, namespace)
        elif key == "resourceVersion" and isinstance(value, str) and value.isdecimal() and value != "0":
            made[key] = next((f"{{{name}}}" for name, known in kept.items() if known == value), "<version>")
        elif key == "continue" and value:
            made[key] = "<continue>"
        else:
            made[masked(key, kept, namespace)] = masked(value, kept, namespace)
        if key == "annotations" and value and not made[key]:
            del made[key]  # nothing but the local cluster's own notes
    if obj.get("kind") == "Table":
        _mask_ages(made)
    if obj.get("kind") == "Status" and isinstance(made.get("details"), dict):
        _order_causes(made)
    return made


def _order_causes(status: dict[str, Any]) -> None:
    """Go walks its maps in a new order each time and says some things twice: neither means anything."""
    causes = status["details"].get("causes") or []
    said = _listed(causes)
    causes.sort(key=lambda cause: (cause.get("field", ""), cause.get("message", "")))
    causes[:] = [cause for position, cause in enumerate(causes) if cause not in causes[:position]]
    if said and status.get("message", "").endswith(said):
        status["message"] = status["message"].removesuffix(said) + _listed(causes)


def _listed(causes: list[dict[str, Any]]) -> str:
    """The causes as a message lists them."""
    texts = [f"{cause.get('field')}: {cause.get('message')}" for cause in causes]
    return f"[{', '.join(texts)}]" if len(texts) > 1 else "".join(texts)


def _mask_ages(table: dict[str, Any]) -> None:
    for row in table.get("rows") or ():
        row["cells"] = ["<age>" if isinstance(cell, str) and _AGE.fullmatch(cell) else cell for cell in row["cells"]]


def at(value: Any, path: str) -> list[Any]:
    """Every value at a dotted path; `*` is every item, a number one of them, `[a.b/c]` a key with dots."""
    found = [value]
    for word in words(path):
        found = [inner for outer in found for inner in _step(outer, word)]
    return found


def words(path: str) -> list[str]:
    return [bracketed or plain for bracketed, plain in re.findall(r"\[([^\]]*)\]|([^.\[\]]+)", path)]


def _step(value: Any, word: str) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values()) if word == "*" else [value[word]] if word in value else []
    if isinstance(value, list):
        if word == "*":
            return list(value)
        return [value[int(word)]] if word.lstrip("-").isdecimal() and int(word) < len(value) else []
    return []


def change(value: Any, path: str, word: str | None) -> None:
    """Replace what is at `path` by `word`, or take it out."""
    *around, last = words(path)
    for holder in at(value, ".".join(f"[{w}]" for w in around)) if around else [value]:
        if not isinstance(holder, (dict, list)):
            continue
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        for key in reversed(keys):
            if last != "*" and str(key) != last:
                continue
            if word is None:
                del holder[key]
            else:
                holder[key] = word
