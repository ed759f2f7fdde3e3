"""The environment that a project's server runs in: its own `.venv`, made by uv from pyproject.toml and uv.lock.

A directory without pyproject.toml runs in the environment of KAOS, which has FastMCP.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kaos.errors import KaosError, UsageError
from kaos.kube import sanitize

DEFAULT_PLACE = "server:mcp"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PREFIXES = ("UV_", "PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "XDG_")


@dataclass(frozen=True)
class Project:
    """A directory with an MCP server in it, at `place` (module:attribute)."""

    root: Path
    place: str = DEFAULT_PLACE

    @property
    def name(self) -> str:
        """As pyproject.toml says, or the directory's."""
        return str(self._declared().get("name") or self.root.resolve().name)

    @property
    def is_packaged(self) -> bool:
        return (self.root / "pyproject.toml").is_file()

    @property
    def is_locked(self) -> bool:
        return (self.root / "uv.lock").is_file()

    def _declared(self) -> dict[str, object]:
        import tomllib

        try:
            text = (self.root / "pyproject.toml").read_text()
        except OSError:
            return {}
        try:
            return tomllib.loads(text).get("project") or {}
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{self.root}/pyproject.toml is no TOML: {error}.", "") from None


def project(path: str, place: str = DEFAULT_PLACE) -> Project:
    """The project in the directory `path`. Raises UsageError where there is none."""
    root = Path(path)
    if not root.is_dir():
        raise UsageError(f"There is no directory {path}.", "Begin a project: kaos mcp init --name my-tools")
    module, _, attribute = place.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise UsageError(f"{place!r} does not name an object.", "Its form is module:attribute, such as server:mcp")
    if not any(root.glob("*.py")) and not (root / "pyproject.toml").is_file():
        raise UsageError(f"There is no Python project in {path}.", "Begin one: kaos mcp init --name my-tools")
    return Project(root, place)


def python(made_for: Project) -> Path:
    """The interpreter that runs the server, in an environment that has what pyproject.toml asks for."""
    if not made_for.is_packaged:
        return Path(sys.executable)
    frozen = ["--locked"] if made_for.is_locked else []
    uv(["sync", "--quiet", *frozen], made_for.root)
    found = made_for.root / ".venv" / "bin" / "python"
    return found.absolute()


def uv(arguments: Sequence[str], directory: Path) -> None:
    """Run uv there. Raises KaosError with its last words."""
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        raise KaosError("This needs uv, which is not installed.", "Install it: pip install uv")
    done = subprocess.run(
        [program, *arguments, "--no-progress", "--color", "never"],
        cwd=directory,
        env=variables() | {"UV_PYTHON": os.environ.get("UV_PYTHON", sys.executable)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = sanitize.line(" ".join(done.stderr.split()))[-600:]
        raise KaosError(f"uv {arguments[0]} failed in {directory}: {said}", _cure(said))


def _cure(said: str) -> str:
    if "lock" in said and "--locked" in said:
        return "pyproject.toml has changed since it was locked: uv lock"
    return ""


def variables() -> dict[str, str]:
    """What of our own environment a project gets to see: no secrets of the shell it is started from."""
    return {key: value for key, value in os.environ.items() if key in _PASSED_ON or key.startswith(_PREFIXES)}
