"""The log screen: all pods as they speak, ranges, the life before, filters, saving, an API server that goes."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from kaos.actions.kinds import MCPSERVER
from kaos.actions.system import install_prerequisites
from kaos.cluster import Client, resolve, wait
from kaos.kube.resources import NAMESPACES, PODS
from kaos.tui.places import Place
from kaos.tui.widgets.chrome import CommandLine
from kaos.tui.widgets.logview import LogView
from tests.live import LiveCluster
from tests.stories import manifests, mcpserver
from tests.tui.conftest import SIZES, assert_snapshot, screen_text, shows, until

SAYING = (
    "import sys,time\nfor word in sys.argv[1:]:\n    print(word, flush=True)\n    time.sleep(0.02)\ntime.sleep(600)\n"
)
ONCE = "import sys\nprint(sys.argv[1], flush=True)\nsys.exit(3)\n"


def command(pilot):
    lines = pilot.app.screen.query(CommandLine)
    return lines.first().command if lines else ""


def told(pilot, text):
    return any(text in notice.message for notice in pilot.app._notifications)


def view(pilot):
    return pilot.app.screen.query_one(LogView)


@pytest.fixture
def client(place):
    return Client(resolve(kubeconfig=str(place.kubeconfig)))


@pytest.fixture
def pod(client, namespace):
    """Start pods that pass for those of the MCPServer `said`, whose own are suspended."""
    return starter(client, namespace)


def starter(client, namespace):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "said"},
           "spec": {"runtime": "rawpython", "suspend": True}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, namespace)

    def start(name, *words, code=SAYING, phase="Running"):
        said = {"local.kaos.tools/command.mcp-server": json.dumps([sys.executable, "-c", code, *words])}
        containers = [{"name": "mcp-server", "image": "example.org/said:1"}]
        meta = {"name": name, "labels": {"mcpserver": "said"}, "annotations": said}
        spec = {"containers": containers, "terminationGracePeriodSeconds": 1}
        client.create(PODS, {"metadata": meta, "spec": spec}, namespace)
        wait.until(client, PODS, name, namespace, lambda obj: (obj or {}).get("status", {}).get("phase") == phase, 20)

    return start


@pytest.fixture
def voices(place, client):
    """A namespace whose name fits into a snapshot, with two pods that have said their words."""
    manifest = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: voices\n"
    place.run("apply", "-f", "-", stdin=manifest).ok()
    start = starter(client, "voices")
    start(
        "said-one-x2x9k",
        "INFO:     Started server process",
        "WARNING retry 2/5",
        '{"level":"error","msg":"boom","id":7}',
    )
    spoken = client.logs("said-one-x2x9k", "voices", follow=True)
    next(line for line in spoken.lines() if b"boom" in line)  # so that the order is always the same
    spoken.close()
    start("said-one-b4c2d", "INFO hello", "the last word")
    yield "voices"
    place.run("delete", "--yes", "-f", "-", stdin=manifest).ok()


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_it_shows_what_a_server_says(console, voices, size):
    async with console(size=size, at="mcp/said/logs", namespace=voices) as pilot:
        await until(pilot, lambda: shows(pilot, "boom") and shows(pilot, "the last word"))
        await pilot.press("s", "up")
        await until(pilot, lambda: shows(pilot, "‖ paused"))
        assert_snapshot(pilot, "logs")


async def test_lines_appear_as_they_are_said_and_pods_to_come_join(console, pod, namespace):
    pod("said-a-one", "first")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, " first"))
        pod("said-a-two", "second")
        await until(pilot, lambda: shows(pilot, "two second"))
        assert shows(pilot, "one first"), "now that there are two, each has its name"


async def test_the_command_follows_every_option(console, namespace, pod, place):
    pod("said-a-one", "hello")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        base = f"kaos logs mcp/said -n {namespace}"
        await until(pilot, lambda: shows(pilot, " hello"))
        assert command(pilot) == f"{base} -f --tail 1000"
        await pilot.press("4")
        await until(pilot, lambda: command(pilot) == f"{base} -f --since 15m")
        await until(pilot, lambda: shows(pilot, " hello"))
        await pilot.press("t", "s")
        await until(pilot, lambda: command(pilot) == f"{base} --since 15m --timestamps")
        _, *argv = shlex.split(command(pilot))
        printed = place.run(*argv).ok().stdout
        assert printed == "".join(f"{line}\n" for line in view(pilot).saved())


async def test_what_was_said_before_the_last_restart_is_shown(console, client, pod, namespace):
    pod("said-a-one", "my last words", code=ONCE, phase="Running")

    def restarted(obj):
        return obj["status"]["containerStatuses"][0]["restartCount"] > 0

    wait.until(client, PODS, "said-a-one", namespace, restarted, 20)
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: "--previous" in command(pilot) and shows(pilot, "my last words"))
        assert "-f" not in command(pilot).split()
        assert shows(pilot, "○ over")
        await pilot.press("p")
        await until(pilot, lambda: shows(pilot, "● follows"))


async def test_from_the_beginning_one_starts_at_the_first_line(console, pod, namespace):
    pod("said-a-one", *(f"word{n}" for n in range(60)))
    async with console(size=(80, 24), at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "word59"))
        await pilot.press("1")
        await until(pilot, lambda: len(view(pilot).store) == 60)
        assert screen_text(pilot).splitlines()[2] == " word0"
        assert command(pilot) == f"kaos logs mcp/said -n {namespace}"


async def test_a_line_is_copied(console, pod, namespace):
    pod("said-a-one", "first", "second")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "second"))
        await pilot.press("up", "c")
        assert pilot.app.clipboard == "first"


async def test_without_an_earlier_life_it_says_so(console, pod, namespace):
    pod("said-a-one", "hello")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: shows(pilot, "Pod said-a-one has not restarted: there is no earlier log."))


async def test_one_pod_after_the_other_can_be_read_alone(console, pod, namespace):
    pod("said-a-one", "from one")
    pod("said-a-two", "from two")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "from one") and shows(pilot, "from two"))
        await pilot.press("a")
        await until(pilot, lambda: "--pod said-a-one" in command(pilot) and shows(pilot, " from one"))
        assert not shows(pilot, "from two")
        await pilot.press("a")
        await until(pilot, lambda: shows(pilot, " from two") and not shows(pilot, "from one"))
        await pilot.press("a")
        await until(pilot, lambda: shows(pilot, "from one") and shows(pilot, "from two"))


async def test_a_filter_is_typed_counted_and_lifted(console, pod, namespace):
    pod("said-a-one", "apple", "pear", "Apple pie")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "Apple pie"))
        await pilot.press("slash", *"apple")
        await until(pilot, lambda: shows(pilot, "/apple  2 matches"))
        assert not shows(pilot, "pear")
        await pilot.press("left_parenthesis", "enter")
        await until(pilot, lambda: told(pilot, "is no regular expression"))
        assert shows(pilot, "/apple  2 matches"), "the last result is kept"
        await pilot.press("escape")
        await until(pilot, lambda: shows(pilot, "pear"))


async def test_a_filter_without_a_match_says_so(console, pod, namespace):
    pod("said-a-one", "apple")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, " apple"))
        await pilot.press("slash", *"plum", "enter")
        await until(pilot, lambda: shows(pilot, "No line of 1 matches 'plum'."))


async def test_what_is_shown_is_saved_where_only_its_owner_reads_it(console, pod, namespace, tmp_path, monkeypatch):
    pod("said-a-one", "apple", "pear")
    monkeypatch.chdir(tmp_path)
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, " pear"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: list(tmp_path.glob("*.log")) and told(pilot, "Saved 2 lines"))
        (saved,) = tmp_path.glob("*.log")
        assert saved.read_text() == "apple\npear\n"
        assert saved.stat().st_mode & 0o777 == 0o600
        assert saved.name.startswith("mcp-said-")


async def test_a_directory_that_cannot_be_written_is_told(console, pod, namespace, tmp_path, monkeypatch):
    pod("said-a-one", "apple")
    gone = tmp_path / "gone"
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, " apple"))
        monkeypatch.setattr(Path, "cwd", lambda: gone)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: told(pilot, "Not saved: "))
        assert not os.path.exists(gone)


async def test_full_screen_leaves_only_lines_and_escape_comes_back(console, pod, namespace):
    pod("said-a-one", "apple")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, " apple"))
        await pilot.press("f")
        await until(pilot, lambda: not shows(pilot, "kaos"))
        assert screen_text(pilot).splitlines()[0] == " apple"
        await pilot.press("escape")
        await until(pilot, lambda: shows(pilot, "kaos logs mcp/said"))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.here.view == "home")


async def test_a_resource_that_is_not_there_is_told_with_the_nearest_name(console, pod, namespace):
    async with console(at="mcp/sayd/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, f"There is no MCPServer sayd in namespace {namespace}."))
        assert shows(pilot, "Did you mean said?")


async def test_a_server_without_pods_waits_for_one(console, pod, namespace):
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "mcp/said has no pod yet; waiting for one."))
        pod("said-a-one", "here I am")
        await until(pilot, lambda: shows(pilot, "here I am"))


async def test_the_operator_in_the_local_daemon_is_read_too(console, place, namespace):
    async with console(namespace=namespace) as pilot:
        pilot.app.go(Place("logs", kind="operator"))
        await until(pilot, lambda: command(pilot) == "kaos logs --operator -f --tail 1000")
        place.run("apply", "-n", namespace, "-f", "-", stdin=mcpserver("later", suspend=True)).ok()
        await until(pilot, lambda: shows(pilot, f"MCPServer {namespace}/later"))


async def test_several_resources_are_read_at_once(console, place, pod, namespace):
    pod("said-a-one", "from said")
    place.run("apply", "-n", namespace, "-f", "-", stdin=mcpserver("calc")).ok()
    async with console(at="mcp/said,calc/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "said-one") and shows(pilot, "calc-"))
        assert command(pilot) == f"kaos logs mcp/said mcp/calc -n {namespace} -f --tail 1000"


async def test_a_resource_that_is_deleted_ends_its_log_and_leaves_the_lines(console, client, place, pod, namespace):
    pod("said-a-one", "hello")
    async with console(at="mcp/said/logs", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, " hello"))
        place.run("mcp", "delete", "said", "--yes", "-n", namespace).ok()
        client.delete(PODS, "said-a-one", namespace)
        await until(pilot, lambda: shows(pilot, "✖ ended"))
        assert shows(pilot, f"There is no MCPServer said in namespace {namespace}.")
        assert shows(pilot, " hello")


async def test_what_is_marked_in_a_list_is_read_at_once(console, place, namespace):
    text = manifests(mcpserver("one", suspend=True), mcpserver("two", suspend=True))
    place.run("apply", "-n", namespace, "-f", "-", stdin=text).ok()
    async with console(at="mcp", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "one") and shows(pilot, "two"))
        await pilot.press("home", "space", "end", "space", "l")
        await until(pilot, lambda: command(pilot) == f"kaos logs mcp/one mcp/two -n {namespace} -f --tail 1000")
        await until(pilot, lambda: shows(pilot, "mcp/two has no pod yet; waiting for one."))


async def test_a_pod_of_the_detail_is_read_alone_and_p_shows_the_life_before(console, pod, namespace):
    pod("said-a-one", "from one")
    pod("said-a-two", "from two")
    async with console(at="mcp/said/pods", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "said-a-two"))
        await pilot.press("end", "enter")
        await until(pilot, lambda: "--pod said-a-two" in command(pilot) and shows(pilot, " from two"))
        await pilot.press("escape", "p")
        await until(pilot, lambda: "--previous" in command(pilot))


async def test_an_api_server_that_goes_is_told_and_found_again(tmp_path, monkeypatch, console):
    with LiveCluster(tmp_path / "other") as cluster:
        client = Client(resolve(kubeconfig=str(cluster.kubeconfig)))
        install_prerequisites(client)
        client.create(NAMESPACES, {"metadata": {"name": "room"}})
        starter(client, "room")("said-a-one", "hello")
        monkeypatch.setenv("KAOS_LOCAL_DIR", str(cluster.directory))
        async with console(at="mcp/said/logs", namespace="room") as pilot:
            await until(pilot, lambda: shows(pilot, " hello"))
            cluster.kill()
            await until(pilot, lambda: shows(pilot, "◐ API server away, trying again"))
            assert shows(pilot, " hello"), "what was read stays"
            await pilot.press("up")
            assert not view(pilot).following, "keys work meanwhile"
            cluster.start()
            await until(pilot, lambda: shows(pilot, "The API server answers again."))
            await until(pilot, lambda: screen_text(pilot).count("hello") == 2)
