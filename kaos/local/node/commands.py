"""Which local command stands in for a container's image, if any."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

Object = dict[str, Any]
_PYTHONS = ("python", "python3")
COMMAND_ANNOTATION = "local.kaos.tools/command."  # + container name: a JSON list, in place of image and command


def local_command(pod: Object, container: Object, image_commands: dict[str, list[str]]) -> list[str] | None:
    """The words to run, as the manifest has them; None when only a container engine can run this image here."""
    annotations = pod["metadata"].get("annotations") or {}
    if text := annotations.get(COMMAND_ANNOTATION + container["name"]):
        try:
            words = json.loads(text)
        except ValueError:
            words = None
        if isinstance(words, list) and words and all(isinstance(word, str) for word in words):
            return words + list(container.get("args") or ()) if _is_here(words[0]) else None
    if (known := image_commands.get(_repository(container.get("image") or ""))) is not None:
        return [*(container.get("command") or known), *(container.get("args") or ())]
    return None


def _is_here(program: str) -> bool:
    """Whether this machine has it. A path is taken at its word: what is wrong with it is told when it is started."""
    return "/" in program or program in _PYTHONS or shutil.which(program) is not None


def with_this_python(words: list[str]) -> list[str]:
    """The interpreter that a command names is the one that runs us: it has what the images have."""
    return [sys.executable, *words[1:]] if words[0] in _PYTHONS else words


def _repository(image: str) -> str:
    """The image without tag and digest; a registry's port is no tag."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
