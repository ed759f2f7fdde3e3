"""The samples that come with KAOS: `samples/*.yaml`."""

from __future__ import annotations

from pathlib import Path

import kaos
from kaos.actions import manifests
from kaos.actions.apply import Outcome, apply_all
from kaos.cluster import Client


def path(name: str) -> Path:
    """Where the sample `name` is."""
    package = Path(kaos.__file__).parent
    folder = package / "_samples" if (package / "_samples").exists() else package.parent / "samples"
    return folder / f"{name}.yaml"


def deploy(client: Client, name: str, namespace: str) -> list[Outcome]:
    """Apply a sample."""
    return apply_all(client, manifests.read([str(path(name))]), namespace)
