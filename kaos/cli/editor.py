"""Changing an object in the person's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from kaos.actions import manifests
from kaos.errors import KaosError, UsageError
from kaos.kube.yaml_text import yaml_text

Object = dict[str, Any]


class Editor:
    """One change in the person's editor. Their text is kept, and named, when it cannot be used."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._before = ""

    def __enter__(self) -> Editor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if self._path is None:
            return
        if error is None or self._path.read_text() == self._before:
            self._path.unlink()
        elif isinstance(error, KaosError):
            error.cure = f"{error.cure + ' ' if error.cure else ''}Your text: {self._path}"

    def change(self, before: Object) -> Object | None:
        """The object as the person leaves it; None when the text is not touched."""
        self._before = yaml_text(before)
        descriptor, path = tempfile.mkstemp(prefix="kaos-", suffix=".yaml")
        self._path = Path(path)
        with os.fdopen(descriptor, "w") as file:
            file.write(self._before)
        _run(path)
        after = self._path.read_text()
        if after == self._before:
            return None
        found = manifests.parse(after, path)
        if len(found) != 1:
            raise UsageError(f"One object was to be edited, and now there are {len(found)}.", "")
        # The server's own fields go along: they tell which version was edited.
        meta = {key: value for key, value in before["metadata"].items() if key in manifests.WRITTEN_BY_SERVERS}
        return found[0].object | {"metadata": meta | found[0].object["metadata"]}


def _run(path: str) -> None:
    editor = os.environ.get("KUBE_EDITOR") or os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        code = subprocess.run([*shlex.split(editor), path], check=False).returncode
    except OSError as error:
        raise UsageError(f"Cannot start the editor {editor}: {error.strerror}.", "Set EDITOR to yours.") from None
    if code != 0:
        raise KaosError(f"The editor ended with code {code}; nothing was changed.", "")
