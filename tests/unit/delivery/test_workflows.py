"""The GitHub workflows: when they run, what they may, and that what they use is pinned."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from kaos.api import registry
from tests.conftest import ROOT

FILES = {path.name: path for path in sorted((ROOT / ".github/workflows").glob("*.y*ml"))}
WRITES = {"id-token", "attestations", "packages", "contents"}


def workflow(name: str) -> dict[Any, Any]:
    """`on` is read as true: YAML 1.1 has it so."""
    found = yaml.safe_load(FILES[name].read_text())
    found["on"] = found.pop(True)
    return found


def jobs(name: str) -> dict[str, Any]:
    return workflow(name)["jobs"]


def test_rawpython_is_built_for_a_release_and_when_it_changes_on_main():
    runs = workflow("build-mcp-rawpython.yaml")["on"]
    assert runs["push"] == {"branches": ["main"], "paths": ["mcp-servers/rawpython/**"]}
    assert set(runs) == {"push", "workflow_call"}
    version = runs["workflow_call"]["inputs"]["version"]
    assert (version["required"], version["type"]) == (True, "string")


def test_the_other_image_is_built_for_a_release_only():
    runs = workflow("reusable-build-images.yaml")["on"]
    assert set(runs) == {"workflow_call"}
    assert runs["workflow_call"]["inputs"]["version"]["required"] is True


def test_stories_of_runtimes_run_when_runtimes_change():
    runs = workflow("mcp-runtimes-e2e.yaml")["on"]
    for event in ("push", "pull_request"):
        assert {"mcp-servers/rawpython/**", "kaos/operator/decide/mcpserver*"} <= set(runs[event]["paths"])
    for pattern in runs["push"]["paths"]:
        assert list(ROOT.glob(pattern)), pattern


def test_every_tier_of_tests_runs_on_every_python():
    said = jobs("ci.yaml")
    commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in said.items()}
    for target in ("lint", "test", "test-full", "test-cluster"):
        assert f"make {target}" in commands[target]
    assert said["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert any("kind create cluster" in command for command in commands["test-cluster"])


def test_what_make_is_asked_for_there_is():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {found for path in FILES.values() for found in re.findall(r"run: make ([a-z-]+)", path.read_text())}
    assert asked
    assert asked <= targets


def test_a_release_gives_all_images_their_version_before_chart_and_package():
    said = jobs("release.yaml")
    for name, file in (
        ("images", "reusable-build-images.yaml"),
        ("rawpython", "build-mcp-rawpython.yaml"),
        ("servers", "build-mcp-servers.yaml"),
    ):
        assert said[name]["uses"] == f"./.github/workflows/{file}"
        assert said[name]["with"] == {"version": "${{ needs.version.outputs.version }}"}
        assert set(said[name]["secrets"]) == set(workflow(file)["on"]["workflow_call"]["secrets"])
    for name in ("chart", "package"):
        assert {"images", "rawpython", "servers"} <= set(said[name]["needs"])


def test_every_server_of_the_registry_is_built_in_the_version_that_it_pins():
    matrix = jobs("build-mcp-servers.yaml")["build-server"]["strategy"]["matrix"]["include"]
    built = {one["name"]: f"{one['from']}:{one['package']}" for one in matrix if "package" in one}
    pinned = registry.parse(registry.builtin_text())[0].values()
    assert built == {one.name: one.package for one in pinned if one.package}
    for one in matrix:
        assert (ROOT / f"images/mcp-{one['from']}/Dockerfile").exists()


@pytest.mark.parametrize("name", FILES)
def test_what_it_uses_is_pinned_and_what_it_may_is_little(name):
    said = workflow(name)
    assert said["permissions"] == {"contents": "read"}
    for job in said["jobs"].values():
        written = {what for what, how in job.get("permissions", {}).items() if how == "write"}
        assert written <= WRITES
        for step in job.get("steps", ()):
            if "uses" in step:
                assert re.fullmatch(r"[\w.-]+/[\w./-]+@v\d+\.\d+\.\d+", step["uses"]), step["uses"]
            # What others may choose the text of reaches a shell by the environment only.
            assert "${{" not in step.get("run", "")
