"""Servers that speak over their standard input and output only, used like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from kaos.api import registry
from kaos.api.names import MCPSERVERS
from tests.conftest import KAOS_IMAGE, ROOT
from tests.stories import is_ready, mcpserver, message, reason

PROGRAM = Path(__file__).with_name("stdio_clock.py").read_text()
CLOCK = {"image": KAOS_IMAGE, "command": ["python", "/app/clock.py"]}
KEY = [{"name": "CLOCK_KEY", "value": "x"}]


def clock(name: str, **container: object) -> str:
    """The server's program in a ConfigMap, and an MCPServer that runs it in an image that knows nothing of it."""
    program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"clock.py": PROGRAM}}
    server = mcpserver(
        name, None, runtime="custom", transport="stdio",
        container={**CLOCK, "volumeMounts": [{"name": "app", "mountPath": "/app"}], **container},
        podSpec={"volumes": [{"name": "app", "configMap": {"name": name}}]},
    )  # fmt: skip
    return f"{yaml.safe_dump(program)}---\n{server}"


def test_a_program_that_speaks_over_stdio_is_a_server_like_any_other(place, kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, stdin=clock("clock", env=KEY)).ok()
    found = place.until(MCPSERVERS, "clock", namespace, is_ready, 120)
    assert [tool["name"] for tool in found["status"]["tools"]] == ["count"]
    assert found["status"]["serverInfo"] == {"name": "clock", "version": "1"}
    assert found["status"]["transport"] == "stdio"
    answer = kaos("mcp", "invoke", "clock", "-n", namespace, "count", "step:=3").ok()
    assert json.loads(answer.stdout) == {"result": 3}
    assert "clock: at your service" in kaos("mcp", "logs", "clock", "-n", namespace).ok().stdout


def test_why_it_does_not_start_is_in_the_status_in_its_own_words(place, kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, stdin=clock("keyless")).ok()
    found = place.until(
        MCPSERVERS, "keyless", namespace, lambda it: reason(it) == "CrashLooping" and "exit code" in message(it), 120
    )
    assert "the server ended with exit code 1; its last words: clock: CLOCK_KEY is not set" in message(found)
    kaos("apply", "-f", "-", "-n", namespace, stdin=clock("keyless", env=KEY)).ok()
    place.until(MCPSERVERS, "keyless", namespace, is_ready, 120)


# A tool, its arguments, and what is in the answer; None: the runtime is asked for nothing but its tools.
CALLS = {
    "fetch": (["fetch", "url=http://127.0.0.1:1/"], "not a public address"),
    "git": (["git_status", "repo_path=/nowhere"], "/nowhere"),
    "filesystem": (["list_allowed_directories"], "Allowed directories"),
    "memory": (["create_entities", 'entities:=[{"name": "Ada", "entityType": "person", "observations": []}]'], "Ada"),
    "everything": (["echo", "message=over the bridge"], "over the bridge"),
    "slack": (None, "slack_list_channels"),
    "argocd": (None, "list_applications"),
}
CREDENTIALS = {
    "slack": {"SLACK_BOT_TOKEN": "xoxb-none", "SLACK_TEAM_ID": "T0"},
    "argocd": {"ARGOCD_BASE_URL": "http://127.0.0.1:1", "ARGOCD_API_TOKEN": "none"},
}


def load_runtime(place, runtime: str) -> None:
    """Into a kind cluster: the image of the runtime, made from its pinned package."""
    entry = registry.parse(registry.builtin_text())[0][runtime]
    where, _, package = entry.package.partition(":")
    more = {"SYSTEM_PACKAGES": "git"} if runtime == "git" else {}
    place.load_image(entry.image, ROOT / f"images/mcp-{where}", build_args={"PACKAGE": package} | more)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("runtime", CALLS)
def test_a_runtime_of_the_registry_is_called(place, kaos, namespace, runtime):
    load_runtime(place, runtime)
    env = [{"name": name, "value": value} for name, value in CREDENTIALS.get(runtime, {}).items()]
    manifest = mcpserver(runtime, None, runtime=runtime, **({"container": {"env": env}} if env else {}))
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
    place.until(MCPSERVERS, runtime, namespace, is_ready, 300)
    call, told = CALLS[runtime]
    if call is None:
        assert told in kaos("mcp", "tools", runtime, "-n", namespace).ok().stdout
    else:
        answer = kaos("mcp", "invoke", runtime, "-n", namespace, *call)
        assert told in answer.stdout + answer.stderr


@pytest.mark.full
@pytest.mark.only("local")
def test_any_package_is_a_server(place, kaos, namespace):
    package = "pypi:mcp-server-time==2026.10.19"
    kaos("mcp", "deploy", "--name", "time", "--package", package, "-n", namespace).ok()
    place.until(MCPSERVERS, "time", namespace, is_ready, 300)
    answer = kaos("mcp", "invoke", "time", "-n", namespace, "get_current_time", "timezone=UTC").ok()
    assert json.loads(answer.stdout)["timezone"] == "UTC"
