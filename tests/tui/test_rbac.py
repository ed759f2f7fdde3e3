"""The rights of an MCPServer: what its account may do, and what `create-rbac` would make of it."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from kaos.kube.resources import SERVICEACCOUNTS
from kaos.tui.places import Place
from kaos.tui.widgets.chrome import CommandLine
from kaos.tui.widgets.table import Table
from tests.stories import mcpserver
from tests.tui.conftest import SIZES, assert_snapshot, screen_text, shows, until


@pytest.fixture(scope="module")
def watched(place):
    """A server whose account may read pods, and Secrets too, in a namespace of its own."""
    place.run("apply", "-f", "-", stdin="apiVersion: v1\nkind: Namespace\nmetadata:\n  name: rights\n").ok()
    command = ["system", "create-rbac", "--name", "viewer", "-n", "rights"]
    place.run(*command, "--resources", "pods,deployments,secrets", "--allow-dangerous").ok()
    server = mcpserver("viewer", serviceAccountName="mcpserver-viewer")
    place.run("mcp", "deploy", "-n", "rights", "-f", "-", stdin=server).ok()
    return "rights"


def table(pilot):
    return pilot.app.screen.query_one(Table)


def fill(pilot, field, text):
    pilot.app.screen.query_one(f"#{field}", Input).value = text


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_what_an_account_may_do_the_dangerous_first(console, watched, size):
    async with console(size=size, at="mcp/viewer/rbac", namespace=watched) as pilot:
        await until(pilot, lambda: shows(pilot, "lets this server use it") and shows(pilot, "ctrl+s makes"))
        risks = [row.cells[0].text for row in table(pilot).rows]
        assert risks == ["✖ grave", "● none", "● none"]
        assert_snapshot(pilot, "rbac")


async def test_a_server_without_an_account_is_led_to_one(console, sample):
    async with console(at="mcp/calculator") as pilot:
        await pilot.press("a")
        await until(pilot, lambda: pilot.app.here == Place("rbac", "mcp", sample, "calculator"))
        await until(pilot, lambda: shows(pilot, "No ServiceAccount: it has neither rights nor a token."))
        assert shows(pilot, "serviceAccountName: mcpserver-calculator")


async def test_what_is_typed_is_planned_and_told_as_a_command(console, watched):
    async with console(at="mcp/viewer/rbac", namespace=watched) as pilot:
        await until(pilot, lambda: shows(pilot, "ctrl+s makes"))
        fill(pilot, "resources", "pods, deploy")
        fill(pilot, "verbs", "get delete")
        await until(pilot, lambda: shows(pilot, "deployments of apps: get, delete  in rights"))
        assert pilot.app.screen.query_one(CommandLine).command == (
            "kaos system create-rbac --name viewer -n rights --resources pods,deploy --verbs get,delete"
        )
        fill(pilot, "resources", "podz")
        await until(pilot, lambda: shows(pilot, "The cluster serves no resource 'podz'.") and shows(pilot, "pods?"))


async def test_it_is_applied_when_asked_and_what_is_dangerous_must_be_said(console, place, namespace):
    place.run("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("viewer")).ok()
    async with console(at="mcp/viewer/rbac", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "ctrl+s makes"))
        fill(pilot, "resources", "secrets")
        await until(pilot, lambda: shows(pilot, "only if you allow what is dangerous"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any("what is dangerous" in one.message for one in pilot.app._notifications))
        fill(pilot, "resources", "pods")
        await until(pilot, lambda: shows(pilot, "pods: get, list, watch  in"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: shows(pilot, "Give ServiceAccount") and shows(pilot, "Apply  (y)"))
        await pilot.press("y")
        await until(
            pilot, lambda: any("Role mcpserver-viewer created" in one.message for one in pilot.app._notifications)
        )
    account = place.until(SERVICEACCOUNTS, "mcpserver-viewer", namespace, lambda obj: obj is not None, 30)
    assert account["metadata"]["annotations"] == {"kaos.tools/allow": "mcpserver/viewer"}


async def test_a_read_only_console_gives_no_rights(console, watched):
    async with console(at="mcp/viewer/rbac", namespace=watched, read_only=True) as pilot:
        await until(pilot, lambda: shows(pilot, "ctrl+s makes"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any("read-only" in one.message for one in pilot.app._notifications))


async def test_all_servers_with_their_accounts(console, watched):
    async with console(at="rbac", namespace=watched) as pilot:
        await until(pilot, lambda: "mcpserver-viewer" in screen_text(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.here == Place("rbac", "mcp", watched, "viewer"))
