"""The form of a JSON Schema as a widget: fields or raw JSON, one turned into the other at any time without loss."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static, TextArea

from kaos.kube import sanitize
from kaos.tui.forms.draft import MISSING, Draft, json_value, written
from kaos.tui.forms.fields import FieldView, Touched, first_entry
from kaos.tui.forms.schema import Kind, form_of
from kaos.tui.forms.secrets import Path, concealed, revealed, secrets_of

NOTHING = "Nothing to fill in."


class _Fields(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Scrolls, but leaves the arrows to those who put the form to use."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("pageup", "page_up", "page up", id="form.page-up", show=False),
        Binding("pagedown", "page_down", "page down", id="form.page-down", show=False),
    ]


class SchemaForm(Widget):
    """Asks for one value. `Changed` tells of every change; `value()` and `problems()` say what it amounts to."""

    DEFAULT_CSS = """
    SchemaForm { height: 1fr;
        & VerticalScroll { height: 1fr; }
        & > VerticalScroll > FieldView > .line { display: none; }
        & > VerticalScroll > FieldView > .about { display: none; }
        & > VerticalScroll > FieldView > .inside { padding: 0; }
        & #raw { height: 1fr; max-height: 100%; }
        & #wrong-json { color: $text-error; height: auto; display: none; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+e", "flip", "form ⇄ JSON", id="form.flip", priority=True),
    ]

    class Changed(Message):
        """Another value stands in the form."""

        def __init__(self, form: SchemaForm) -> None:
            super().__init__()
            self.form = form

    def __init__(self, schema: Any, value: Any = None) -> None:
        super().__init__()
        self.made = form_of(schema)
        self.draft = Draft.fresh(self.made) if value is None else Draft.of(self.made, value)
        self.raw: str | None = None  # the JSON text while that is edited
        self._hidden: dict[Path, Any] = {}  # secrets that stand masked in the JSON text
        self._tried = False

    # What it amounts to.

    def value(self) -> Any:
        """Raises ValueError when there is none."""
        if self.raw is not None:
            return revealed(json_value(self.raw), self._hidden)
        return self.draft.value()

    def problems(self) -> list[str]:
        """What is wrong, in words that name the field. JSON must be an object; the rest is the server's to judge."""
        if self.raw is None and self.draft.field.kind is Kind.GROUP:
            return [f"{_where(part)} {said}".strip() for part, said in self.draft.problems()]
        try:
            value = self.value()
        except ValueError as error:
            return [f"The text {error}"]
        return [] if isinstance(value, dict) else ["The arguments must be an object."]

    def secret(self) -> bool:
        """Whether what is entered holds a secret."""
        try:
            return bool(secrets_of(self.made, self.value()))
        except ValueError:
            return False

    # What is done to it.

    async def load(self, value: Any) -> None:
        """Fill it with a value."""
        self.draft = Draft.of(self.made, value)
        self.raw, self._tried = None, False
        await self.recompose()
        self.focus_first()
        self.post_message(self.Changed(self))

    def insist(self) -> bool:
        """Show all that is wrong, also what is merely missing; True when nothing is."""
        self._tried = True
        self._tell()
        wrong = self.problems()
        if wrong and self.raw is None:
            first = next(self.draft.problems(), None)
            view = next((one for one in self.query(FieldView) if first and one.draft is first[0]), None)
            if view is not None and (entry := first_entry(view)) is not None:
                entry.focus()
        return not wrong

    def focus_first(self) -> None:
        entry = self.query_one("#raw", TextArea) if self.raw is not None else first_entry(self)
        if entry is not None:
            entry.focus()

    async def action_flip(self) -> None:
        """Fields to JSON or back; JSON that is none stays."""
        try:
            if self.raw is None:
                value = self.draft.value()
                self._hidden = secrets_of(self.made, value)
                self.raw = written(concealed(value, self._hidden))
            else:
                self.draft = Draft.of(self.made, self.value())
                self.raw = None
        except ValueError as error:
            self.notify(f"First correct what {error}.", severity="warning", markup=False)
            return
        await self.recompose()
        self._tell()
        self.focus_first()
        self.post_message(self.Changed(self))

    # Composition.

    def compose(self) -> ComposeResult:
        if self.raw is not None:
            yield TextArea(self.raw, show_line_numbers=True, tab_behavior="focus", compact=True, id="raw")
            yield Static(id="wrong-json", markup=False)
            return
        with _Fields():
            if self.draft.field.kind is Kind.GROUP and not self.draft.parts and not self.draft.as_json:
                yield Static(NOTHING, markup=False)
            elif self.draft.as_json:
                yield TextArea(self.draft.text, tab_behavior="focus", compact=True, id="loose")
            else:
                yield FieldView(self.draft)

    def on_mount(self) -> None:
        self._tell()

    # What is entered.

    @on(Touched)
    async def _touched(self, event: Touched) -> None:
        event.stop()
        if event.rebuilt:
            view = next((one for one in self.query(FieldView) if one.draft is event.draft), None)
            if view is not None:
                await view.recompose()
        for view in self.query(FieldView):
            view.tell_mark()
        self._tell()
        self.post_message(self.Changed(self))

    @on(TextArea.Changed, "#raw")
    def _raw_written(self, event: TextArea.Changed) -> None:
        event.stop()
        if self.raw is not None and event.text_area.text != self.raw:
            self.raw = event.text_area.text
            self._tell()
            self.post_message(self.Changed(self))

    @on(TextArea.Changed, "#loose")
    def _loosely_written(self, event: TextArea.Changed) -> None:
        event.stop()
        if event.text_area.text != self.draft.text:
            self.draft.enter(event.text_area.text)
            self.post_message(self.Changed(self))

    def _tell(self) -> None:
        if self.raw is not None:
            wrong, place = self.problems(), self.query_one("#wrong-json", Static)
            place.display = bool(wrong)
            place.update(f"✖ {sanitize.line(wrong[0])}" if wrong else "")
            return
        told = {id(part): said for part, said in self.draft.problems() if self._tried or said != MISSING}
        for view in self.query(FieldView):
            view.tell(told.get(id(view.draft), ""))


def _where(draft: Draft) -> str:
    """The name of a field with those around it: `order.size.width`."""
    names = []
    while draft is not None and draft.parent is not None:
        above = draft.parent
        if above.field.kind is Kind.ROWS:
            names.append(f"[{above.rows.index(draft) + 1}]")
        elif draft.field.name and above.field.kind is not Kind.VARIANT:
            names.append(f".{draft.field.name}")
        draft = above
    return "".join(reversed(names)).removeprefix(".")
