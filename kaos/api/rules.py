"""Rules of the models: as CEL for the API server, as Python for everybody else, with one message for both."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError, core_schema

Schema = dict[str, Any]
_KEY = "x-kubernetes-validations"


@dataclass(frozen=True)
class Rule:
    """What must hold for a value, and what a person reads when it does not. For one field: metadata of its type."""

    cel: str
    message: str
    holds: Callable[[Any], bool]

    def schema(self) -> dict[str, str]:
        return {"rule": self.cel, "message": self.message}

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        return core_schema.no_info_after_validator_function(self._kept, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], Schema]) -> Schema:
        schema = handler(core)
        return schema | {_KEY: [*schema.get(_KEY, ()), self.schema()]}

    def _kept(self, value: Any) -> Any:
        _refuse_broken([self], value)
        return value


@dataclass(frozen=True)
class Once:
    """Metadata of a list's type: no value twice, or no two entries with the same value of that field."""

    field: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        return core_schema.no_info_after_validator_function(self._kept, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], Schema]) -> Schema:
        if not self.field:
            return handler(core) | {"x-kubernetes-list-type": "set"}
        return handler(core) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.field]}

    def _kept(self, values: list[Any]) -> list[Any]:
        names = [getattr(value, self.field) if self.field else value for value in values]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"Duplicate value: {twice}")
        return values


def pattern(regex: str, message: str) -> Rule:
    """A text must match as a whole; the refusal says what is wanted instead of quoting the pattern."""
    quoted = regex.replace("\\", "\\\\").replace("'", "\\'")
    return Rule(f"self.matches('^({quoted})$')", message, lambda text: re.fullmatch(regex, text) is not None)


def _refuse_broken(rules: list[Rule] | tuple[Rule, ...], value: Any) -> None:
    if broken := [rule.message for rule in rules if not rule.holds(value)]:
        raise PydanticCustomError("rule", "{messages}", {"messages": "; ".join(broken)})


def _add_rules(schema: Schema, model: type[Model]) -> None:
    if model.RULES:
        schema[_KEY] = [rule.schema() for rule in model.RULES]


class Model(BaseModel):
    """As the API server takes it: exact types, unknown fields are errors, null is the same as absent."""

    RULES: ClassVar[tuple[Rule, ...]] = ()
    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_add_rules)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if item is not None}

    @model_validator(mode="after")
    def _by_the_rules(self) -> Model:
        _refuse_broken(self.RULES, self)
        return self
