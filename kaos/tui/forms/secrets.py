"""Secrets among the values of a form: found by schema and by name, and kept out of everything that is shown or kept."""

from __future__ import annotations

from typing import Any

from kaos.tui.forms.schema import Field, Kind, is_secret_name

Path = tuple[str | int, ...]
MASK = "••••••"


def secrets_of(made: Field | None, value: Any, path: Path = ()) -> dict[Path, Any]:
    """Where in the value secrets stand, and what they are."""
    if value in (None, "", [], {}):
        return {}
    if made is not None and made.secret:
        return {path: value}
    found: dict[Path, Any] = {}
    if isinstance(value, dict):
        for key, part in value.items():
            known = _parts(made, key)
            if not known and is_secret_name(key):
                found |= secrets_of(Field(key, Kind.TEXT, secret=True), part, (*path, key))
            for one in known or [None]:
                found |= secrets_of(one, part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            for one in _items(made) or [None]:
                found |= secrets_of(one, part, (*path, index))
    elif made is not None and made.kind is Kind.VARIANT:
        for one in made.parts:
            found |= secrets_of(one, value, path)
    return found


def concealed(value: Any, secrets: dict[Path, Any]) -> Any:
    """The value with a mask for each secret."""
    return _with(value, {path: MASK for path in secrets}, ())


def revealed(value: Any, secrets: dict[Path, Any]) -> Any:
    """The secrets again where their masks still stand."""
    return _with(value, secrets, (), where=MASK)


def _with(value: Any, put: dict[Path, Any], path: Path, where: Any = None) -> Any:
    if path in put and (where is None or value == where):
        return put[path]
    if isinstance(value, dict):
        return {key: _with(part, put, (*path, key), where) for key, part in value.items()}
    if isinstance(value, list):
        return [_with(part, put, (*path, index), where) for index, part in enumerate(value)]
    return value


def _parts(made: Field | None, key: str) -> list[Field]:
    """What the form knows of a key: one field, or one of each variant."""
    if made is None:
        return []
    if made.kind is Kind.VARIANT:
        return [part for variant in made.parts for part in _parts(variant, key)]
    return [part for part in made.parts if part.name == key]


def _items(made: Field | None) -> list[Field]:
    if made is None:
        return []
    if made.kind is Kind.VARIANT:
        return [item for variant in made.parts for item in _items(variant)]
    return [made.item] if made.item else []
