"""`kaos local`: the cluster on one machine lives, dies and comes back as promised."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat

import psutil
import pytest

from kaos.api.names import MCPSERVERS
from tests.conftest import Place, clean_env
from tests.stories import is_ready, mcpserver

pytestmark = pytest.mark.only("local")


@pytest.fixture
def own(tmp_path):
    """A machine with no cluster yet, and a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    env = clean_env(home) | {"KAOS_LOCAL_DIR": str(home / "local")}
    here = Place("local", env, home / "local/kubeconfig")
    yield here
    here.run("local", "reset", "--yes").ok()


def daemon_pid(own: Place) -> int:
    return json.loads(own.run("local", "status", "-o", "json").ok().stdout)["pid"]


def pod_processes(own: Place) -> list[psutil.Process]:
    """Every process that works below the cluster's data directory, found without KAOS's help."""
    directory = own.env["KAOS_LOCAL_DIR"]
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("KAOS_POD_UID") and process.cwd().startswith(directory):
                found.append(process)
        except psutil.Error:
            continue
    return found


def gone(processes: list[psutil.Process], timeout_s: float) -> bool:
    return not psutil.wait_procs(processes, timeout=timeout_s)[1]


def test_a_first_run_needs_one_command_and_one_deploy(own):
    up = own.run("local", "up").ok()
    assert "kaos-local" in up.stdout + up.stderr
    own.run("mcp", "deploy", "-f", "-", "--wait", stdin=mcpserver("calculator")).ok()
    called = own.run("mcp", "invoke", "calculator", "--tool", "add", "--args", '{"a": 2, "b": 3}').ok()
    assert called.stdout == '{"result": 5}\n'


def test_everything_survives_kill_9_of_the_daemon(own):
    own.run("local", "up").ok()
    own.run("mcp", "deploy", "-f", "-", "--wait", stdin=mcpserver("calculator")).ok()
    before = own.object("mcp", "calculator", "default")
    processes = pod_processes(own)
    assert processes
    os.kill(daemon_pid(own), signal.SIGKILL)
    assert gone(processes, timeout_s=20), "processes of pods outlived the daemon"
    own.run("local", "up").ok()
    own.until(MCPSERVERS, "calculator", "default", is_ready, 60)
    assert own.object("mcp", "calculator", "default")["metadata"]["uid"] == before["metadata"]["uid"]
    own.run("mcp", "invoke", "calculator", "add", "a=2", "b=3").ok()


def test_an_acknowledged_write_survives_kill_9(own):
    own.run("local", "up").ok()
    for number in range(5):
        name = f"write-{number}"
        own.run("secret", "create", name, "--from-stdin", "key", stdin=f"value {number}").ok()
        os.kill(daemon_pid(own), signal.SIGKILL)
        own.run("local", "up").ok()
        assert name in own.run("secret", "list", "-o", "name").ok().stdout


def test_down_stops_the_pods_and_up_brings_them_back(own):
    own.run("local", "up").ok()
    own.run("mcp", "deploy", "-f", "-", "--wait", stdin=mcpserver("calculator")).ok()
    processes = pod_processes(own)
    own.run("local", "down").ok()
    assert gone(processes, timeout_s=20)
    unreachable = own.run("mcp", "list", "--context", "kaos-local")
    assert unreachable.code == 4
    assert "kaos local up" in unreachable.stderr
    own.run("local", "up").ok()
    own.until(MCPSERVERS, "calculator", "default", is_ready, 60)


def test_reset_deletes_everything(own):
    own.run("local", "up").ok()
    own.run("secret", "create", "old", "--from-stdin", "key", stdin="x").ok()
    own.run("local", "reset", "--yes").ok()
    assert not os.path.exists(own.env["KAOS_LOCAL_DIR"])
    own.run("local", "up").ok()
    assert "old" not in own.run("secret", "list", "-o", "name").ok().stdout


def test_a_second_up_says_that_it_runs(own):
    own.run("local", "up").ok()
    pid = daemon_pid(own)
    again = own.run("local", "up").ok()
    assert str(pid) in again.stdout + again.stderr
    assert daemon_pid(own) == pid


def test_two_ups_at_once_have_one_winner(own):
    racing = [own.start("local", "up") for _ in range(2)]
    codes = []
    for process in racing:
        process.communicate(timeout=90)
        codes.append(process.returncode)
    assert 0 in codes
    directory = own.env["KAOS_LOCAL_DIR"]
    daemons = [
        p
        for p in psutil.process_iter(["cmdline"])
        if "kaos.actions.daemon" in (p.info["cmdline"] or []) and directory in p.info["cmdline"]
    ]
    assert len(daemons) == 1


def test_a_taken_port_is_named(own):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = own.run("local", "up", "--port", str(port))
    assert refused.code != 0
    assert str(port) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_port_is_kept_across_restarts(own):
    own.run("local", "up").ok()
    first = json.loads(own.run("local", "status", "-o", "json").ok().stdout)["server"]
    own.run("local", "down").ok()
    own.run("local", "up").ok()
    assert json.loads(own.run("local", "status", "-o", "json").ok().stdout)["server"] == first


def test_without_any_cluster_the_cure_is_named(own):
    for command in (["mcp", "list"], ["status"], ["mcp", "invoke", "x", "y"]):
        refused = own.run(*command)
        assert refused.code == 4
        assert "kaos local up" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_data_and_token_are_for_the_owner_only(own):
    own.run("local", "up").ok()
    directory = own.env["KAOS_LOCAL_DIR"]
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(own.kubeconfig).st_mode) == 0o600


def test_a_corrupt_store_is_refused_not_replaced(own):
    own.run("local", "up").ok()
    own.run("local", "down").ok()
    directory = own.env["KAOS_LOCAL_DIR"]
    (store,) = [name for name in os.listdir(directory) if name.endswith(".db")]
    path = os.path.join(directory, store)
    with open(path, "r+b") as file:
        file.write(b"rubbish, not a database" * 100)
    for leftover in (path + "-wal", path + "-shm"):
        if os.path.exists(leftover):
            os.remove(leftover)
    refused = own.run("local", "up")
    assert refused.code != 0
    assert "Traceback" not in refused.stderr
    assert os.path.getsize(path) > 0


def test_the_api_server_refuses_strangers(own):
    import httpx

    own.run("local", "up").ok()
    server = json.loads(own.run("local", "status", "-o", "json").ok().stdout)["server"]
    with httpx.Client(verify=False) as client:
        assert client.get(f"{server}/readyz").status_code == 200
        assert client.get(f"{server}/api/v1/secrets").status_code == 401
        assert client.get(f"{server}/api/v1/secrets", headers={"Authorization": "Bearer guess"}).status_code == 401
        assert client.get(f"{server}/readyz", headers={"Host": "evil.example"}).status_code == 403
        assert client.get(f"{server}/readyz", headers={"Origin": "https://evil.example"}).status_code == 403
