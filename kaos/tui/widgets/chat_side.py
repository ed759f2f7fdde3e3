"""Around a conversation: the other conversations, what the agent is and has, and how to begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from kaos.kube import sanitize
from kaos.tui import looks
from kaos.tui.talks import Talk

Object = dict[str, Any]
AGENT_COMMANDS = "/new  /sessions  /memory  /tools  /retry  /help"
MODEL_COMMANDS = "/new  /model NAME  /tools  /retry  /help"


class TalkTabs(Widget):
    """One word for each conversation; shown when there are several."""

    DEFAULT_CSS = "TalkTabs { height: 1; padding: 0 1; display: none; }"

    class Chosen(Message):
        """A click on one."""

        def __init__(self, talk: Talk) -> None:
            super().__init__()
            self.talk = talk

    def __init__(self) -> None:
        super().__init__()
        self._talks: tuple[Talk, ...] = ()
        self._here: Talk | None = None
        self._states: tuple[bool, ...] = ()

    def tell(self, talks: Iterable[Talk], here: Talk) -> None:
        talks = tuple(talks)
        states = tuple(talk.busy for talk in talks)
        if (talks, here, states) != (self._talks, self._here, self._states):
            self._talks, self._here, self._states = talks, here, states
            self.display = len(talks) > 1
            self.refresh()

    def _labels(self) -> Iterable[tuple[Talk, str]]:
        for talk in self._talks:
            yield (
                talk,
                f"{'▸ ' if talk is self._here else ''}{sanitize.line(talk.name)}{' ⟳ busy' if talk.busy else ''}",
            )

    def render(self) -> Content:
        parts: list[Content] = []
        for talk, label in self._labels():
            parts += [Content.styled(label, "bold" if talk is self._here else "$text-muted"), Content("   ")]
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        at = 1
        for talk, label in self._labels():
            if at <= event.x < at + cell_len(label):
                self.post_message(self.Chosen(talk))
            at += cell_len(label) + 3


class ChatSide(VerticalScroll, can_focus=False):
    """Model, instructions, tools, and who is away."""

    DEFAULT_CSS = """
    ChatSide { width: 38; padding: 0 1; background: $boost; display: none; }
    ChatSide Static { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: tuple[Any, ...] = ()

    def compose(self) -> Any:
        yield Static()

    def tell(self, talk: Talk, obj: Object | None) -> None:
        now = (talk, talk.belongings, talk.model, obj and obj["metadata"].get("resourceVersion"))
        if now == self._told:
            return
        self._told = now
        parts: list[Content] = []

        def part(title: str, *lines: Content | str) -> None:
            parts.append(Content.styled(("\n" if parts else "") + title + "\n", "bold"))
            for line in lines:
                parts.append(Content.assemble(line if isinstance(line, Content) else Content(line), "\n"))

        if obj is not None:
            part("state", Content.styled(*_state(obj)))
        _agent_of(talk, obj, part) if talk.is_agent else _model_of(talk, obj, part)
        self.query_one(Static).update(Content.assemble(*parts))


def _agent_of(talk: Talk, obj: Object | None, part: Any) -> None:
    """What an agent is and has."""
    spec = (obj or {}).get("spec") or {}
    if spec:
        part("model", sanitize.line(f"{spec.get('model', '?')} by {spec.get('modelAPI', '?')}"))
    has = talk.belongings
    if has is None:
        part("tools", Content.styled("not known yet", "$text-muted"))
    else:
        lines = [
            Content.assemble(
                sanitize.line(one.full_name),
                Content.styled(f"\n  {sanitize.line(one.description.strip().split(chr(10))[0])}", "$text-muted"),
            )
            for one in has.tools
        ]
        part(f"tools ({len(has.tools)})", *(lines or ["none"]))
        if has.peers:
            part("may ask", *(sanitize.line(f"↳ {name}") for name in has.peers))
        if has.away:
            part("away", *(
                Content.styled(sanitize.line(f"✖ {kind} {name}: {why}"), "$text-error") for kind, name, why in has.away
            ))  # fmt: skip
    config = spec.get("config") or {}
    if told := config.get("instructions") or config.get("description"):
        part("instructions", sanitize.text(str(told)))


def _model_of(talk: Talk, obj: Object | None, part: Any) -> None:
    served = ((obj or {}).get("status") or {}).get("models") or []
    here = talk.model or (served[0] if len(served) == 1 else "")
    part(f"models ({len(served)})", *(sanitize.line(f"{'▸' if one == here else ' '} {one}") for one in served[:50]))
    if len(served) > 1 or any("*" in one for one in served):
        part("another one", Content.styled("/model NAME", "$text-muted"))
    part("memory", Content.styled("a model has none: this console sends the conversation each time", "$text-muted"))


def _state(obj: Object) -> tuple[str, str]:
    cell = looks.state(obj)
    return cell.text, looks.TONES.get(cell.tone, "")


def welcome(talk: Talk, read_only: bool) -> Content:
    """What stands where nothing was said yet."""
    what = "Agent" if talk.is_agent else "ModelAPI"
    lines = [
        (f"{what} {sanitize.line(talk.name)}\n\n", "bold"),
        ("Write below; enter sends, ctrl+j begins a new line, esc stops an answer.\n", ""),
        ("alt+↑ goes to the blocks above: enter unfolds one, c copies it, e asks again in other words.\n", ""),
        ("ctrl+o opens an earlier conversation.\n" if talk.is_agent else "", ""),
        (f"\n{AGENT_COMMANDS if talk.is_agent else MODEL_COMMANDS}\n", ""),
    ]
    if talk.is_agent and read_only:
        lines.append(("\nThe console is read-only, so the agent may use no tools here.\n", "$text-warning"))
    return Content.assemble(*(Content.styled(text, style) for text, style in lines if text))
