"""`?`: every key that works on the screen one came from, as it is bound now."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from kaos.tui.widgets.chrome import short

_ABOUT = """\
:  goes anywhere: :mcp, :agent demo, :chat helper, :logs mcp/calculator, :ns all, :ctx NAME, :theme NAME
/  filters by a regular expression; ! before it inverts.  ctrl+p  finds any object or action.
Every screen is a command: the line at the bottom shows it, ctrl+y copies it."""


class HelpScreen(ModalScreen[None]):
    """Made of the live bindings."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle;
        & VerticalScroll { width: 100; max-width: 96%; height: auto; max-height: 90%; background: $surface;
            border: round $primary; padding: 1 2; }
        & Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [Binding("escape,q,question_mark", "dismiss", "close", id="help.close")]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._bindings_of = list(about.active_bindings.values())
        self._where = " ▸ ".join(about.crumbs()) if hasattr(about, "crumbs") else ""

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Content.styled(f"Keys  {self._where}", "bold"))
            yield Static(Content(f"\n{_ABOUT}\n"))
            yield Static(Content("\n".join(self._lines())))

    def _lines(self) -> list[str]:
        keys: dict[str, list[str]] = {}
        for active in sorted(self._bindings_of, key=lambda one: (one.binding.id or "").startswith("screen.")):
            binding = active.binding
            if binding.description and binding.id:  # Textual's own have no id
                keys.setdefault(binding.description, []).append(binding.key_display or short(binding.key))
        pairs = [(" ".join(shown), does) for does, shown in keys.items()]
        half = (len(pairs) + 1) // 2
        left, right = pairs[:half], pairs[half:]
        return [
            "".join(f"{shown:<20}{does:<24}" for shown, does in both).rstrip()
            for both in ((one, right[i]) if i < len(right) else (one,) for i, one in enumerate(left))
        ]
