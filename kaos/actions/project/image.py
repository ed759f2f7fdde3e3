"""An image of a project: the Dockerfile, and what goes with it. Pure; `building.py` has it done."""

from __future__ import annotations

from typing import Any

from kaos.actions.kinds import MCPSERVER
from kaos.actions.project.environment import Project
from kaos.api.names import API_VERSION, CUSTOM

Object = dict[str, Any]
BASE = "python:3.13-slim"
UV = "uv>=0.9,<1"
PORT = 8000
USER = "65532:65532"
CA_FILE = ".kaos-ca.crt"  # the host's certificates, in the build stage alone

_TEXT = """\
# Written by `kaos mcp build`. The first stage has the tools that the image does not need.
FROM {base} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
WORKDIR /app
# The dependencies first: they stay cached when only the code changes.
COPY {dependencies} {ca}* ./
RUN if [ -f {ca} ]; then export SSL_CERT_FILE=/app/{ca} PIP_CERT=/app/{ca}; fi \\
 && pip install --quiet "{uv}" \\
 && {install}
COPY . /source
RUN rm -f /source/.kaos*

FROM {base}
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \\
    FASTMCP_ENABLE_RICH_LOGGING=false FASTMCP_ENABLE_RICH_TRACEBACKS=false
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY --from=build /source /app
USER {user}
EXPOSE {port}
CMD ["fastmcp", "run", "{place}", "--transport", "http", "--host", "0.0.0.0", "--port", "{port}", \\
     "--no-banner", "--skip-env"]
"""


def dockerfile(project: Project, place: str) -> str:
    """Its text. `place` is where the server is, such as `server.py:mcp`."""
    dependencies, install = _dependencies(project)
    return _TEXT.format(
        base=BASE, uv=UV, ca=CA_FILE, dependencies=dependencies, install=install, place=place, port=PORT, user=USER
    )


def _dependencies(project: Project) -> tuple[str, str]:
    """The files that name them, and the command that installs them into /app/.venv."""
    sync = "uv sync --no-dev --no-install-project"
    if project.is_locked:
        return "pyproject.toml uv.lock", f"{sync} --locked"
    if project.is_packaged:
        return "pyproject.toml", sync
    if (project.root / "requirements.txt").is_file():
        return "requirements.txt", "uv venv --quiet && uv pip install --quiet -r requirements.txt"
    return _any_file(project), "uv venv --quiet && uv pip install --quiet 'fastmcp>=4.1,<5'"


def _any_file(project: Project) -> str:
    """COPY needs one file that is there, for the one that may not be."""
    return sorted(file.name for file in project.root.glob("*.py"))[0]


def reference(name: str, tag: str, registry: str | None) -> str:
    """REGISTRY/NAME:TAG."""
    return f"{registry.rstrip('/')}/{name}:{tag}" if registry else f"{name}:{tag}"


def manifest(name: str, image: str) -> Object:
    """The MCPServer that runs the image."""
    return {
        "apiVersion": API_VERSION,
        "kind": MCPSERVER.title,
        "metadata": {"name": name},
        "spec": {"runtime": CUSTOM, "container": {"image": image}},
    }
