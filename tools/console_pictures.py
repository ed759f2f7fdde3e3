"""Draw the console's screens as SVG, and PNG where rsvg-convert is: `console_pictures.py DIRECTORY`.

Part of `make screenshots`.

From the real console on a local cluster of its own with the samples in it, driven by Textual's pilot; never by hand.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KAOS = Path(sys.executable).with_name("kaos")
SIZE = (110, 30)
TIMEOUT_S = 60


@dataclass(frozen=True)
class Picture:
    """A place, what to press there, and what must be on the screen before it is drawn."""

    name: str
    path: str
    shows: str
    keys: tuple[str, ...] = ()
    theme: str = "kaos-dark"


PICTURES = (
    Picture("console", "", "Agents 1  ● 1 Ready"),
    Picture("console-light", "mcp", "Ready", theme="kaos-light"),
    Picture("detail", "mcp/calculator", "Conditions"),
    Picture("invoke", "mcp/calculator/tools/add", "✔ done", ("2", "tab", "3", "ctrl+r")),
    Picture("chat", "agent/helper/chat", "answered 42", (*"what is 20 + 22?", "enter")),
    Picture("map", "map", "calculator"),
    Picture("why", "why/mcp/broken", "nosuch"),
    Picture("logs", "operator/logs", "default/helper: Ready"),
)


async def draw(picture: Picture, target: Path) -> None:
    from textual.widgets import Input

    from kaos.tui import places
    from kaos.tui.app import Console
    from kaos.tui.session import Target
    from kaos.tui.state import State

    state = State(Path(os.environ["HOME"]) / f"{picture.name}.json")
    app = Console(Target("kaos-local", namespace="default"), places.parse(picture.path), state)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        app.theme = picture.theme
        place = places.parse(picture.path)
        await _until(pilot, lambda: app.here.view == place.view and app.session.state()[1] == "● live", picture)
        if picture.keys:
            await _until(pilot, lambda: isinstance(app.focused, Input) or app.focused is not None, picture)
            await pilot.press(*picture.keys)
        await _until(pilot, lambda: picture.shows in _text(app), picture)
        await pilot.pause()
        path = target / f"{picture.name}.svg"
        drawn = app.export_screenshot(title=f"kaos tui {picture.path}".strip())
        path.write_text(drawn.replace("<svg ", '<svg xml:space="preserve" ', 1))  # else leading spaces are lost


def as_png(path: Path) -> None:
    if shutil.which("rsvg-convert"):
        command = ["rsvg-convert", "--width", "1320", "-o", str(path.with_suffix(".png")), str(path)]
        subprocess.run(command, check=True)
    print(path)


async def _until(pilot: Any, holds: Callable[[], bool], picture: Picture) -> None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not holds():
                await pilot.pause(0.05)
    except TimeoutError:
        sys.exit(f"{picture.name}: {picture.shows!r} never appeared:\n{_text(pilot.app)}")


def _text(app: Any) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


BROKEN = """\
apiVersion: kaos.tools/v1alpha1
kind: MCPServer
metadata:
  name: broken
spec:
  runtime: nosuch
"""


def main() -> None:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="kaos-") as home:
        os.environ |= {"HOME": home, "KAOS_LOCAL_DIR": f"{home}/local", "KAOS_CONTEXT": "kaos-local"}
        os.environ.pop("NO_COLOR", None)
        _kaos("local", "up")
        try:
            _kaos("apply", "-f", str(ROOT / "samples/agent.yaml"))
            _kaos("apply", "-f", "-", stdin=BROKEN)
            for picture in PICTURES:
                asyncio.run(draw(picture, target))
                as_png(target / f"{picture.name}.svg")
        finally:
            _kaos("local", "reset", "--yes")


def _kaos(*arguments: str, stdin: str | None = None) -> None:
    subprocess.run([str(KAOS), *arguments], input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
