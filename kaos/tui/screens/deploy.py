"""A new resource: a form made of its CRD with the YAML beside it, or that YAML; judged by the server meanwhile."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Static, TextArea

from kaos.actions import drafts, manifests
from kaos.actions.drafts import Draft
from kaos.actions.kinds import KINDS
from kaos.errors import KaosError
from kaos.kube.yaml_text import yaml_text
from kaos.tui.forms import kinds
from kaos.tui.forms.schemaform import SchemaForm
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.places import Place
from kaos.tui.screens.edit import YamlScreen

Object = dict[str, Any]
_PROGRAM = '''\
code: |
  def add(a: int, b: int) -> int:
      """Add two numbers."""
      return a + b
'''
# What each kind begins with: something that runs, to be changed.
_FIRST: dict[str, Object] = {
    "mcp": {"name": "calculator", "runtime": "rawpython", "params": _PROGRAM},
    "agent": {
        "name": "helper",
        "modelAPI": "mock",
        "model": "mock",
        "mcpServers": ["calculator"],
        "config": {"description": "What it is for", "instructions": "What it should do"},
    },
    "modelapi": {"name": "mock", "type": "mock"},
}


class DeployScreen(YamlScreen):
    """`place.kind` is what to make, `place.item` the runtime of an MCPServer, if one was chosen."""

    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (100, "-wide")]
    DEFAULT_CSS = """
    DeployScreen {
        & SchemaForm { width: 1fr; padding: 0 1; }
        & #text { width: 1fr; }
        & #text.-preview { display: none; border-left: solid $panel; }
        &.-wide #text.-preview { display: block; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+e", "flip", "form ⇄ YAML", id="deploy.flip", priority=True),
    ]

    def __init__(self, place: Place) -> None:
        self.kind = BY_COMMAND[place.kind]
        runtime = place.item
        value = _FIRST[place.kind]
        if runtime not in ("", "rawpython"):
            value = {"name": runtime, "runtime": runtime}
        super().__init__(place, yaml_text(kinds.object_of(self.kind, value)))

    def crumbs(self) -> tuple[str, ...]:
        return self._namespace, self.place.kind, "new"

    def argv(self) -> tuple[str, ...]:
        return self.place.kind, "deploy", "-f", "-", "-n", self._namespace

    @property
    def _namespace(self) -> str:
        session = self.session
        own = session.connection.namespace if session.connection else "default"
        return self.place.namespace or session.namespace or own

    def body(self) -> ComposeResult:
        with Horizontal():
            yield SchemaForm(kinds.schema(self.kind), kinds.value_of(manifests.parse(self.first, "")[0].object))
            yield TextArea(
                self.first, show_line_numbers=True, tab_behavior="indent", soft_wrap=False, read_only=True,
                classes="-preview", id="text",
            )  # fmt: skip
        yield Static(id="said")

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(SchemaForm).focus_first)
        self._check_soon()

    # The form and the text are one.

    @property
    def by_form(self) -> bool:
        return self.query_one("#text", TextArea).read_only

    @on(SchemaForm.Changed)
    def _form_changed(self, event: SchemaForm.Changed) -> None:
        try:
            value = event.form.value()
        except ValueError:
            return  # the form says it under the field
        if isinstance(value, dict) and self.by_form:
            self.query_one("#text", TextArea).text = yaml_text(kinds.object_of(self.kind, value))

    @work(exclusive=True, exit_on_error=False)
    async def action_flip(self) -> None:
        """The form to its text, or the text to a form, where it is one of this kind."""
        area, form = self.query_one("#text", TextArea), self.query_one(SchemaForm)
        if self.by_form:
            area.read_only, form.display = False, False
            area.remove_class("-preview")
            area.focus()
            return
        try:
            found = manifests.parse(area.text, "your text")
        except KaosError as error:
            self.fail(error)
            return
        if len(found) != 1 or found[0].kind != self.kind.title:
            self.notice(f"The form takes one {self.kind.title}; this text is something else.", error=True)
            return
        area.read_only = True
        area.add_class("-preview")
        form.display = True
        await form.load(kinds.value_of(found[0].object))

    # What comes of it.

    def judge(self, text: str) -> Draft:
        return drafts.new(self.session.client(), text, self._namespace)

    def take(self, draft: Draft) -> str:
        done = drafts.apply(self.session.client(), draft)
        self._made = done[-1]
        return f"{', '.join(obj['metadata']['name'] for obj in done)} deployed"

    def taken(self) -> None:
        kind = next(kind for kind in KINDS if kind.title == self._made["kind"])
        meta = self._made["metadata"]
        self.console.back()
        self.console.go(Place("detail", kind.command, meta["namespace"], meta["name"]))
