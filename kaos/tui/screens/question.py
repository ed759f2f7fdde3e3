"""What a server asks back during a call: a form of its schema, a page to visit, or words in place of a model's."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static, TextArea

from kaos.kube import sanitize
from kaos.mcp.questions import Decision, Question, Reply
from kaos.tui.forms.schemaform import SchemaForm

LEFT_OPEN = Reply(Decision.CANCEL)


class QuestionScreen(ModalScreen[None]):
    """The reply goes into `future`, for which the call's thread waits; whatever closes the screen replies."""

    DEFAULT_CSS = """
    QuestionScreen { align: center middle;
        & #dialog { width: 84; max-width: 95%; height: auto; max-height: 95%; background: $surface; padding: 0 2;
            border: round $warning; }
        & Static { height: auto; }
        & #asked { height: auto; max-height: 10; margin-bottom: 1; }
        & #url { text-style: bold; color: $text-primary; }
        & SchemaForm { height: auto; max-height: 60%; }
        & SchemaForm > VerticalScroll { height: auto; max-height: 100%; }
        & TextArea { height: 6; }
        & #wrong { color: $text-error; display: none; }
        & Horizontal { height: 1; margin-top: 1; align-horizontal: right; }
        & Button { margin-left: 2; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+r", "reply('accept')", "accept", id="question.accept", priority=True),
        Binding("ctrl+n", "reply('decline')", "decline", id="question.decline", priority=True),
        Binding("escape", "reply('cancel')", "leave it open", id="question.cancel"),
    ]

    def __init__(self, question: Question, server: str, future: Future[Reply]) -> None:
        super().__init__()
        self._question, self._server, self._future = question, server, future

    def compose(self) -> ComposeResult:
        question = self._question
        what = "wants what a model would say" if question.wants_text else "asks"
        with Vertical(id="dialog"):
            yield Static(Content.styled(f"{sanitize.line(self._server)} {what}", "bold $text-warning"))
            with VerticalScroll(id="asked", can_focus=False):
                yield Static(Content(sanitize.text(question.message)))
            if question.wants_text:
                yield TextArea(tab_behavior="focus", compact=True)
            elif question.url is not None:
                yield Static("It is answered on this page; open it only if you trust it:")
                yield Static(Content(sanitize.line(question.url)), id="url")
            else:
                yield SchemaForm(question.schema)
            yield Static(id="wrong", markup=False)
            with Horizontal():
                yield Button("Leave open  (esc)", id="cancel", compact=True)
                yield Button("Decline  (ctrl+n)", id="decline", compact=True)
                yield Button("Accept  (ctrl+r)", id="accept", variant="primary", compact=True)

    def on_mount(self) -> None:
        if self._question.wants_text:
            self.query_one(TextArea).focus()
        elif self._question.url is None and self.query_one(SchemaForm).draft.parts:
            self.query_one(SchemaForm).focus_first()
        else:
            self.query_one("#accept").focus()

    def on_unmount(self) -> None:
        if not self._future.done():
            self._future.set_result(LEFT_OPEN)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_reply(str(event.button.id))

    def action_reply(self, decision: str) -> None:
        reply = Reply(Decision(decision))
        if reply.decision is Decision.ACCEPT:
            if wrong := self._wrong():
                told = self.query_one("#wrong", Static)
                told.display = True
                told.update(f"✖ {sanitize.line(wrong)}")
                return
            reply = Reply(Decision.ACCEPT, self._content())
        self._future.set_result(reply)
        self.dismiss()

    def _wrong(self) -> str:
        for form in self.query(SchemaForm):
            return "" if form.insist() else form.problems()[0]
        empty = self._question.wants_text and not self.query_one(TextArea).text.strip()
        return "Nothing is said yet." if empty else ""

    def _content(self) -> Any:
        if self._question.wants_text:
            return self.query_one(TextArea).text
        forms = self.query(SchemaForm)
        return forms.first().value() if forms else None
