"""A request's body as it came: the model's name in it is read and replaced, every other byte stays as it is.

Reading it into objects and writing it again would change numbers, spaces and doubled keys on the way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from kaos.dataplane.model.openai import invalid

Object = dict[str, Any]
_BLANK = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class Body:
    """A JSON object with a `model`."""

    values: Object
    text: str
    models: tuple[tuple[int, int], ...]  # where the name stands; more than once if the key is doubled

    @property
    def model(self) -> str:
        return str(self.values["model"])

    def with_model(self, name: str) -> bytes:
        """The same, for another model."""
        quoted, parts, at = json.dumps(name), [], 0
        for start, end in self.models:
            parts += [self.text[at:start], quoted]
            at = end
        return "".join((*parts, self.text[at:])).encode()


def read(data: bytes) -> Body:
    """Raises Failure for what is no JSON object with a model."""
    try:
        text = data.decode()
        values, models = _members(text)
    except (ValueError, RecursionError):
        raise invalid("the body is not a JSON object") from None
    if not isinstance(values.get("model"), str) or not values["model"]:
        raise invalid("the body names no model")
    return Body(values, text, models)


def _members(text: str) -> tuple[Object, tuple[tuple[int, int], ...]]:
    """The object, and where the values of `model` stand. Raises ValueError for what is no object."""
    values: Object = {}
    models = []
    at = _past(text, 0, "{")
    if text[at : at + 1] == "}":
        at += 1
    else:
        while True:
            key, at = _decode(text, at)
            if not isinstance(key, str):
                raise ValueError("a key must be a text")
            start = _past(text, _blank(text, at), ":")
            values[key], at = _decode(text, start)
            if key == "model":
                models.append((start, at))
            at = _blank(text, at)
            if text[at : at + 1] == "}":
                at += 1
                break
            at = _past(text, at, ",")
    if _blank(text, at) != len(text):
        raise ValueError("something follows the object")
    return values, tuple(models)


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _past(text: str, at: int, sign: str) -> int:
    """Behind the sign and the blanks around it. Raises ValueError when it is not there."""
    at = _blank(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} is missing")
    return _blank(text, at + 1)
