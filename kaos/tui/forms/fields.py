"""One field of a form on the screen: its label, what to enter it with, its mark, and what is wrong with it."""

from __future__ import annotations

import contextlib
import json
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Select, Static, TextArea

from kaos.kube import sanitize
from kaos.tui.forms.draft import Draft
from kaos.tui.forms.schema import ABSENT, Field, Kind

_OPTION_WIDTH = 60


class Touched(Message):
    """Something was entered; `rebuilt` when other fields are there now."""

    def __init__(self, draft: Draft, rebuilt: bool = False) -> None:
        super().__init__()
        self.draft, self.rebuilt = draft, rebuilt


class TextLine(Input):
    """A line that becomes a text area when it gets a second line."""

    BINDINGS: ClassVar[list[Any]] = [Binding("ctrl+j", "grow", "new line", id="form.new-line", show=False)]

    class Grown(Message):
        def __init__(self, line: TextLine, text: str) -> None:
            super().__init__()
            self.line, self.text = line, text

    def __init__(self, text: str, placeholder: str, grows: bool, secret: bool) -> None:
        super().__init__(text, placeholder, password=secret, compact=True)
        self._grows = grows and not secret

    def action_grow(self) -> None:
        if self._grows:
            self.post_message(self.Grown(self, self.value + "\n"))

    def _on_paste(self, event: events.Paste) -> None:
        if "\n" in event.text.strip("\n") and self._grows:
            event.stop()
            event.prevent_default()
            at = self.cursor_position
            self.post_message(self.Grown(self, self.value[:at] + event.text + self.value[at:]))
        else:
            super()._on_paste(event)


class Tick(Checkbox):
    """A box whose state can be read without colours."""

    DEFAULT_CSS = """
    Tick, Tick.-textual-compact, Tick.-textual-compact:focus { border: none; padding: 0; width: auto; }
    """

    def __init__(self, label: str, value: bool, use: str, index: int = 0) -> None:
        super().__init__(Content(label), value, compact=True, classes=use)
        self.index = index

    @property
    def _button(self) -> Content:
        return Content("[x]" if self.value else "[ ]")


class Choice(Select[Any]):
    """A select that may be taken away before it is complete, as when its screen is left at once: Textual's fails."""

    def _on_mount(self, event: events.Mount) -> None:
        event.prevent_default()  # Select's own would be called once more
        with contextlib.suppress(NoMatches):
            super()._on_mount(event)

    def _watch_value(self, value: Any) -> None:
        with contextlib.suppress(NoMatches):
            super()._watch_value(value)


class FieldView(Vertical):
    """Shows one draft and writes into it what is entered."""

    DEFAULT_CSS = """
    FieldView { height: auto;
        &:focus-within > .line > .label { text-style: bold; }
        & .line { height: auto; }
        & .label { width: 20; height: auto; padding: 0 1 0 0; }
        & .number { width: 5; }
        & .mark { width: auto; padding: 0 1; color: $text-muted; }
        & .about { color: $text-muted; padding: 0 0 0 20; height: auto; max-height: 2; }
        & .wrong { color: $text-error; padding: 0 0 0 20; height: auto; }
        & .inside { height: auto; padding: 0 0 0 2; }
        & Input, & Select { width: 1fr; }
        & TextArea { width: 1fr; height: auto; min-height: 1; max-height: 10; }
        & .options { width: 1fr; height: auto; max-height: 6; }
        & Button { min-width: 5; margin: 0 1 0 0; }
    }
    """

    def __init__(self, draft: Draft, label: str | None = None, removable: bool = False) -> None:
        super().__init__()
        self.draft = draft
        self._label = draft.field.name if label is None else label
        self._removable = removable
        self._said = ""

    # Composition.

    def compose(self) -> ComposeResult:
        draft, made = self.draft, self.draft.field
        with Horizontal(classes="line"):
            if self._label:
                yield Static(self._title(), classes="number" if self._removable else "label", markup=False)
            yield from self._head()
            if made.default is not ABSENT:
                yield Static("default" if draft.is_default else "", classes="mark", markup=False)
            if made.nullable:
                yield Tick("null", draft.is_null, "null")
            if self._removable:
                yield Button("✕", compact=True, classes="remove", tooltip="Remove this entry")
        if made.description and not (draft.parent and draft.parent.field.kind is Kind.ROWS):
            yield Static(sanitize.line(" ".join(made.description.split())), classes="about", markup=False)
        if self._said:
            yield Static(self._told(), classes="wrong", markup=False)
        if not draft.is_null and not draft.as_json:
            yield from self._inside()

    def _title(self) -> Content:
        needed = self.draft.field.required and not self._removable
        star = Content.styled(" *", "$text-warning") if needed else Content("")
        return Content(sanitize.line(self._label)) + star

    def _head(self) -> ComposeResult:
        """What stands beside the label."""
        draft, made = self.draft, self.draft.field
        if draft.is_null:
            return
        if draft.as_json:
            yield TextArea(draft.text, compact=True, soft_wrap=True, tab_behavior="focus", classes="json")
            return
        match made.kind:
            case Kind.TEXT if "\n" in draft.text:
                yield TextArea(draft.text, compact=True, soft_wrap=True, tab_behavior="focus", classes="text")
            case Kind.TEXT | Kind.INTEGER | Kind.NUMBER:
                yield TextLine(draft.text, _placeholder(made), grows=made.kind is Kind.TEXT, secret=made.secret)
            case Kind.BOOLEAN:
                chosen = Select.NULL if draft.flag is None else draft.flag
                yield self._select([("true", True), ("false", False)], chosen, "flag")
            case Kind.CHOICE if made.required and len(made.options) == 1:
                yield Static(option_text(made.options[0]), markup=False)
            case Kind.CHOICE:
                options = [(option_text(option), index) for index, option in enumerate(made.options)]
                shown = draft.chosen if draft.given or draft.is_default else []
                yield self._select(options, shown[0] if shown else Select.NULL, "choice")
            case Kind.CHOICES:
                ticks = [
                    Tick(option_text(option), index in draft.chosen, "option", index)
                    for index, option in enumerate(made.options)
                ]
                yield VerticalScroll(*ticks, can_focus=False, classes="options")
            case Kind.VARIANT:
                options = [(variant_name(part), index) for index, part in enumerate(made.parts)]
                chosen = draft.chosen[0] if draft.given or draft.is_default else Select.NULL
                yield self._select(options, chosen, "variant")
            case Kind.GROUP if not made.required:
                yield Tick("give it", draft.given, "include")
            case Kind.ROWS:
                yield Button("+ add", compact=True, classes="add")

    def _select(self, options: list[tuple[str, Any]], chosen: Any, use: str) -> Choice:
        safe = [(Content(text), value) for text, value in options]
        return Choice(safe, prompt="–", value=chosen, compact=True, classes=use)

    def _inside(self) -> ComposeResult:
        """The fields within this one."""
        draft = self.draft
        match draft.field.kind:
            case Kind.GROUP if draft.given or draft.field.required:
                yield Vertical(*(FieldView(part) for part in draft.parts.values()), classes="inside")
            case Kind.VARIANT if draft.given or draft.is_default:
                yield Vertical(FieldView(draft.parts[""], ""), classes="inside")
            case Kind.ROWS:
                rows = (FieldView(row, f"{number}.", removable=True) for number, row in enumerate(draft.rows, 1))
                yield Vertical(*rows, classes="inside")

    # What is told.

    def tell(self, said: str) -> None:
        """What is wrong, or nothing."""
        if said == self._said:
            return
        self._said = said
        if shown := next(iter(self.query_children(".wrong")), None):
            shown.display = bool(said)
            shown.update(self._told())  # type: ignore[attr-defined]
        elif said and self.children:
            above = next(iter(self.query_children(".about")), self.children[0])
            self.mount(Static(self._told(), classes="wrong", markup=False), after=above)

    def _told(self) -> Content:
        return Content(f"✖ {sanitize.line(self._said)}")

    def tell_mark(self) -> None:
        """Whether the default is what it shows."""
        if self.draft.field.default is ABSENT:
            return
        text = "default" if self.draft.is_default else ""
        for mark in self.query_children(".line").results(Horizontal):
            for one in mark.query_children(".mark").results(Static):
                if str(one.content) != text:
                    one.update(text)

    # What is entered.

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self.draft.text:
            self.draft.enter(event.value)
            self._touched()

    @on(TextArea.Changed)
    def _written(self, event: TextArea.Changed) -> None:
        event.stop()
        if event.text_area.text != self.draft.text:
            self.draft.enter(event.text_area.text)
            self._touched()

    @on(TextLine.Grown)
    async def _grown(self, event: TextLine.Grown) -> None:
        event.stop()
        self.draft.enter(event.text)
        await self._rebuild()
        area = self.query_one(TextArea)
        area.focus()
        area.move_cursor(area.document.end)

    @on(Select.Changed)
    async def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        value = None if event.value is Select.NULL else event.value
        draft = self.draft
        if event.select.has_class("flag"):
            if value != draft.flag:
                draft.switch(value)
                self._touched()
            return
        chosen = [] if value is None else [value]
        if chosen == (draft.chosen if draft.given or draft.is_default else []):
            return
        draft.choose(chosen)
        if event.select.has_class("variant"):
            await self._rebuild()
        else:
            self._touched()

    @on(Checkbox.Changed)
    async def _switched(self, event: Checkbox.Changed) -> None:
        event.stop()
        draft = self.draft
        if isinstance(event.checkbox, Tick) and event.checkbox.has_class("option"):
            chosen = [index for index in draft.chosen if index != event.checkbox.index]
            draft.choose([*chosen, event.checkbox.index] if event.value else chosen)
            self._touched()
            return
        if event.checkbox.has_class("null"):
            if event.value == draft.is_null:
                return
            draft.nullify(event.value)
        elif event.value != draft.given:
            draft.include(event.value)
        else:
            return
        await self._rebuild()

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.has_class("add"):
            row = self.draft.add_row()
            await self._rebuild()
            view = next(view for view in self.query(FieldView) if view.draft is row)
            if entry := first_entry(view):
                entry.focus()
        elif self.draft.parent is not None:
            above = self.draft.parent
            above.remove_row(self.draft)
            self.post_message(Touched(above, rebuilt=True))

    async def _rebuild(self) -> None:
        await self.recompose()
        if entry := first_entry(self):
            entry.focus()
        self.post_message(Touched(self.draft))

    def _touched(self) -> None:
        self.tell_mark()
        self.post_message(Touched(self.draft))


def first_entry(view: Widget) -> Widget | None:
    """What takes the focus of a field."""
    return next((one for one in view.query("*") if one.can_focus and not one.disabled), None)


def _placeholder(made: Field) -> str:
    if made.default is not ABSENT and not made.secret:
        return f"default {sanitize.line(json.dumps(made.default, ensure_ascii=False))}"
    words = {Kind.INTEGER: "whole number", Kind.NUMBER: "number"}.get(made.kind, "")
    limits = [str(made.schema[key]) for key in ("minimum", "maximum") if key in made.schema]
    return sanitize.line(f"{words} {'–'.join(limits)}".strip())


def option_text(value: Any) -> str:
    """A value to choose: text as it is, unless it would read as something else."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return sanitize.line(text)[:_OPTION_WIDTH]


def variant_name(made: Field) -> str:
    if made.title:
        return sanitize.line(made.title)[:_OPTION_WIDTH]
    if made.kind is Kind.GROUP:
        told = [option_text(part.options[0]) for part in made.parts if part.kind is Kind.CHOICE and part.required
                and len(part.options) == 1]  # fmt: skip
        return ", ".join(told or [sanitize.line(part.name) for part in made.parts])[:_OPTION_WIDTH] or "object"
    if made.kind is Kind.ROWS and made.item is not None:
        return f"list of {variant_name(made.item)}"
    return made.kind.value
