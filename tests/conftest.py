"""The places where a user story must work: the local cluster, and (with --place cluster) the one KUBECONFIG names.

A story takes `place` (or `kaos` and `namespace`) and drives the real `kaos` command; it never learns where it runs.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kaos as kaos_package
from kaos.kube.resources import Resource

ROOT = Path(__file__).resolve().parent.parent
KAOS = [str(Path(sys.executable).parent / "kaos")]
KAOS_IMAGE = f"kaostools/kaos:{kaos_package.__version__}"
# The relay in KAOS's own image takes LiteLLM's configuration and arguments, and stands in for it where no registry is.
RELAY = {"image": KAOS_IMAGE, "command": ["python", "-m", "kaos.dataplane.model", "relay"]}
IMAGES = {  # image -> the arguments of its build
    f"kaostools/kaos-mcp-rawpython:{kaos_package.__version__}": [str(ROOT / "mcp-servers/rawpython")],
    KAOS_IMAGE: ["-f", str(ROOT / "images/kaos/Dockerfile"), str(ROOT)],
}

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--place", choices=["local", "cluster"], default="local", help="where the user stories run")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    place = config.getoption("--place")
    for item in items:
        only = item.get_closest_marker("only")
        if only and only.args[0] != place:
            item.add_marker(pytest.mark.skip(reason=f"a story of the {only.args[0]} place"))


@dataclass(frozen=True)
class Result:
    """What a person sees of a finished command."""

    code: int
    stdout: str
    stderr: str

    def ok(self) -> Result:
        assert self.code == 0, f"exit {self.code}\nstdout: {self.stdout}\nstderr: {self.stderr}"
        return self


@dataclass(frozen=True)
class Place:
    """One cluster with a running operator, reached by the `kaos` command as a user would."""

    name: str  # local or cluster
    env: dict[str, str]
    kubeconfig: Path

    def run(self, *arguments: str, stdin: str | None = None, timeout_s: float = 90, **env: str) -> Result:
        finished = subprocess.run(
            [*KAOS, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=self.env | env,
            check=False,
        )
        return Result(finished.returncode, finished.stdout, finished.stderr)

    def object(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """The custom resource as `kaos KIND get NAME -o json` shows it."""
        return json.loads(self.run(kind, "get", name, "-n", namespace, "-o", "json").ok().stdout)

    def until(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        holds: Callable[[dict[str, Any] | None], bool],
        timeout_s: float,
    ) -> dict[str, Any] | None:
        """Watch the object until `holds` says so (None: it is gone) and return it; fails with its last state."""
        from kaos.cluster import Client, resolve
        from kaos.cluster.wait import until

        client = Client(resolve(kubeconfig=str(self.kubeconfig)))
        return until(client, resource, name, namespace=namespace, condition=holds, timeout_s=timeout_s)

    def kubernetes(self) -> Any:
        """The official Python client on this place: a hand that KAOS did not write."""
        from kubernetes import config

        return config.new_client_from_config(str(self.kubeconfig))

    def load_image(self, image: str, *build: str | Path, build_args: dict[str, str] | None = None) -> None:
        """Build it and put it into a kind cluster; on any other kind of cluster it is pulled."""
        import yaml

        context = yaml.safe_load(self.kubeconfig.read_text())["current-context"]
        if not context.startswith("kind-"):
            return
        given = [word for pair in (build_args or {}).items() for word in ("--build-arg", "=".join(pair))]
        command = ["docker", "build", "--network", "host", "-q", "-t", image, *given, *map(str, build)]
        _quietly(command)
        _quietly(["kind", "load", "docker-image", image, "--name", context.removeprefix("kind-")])

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """A command that runs on beside the test; the caller ends it."""
        return subprocess.Popen(
            [*KAOS, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env | env,
        )


def _quietly(command: list[str]) -> None:
    """Run it; what it says is of interest only when it fails."""
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, f"{' '.join(command)}: {finished.stdout}{finished.stderr}"


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_env(home: Path) -> dict[str, str]:
    """The tester's environment without anything that points kaos at a cluster or at saved state."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("KAOS_", "XDG_", "KUBE", "NO_COLOR")) and key != "HOME"
    }
    return kept | {"HOME": str(home), "COLUMNS": "200"}


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("home")
    if request.config.getoption("--place") == "local":
        yield from _local(home)
    else:
        yield from _cluster(home)


def _local(home: Path) -> Iterator[Place]:
    env = clean_env(home) | {"KAOS_LOCAL_DIR": str(home / "local"), "KAOS_CONTEXT": "kaos-local"}
    here = Place("local", env, home / "local/kubeconfig")
    here.run("local", "up").ok()
    try:
        yield here
    finally:
        here.run("local", "reset", "--yes").ok()


def _cluster(home: Path) -> Iterator[Place]:
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.exit("--place cluster needs KUBECONFIG", returncode=2)
    here = Place("cluster", clean_env(home) | {"KUBECONFIG": kubeconfig}, Path(kubeconfig))
    for image, build in IMAGES.items():
        here.load_image(image, *build)
    here.run("system", "install", "--no-operator").ok()
    operator_log = home / "operator.log"
    with operator_log.open("w") as log:
        operator = subprocess.Popen([*KAOS, "operator", "run"], stdout=log, stderr=log, env=here.env)
    try:
        yield here
    finally:
        operator.terminate()
        operator.wait(30)
        assert "Traceback" not in operator_log.read_text()


@pytest.fixture
def kaos(place: Place) -> Callable[..., Result]:
    """Run `kaos ...` and get exit code, stdout and stderr."""
    return place.run


@pytest.fixture
def namespace(place: Place, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, named after it; gone afterwards."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    story = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:30].strip("-")
    name = f"{story}-{worker}-{os.getpid()}-{next(_numbers)}"
    manifest = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"
    place.run("apply", "-f", "-", stdin=manifest).ok()
    yield name
    place.run("delete", "--yes", "-f", "-", stdin=manifest)
