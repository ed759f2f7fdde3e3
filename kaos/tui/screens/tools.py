"""The tools of a server, or those that an agent has: what they do, what they take, how dangerous they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.looks import MUTED, WARN, Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table

Object = dict[str, Any]
TIMEOUT_S = 30.0
# What a server may say of a tool, in words; each only where it says so.
_HINTS = (
    ("readOnlyHint", True, "read-only"), ("destructiveHint", True, "⚠ destructive"),
    ("idempotentHint", True, "idempotent"), ("openWorldHint", True, "open-world"),
)  # fmt: skip


class ToolsScreen(ConsoleScreen):
    """Asked of the server itself, when the screen opens and when the server has changed."""

    DEFAULT_CSS = "ToolsScreen #state { height: auto; padding: 0 1; color: $text-muted; }"
    filterable = True
    AUTO_FOCUS = ""  # there is nothing yet to stand on
    BINDINGS: ClassVar[list[Any]] = [
        Binding("i", "use", "use", id="list.interact", show=False),
        Binding("u", "look('resources')", "resources", id="tools.resources"),
        Binding("p", "look('prompts')", "prompts", id="tools.prompts"),
        Binding("l", "look('logs')", "logs", id="list.logs"),
        Binding("c", "copy_name", "copy name", id="list.copy", show=False),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.kind = BY_COMMAND[place.kind]
        self._tools: list[Object] = []
        self._server_state: Any = None

    def argv(self) -> tuple[str, ...]:
        return self.place.kind, "tools", self.place.name, "-n", self.place.namespace or ""

    def body(self) -> ComposeResult:
        server = () if self.place.kind == "mcp" else (Column("MCPSERVER", 2),)
        columns = (
            Column("NAME"),
            *server,
            Column("HINTS", 1),
            Column("DESCRIPTION", 2, flexible=True),
            Column("ARGUMENTS", 3),
        )
        yield Static(f"Asking {self.place.name} for its tools…", id="state", markup=False)
        yield Table(columns, empty="It has no tools.")

    def on_mount(self) -> None:
        self.query_one(Table).display = False
        self.refetch()

    def on_objects(self, changed: set[Resource]) -> None:
        """A server that has become another, or ready, is asked again."""
        if changed and self.kind.resource not in changed:
            return
        obj = self.session.objects(self.kind.resource).get((self.place.namespace or "", self.place.name)) or {}
        status = obj.get("status") or {}
        state = [status.get(key) for key in ("phase", "observedGeneration", "toolCount")]
        if obj and self._server_state not in (None, state):
            self.refetch()
        self._server_state = state if obj else self._server_state

    @work(exclusive=True, group="fetch", exit_on_error=False)
    async def refetch(self) -> None:
        state, table = self.query_one("#state", Static), self.query_one(Table)
        try:
            found = await asyncio.to_thread(self._ask)
        except KaosError as error:
            state.update(failed(error))
            return
        self._tools = found
        state.display, table.display = False, True
        table.fill(self._rows(found))
        if self.focused is None:
            table.focus()

    def _ask(self) -> list[Object]:
        if self.place.kind == "mcp":
            from kaos.actions.mcp import tools_of

            with self.session.talk(self.place, TIMEOUT_S) as talk:
                return tools_of(talk)
        from kaos.actions.chat import Endpoint

        client, name, namespace = self.session.client(), self.place.name, self.place.namespace or ""
        return Endpoint(client, self.kind, name, namespace, TIMEOUT_S).get("/tools").get("tools") or []

    def _rows(self, tools: Iterable[Object]) -> Iterable[Row]:
        for index, tool in enumerate(tools):
            hints = hints_of(tool)
            server = () if self.place.kind == "mcp" else (cell(tool.get("server")),)
            yield Row(
                index,
                (
                    cell(tool.get("name")),
                    *server,
                    Cell(" · ".join(hints), WARN if any("⚠" in hint for hint in hints) else MUTED),
                    cell(first_line(tool.get("description"))),
                    cell(_names(tool)),
                ),
            )  # fmt: skip

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    @property
    def tool(self) -> Object | None:
        """The one under the cursor."""
        key = self.query_one(Table).key
        return self._tools[key] if key is not None else None

    @on(Table.Opened)
    def action_use(self) -> None:
        if self.tool is None:
            return
        server = self.place.name if self.place.kind == "mcp" else self.tool.get("server")
        if not server:
            self.notice("This is how the agent asks another agent; talk to that one instead: :chat")
            return
        self.console.go(Place("invoke", "mcp", self.place.namespace, str(server), str(self.tool["name"])))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "look" and parameters[0] in ("resources", "prompts") and self.place.kind != "mcp":
            return False
        return super().check_action(action, parameters)

    def action_look(self, view: str) -> None:
        self.console.go(Place(view, self.place.kind, self.place.namespace, self.place.name))

    def action_copy_name(self) -> None:
        if self.tool is not None:
            self.copy(str(self.tool["name"]))


def _names(tool: Object) -> str:
    """What it takes in short; a question mark for what may be left out."""
    schema = tool.get("inputSchema")
    schema = schema if isinstance(schema, dict) else {}
    properties, required = schema.get("properties"), schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list) else set()
    names = list(properties) if isinstance(properties, dict) else []
    return ", ".join(f"{name}{'' if name in needed else '?'}" for name in names) or "nothing"


def failed(error: KaosError) -> Content:
    """In place of what was asked for: why it is not there, and what to do."""
    return Content.assemble(
        (f"✖ {sanitize.text(error.cause)}", "$text-error"),
        f"\n{sanitize.text(error.cure)}\n",
        "r asks again, esc goes back",
    )


def hints_of(tool: Object) -> list[str]:
    """What the server says of the tool's effects. It may not be true."""
    said = tool.get("annotations")
    return [word for hint, value, word in _HINTS if isinstance(said, dict) and said.get(hint) is value]


def first_line(text: Any) -> str:
    return next((line.strip() for line in str(text or "").splitlines() if line.strip()), "")
