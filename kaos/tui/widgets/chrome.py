"""The three lines that every screen has: where one is, the command that shows the same, and the keys that work here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.binding import ActiveBinding
from textual.content import Content
from textual.widget import Widget

from kaos.tui.looks import TONES

COPY = "^y copy"


class TopLine(Widget):
    """Crumbs at the left; context, namespace, state at the right."""

    DEFAULT_CSS = """
    TopLine { height: 1; background: $panel; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._crumbs: tuple[str, ...] = ()
        self._facts: tuple[tuple[str, str], ...] = ()

    def tell(self, crumbs: tuple[str, ...], facts: Iterable[tuple[str, str]]) -> None:
        """`facts`: (text, tone), the most important last."""
        facts = tuple(facts)
        if (crumbs, facts) != (self._crumbs, self._facts):
            self._crumbs, self._facts = crumbs, facts
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        facts = list(self._facts)
        left = " ▸ ".join(("kaos", *self._crumbs))
        while len(facts) > 1 and cell_len(left) + sum(cell_len(text) + 3 for text, _ in facts) > width:
            facts.pop(0)
        right = "   ".join(text for text, _ in facts)
        room = width - cell_len(right) - 1
        if cell_len(left) > room:
            left = "…" + left[-(room - 1) :] if room > 1 else ""
        gap = " " * max(1, width - cell_len(left) - cell_len(right))
        parts: list[Content] = [Content.styled(left, "bold"), Content(gap)]
        for index, (text, tone) in enumerate(facts):
            parts.append(Content.styled(("   " if index else "") + text, TONES.get(tone, "")))
        return Content.assemble(*parts)


class CommandLine(Widget):
    """The equivalent `kaos ...` line."""

    DEFAULT_CSS = """
    CommandLine { height: 1; padding: 0 1; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.command = ""

    def tell(self, argv: Sequence[str]) -> None:
        command = shlex.join(("kaos", *argv))
        if command != self.command:
            self.command = command
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        room = width - len(COPY) - 2
        text = f"$ {self.command}"
        if cell_len(text) > room:
            text = set_cell_size(text, room - 1) + "…"
        return Content(text + " " * max(1, width - cell_len(text) - len(COPY)) + COPY)

    def on_click(self) -> None:
        self.screen.action_copy_command()  # type: ignore[attr-defined]


class HintLine(Widget):
    """The keys that work now, as far as they fit; a click on one presses it."""

    DEFAULT_CSS = """
    HintLine { height: 1; background: $panel; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._hints: list[tuple[str, str, str, bool]] = []  # key as shown, what it does, key, enabled
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda screen: self._tell(screen.active_bindings.values()))
        self._tell(self.screen.active_bindings.values())

    def _tell(self, bindings: Iterable[ActiveBinding]) -> None:
        hints, seen = [], set()
        # What is particular to the place comes first.
        for active in sorted(bindings, key=lambda one: (one.binding.id or "").startswith("screen.")):
            binding = active.binding
            if not binding.show or binding.action in seen:
                continue
            seen.add(binding.action)
            key = binding.key_display or short(binding.key)
            hints.append((key, binding.description, binding.key, active.enabled))
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def render(self) -> Content:
        parts: list[Content] = []
        self._places = []
        last = next((hint for hint in self._hints if hint[0] == "?"), None)  # how to learn of the others
        hints = [hint for hint in self._hints if hint is not last]
        at, room = 0, self.size.width - (cell_len(f"  … {last[0]} {last[1]}") if last else 0)
        for hint in hints:
            if at + cell_len(f"{hint[0]} {hint[1]}") > room:
                parts.append(Content.styled("… ", "dim"))
                at += 2
                break
            at = self._add(parts, hint, at)
        if last:
            self._add(parts, last, at)
        return Content.assemble(*parts) if parts else Content("")

    def _add(self, parts: list[Content], hint: tuple[str, str, str, bool], at: int) -> int:
        """Where the next one begins."""
        shown, does, key, enabled = hint
        parts.append(Content.styled(shown, "bold" if enabled else "dim"))
        parts.append(Content.styled(f" {does}  ", "$text-muted" if enabled else "dim"))
        end = at + cell_len(f"{shown} {does}")
        self._places.append((at, end, key))
        return end + 2

    def on_click(self, event: events.Click) -> None:
        for start, stop, key in self._places:
            if start <= event.x - 1 < stop:
                self.app.simulate_key(key)
                return


def short(key: str) -> str:
    """A key as people write it: ^y, esc, space, ?."""
    names = {"escape": "esc", "question_mark": "?", "slash": "/", "colon": ":", "exclamation_mark": "!",
             "left_square_bracket": "[", "right_square_bracket": "]", "minus": "-"}  # fmt: skip
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return names.get(key, key)
