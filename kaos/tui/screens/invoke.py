"""Calling one tool: a form made of its schema, the call with progress and cancel, the answer, and earlier calls."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from kaos.actions import arguments, mcp
from kaos.actions.conversation import Cancellation, Cancelled
from kaos.errors import KaosError, NotFound
from kaos.kube import sanitize
from kaos.kube.names import nearest
from kaos.mcp.questions import Question, Reply
from kaos.tui.calls import Call, Calls
from kaos.tui.forms.schemaform import SchemaForm
from kaos.tui.places import Place
from kaos.tui.presets import Presets
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.tools import TIMEOUT_S, failed, first_line, hints_of
from kaos.tui.widgets.result import ResultView, elapsed

Object = dict[str, Any]
CALL_TIMEOUT_S = 3600.0  # a person watches it, and can cancel
_BAR = 20
_KEEP, _FORGET = "\0keep", "\0forget "  # no names: nobody can type them


@dataclass
class _Running:
    """A call under way. Its thread writes, the screen reads."""

    cancellation: Cancellation = field(default_factory=Cancellation)
    started: float = field(default_factory=time.monotonic)
    done: float | None = None
    total: float | None = None
    message: str = ""

    def on_progress(self, done: float, total: float | None, message: str) -> None:
        self.done, self.total, self.message = done, total, message or self.message

    def on_log(self, level: str, text: str) -> None:
        self.message = text if level == "info" else f"{level}: {text}"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class InvokeScreen(ConsoleScreen):
    """`place.item` is the tool."""

    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (100, "-wide")]
    DEFAULT_CSS = """
    InvokeScreen {
        & #about { height: auto; max-height: 3; padding: 0 1; color: $text-muted; }
        & #both { height: 1fr; }
        &.-wide #both { layout: horizontal; }
        & SchemaForm { width: 1fr; padding: 0 1; }
        & ResultView { display: none; width: 1fr; border-top: solid $panel; }
        &.-wide ResultView { border-top: none; border-left: solid $panel; }
        & #progress { height: 1; padding: 0 1; }
    }
    """
    AUTO_FOCUS = ""  # there is nothing yet to stand on
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+r", "run", "call", id="invoke.run", priority=True),
        Binding("ctrl+e", "flip", "form ⇄ JSON", id="form.flip", priority=True),
        Binding("ctrl+s", "save", "save", id="invoke.save"),
        Binding("ctrl+o", "presets", "presets", id="invoke.presets", priority=True),
        Binding("up", "recall(1)", "earlier call", id="invoke.earlier", key_display="↑"),
        Binding("down", "recall(-1)", "later call", id="invoke.later", show=False),
        Binding("escape", "leave", "cancel, back", id="screen.back", show=False),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.tool: Object = {}
        self._under_way: _Running | None = None
        self._calls: list[Call] = []
        self._recalled = -1  # which of the calls stands in the form; -1: none
        self._unsent: Any = None  # what stood there before

    # Where this is.

    def crumbs(self) -> tuple[str, ...]:
        return self.place.namespace or "", "mcp", self.place.name, "tools", sanitize.line(self.place.item)

    def argv(self) -> tuple[str, ...]:
        """With the arguments as they stand in the form; never with a secret."""
        tool, where = self.place.item, self.where()
        named = ("--tool", tool) if "=" in tool or tool.startswith("-") else (tool,)
        words: list[str] = []
        if self.form is not None and not self.form.problems():
            if self.form.secret():
                return "mcp", "invoke", *self.server(), *named, "--args-file", "-", *where
            words = _words(self.form.value(), self.tool.get("inputSchema") or {})
        return "mcp", "invoke", *self.server(), *named, *words, *where

    def server(self) -> tuple[str, ...]:
        """Words of the command that name the server, before the tool."""
        return (self.place.name,)

    def where(self) -> tuple[str, ...]:
        """Those after everything else."""
        return "-n", self.place.namespace or ""

    @property
    def form(self) -> SchemaForm | None:
        found = self.query(SchemaForm) if self.is_mounted else ()
        return found.first() if found else None

    @property
    def result(self) -> ResultView:
        return self.query_one(ResultView)

    def body(self) -> ComposeResult:
        yield Static(f"Asking {self.place.name} for its tools…", id="about", markup=False)
        with Container(id="both"):
            yield ResultView()
        yield Static(id="progress", markup=False)

    # The tool.

    def on_mount(self) -> None:
        self.refetch()
        self.set_interval(0.1, self._tick)

    @work(exclusive=True, group="fetch", exit_on_error=False)
    async def refetch(self) -> None:
        if self.form is not None:
            return
        try:
            found = await asyncio.to_thread(self._ask)
        except KaosError as error:
            self.query_one("#about", Static).update(failed(error))
            return
        self.tool = found
        self._calls = await asyncio.to_thread(self._history.all)
        self.query_one("#about", Static).update(self._about())
        form = SchemaForm(found.get("inputSchema"))
        await self.query_one("#both").mount(form, before=0)
        form.focus_first()
        self._tell_idle()
        self.refresh_chrome()

    def _ask(self) -> Object:
        with self.session.talk(self.place, TIMEOUT_S) as talk:
            tools = mcp.tools_of(talk)
        named = {str(tool["name"]): tool for tool in tools}
        if self.place.item not in named:
            like = nearest(self.place.item, list(named))
            hint = f"Did you mean {like}?" if like else f"It has: {', '.join(list(named)[:20]) or 'none'}"
            raise NotFound(f"MCPServer {self.place.name} has no tool {self.place.item}.", hint)
        return named[self.place.item]

    def _about(self) -> Content:
        hints = hints_of(self.tool)
        told = first_line(self.tool.get("description")) or "It says nothing of itself."
        tone = "$text-warning" if any("⚠" in hint for hint in hints) else "$text-primary"
        badges = Content.styled(f"   {' · '.join(hints)}", tone) if hints else Content("")
        return Content(sanitize.line(told)) + badges

    @property
    def _history(self) -> Calls:
        place = self.place
        return Calls(self.session.context, place.namespace or "", place.name, place.item)

    # The form.

    @on(SchemaForm.Changed)
    def _changed(self) -> None:
        self.refresh_chrome()

    async def action_flip(self) -> None:
        if self.form is not None:
            await self.form.action_flip()

    async def action_recall(self, by: int) -> None:
        """An earlier call's arguments, or what stood there before the first of them."""
        form = self.form
        kept = [call for call in self._calls if call.arguments is not None]
        at = min(max(self._recalled + by, -1), len(kept) - 1)
        if form is None or at == self._recalled:
            return
        if self._recalled == -1:
            try:
                self._unsent = form.value()
            except ValueError:
                self._unsent = None
        self._recalled = at
        if at >= 0:
            await form.load(kept[at].arguments)
            self._say(f"↑ call {at + 1} of {len(kept)}: {kept[at].outcome}, {elapsed(kept[at].seconds)}", "$text-muted")
        else:
            await form.load(self._unsent or {})
            self._tell_idle()

    @work(exclusive=True, group="presets", exit_on_error=False)
    async def action_presets(self) -> None:
        """Fill the form with what was kept under a name; keep what stands in it; forget."""
        from kaos.tui.screens.pick import PickScreen

        form, presets = self.form, self._presets
        if form is None:
            return
        kept = presets.all()
        options = [(name, f"{name}   {json.dumps(arguments)}") for name, arguments in kept.items()]
        options.append((_KEEP, "+ keep what stands in the form"))
        options += [(f"{_FORGET}{name}", f"✖ forget {name}") for name in kept]
        picked = await self.app.push_screen_wait(PickScreen(f"Presets of {self.place.item}", options))
        if picked == _KEEP:
            await self._keep(form)
        elif picked in kept:
            await form.load(kept[picked])
        elif picked is not None:
            presets.forget(picked.removeprefix(_FORGET))
            self.notice(f"Forgotten: {picked.removeprefix(_FORGET)}")

    async def _keep(self, form: SchemaForm) -> None:
        from kaos.tui.screens.confirm import AskScreen

        if form.problems() or form.secret():
            why = "it holds a secret, which is never kept" if form.secret() else form.problems()[0]
            self.notice(f"Not kept: {why}.", error=True)
            return
        name = await self.app.push_screen_wait(AskScreen("Keep these arguments under which name?"))
        if name and name.strip():
            self._presets.keep(name.strip(), form.value())
            self.notice(f"Kept: {name.strip()}")

    @property
    def _presets(self) -> Presets:
        place = self.place
        return Presets(self.session.context, place.namespace or "", place.name, place.item)

    # The call.

    async def action_run(self) -> None:
        form = self.form
        if form is None or self._under_way is not None:
            return
        if not form.insist():
            self._say(f"✖ {form.problems()[0]}", "$text-error")
            return
        self._call(form.value(), form.secret())

    @work(group="call", exit_on_error=False)
    async def _call(self, given: Object, secret: bool) -> None:
        said = self.tool.get("annotations") or {}
        if self.session.read_only and said.get("readOnlyHint") is not True:
            self._say("✖ The console is read-only (--read-only), and the tool is not said to be.", "$text-error")
            return
        if said.get("destructiveHint") is True and said.get("readOnlyHint") is not True:
            where = f"{self.place.namespace}/{self.place.name}"
            if not await self.confirm(f"{self.place.item} of {where} may destroy something.", verb="call it"):
                return
        running = self._under_way = _Running()
        self._loop = asyncio.get_running_loop()
        try:
            answer, failure = await asyncio.to_thread(self._invoke, running, given), None
        except KaosError as error:
            answer, failure = None, error
        finally:
            seconds, self._under_way = running.seconds, None
        outcome = "cancelled" if isinstance(failure, Cancelled) else "error" if failure or answer.is_error else "ok"
        await asyncio.to_thread(self._history.add, None if secret else given, outcome, seconds)
        self._calls = await asyncio.to_thread(self._history.all)
        self._recalled = -1
        if not self.is_mounted:
            return
        self.result.styles.display = "block"
        if failure is None:
            await self.result.show(answer, seconds)
            self.result.focus_content()
        else:
            await self.result.tell(failure.cause, failure.cure, seconds)
        self._tell_idle()

    def _invoke(self, running: _Running, given: Object) -> mcp.Answer:
        asking = {"cancellation": running.cancellation, "on_log": running.on_log, "on_ask": self._asked_back}
        with self.session.talk(self.place, CALL_TIMEOUT_S, **asking) as talk:
            return mcp.call(talk, self.place.item, given, running.on_progress)

    def _asked_back(self, question: Question) -> Reply:
        """From the call's thread: put what the server asks back, and wait for what is said to it."""
        reply: Future[Reply] = Future()
        self._loop.call_soon_threadsafe(self._put, question, reply)
        return reply.result()

    def _put(self, question: Question, reply: Future[Reply]) -> None:
        from kaos.tui.screens.question import LEFT_OPEN, QuestionScreen

        if self.is_mounted and self._under_way is not None:
            self.app.push_screen(QuestionScreen(question, f"{self.place.namespace}/{self.place.name}", reply))
        else:
            reply.set_result(LEFT_OPEN)

    def action_leave(self) -> None:
        """Esc cancels the call that runs; leads from the answer to the form; then back."""
        if self._under_way is not None:
            self._cancel()
        elif self.result.has_focus_within and self.form is not None and self.form.draft.parts:
            self.form.focus_first()
        else:
            super().action_leave()

    def on_unmount(self) -> None:
        self._cancel()

    def _cancel(self) -> None:
        # The server is told over the network, which may take its time.
        if self._under_way is not None:
            threading.Thread(target=self._under_way.cancellation.ask, daemon=True).start()

    # How it goes.

    def _tick(self) -> None:
        running = self._under_way
        if running is None:
            return
        parts = [f"⟳ {elapsed(running.seconds)}"]
        if running.done is not None and running.total:
            share = min(max(running.done / running.total, 0.0), 1.0)
            full = round(share * _BAR)
            parts.append(f"{'█' * full}{'░' * (_BAR - full)} {share:.0%}")
        elif running.done is not None:
            parts.append(f"{running.done:g}")
        if running.message:
            parts.append(sanitize.line(running.message))
        asked = "cancelling…" if running.cancellation.asked else "esc cancels"
        self._say("  ".join([*parts, f"({asked})"]), "$text-primary")

    def _tell_idle(self) -> None:
        kept = sum(call.arguments is not None for call in self._calls)
        self._say(f"ctrl+r calls it{f', ↑ recalls {kept} earlier' if kept else ''}", "$text-muted")

    def _say(self, text: str, tone: str) -> None:
        self.query_one("#progress", Static).update(Content.styled(text, tone))

    async def action_save(self) -> None:
        if self.result.answer is None:
            self.notice("There is no answer to save yet.")
            return
        try:
            paths = await asyncio.to_thread(self.result.save, f"{self.place.name}-{self.place.item}", Path.cwd())
        except OSError as error:
            self.notice(f"It cannot be saved here: {error.strerror}.", error=True)
        else:
            self.notice(f"Saved: {', '.join(str(path) for path in paths)}")


def _words(given: Object, schema: Object) -> list[str]:
    try:
        return arguments.words(given, schema)
    except ValueError:
        return ["--args", json.dumps(given)]
