"""What has been entered into a form, field by field, as it can be turned into JSON and back without loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kaos.kube import sanitize
from kaos.tui.forms.rules import is_type, problem, same
from kaos.tui.forms.schema import ABSENT, Field, Kind

MISSING = "is needed"
LAID_OUT = 1_000_000  # characters of JSON, above which it stands on one line


class Draft:
    """The entry of one field: absent, null, or a value. Only what `given` says is part of the answer."""

    def __init__(self, made: Field, parent: Draft | None = None) -> None:
        self.field = made
        self.parent = parent
        self.given = False
        self.is_null = False
        self.is_default = False  # shows the default, but does not give it
        self.as_json = made.kind is Kind.JSON  # JSON text in place of the field's own way
        self.text = ""
        self.chosen: list[int] = []  # indexes of options; of the variant
        self.flag: bool | None = None
        self.parts: dict[str, Draft] = {}
        self.rows: list[Draft] = []

    # Making.

    @classmethod
    def fresh(cls, made: Field, parent: Draft | None = None) -> Draft:
        """Untouched: the defaults are shown, and what cannot be left out is begun."""
        draft = cls(made, parent)
        draft._begin()
        if _has_default(made):
            draft._show(made.default)
            draft.given = made.required
            draft.is_default = not made.required
        elif made.required:
            draft.given = made.kind in (Kind.GROUP, Kind.ROWS, Kind.CHOICES) or len(made.options) == 1
            draft.given = draft.given or made.kind is Kind.VARIANT
        return draft

    @classmethod
    def of(cls, made: Field, value: Any, parent: Draft | None = None) -> Draft:
        """With this value; one that the field cannot show becomes JSON text."""
        if value is ABSENT:
            draft = cls.fresh(made, parent)
            draft.given = False
            draft.is_default = _has_default(made)
            return draft
        draft = cls(made, parent)
        draft._begin()
        draft._show(value)
        draft.given = True
        return draft

    def _begin(self) -> None:
        made = self.field
        if made.kind is Kind.GROUP:
            self.parts = {part.name: Draft.fresh(part, self) for part in made.parts}
        elif made.kind is Kind.VARIANT:
            self._choose(0)
        elif made.kind is Kind.CHOICE and len(made.options) == 1:
            self.chosen = [0]

    def _show(self, value: Any) -> None:
        self.is_null = value is None and self.field.nullable
        if self.is_null:
            return
        if self.as_json or not self._shows(value):
            self.as_json, self.text = True, written(value)

    def _shows(self, value: Any) -> bool:
        """Take the value in the field's own way; False when that would lose something."""
        made = self.field
        match made.kind:
            case Kind.TEXT if isinstance(value, str) and sanitize.text(value) == value:
                self.text = value
            case Kind.INTEGER | Kind.NUMBER if is_type(value, made.kind.value):
                self.text = json.dumps(value)
            case Kind.BOOLEAN if isinstance(value, bool):
                self.flag = value
            case Kind.CHOICE if (index := self._option(value)) is not None:
                self.chosen = [index]
            case Kind.CHOICES if isinstance(value, list):
                found = [self._option(one) for one in value]
                if None in found or len(set(found)) < len(found):
                    return False
                self.chosen = found  # type: ignore[assignment]
            case Kind.ROWS if isinstance(value, list):
                self.rows = [Draft.of(made.item, one, self) for one in value]
            case Kind.GROUP if isinstance(value, dict) and value.keys() <= self.parts.keys():
                self.parts = {part.name: Draft.of(part, value.get(part.name, ABSENT), self) for part in made.parts}
            case Kind.VARIANT:
                return self._show_variant(value)
            case _:
                return False
        return True

    def _show_variant(self, value: Any) -> bool:
        """As the first variant that fits in full; else as one that can at least show it."""
        drafts = [Draft.of(part, value, self) for part in self.field.parts]
        shown = [index for index, one in enumerate(drafts) if not any(part.as_json for part in one.walk())]
        shown += [index for index, part in enumerate(self.field.parts) if part.kind is Kind.JSON]
        best = next((index for index in shown if not drafts[index].problems()), shown[0] if shown else None)
        if best is None:
            return False
        self._choose(best)
        self.parts = {"": drafts[best]}
        return True

    def _option(self, value: Any) -> int | None:
        for index, option in enumerate(self.field.options):
            if same(option, value) and written(option) == written(value):
                return index
        return None

    def _choose(self, index: int) -> None:
        self.chosen = [index]
        self.parts = {"": Draft.fresh(self.field.parts[index], self)}

    # Changing, as a person does.

    def enter(self, text: str) -> None:
        """Text typed into the field. An optional field that is emptied is left out again."""
        self.text = text
        self._touch(bool(text) or (self.field.required and self.field.kind is Kind.TEXT and not self.as_json))

    def choose(self, indexes: list[int]) -> None:
        """Options, or the variant; none: left out."""
        if self.field.kind is Kind.VARIANT and indexes:
            self._choose(indexes[0])
        else:
            self.chosen = indexes
        self._touch(bool(indexes) or (self.field.kind is Kind.CHOICES and self.field.required))

    def switch(self, flag: bool | None) -> None:
        self.flag = flag
        self._touch(flag is not None)

    def include(self, given: bool) -> None:
        """Give or leave out a group, list or variant as a whole."""
        self._touch(given)

    def nullify(self, is_null: bool) -> None:
        self._touch(is_null or self.field.kind in (Kind.GROUP, Kind.ROWS) or bool(self.text))
        self.is_null = is_null

    def add_row(self) -> Draft:
        row = Draft.fresh(self.field.item, self)
        row.given = row.given or row.field.kind is Kind.TEXT
        self.rows.append(row)
        self._touch(True)
        return row

    def remove_row(self, row: Draft) -> None:
        self.rows.remove(row)
        self._touch(bool(self.rows) or self.field.required)

    def _touch(self, given: bool) -> None:
        self.given, self.is_default, self.is_null = given, False, False
        above = self.parent
        while given and above is not None:
            above.given, above.is_default, above.is_null = True, False, False
            above = above.parent

    # Reading.

    def value(self) -> Any:
        """The JSON value, or ABSENT. Raises ValueError where text is no value of its kind."""
        if not self.given:
            return ABSENT
        if self.is_null:
            return None
        if self.as_json:
            return json_value(self.text)
        match self.field.kind:
            case Kind.TEXT:
                return self.text
            case Kind.INTEGER | Kind.NUMBER:
                return self._number()
            case Kind.BOOLEAN:
                return self.flag if self.flag is not None else ABSENT
            case Kind.CHOICE:
                return self.field.options[self.chosen[0]] if self.chosen else ABSENT
            case Kind.CHOICES:
                return [self.field.options[index] for index in self.chosen]
            case Kind.ROWS:
                return [value for row in self.rows if (value := row.value()) is not ABSENT]
            case Kind.VARIANT:
                return self.parts[""].value()
        found = {name: part.value() for name, part in self.parts.items()}
        return {name: value for name, value in found.items() if value is not ABSENT}

    def _number(self) -> int | float:
        kind = "a whole number" if self.field.kind is Kind.INTEGER else "a number"
        try:
            value = json_value(self.text)
        except ValueError:
            raise ValueError(f"must be {kind}") from None
        if not is_type(value, self.field.kind.value):
            raise ValueError(f"must be {kind}")
        return value

    def problem(self) -> str:
        """What is wrong with this entry itself; empty when nothing is."""
        if not self.given:
            return MISSING if self.field.required else ""
        try:
            value = self.value()
        except ValueError as error:
            return "" if self._is_composed() else str(error)  # what is inside tells its own
        if value is ABSENT:
            return "" if self._is_composed() else MISSING
        if value is None and self.field.nullable:
            return ""
        if self.field.kind is Kind.VARIANT:
            return "fits none of the variants" if self.as_json else self._ambiguity(value)
        return problem(self.field.schema, value) or (self._misfit(value) if self.as_json else "")

    def _misfit(self, value: Any) -> str:
        """What is wrong inside a value that stands as JSON because the field cannot show it."""
        made = self.field
        if made.kind is Kind.GROUP and isinstance(value, dict):
            names = {part.name for part in made.parts}
            unknown = next((name for name in value if name not in names), None)
            if unknown is not None and made.schema.get("additionalProperties") is False:
                return f"has no place for {unknown}"
            inside = [(f"{part.name} ", Draft.of(part, value.get(part.name, ABSENT))) for part in made.parts]
        elif made.kind is Kind.CHOICES and isinstance(value, list):
            inside = [(f"entry {number} ", Draft.of(made.item, one)) for number, one in enumerate(value, 1)]
        else:
            return ""
        return next((where + said for where, draft in inside for _, said in draft.problems()), "")

    def _ambiguity(self, value: Any) -> str:
        if "oneOf" not in self.field.schema:
            return ""
        fitting = [part for part in self.field.parts if not next(Draft.of(part, value).problems(), None)]
        return "fits more than one of the variants" if len(fitting) > 1 else ""

    def _is_composed(self) -> bool:
        return not self.as_json and self.field.kind in (Kind.GROUP, Kind.ROWS, Kind.VARIANT)

    def problems(self) -> Iterator[tuple[Draft, str]]:
        """Every entry that is wrong, from the top."""
        if said := self.problem():
            yield self, said
        if self.given and not self.is_null and not self.as_json:
            for part in (*self.parts.values(), *self.rows):
                yield from part.problems()

    def walk(self) -> Iterator[Draft]:
        yield self
        for part in (*self.parts.values(), *self.rows):
            yield from part.walk()


def _has_default(made: Field) -> bool:
    """Whether there is a default that the field can show. A secret's is not shown."""
    if made.default is ABSENT or made.secret:
        return False
    shown = Draft(made)
    shown._begin()
    shown._show(made.default)
    return shown.as_json == (made.kind is Kind.JSON)


def json_value(text: str) -> Any:
    """Raises ValueError with a message for people."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("is not JSON: it is nested too deeply") from None


def _refuse(word: str) -> None:
    raise ValueError(f"is not JSON: {word} is no value")


def written(value: Any) -> str:
    """As JSON for people to edit; what could harm a terminal stands as an escape."""
    text = json.dumps(value, ensure_ascii=False)
    # Laying it out takes ten times as long, and nobody reads so much.
    indent = 2 if isinstance(value, dict | list) and len(text) < LAID_OUT else None
    if indent:
        text = json.dumps(value, indent=indent, ensure_ascii=False)
    if sanitize.text(text) == text:
        return text
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")
