"""Whether a live object still is what was asked for, field by field of ours; foreign fields do not count."""

from __future__ import annotations

from typing import Any

from kaos.kube import quantities

Object = dict[str, Any]
_KEYS = ("name", "containerPort", "mountPath", "port", "uid", "ip", "key")


def contains(live: Any, desired: Any, field: str = "") -> bool:
    """Whether `live` holds everything of `desired`. Lists of named things are compared by name, others whole."""
    if isinstance(desired, dict):
        if not isinstance(live, dict):
            return not desired and live is None
        if field in ("requests", "limits"):
            return all(_same_amount(live.get(key), value) for key, value in desired.items())
        return all(contains(live.get(key), value, key) for key, value in desired.items())
    if isinstance(desired, list):
        return _contains_list(live if isinstance(live, list) else [], desired, field)
    if desired in (None, "", False, 0):
        return not live or live == desired
    return live == desired


def _contains_list(live: list[Any], desired: list[Any], field: str) -> bool:
    key = _key_of(desired)
    if key is None:
        return len(live) == len(desired) and all(contains(*pair, field) for pair in zip(live, desired, strict=True))
    by_key = {item.get(key): item for item in live if isinstance(item, dict)}
    return all(item[key] in by_key and contains(by_key[item[key]], item, field) for item in desired)


def _key_of(items: list[Any]) -> str | None:
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    for key in _KEYS:
        values = [item.get(key) for item in items]
        if all(isinstance(value, str | int) for value in values) and len(set(values)) == len(values):
            return key
    return None


def _same_amount(live: Any, desired: Any) -> bool:
    try:
        return quantities.parse(live) == quantities.parse(desired)
    except ValueError:
        return live == desired
