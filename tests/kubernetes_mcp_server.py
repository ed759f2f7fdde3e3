"""The program of the runtime kubernetes, as upstream publishes it with npm, and its manifest in the documentation."""

from __future__ import annotations

import platform
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import yaml

from kaos.api import registry
from tests.conftest import ROOT

PAGE = (ROOT / "docs/operator/mcpserver/kubernetes.md").read_text()
VERSION = registry.parse(registry.builtin_text())[0]["kubernetes"].image.rpartition(":v")[2]


def program(directory: Path) -> Path:
    """Put it there as `kubernetes-mcp-server`."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    package = f"kubernetes-mcp-server-linux-{machine}"
    packing = ["npm", "pack", "--silent", f"{package}@{VERSION}"]
    subprocess.run(packing, cwd=directory, check=True, capture_output=True, timeout=120)
    found = directory / "kubernetes-mcp-server"
    with tarfile.open(directory / f"{package}-{VERSION}.tgz") as archive:
        found.write_bytes(archive.extractfile(f"package/bin/{package}").read())
    found.chmod(0o755)
    return found


def example() -> dict[str, Any]:
    """The manifest of the documentation."""
    return yaml.safe_load(re.search(r"```yaml\n(apiVersion.*?)```", PAGE, re.DOTALL)[1])


def command() -> list[str]:
    """The words after `kaos` that give it its account there."""
    return re.search(r"^\$ kaos (system create-rbac .*)$", PAGE, re.MULTILINE)[1].split()
