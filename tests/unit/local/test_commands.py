"""What runs in place of an image: the local command that the manifest names, if its program is here; else the image."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kaos.local.node.commands import local_command

IMAGES = {"example.org/kaos": ["python", "-m", "kaos"]}


@pytest.mark.parametrize(
    ("words", "container", "command"),
    [
        (["python", "-m", "x"], {"args": ["--y"]}, ["python", "-m", "x", "--y"]),
        (["sh", "-c", "true"], {}, ["sh", "-c", "true"]),
        (["/no/such/program"], {}, ["/no/such/program"]),
        (["no-such-program-anywhere", "serve"], {}, None),
        (None, {"image": "example.org/kaos:1"}, ["python", "-m", "kaos"]),
        (None, {"image": "example.org/kaos:1", "command": ["python", "-m", "kaos.x"]}, ["python", "-m", "kaos.x"]),
        (None, {"image": "example.org/other:1"}, None),
        ([], {"image": "example.org/other:1"}, None),
        ([7], {"image": "example.org/other:1"}, None),
    ],
)
def test_the_command(words: list[Any] | None, container: dict[str, Any], command: list[str] | None) -> None:
    annotations = {"local.kaos.tools/command.main": json.dumps(words)} if words is not None else {}
    pod = {"metadata": {"annotations": annotations}}
    assert local_command(pod, {"name": "main", **container}, IMAGES) == command
