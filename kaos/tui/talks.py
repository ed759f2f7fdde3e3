"""Conversations with agents and models: each goes on in a thread of its own, whoever looks at it or does not.

The thread puts what comes into a queue; `drain`, on the event loop, makes blocks of it.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kaos.errors import KaosError
from kaos.tui.widgets.blocks import Answer, Block, Call, Foot, Note, Said, Speaker, Trouble, duration

if TYPE_CHECKING:
    from kaos.actions.chat import Endpoint, Reply, Step
    from kaos.actions.conversation import Cancellation
    from kaos.actions.memory import Belongings
    from kaos.actions.trace import Turn
    from kaos.cluster import Client
    from kaos.tui.session import Session

TIMEOUT_S = 300.0
WAITING = 4096  # pieces that may wait to be shown; then the thread waits
Name = tuple[str, str, str]  # kind, namespace, name
_CUT_SHORT = {"length": "◐ stopped at its limit   ", "content_filter": "◐ withheld by a filter   "}


@dataclass
class _Asking:
    """A question that is being answered."""

    question: str
    foot: Foot
    cancellation: Cancellation
    tools: bool
    calls: dict[str, Call] = field(default_factory=dict)
    answered: bool = False
    pieces: queue.Queue[tuple[str, Any]] = field(default_factory=lambda: queue.Queue(WAITING))

    def put(self, what: str, value: Any = None) -> None:
        """From the thread. When nobody takes the pieces any longer, they are let go."""
        while True:
            try:
                self.pieces.put((what, value), timeout=1.0)
                return
            except queue.Full:
                if self.cancellation.asked:
                    return


class Talk:
    """One conversation. All of it belongs to the event loop, except `_answer`."""

    def __init__(self, name: Name) -> None:
        from kaos.actions.chat import new_session

        self.kind, self.namespace, self.name = name
        self.blocks: list[Block] = []
        self.session_id = new_session()
        self.draft = ""
        self.model: str | None = None  # of a ModelAPI; None: the only one
        self.belongings: Belongings | None = None
        self.last_question = ""
        self.failed = False  # whether the last question got no answer
        self._messages: list[dict[str, str]] = []  # of a ModelAPI, which remembers nothing
        self._asking: _Asking | None = None

    @property
    def is_agent(self) -> bool:
        return self.kind == "agent"

    @property
    def busy(self) -> bool:
        return self._asking is not None

    @property
    def is_new(self) -> bool:
        """Whether nothing was said yet."""
        return not any(isinstance(block, Said) for block in self.blocks)

    @property
    def last_blocks(self) -> list[Block]:
        """The last question and what came after it."""
        start = max((index for index, block in enumerate(self.blocks) if isinstance(block, Said)), default=0)
        return self.blocks[start:]

    def endpoint(self, client: Client, timeout_s: float) -> Endpoint:
        """Blocking, and it asks the cluster: for a thread. Raises KaosError."""
        from kaos.actions.chat import Endpoint
        from kaos.tui.kinds import BY_COMMAND

        return Endpoint(client, BY_COMMAND[self.kind], self.name, self.namespace, timeout_s)

    # Asking.

    def say(self, text: str, make_client: Callable[[], Client], tools: bool = True) -> None:
        """Ask; the answer comes by `drain`. Without `tools` an agent uses none, nor other agents."""
        from kaos.actions.conversation import Cancellation

        self.failed = False
        self.last_question = text
        foot = Foot()
        asking = self._asking = _Asking(text, foot, Cancellation(), tools or not self.is_agent)
        self.blocks += [Said(text), Speaker(self.name), foot]
        messages = [*self._messages, {"role": "user", "content": text}]
        threading.Thread(
            target=self._answer, args=(asking, messages, self.session_id, self.model, make_client), daemon=True
        ).start()

    def _answer(
        self,
        asking: _Asking,
        messages: list[dict[str, str]],
        session_id: str,
        model: str | None,
        make_client: Callable[[], Client],
    ) -> None:
        from kaos.actions.agents import chosen_model
        from kaos.actions.conversation import Cancelled

        try:
            endpoint = self.endpoint(make_client(), TIMEOUT_S)
            named = self.name if self.is_agent else chosen_model(endpoint.object, model)
            reply = endpoint.ask(
                messages,
                named,
                session_id if self.is_agent else None,
                lambda text: asking.put("text", text),
                lambda step: asking.put("step", step),
                asking.cancellation,
                asking.tools,
            )
            if self.is_agent:  # it calls itself its model
                reply.model = str(endpoint.object["spec"].get("model") or "")
        except Cancelled:
            asking.put("stopped")
        except KaosError as error:
            asking.put("failed", error)
        except Exception as error:  # an answer of a shape that nobody foresaw must not leave the question open
            asking.put("failed", KaosError(f"{self.name} answered what cannot be read: {error!r}"))
        else:
            asking.put("ended", reply)

    def stop(self) -> None:
        """Let the answer be; whoever makes it is told."""
        if self._asking is not None:
            # What ends the connection may wait for a lock or the network.
            threading.Thread(target=self._asking.cancellation.ask, daemon=True).start()

    def drain(self) -> None:
        """Take what has come."""
        asking = self._asking
        if asking is None:
            return
        texts: list[str] = []
        while True:
            try:
                what, value = asking.pieces.get_nowait()
            except queue.Empty:
                break
            if what == "text":
                texts.append(value)
                continue
            self._write("".join(texts))
            texts = []
            getattr(self, f"_{what}")(asking, value)
        self._write("".join(texts))

    def _write(self, text: str) -> None:
        asking = self._asking
        if not text or asking is None:
            return
        last = self.blocks[-2]
        if not isinstance(last, Answer) or last.ended:
            text = text.lstrip("\n")
            if not text:
                return
            last = Answer()
            self._insert(last)
        asking.answered = True
        asking.foot.answering()
        last.add(text)

    def _insert(self, block: Block) -> None:
        """Before the line that tells where the answer stands."""
        self.blocks.insert(len(self.blocks) - 1, block)

    def _step(self, asking: _Asking, step: Step) -> None:
        self._end_answer()
        call = asking.calls.get(step.identity)
        if call is None:
            call = asking.calls[step.identity] = self._call(step)
            self._insert(call)
        asking.answered = True
        if step.result is not None:
            call.end("failed" if step.failed else "done", step.result, step.seconds)

    def _call(self, step: Any) -> Call:
        """server.tool or the other agent, as far as it is known whose tool it is."""
        from kaos.actions.trace import peer_of

        has = self.belongings
        if step.kind == "delegation":
            peer = peer_of(step.name, has.peers if has else ()) or step.name.removeprefix("delegate_to_")
            return Call(peer, step.arguments, delegation=True, owner=peer)
        tool = next((one for one in has.tools if one.name == step.name), None) if has else None
        return Call(tool.full_name if tool else step.name, step.arguments, owner=tool.server if tool else "")

    def _end_answer(self) -> None:
        for block in self.blocks[-2:-1]:
            if isinstance(block, Answer) and not block.ended:
                block.end()

    def _finish(self, text: str, tone: str) -> None:
        asking = self._asking
        self._end_answer()
        for call in asking.calls.values():
            if call.live:
                call.end("stopped")
        asking.foot.end(text, tone)
        self._asking = None

    def _ended(self, asking: _Asking, reply: Reply) -> None:
        if not self.is_agent:
            self._messages += [
                {"role": "user", "content": asking.question},
                {"role": "assistant", "content": reply.text},
            ]
        self.session_id = reply.session_id or self.session_id
        if not asking.answered:
            self._insert(Note("It answered without a word."))
        cut = {"length": "◐ stopped at its limit   ", "content_filter": "◐ withheld by a filter   "}.get(
            reply.finish, ""
        )
        self._finish(cut + cost_of(reply), "warn" if cut else "muted")

    def _stopped(self, asking: _Asking, _: None) -> None:
        self._finish(f"■ stopped after {duration(asking.foot.elapsed)}", "warn")

    def _failed(self, asking: _Asking, error: KaosError) -> None:
        self.failed = True
        self._end_answer()
        self._insert(Trouble(error.cause, error.cure))
        self._finish(f"✖ failed after {duration(asking.foot.elapsed)}   ctrl+r tries again", "bad")

    # Going on from elsewhere.

    def again(self) -> str:
        """The last question, taken back if it got no answer."""
        if self.failed:
            del self.blocks[len(self.blocks) - len(self.last_blocks) :]
        return self.last_question

    def edit(self, said: Said) -> str:
        """What was said there. A model forgets what came after it; an agent has it in its memory."""
        if not self.is_agent and not self.busy:
            at = self.blocks.index(said)
            answered = sum(isinstance(block, Said) for block in self.blocks[:at])
            del self.blocks[at:]
            del self._messages[2 * answered :]
        return said.text

    def begin(self) -> None:
        """A new conversation."""
        from kaos.actions.chat import new_session

        self.stop()
        self._asking = None
        self.blocks, self._messages, self.failed = [], [], False
        self.session_id = new_session()

    def remember(self, session_id: str, turns: list[Turn]) -> None:
        """Go on with what the agent remembers."""
        self.begin()
        self.session_id = session_id
        for turn in turns:
            self.blocks += self._told(turn)
        self.last_question = next((turn.question for turn in reversed(turns) if turn.question), "")

    def _told(self, turn: Turn) -> list[Block]:
        found: list[Block] = [Said(turn.question, turn.asked_by or "you")] if turn.question else []
        found.append(Speaker(self.name))
        for step in turn.steps:
            if step.kind in ("tool", "delegation"):
                call = self._call(step)
                ended = step.seconds is not None
                call.end(
                    "failed" if step.failed else "done" if ended else "stopped",
                    step.text if ended else None,
                    step.seconds,
                )
                call.folded, call.below = True, step.below
                found.append(call)
            elif step.kind == "answer":
                found.append(Answer(step.text, ended=True))
            elif step.kind == "error":
                found.append(Trouble(step.text))
        if turn.seconds is not None:
            foot = Foot()
            foot.end(duration(turn.seconds))
            found.append(foot)
        return found

    def delegated(self, turns: list[Turn]) -> bool:
        """What other agents did for the last answer is known now; whether there was anything."""
        steps = [step for step in (turns[-1].steps if turns else ()) if step.kind == "delegation"]
        calls = [block for block in self.last_blocks if isinstance(block, Call) and block.delegation]
        for call, step in zip(calls, steps, strict=False):
            call.below = step.below
            call.changed()
        return bool(calls and steps)


def cost_of(reply: Reply) -> str:
    """`✔ 4.1 s   first word 0.6 s   ↑ 812 in   ↓ 240 out   gpt-x`."""
    usage = reply.usage
    parts = [f"✔ {duration(reply.seconds)}"]
    if reply.first_s is not None:
        parts.append(f"first word {duration(reply.first_s)}")
    if usage:
        parts += [f"↑ {usage.get('prompt_tokens', 0):,} in", f"↓ {usage.get('completion_tokens', 0):,} out"]
    if reply.model:
        parts.append(reply.model)
    return "   ".join(parts)


_TALKS: weakref.WeakKeyDictionary[Session, dict[Name, Talk]] = weakref.WeakKeyDictionary()


def talks_of(session: Session) -> dict[Name, Talk]:
    """Every conversation of a session with a cluster, in the order in which they began."""
    return _TALKS.setdefault(session, {})


def talk_with(session: Session, name: Name) -> Talk:
    """The conversation with one agent or model."""
    return talks_of(session).setdefault(name, Talk(name))
