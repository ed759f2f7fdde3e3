"""Write a new project: a server that runs, passes its tests and is locked, from a template."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from kaos.actions.project import environment, image
from kaos.actions.project.environment import Project
from kaos.errors import KaosError, UsageError
from kaos.kube.names import is_dns_label
from kaos.kube.yaml_text import yaml_text

TEMPLATE = Path(__file__).with_name("templates") / "python"
TEMPLATE_NAME = "my-tools"
_HIDDEN = {"dockerignore": ".dockerignore", "gitignore": ".gitignore"}  # else they would hide files of our own package
_ABOUT = {
    "server.py": "FastMCP server template",
    "pyproject.toml": "Python dependencies",
    "uv.lock": "their exact versions",
    "tests/test_server.py": "what the tools promise",
    "README.md": "",
    ".dockerignore": "what never gets into the image",
    ".gitignore": "",
    "Dockerfile": "for docker build; `kaos mcp build` makes the same",
    "mcp.yaml": "for kaos mcp deploy -f",
}


@dataclass(frozen=True)
class Created:
    """A project on disk: its files with what each is for, and why there is no lock, if there is none."""

    root: Path
    files: tuple[tuple[str, str], ...]
    unlocked: str = ""


def create(name: str, parent: Path, dockerfile: bool = False, manifest: bool = False) -> Created:
    """Write the project `name` into a directory of that name. Raises UsageError for what cannot be one, or is there."""
    if not is_dns_label(name):
        raise UsageError(f"{name!r} cannot be the name of a project.", "Lowercase letters, digits and '-': my-tools")
    root = parent / name
    if root.is_symlink() or (root.exists() and (not root.is_dir() or any(root.iterdir()))):
        raise UsageError(f"{root} exists already; nothing was written.", "Choose another name, or remove it.")
    texts = _texts(name)
    if manifest:
        texts["mcp.yaml"] = yaml_text(image.manifest(name, f"{name}:latest"))
    try:
        for path, text in texts.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    except OSError as error:
        raise UsageError(f"Cannot write {error.filename}: {error.strerror}.", "") from None
    unlocked = _lock(root)
    if dockerfile:
        (root / "Dockerfile").write_text(image.dockerfile(Project(root), "server.py:mcp"))
    written = [path for path in _ABOUT if (root / path).exists()]
    return Created(root, tuple((path, _ABOUT[path]) for path in written), unlocked)


def _texts(name: str) -> dict[str, str]:
    """Path -> text of the template, in the name of the project."""
    found = {}
    for file in sorted(TEMPLATE.rglob("*")):
        path = file.relative_to(TEMPLATE).as_posix()
        if file.is_file() and not path.startswith(".") and "__pycache__" not in path:
            found[_HIDDEN.get(path, path)] = file.read_text().replace(TEMPLATE_NAME, name)
    return found


def _lock(root: Path) -> str:
    """Pin the dependencies; returns why not. A project without a lock works, so that being offline is no failure."""
    try:
        environment.uv(["lock", "--quiet"], root)
    except (KaosError, subprocess.SubprocessError) as error:
        return getattr(error, "cause", str(error))
    return ""
