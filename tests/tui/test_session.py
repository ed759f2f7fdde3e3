"""What the console does when the cluster is not as it should be: away, without KAOS, without an operator."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from kaos.actions.system import install_prerequisites
from kaos.api.names import MCPSERVERS
from kaos.cluster import Client, resolve
from kaos.tui import places
from kaos.tui.app import Console
from kaos.tui.session import Target
from kaos.tui.state import State
from kaos.tui.widgets.table import Table
from tests.live import LiveCluster
from tests.tui.conftest import shows, until


@pytest.fixture
def bare(tmp_path):
    """A cluster that has never heard of KAOS."""
    with LiveCluster(tmp_path / "cluster") as live:
        yield live


@pytest.fixture
def without_operator(bare):
    install_prerequisites(Client(resolve(kubeconfig=str(bare.kubeconfig))))
    return bare


def opened(cluster: LiveCluster, tmp_path: Path, at: str = "") -> Console:
    target = Target(kubeconfig=str(cluster.kubeconfig), namespace="default")
    return Console(target, places.parse(at), State(tmp_path / "state.json"))


async def test_a_lost_api_server_keeps_what_was_seen_and_is_found_again(without_operator, tmp_path):
    body = {
        "apiVersion": MCPSERVERS.api_version,
        "kind": "MCPServer",
        "metadata": {"name": "still-here", "namespace": "default"},
        "spec": {"runtime": "rawpython"},
    }
    client = Client(resolve(kubeconfig=str(without_operator.kubeconfig)))
    client.create(MCPSERVERS, body, "default")
    app = opened(without_operator, tmp_path, "mcp")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: shows(pilot, "still-here") and shows(pilot, "● live"))
        without_operator.kill()
        await until(pilot, lambda: shows(pilot, "◐ stale"))
        assert shows(pilot, "still-here")
        await pilot.press("down", "slash", "x", "escape")
        assert shows(pilot, "retry")
        without_operator.start()
        await pilot.press("r")
        await until(pilot, lambda: shows(pilot, "● live"))
        client.delete(MCPSERVERS, "still-here", "default")
        await until(pilot, lambda: not app.screen.query_one(Table).rows)


async def test_a_cluster_without_kaos_says_how_to_install_it(bare, tmp_path):
    app = opened(bare, tmp_path, "mcp")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(
            pilot, lambda: shows(pilot, "KAOS is not installed on this cluster. Install it: kaos system install")
        )


async def test_the_operator_is_run_when_asked_for_and_stops_with_the_console(without_operator, tmp_path):
    client = Client(resolve(kubeconfig=str(without_operator.kubeconfig)))
    body = {
        "apiVersion": MCPSERVERS.api_version,
        "kind": "MCPServer",
        "metadata": {"name": "new", "namespace": "default"},
        "spec": {"runtime": "nosuch"},
    }
    client.create(MCPSERVERS, body, "default")
    app = opened(without_operator, tmp_path)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: shows(pilot, "No operator runs here"))
        assert not app.operator.runs
        await pilot.press("R")
        await until(pilot, lambda: shows(pilot, "Run the operator of"))
        await pilot.press("y")
        await until(pilot, lambda: app.operator.state == "works", 60)
        await until(pilot, lambda: shows(pilot, "✖ Failed"), 60)
        (child,) = [one for one in psutil.Process().children() if "kaos.actions.embedded" in one.cmdline()]
    child.wait(10)
    assert not child.is_running()


async def test_the_operator_of_the_console_is_started_again_when_it_dies(without_operator, tmp_path):
    app = opened(without_operator, tmp_path)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: shows(pilot, "No operator runs here"))
        app.operator.start()
        await until(pilot, lambda: app.operator.state == "works", 60)
        (child,) = [one for one in psutil.Process().children() if "kaos.actions.embedded" in one.cmdline()]
        child.kill()
        await until(pilot, lambda: shows(pilot, "The console's operator ended"))
        await until(pilot, lambda: app.operator.state == "works", 60)
