"""`kaos mcp logs`: lines as they were said, a prefix where several pods speak, and nothing hostile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kaos.actions.kinds import MCPSERVER
from kaos.cluster import wait
from kaos.kube.resources import PODS

KAOS = str(Path(sys.executable).with_name("kaos"))
SAYING = "import sys,time\nprint(sys.argv[1], flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def pod(client, room):
    """Start pods of the server `calc`; each says one line."""
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calc"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)

    def start(name, text):
        command = {"local.kaos.tools/command.mcp-server": json.dumps([sys.executable, "-c", SAYING, text])}
        containers = [{"name": "mcp-server", "image": "example.org/said:1"}]
        meta = {"name": name, "labels": {"mcpserver": "calc"}, "annotations": command}
        client.create(PODS, {"metadata": meta, "spec": {"containers": containers}}, room)
        wait.until(client, PODS, name, room, lambda obj: obj["status"].get("phase") == "Running", 20)
        response = client.logs(name, room, container="mcp-server", follow=True)
        next(response.lines())
        response.close()

    return start


def test_one_pod_speaks_without_a_prefix(kaos, room, pod):
    pod("one", "hello")
    assert kaos("mcp", "logs", "calc", "-n", room).ok().stdout == "hello\n"


def test_several_pods_speak_with_their_names(kaos, room, pod):
    pod("one", "first")
    pod("two", "second")
    assert kaos("mcp", "logs", "calc", "-n", room).ok().stdout == "[one] first\n[two] second\n"


def test_what_a_pod_says_cannot_steer_the_terminal(kaos, room, pod):
    pod("one", "\x1b]0;title\x07 \u202e evil")
    assert kaos("mcp", "logs", "calc", "-n", room).ok().stdout == "\\e]0;title\\x07 \\u202e evil\n"


def test_without_an_earlier_life_there_is_no_earlier_log(kaos, room, pod):
    pod("one", "hello")
    refused = kaos("mcp", "logs", "calc", "-n", room, "--previous")
    assert (refused.code, refused.stdout) == (3, "")
    assert "has not restarted" in refused.stderr


def test_a_container_that_is_not_there_names_those_that_are(kaos, room, pod):
    pod("one", "hello")
    refused = kaos("mcp", "logs", "calc", "-n", room, "-c", "sidecar")
    assert refused.code == 3
    assert "It has: mcp-server" in refused.stderr


def test_following_ends_with_130_when_interrupted(live, room, pod):
    pod("one", "hello")
    env = os.environ | {"KAOS_LOCAL_DIR": str(live.directory), "KAOS_CONTEXT": "kaos-local"}
    following = subprocess.Popen(
        [KAOS, "mcp", "logs", "calc", "-n", room, "-f"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert following.stdout.readline() == "hello\n"
        following.send_signal(signal.SIGINT)
        _, stderr = following.communicate(timeout=10)
    finally:
        following.kill()
    assert following.returncode == 130
    assert "Traceback" not in stderr
