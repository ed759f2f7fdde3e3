"""Talking to an agent, or to a model alone: the answer as it comes, what it did on the way, and what it remembers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Label, Static

from kaos.errors import KaosError, NotFound
from kaos.kube.resources import Resource
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.state import directory
from kaos.tui.talks import Talk, talk_with, talks_of
from kaos.tui.widgets.blocks import Call, duration
from kaos.tui.widgets.chat_side import ChatSide, TalkTabs, welcome
from kaos.tui.widgets.composer import Composer, Sent
from kaos.tui.widgets.prompt import Prompt
from kaos.tui.widgets.transcript import Transcript

SIDE_FROM = 120  # columns
SHOWN_PER_S = 20
TOOLS_TIMEOUT_S = 15.0
JUST_ENDED_S = 0.4
TITLED = 20  # sessions in the list that show what was asked last
SENT_FILE = "messages.jsonl"


class ChatScreen(ConsoleScreen):
    """A conversation. It goes on while one looks elsewhere."""

    DEFAULT_CSS = """
    ChatScreen {
        & #talk { width: 1fr; }
        & #empty { height: 1fr; padding: 1 2; color: $text-muted; }
        & #line { height: auto; max-height: 9; border-top: solid $panel; padding: 0 1; }
        & #line:focus-within { border-top: solid $primary; }
        & #line Label { width: 2; color: $text-accent; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("escape", "leave", "stop/back", id="chat.stop"),
        Binding("ctrl+r", "again", "retry", id="chat.retry"),
        Binding("alt+up", "block(-1)", "blocks", key_display="alt+↑", id="chat.block-up"),
        Binding("ctrl+up", "block(-1)", "blocks", id="chat.block-up-ctrl", show=False),
        Binding("alt+down,ctrl+down", "block(1)", "next block", id="chat.block-down", show=False),
        Binding("ctrl+o", "sessions", "sessions", id="chat.sessions"),
        Binding("ctrl+n", "new", "new", id="chat.new"),
        Binding("ctrl+l", "memory", "memory", id="chat.memory"),
        Binding("ctrl+t", "side", "tools", id="chat.side"),
        Binding("ctrl+g", "next_talk", "next chat", id="chat.next"),
        Binding("ctrl+y", "copy_command", "copy command", id="chat.copy-command", show=False, priority=True),
        Binding("tab", "write", "write", id="chat.write", show=False),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._side: bool | None = None  # None: as the width has it
        self._asked_for = ""  # the session of the place, until it is there
        self._loading = False
        self._tools_of = ""  # the version of the agent whose tools are known
        self._ended_at = 0.0

    # What it is.

    @property
    def talk(self) -> Talk:
        namespace = self.place.namespace or self.session.namespace or "default"
        return talk_with(self.session, (self.place.kind, namespace, self.place.name))

    @property
    def _object(self) -> dict[str, Any] | None:
        kind = BY_COMMAND[self.place.kind]
        return self.session.objects(kind.resource).get((self.talk.namespace, self.place.name))

    @property
    def _is_seen(self) -> bool:
        return self.app.screen is self

    def crumbs(self) -> tuple[str, ...]:
        talk = self.talk
        said = () if talk.is_new or not talk.is_agent else (talk.session_id,)
        return talk.namespace, talk.kind, talk.name, "chat", *said

    def argv(self) -> tuple[str, ...]:
        talk = self.talk
        if talk.is_agent:
            without = ("--no-tools",) if self.session.read_only else ()
            return "agent", "chat", talk.name, "-n", talk.namespace, "--session", talk.session_id, *without
        chosen = ("--model", talk.model) if talk.model else ()
        said = " ".join(talk.last_question.split()) or "Hello"
        return "modelapi", "invoke", talk.name, "-n", talk.namespace, *chosen, "-m", said

    def body(self) -> ComposeResult:
        yield TalkTabs()
        with Horizontal():
            with Vertical(id="talk"):
                yield Static(id="empty")
                yield Transcript()
                with Horizontal(id="line"):
                    yield Label("> ")
                    yield Composer(Sent(Path(directory()) / SENT_FILE), placeholder="Say something")
            yield ChatSide()

    def on_mount(self) -> None:
        self._ticker = self.set_interval(1 / SHOWN_PER_S, self._tick, pause=True)
        self.visit(self.place)
        self._adopt()

    def visit(self, place: Place) -> None:
        super().visit(place)
        self._asked_for = place.item
        if self.is_mounted:
            self._load_what_is_missing()

    def on_screen_resume(self) -> None:
        self._ended_at = 0.0
        self._adopt()

    def _adopt(self) -> None:
        """Show the conversation as it stands now."""
        talk = self.talk
        self.query_one(Transcript).show(talk.blocks)
        composer = self.query_one(Composer)
        if talk.draft and not composer.text:
            composer.write(talk.draft)
        self.set_focus(composer)
        self._show_state()
        if talk.busy:
            self._ticker.resume()

    def on_screen_suspend(self) -> None:
        self.talk.draft = self.query_one(Composer).text

    def on_objects(self, changed: set[Resource]) -> None:
        self._load_what_is_missing()
        self.query_one(ChatSide).tell(self.talk, self._object)

    def refetch(self) -> None:
        self._tools_of = ""
        self._load_what_is_missing()

    def on_resize(self) -> None:
        self._show_side()

    # What is asked for once.

    def _load_what_is_missing(self) -> None:
        """Once for each state that the agent is told to be in, for a failure would come again and again."""
        if self._loading or not self.session.connected or not self.talk.is_agent:
            return
        agent = self._object or {}
        ready = (agent.get("status") or {}).get("ready")
        version = agent["metadata"]["resourceVersion"] if ready else self._tools_of
        if version != self._tools_of or self._asked_for:
            self._loading = True
            self.run_worker(self._load(version), exit_on_error=False)

    async def _load(self, version: str) -> None:
        from kaos.actions.memory import belongings

        talk, client = self.talk, self.session.client()
        try:
            if version != self._tools_of:
                self._tools_of = version
                talk.belongings = await self.do(lambda: belongings(talk.endpoint(client, TOOLS_TIMEOUT_S)))
            wanted, self._asked_for = self._asked_for, ""
            if wanted and wanted != talk.session_id:
                await self._resume(wanted)
        finally:
            self._loading = False
        self.query_one(ChatSide).tell(talk, self._object)

    async def _resume(self, session_id: str) -> None:
        from kaos.actions.trace import trace

        talk = self.talk
        if talk.busy:
            self.notice("It is still answering: esc stops it.")
            return
        try:
            turns = await asyncio.to_thread(trace, self.session.client(), talk.name, talk.namespace, session_id)
        except NotFound:
            turns = []  # a session of this name begins now
        except KaosError as error:
            self.fail(error)
            return
        talk.remember(session_id, turns)
        self.query_one(Transcript).show(talk.blocks)
        self._show_state()

    # The answer as it comes.

    def _tick(self) -> None:
        talk = self.talk
        talk.drain()
        if self._is_seen:
            self.query_one(Transcript).sync()
            self._show_tabs()
        if not talk.busy:
            self._ticker.pause()
            self._ended(talk)

    def _ended(self, talk: Talk) -> None:
        self._ended_at = time.monotonic()
        composer = self.query_one(Composer)
        if talk.failed and not composer.text:
            composer.write(talk.last_question)
        if not self._is_seen:
            self.notice(f"{talk.name} {'has failed to answer' if talk.failed else 'has answered'}.", talk.failed)
        self._show_state()
        if not talk.failed and any(isinstance(one, Call) and one.delegation for one in talk.last_blocks):
            self.run_worker(self._delegations(talk), exit_on_error=False)

    async def _delegations(self, talk: Talk) -> None:
        """What other agents did for it is in their memory."""
        from kaos.actions.trace import trace

        turns = await self.do(trace, self.session.client(), talk.name, talk.namespace, talk.session_id)
        if turns and not talk.busy and talk.delegated(turns) and self._is_seen:
            self.query_one(Transcript).sync()

    def _say(self, text: str) -> None:
        talk = self.talk
        talk.say(text, self.session.client, tools=not self.session.read_only)
        transcript = self.query_one(Transcript)
        transcript.leave()
        transcript.sync()
        self._show_state()
        self._ticker.resume()

    @on(Composer.Submitted)
    def _submitted(self, event: Composer.Submitted) -> None:
        composer, words = self.query_one(Composer), event.text.split()
        verb = self._verbs.get(words[0])
        if verb is not None:
            composer.taken(event.text)
            verb(*words[1:2])
            return
        if self.talk.busy:
            self.notice("It is still answering: esc stops it.")
            return
        composer.taken(event.text)
        self._say(event.text)

    @property
    def _verbs(self) -> dict[str, Callable[..., Any]]:
        """What is typed with a slash, as in `kaos agent chat`."""
        return {
            "/new": self.action_new,
            "/sessions": self.action_sessions,
            "/memory": self.action_memory,
            "/tools": self._show_tools,
            "/retry": self.action_again,
            "/model": self._use_model,
            "/help": self.action_help,
            "/quit": self.console.back,
        }

    def _show_tools(self) -> None:
        self._side = True
        self._show_side()
        self.refetch()

    def _use_model(self, name: str | None = None) -> None:
        self.talk.model = name
        self._show_state()

    # How it looks.

    def _show_state(self) -> None:
        talk = self.talk
        self.query_one("#empty").display = talk.is_new
        self.query_one(Transcript).display = not talk.is_new
        if talk.is_new:
            self.query_one("#empty", Static).update(welcome(talk, self.session.read_only))
        self.query_one(ChatSide).tell(talk, self._object)
        self._show_tabs()
        self._show_side()
        self.refresh_chrome()

    def _show_tabs(self) -> None:
        self.query_one(TalkTabs).tell(talks_of(self.session).values(), self.talk)

    def _show_side(self) -> None:
        self.query_one(ChatSide).display = self.size.width >= SIDE_FROM if self._side is None else self._side

    # Keys.

    def action_leave(self) -> None:
        """Esc: stops an answer; else back to writing; else back."""
        if self.talk.busy:
            self.talk.stop()
        elif time.monotonic() - self._ended_at < JUST_ENDED_S:
            pass  # it was meant to stop what has ended in this moment
        elif isinstance(self.focused, Transcript):
            self.action_write()
        else:
            super().action_leave()

    def action_again(self) -> None:
        talk = self.talk
        if talk.busy or not talk.last_question:
            self.notice("It is still answering: esc stops it." if talk.busy else "Nothing was said yet.")
            return
        composer = self.query_one(Composer)
        question = talk.again()
        if composer.text == question:
            composer.write("")
        self._say(question)

    def action_block(self, by: int) -> None:
        transcript = self.query_one(Transcript)
        transcript.action_move(by)
        if transcript.cursor is not None:
            self.set_focus(transcript)  # at once, unlike `focus()`: the next key is meant for it already

    @on(Transcript.Left)
    def action_write(self) -> None:
        self.query_one(Transcript).leave()
        self.set_focus(self.query_one(Composer))

    def action_page(self, by: int) -> None:
        transcript = self.query_one(Transcript)
        transcript.scroll_relative(y=by * max(1, transcript.size.height - 2), animate=False)

    def action_side(self) -> None:
        self._side = not self.query_one(ChatSide).display
        self._show_side()

    def action_new(self) -> None:
        self.talk.begin()
        self.query_one(Transcript).show(self.talk.blocks)
        self._show_state()

    def action_memory(self) -> None:
        if self.talk.is_agent:
            talk = self.talk
            self.console.go(Place("memory", "agent", talk.namespace, talk.name, talk.session_id))
        else:
            self.notice("A model remembers nothing; what is seen here is all there is.")

    def action_next_talk(self) -> None:
        talks = list(talks_of(self.session).values())
        if len(talks) > 1:
            self._go_to(talks[(talks.index(self.talk) + 1) % len(talks)])
        else:
            self.notice("There is no other chat yet: `:chat NAME` begins one.")

    def _go_to(self, talk: Talk) -> None:
        if talk is not self.talk:
            self.console.go(Place("chat", talk.kind, talk.namespace, talk.name), fresh=True)

    def action_sessions(self) -> None:
        if self.talk.is_agent:
            self.run_worker(self._choose_session(), exit_on_error=False)
        else:
            self.notice("A model has no sessions.")

    async def _choose_session(self) -> None:
        from kaos.actions.memory import recent
        from kaos.tui.screens.pick import PickScreen

        talk, client = self.talk, self.session.client()
        found = await self.do(lambda: recent(talk.endpoint(client, TOOLS_TIMEOUT_S), TITLED))
        if found is None:
            return
        now = time.time()
        options = [
            (one.id, f"{one.id}{' (this one)' if one.id == talk.session_id else ''}   "
                     f"{duration(max(0, now - one.updated))} ago   {question or f'{one.events} events'}")
            for one, question in found
        ]  # fmt: skip
        if not options:
            self.notice(f"{talk.name} remembers no sessions yet.")
            return
        picked = await self.app.push_screen_wait(PickScreen(f"Sessions of {talk.name}", options))
        if picked and picked != talk.session_id:
            await self._resume(picked)

    # What the widgets tell.

    @on(TalkTabs.Chosen)
    def _tab(self, event: TalkTabs.Chosen) -> None:
        self._go_to(event.talk)

    @on(Transcript.Copied)
    def _copied(self, event: Transcript.Copied) -> None:
        self.copy(event.text)

    @on(Transcript.Edited)
    def _edited(self, event: Transcript.Edited) -> None:
        text = self.talk.edit(event.block)
        self.query_one(Transcript).sync()
        self.query_one(Composer).write(text)
        self.action_write()
        self._show_state()

    @on(Transcript.Asked)
    def _asked(self, event: Transcript.Asked) -> None:
        """The logs of whoever was called, else of the agent; the trace of the conversation."""
        talk, block = self.talk, event.block
        kind, name = talk.kind, talk.name
        if event.view == "logs" and isinstance(block, Call) and block.owner:
            kind, name = ("agent" if block.delegation else "mcp"), block.owner
        if event.view == "trace" and not talk.is_agent:
            self.notice("Only agents leave a trace.")
            return
        item = talk.session_id if event.view == "trace" else ""
        self.console.go(Place(event.view, kind, talk.namespace, name, item))

    @on(Composer.Left)
    def _left_composer(self, event: Composer.Left) -> None:
        match event.key:
            case "colon":
                self.action_command()
            case "question_mark":
                self.action_help()
            case "pageup" | "pagedown":
                self.action_page(-1 if event.key == "pageup" else 1)
            case _:
                self.action_block(-1)

    def _close_prompt(self) -> None:
        self.query_one(Prompt).close()
        self.set_focus(self.query_one(Composer))
