"""The console under Textual's pilot, on a live local cluster with the agent sample in it.

async with console(size=(80, 24), at="mcp/calculator") as pilot:
    await until(pilot, lambda: ...)
    assert_snapshot(pilot, "mcp-detail")
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS
from kaos.tui import places
from kaos.tui.app import Console
from kaos.tui.session import Target
from kaos.tui.state import State
from tests.conftest import ROOT, Place
from tests.stories import is_ready

SNAPSHOTS = Path(__file__).with_name("snapshots")
SIZES = [(80, 24), (200, 60)]
# What differs from run to run, with as many characters as there were.
_VARIES = (
    (re.compile(r"\b(\d+[dhm]){0,3}\d+s\b|\b(\d+[dhm]){1,2}\b"), "t"),  # an age
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "T"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "T"),
    (re.compile(r"(?<=-)[0-9a-f]{10}(-[a-z0-9]{5})?\b"), "x"),  # a pod's name
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "u"),
    (re.compile(r"\b127\.0\.0\.1:\d+\b"), "a"),
    (re.compile(r"(?<=resourceVersion: ')\d+"), "v"),
    (re.compile(r"\b\d+(\.\d+)? m?s\b"), "m"),
)


@pytest.fixture(scope="session")
def sample(place: Place) -> str:
    """A namespace with the agent sample in it: calculator, mock and helper. Stories that add to it take another."""
    return deployed(place, "demo")


def deployed(place: Place, namespace: str) -> str:
    """Deploy the sample into a namespace of that name."""
    place.run("apply", "-f", "-", stdin=f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n").ok()
    place.run("apply", "-f", str(ROOT / "samples/agent.yaml"), "-n", namespace).ok()
    for resource, one in ((MCPSERVERS, "calculator"), (MODELAPIS, "mock"), (AGENTS, "helper")):
        place.until(resource, one, namespace, is_ready, 90)
    return namespace


@pytest.fixture
def console(place: Place, sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Open the console at a place; it is closed with the block."""
    for name in [name for name in os.environ if name.startswith(("KAOS_", "XDG_", "KUBE"))] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "KAOS_LOCAL_DIR"):
        monkeypatch.setenv(name, place.env[name])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    @contextlib.asynccontextmanager
    async def opened(
        size: tuple[int, int] = (120, 36),
        at: str = "",
        namespace: str | None = sample,
        read_only: bool = False,
        live: bool = True,
    ) -> AsyncIterator[Pilot[None]]:
        target = Target("kaos-local", None, namespace, all_namespaces=namespace is None, read_only=read_only)
        app = Console(target, places.parse(at), State(tmp_path / "state/console.json"))
        app.animation_level = "none"
        async with app.run_test(size=size, notifications=True) as pilot:
            if live:
                await until(pilot, lambda: app.session.state()[1] == "● live")
                place = places.parse(at)
                await until(pilot, lambda: app.here == (place.within(namespace) if place.name else place))
            yield pilot

    return opened


async def until(pilot: Pilot[Any], holds: Callable[[], Any], timeout_s: float = 40) -> None:
    """Let the console work until it holds; fails with what is on the screen."""
    try:
        async with asyncio.timeout(timeout_s):
            while not holds():
                await pilot.pause(0.02)
    except TimeoutError:
        pytest.fail(f"it never held; on the screen:\n{screen_text(pilot)}")
    await pilot.pause()


def screen_text(pilot: Pilot[Any]) -> str:
    """What is on the screen, without colours."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def shows(pilot: Pilot[Any], text: str) -> bool:
    return text in screen_text(pilot)


def masked(text: str) -> str:
    for pattern, letter in _VARIES:
        text = pattern.sub(lambda found, letter=letter: letter * 3, text)
    return re.sub(r" {2,}", "  ", text)


def assert_snapshot(pilot: Pilot[Any], name: str) -> None:
    """The screen is the one in snapshots/NAME-WxH.txt. UPDATE_SNAPSHOTS=1 writes it."""
    size = pilot.app.size
    path = SNAPSHOTS / f"{name}-{size.width}x{size.height}.txt"
    found = screen_text(pilot)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    assert path.exists(), f"no snapshot yet: UPDATE_SNAPSHOTS=1 writes {path.name}"
    assert masked(found) == masked(path.read_text())
