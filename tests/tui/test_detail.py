"""One resource: its state in words, pods, YAML; editing and making one, judged by the server first."""

from __future__ import annotations

import pytest
from textual.widgets import TextArea

from kaos.tui.forms.schemaform import SchemaForm
from kaos.tui.screens.edit import DiffScreen
from kaos.tui.widgets.chrome import CommandLine
from kaos.tui.widgets.table import Table
from tests.stories import mcpserver
from tests.tui.conftest import SIZES, assert_snapshot, shows, until


def command(pilot):
    return pilot.app.screen.query_one(CommandLine).command


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("path", ["mcp/calculator", "agent/helper", "modelapi/mock"])
async def test_the_overview_says_what_it_is_and_how(console, path, size):
    async with console(size=size, at=path) as pilot:
        await until(pilot, lambda: shows(pilot, "● Ready") and shows(pilot, "Conditions"))
        assert_snapshot(pilot, f"detail-{path.partition('/')[0]}")


async def test_what_is_broken_is_told_with_its_cure(console, place, namespace):
    place.run("apply", "-n", namespace, "-f", "-", stdin=mcpserver("broken", runtime="nosuch", params=None)).ok()
    async with console(at="mcp/broken", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "✖ Failed"))
        assert shows(pilot, "nosuch")
        assert shows(pilot, "→ ")


async def test_pods_and_yaml_are_one_key_away(console, sample):
    async with console(at="mcp/calculator") as pilot:
        await pilot.press("2")
        await until(pilot, lambda: shows(pilot, "mcpserver-calculator-") and shows(pilot, "Running, 1 of 1 ready"))
        await pilot.press("y")
        await until(pilot, lambda: shows(pilot, "apiVersion: kaos.tools/v1alpha1"))
        assert command(pilot) == f"kaos mcp get calculator -n {sample}"
        await pilot.press("1")
        await until(pilot, lambda: command(pilot) == f"kaos mcp describe calculator -n {sample}")


async def test_what_is_not_there_is_said(console):
    async with console(at="mcp/nosuch") as pilot:
        await until(pilot, lambda: shows(pilot, "is not there"))


async def test_restarting_replaces_the_pods(console, sample, place):
    async with console(at="mcp/calculator/pods") as pilot:
        await until(pilot, lambda: pilot.app.screen.query_one(Table).rows)
        before = pilot.app.screen.query_one(Table).rows[0].key
        await pilot.press("R")
        await until(pilot, lambda: shows(pilot, "Restart the pods of"))
        await pilot.press("y")
        await until(
            pilot, lambda: [row.key for row in pilot.app.screen.query_one(Table).rows] not in ([before], []), 60
        )
        await until(pilot, lambda: before not in [row.key for row in pilot.app.screen.query_one(Table).rows], 60)


@pytest.fixture
def quiet(place, namespace):
    place.run("apply", "-n", namespace, "-f", "-", stdin=mcpserver("quiet", suspend=True)).ok()
    return namespace


async def edit(pilot):
    await until(pilot, lambda: shows(pilot, "Suspended"))
    await pilot.press("e")
    await until(pilot, lambda: pilot.app.screen.query("#text"))
    return pilot.app.screen.query_one("#text", TextArea)


async def test_an_edit_shows_its_difference_before_it_is_applied(console, place, quiet):
    async with console(at="mcp/quiet", namespace=quiet) as pilot:
        area = await edit(pilot)
        area.text = area.text.replace("replicas: 1", "replicas: 3")
        await until(pilot, lambda: shows(pilot, "✔ the server takes this; 2 lines change"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, DiffScreen))
        assert shows(pilot, "-  replicas: 1")
        assert shows(pilot, "+  replicas: 3")
        assert place.object("mcp", "quiet", quiet)["spec"]["replicas"] == 1
        await pilot.press("enter")
        await until(pilot, lambda: place.object("mcp", "quiet", quiet)["spec"]["replicas"] == 3)
        assert pilot.app.here.view == "detail"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("replicas: 1", "replicas: many", "✖"),
        ("replicas: 1", "replicsa: 1", "replicsa"),
        ("name: quiet", "name: other", "Kind, name and namespace cannot be edited."),
        ("spec:", "spec: [", "✖"),
    ],
)
async def test_what_the_server_refuses_is_told_while_it_is_written(console, place, quiet, old, new, said):
    async with console(at="mcp/quiet", namespace=quiet) as pilot:
        area = await edit(pilot)
        area.text = area.text.replace(old, new)
        await until(pilot, lambda: shows(pilot, said) and shows(pilot, "✖"))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, DiffScreen)


async def test_what_someone_else_changed_meanwhile_is_not_overwritten(console, place, quiet):
    async with console(at="mcp/quiet", namespace=quiet) as pilot:
        area = await edit(pilot)
        place.run("mcp", "scale", "quiet", "--replicas", "2", "-n", quiet).ok()
        area.text = area.text.replace("suspend: true", "suspend: false")
        await until(pilot, lambda: shows(pilot, "✖"))
        assert place.object("mcp", "quiet", quiet)["spec"]["suspend"] is True


async def test_text_is_not_left_unasked(console, quiet):
    async with console(at="mcp/quiet", namespace=quiet) as pilot:
        area = await edit(pilot)
        area.text += "# a thought\n"
        await pilot.press("escape")
        await until(pilot, lambda: shows(pilot, "Leave this text?"))
        await pilot.press("escape")
        await until(pilot, lambda: shows(pilot, "# a thought"))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_new_one_has_a_form_with_its_yaml_beside(console, sample, size):
    async with console(size=size, at="deploy/modelapi") as pilot:
        await until(pilot, lambda: shows(pilot, "✔"))
        assert_snapshot(pilot, "deploy")


async def test_a_new_one_is_deployed_from_its_form(console, place, namespace):
    async with console(at="mcp", namespace=namespace) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: pilot.app.screen.query("#text"))
        assert command(pilot) == f"kaos mcp deploy -f - -n {namespace}"
        await pilot.press("end", "2")
        await until(pilot, lambda: shows(pilot, "name: calculator2"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, DiffScreen))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.here.name == "calculator2")
        await until(pilot, lambda: shows(pilot, "● Ready"), 60)


async def test_form_and_yaml_turn_into_each_other(console, namespace):
    async with console(at="deploy/agent", namespace=namespace) as pilot:
        await until(pilot, lambda: pilot.app.screen.query("#text"))
        await pilot.press("ctrl+e")
        area = pilot.app.screen.query_one("#text", TextArea)
        await until(pilot, lambda: not area.read_only)
        area.text = area.text.replace("name: helper", "name: other").replace("model: mock", "model: gpt")
        await pilot.press("ctrl+e")
        await until(pilot, lambda: area.read_only)
        assert pilot.app.screen.query_one(SchemaForm).value()["model"] == "gpt"
        assert pilot.app.screen.query_one(SchemaForm).value()["name"] == "other"


async def test_what_the_crd_refuses_is_told_beside_the_form(console, namespace):
    async with console(at="deploy/mcp", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "✔"))
        await pilot.press("end", "_")
        await until(pilot, lambda: shows(pilot, "✖") and shows(pilot, "DNS label"))


async def test_events_are_live_and_narrowed_to_warnings(console, place, namespace):
    place.run("apply", "-n", namespace, "-f", "-", stdin=mcpserver("broken", runtime="nosuch", params=None)).ok()
    async with console(at="events", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "RuntimeNotFound"))
        await pilot.press("exclamation_mark")
        assert all(row.troubled for row in pilot.app.screen.query_one(Table).rows)
        assert command(pilot) == f"kaos events -n {namespace}"


async def test_secrets_show_keys_and_never_values(console, place, namespace):
    place.run("secret", "create", "token", "--from-stdin", "API_KEY", "-n", namespace, stdin="hunter2hunter2").ok()
    async with console(at="secrets", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "API_KEY"))
        assert not shows(pilot, "hunter2")


async def test_contexts_and_namespaces_can_be_chosen(console, namespace, sample):
    async with console(at="contexts") as pilot:
        await until(pilot, lambda: shows(pilot, "kaos-local"))
    async with console(at="namespaces") as pilot:
        await until(pilot, lambda: shows(pilot, namespace))
        await pilot.press("slash", *namespace, "enter")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.session.namespace == namespace)
