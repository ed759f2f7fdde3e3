"""What the images are made of is pinned, and they are set up for the `restricted` Pod Security Standard."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

KAOS, RAWPYTHON = ROOT / "images/kaos", ROOT / "mcp-servers/rawpython"
LOCKS = [*sorted(KAOS.glob("*.txt")), *sorted(RAWPYTHON.glob("*.txt")), ROOT / "images/sbom.txt"]
LABELS = {"title", "description", "url", "source", "documentation", "licenses", "base.name", "version", "revision"}


def pinned(lock: Path) -> dict[str, str]:
    """Versions by name. Fails for what has no hash."""
    entries = re.findall(r"^(\S+)==(\S+)(.*\n(?:    .*\n)*)", lock.read_text(), re.MULTILINE)
    assert all("--hash=sha256:" in rest for _, _, rest in entries), lock
    return {canonicalize_name(name): version for name, version, _ in entries}


def wanted(project: Path, *extras: str) -> list[Requirement]:
    said = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    chosen = [*said["dependencies"], *(one for extra in extras for one in said["optional-dependencies"][extra])]
    return [one for one in map(Requirement, chosen) if one.name != said["name"]]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_is_pinned_with_its_hash(lock):
    assert pinned(lock)


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        (KAOS / "requirements.txt", wanted(ROOT, "api", "operator", "dataplane", "telemetry")),
        (RAWPYTHON / "requirements.txt", wanted(RAWPYTHON, "telemetry")),
    ],
    ids=["kaos", "rawpython"],
)
def test_the_pins_are_what_the_projects_ask_for(lock, requirements):
    versions = pinned(lock)
    for one in requirements:
        assert one.specifier.contains(versions[canonicalize_name(one.name)]), f"{one}; run: make lock"


@pytest.mark.parametrize("recipe", [KAOS / "Dockerfile", RAWPYTHON / "Dockerfile"], ids=["kaos", "rawpython"])
def test_an_image_runs_as_nobody_and_says_what_it_is(recipe):
    final = recipe.read_text().rpartition("\nFROM ")[2]
    assert "\nUSER 65532:65532\n" in final
    assert "\nRUN " not in final
    assert set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", final)) == LABELS
