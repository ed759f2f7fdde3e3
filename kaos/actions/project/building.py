"""Build the image of a project with Docker, push it, load it into kind. What must never be in it is not even sent."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaos.actions.project import image, serving
from kaos.actions.project.environment import Project
from kaos.errors import KaosError, NoConnection, NotInstalled, UsageError
from kaos.kube import sanitize

GENERATED = ".kaos.Dockerfile"
NEVER = [
    ".git", "**/.git", ".venv", "**/.venv", "**/__pycache__", "**/.env", "**/.env.*", "**/*.pem", "**/*.key",
    "**/id_rsa*", "**/id_ed25519*", "**/.netrc", "**/.npmrc", "**/.pypirc", "**/.ssh", "**/.aws", "**/.kube",
]  # fmt: skip
_BUILD_ARGUMENTS = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
                    "PIP_INDEX_URL", "UV_DEFAULT_INDEX")  # fmt: skip
_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
)

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What to build: `dockerfile` is a path of one's own, in the project."""

    project: Project
    name: str
    tag: str = "latest"
    registry: str | None = None
    dockerfile: str | None = None
    save_dockerfile: bool = False
    platform: str | None = None

    @property
    def reference(self) -> str:
        return image.reference(self.name, self.tag, self.registry)


def build(wish: Wish, on_step: OnStep, on_line: OnStep) -> str:
    """Build the image; returns its reference. `on_step` gets what is done, `on_line` what Docker says meanwhile."""
    if not _REFERENCE.fullmatch(wish.reference):
        raise UsageError(
            f"{wish.reference!r} cannot be the name of an image.", "Lowercase: --name my-tools --tag v1.0.0"
        )
    text = _dockerfile(wish)
    engine = docker_engine()
    if wish.dockerfile is None:
        on_step("Dockerfile generated")
    context = pack(wish.project.root, text)
    arguments = {key: os.environ[key] for key in _BUILD_ARGUMENTS if os.environ.get(key)}
    _follow(
        engine.api.build(
            fileobj=context,
            custom_context=True,
            dockerfile=GENERATED,
            tag=wish.reference,
            buildargs=arguments,
            platform=wish.platform,
            rm=True,
            forcerm=True,
            decode=True,
        ),
        "The image cannot be built",
        on_line,
    )
    on_step("Image built")
    return wish.reference


def _dockerfile(wish: Wish) -> str:
    root = wish.project.root.resolve()
    if wish.dockerfile is not None:
        file = (root / wish.dockerfile).resolve()
        if not file.is_relative_to(root):
            raise UsageError(
                f"{wish.dockerfile} is outside of the project {root}.", "Keep the Dockerfile in the project."
            )
        try:
            return file.read_text()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"There is no Dockerfile {wish.dockerfile} in {root}.", "") from None
    text = image.dockerfile(wish.project, serving.server_place(wish.project))
    if wish.save_dockerfile:
        saved = root / "Dockerfile"
        if saved.exists() and saved.read_text() != text:
            raise UsageError(f"{saved} exists and says something else.", f"Build with it: --dockerfile {saved.name}")
        saved.write_text(text)
    return text


def docker_engine() -> Any:
    """A client of the Docker engine. Raises NoConnection where none answers."""
    try:
        import docker
    except ModuleNotFoundError as missing:
        raise NotInstalled(missing) from None
    try:
        engine = docker.from_env(timeout=600)
        engine.ping()
    except (docker.errors.DockerException, OSError) as error:
        said = sanitize.line(str(error))[:200]
        raise NoConnection(
            f"No Docker engine answers: {said}.",
            "Start Docker, or set DOCKER_HOST; locally none is needed: kaos mcp run",
        ) from None
    return engine


def pack(root: Path, dockerfile: str) -> io.BytesIO:
    """The build context as a tar file: the project without what it ignores, and without keys in any case."""
    from docker.utils.build import exclude_paths

    ignored = root / ".dockerignore"
    patterns = [line.strip() for line in ignored.read_text().splitlines()] if ignored.is_file() else []
    patterns = [line for line in patterns if line and not line.startswith("#")] + NEVER
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(exclude_paths(str(root), patterns)):
            file = root / path
            if file.is_symlink() and not file.resolve().is_relative_to(root.resolve()):
                continue  # it would lead nowhere in the image
            tar.add(file, arcname=path, recursive=False, filter=_owned_by_nobody)
        _add(tar, GENERATED, dockerfile.encode())
        if certificates := os.environ.get("SSL_CERT_FILE"):
            _add(tar, image.CA_FILE, Path(certificates).read_bytes())
    packed.seek(0)
    return packed


def _owned_by_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever builds, the image is the same; and whatever the umask was, its user can read it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o555 if entry.isdir() else 0o444
    return entry


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o444
    tar.addfile(entry, io.BytesIO(content))


def push(reference: str, on_line: OnStep) -> None:
    """To its registry, with the credentials of `docker login`."""
    repository, _, tag = reference.rpartition(":")
    said = docker_engine().api.push(repository, tag=tag, stream=True, decode=True)
    _follow(said, f"{reference} cannot be pushed", on_line)


def kind_load(reference: str, context: str | None) -> str:
    """Into the nodes of a kind cluster; returns its name. Raises UsageError when it is not clear which."""
    if shutil.which("kind") is None:
        raise UsageError("There is no kind here to load the image with.", "Install it: https://kind.sigs.k8s.io")
    clusters = _kind("get", "clusters").split()
    name = (context or "").removeprefix("kind-")
    if not (context or "").startswith("kind-") or name not in clusters:
        if len(clusters) != 1:
            there = f"there are {', '.join(clusters)}" if clusters else "there is none"
            raise UsageError(
                f"Which kind cluster? {there[0].upper()}{there[1:]}.",
                f"Choose one: kaos context use kind-{clusters[0]}" if clusters else "Make one: kind create cluster",
            )
        name = clusters[0]
    _kind("load", "docker-image", reference, "--name", name)
    return name


def _kind(*arguments: str) -> str:
    done = subprocess.run(["kind", *arguments], capture_output=True, text=True)
    if done.returncode:
        said = sanitize.line(" ".join(done.stderr.split()))[-400:]
        raise KaosError(f"kind {arguments[0]} failed: {said}", "")
    return done.stdout


def _follow(answers: Iterator[dict[str, Any]], failed: str, on_line: OnStep) -> None:
    """Pass on what the engine says. Raises KaosError when it says that it failed, or falls silent in the middle."""
    import docker

    lines: list[str] = []
    try:
        for answer in answers:
            if error := answer.get("error"):
                raise KaosError(*_worded(failed, sanitize.line(str(error)), lines))
            for line in str(answer.get("stream") or answer.get("status") or "").splitlines():
                if line.strip():
                    lines = [*lines[-20:], sanitize.line(line)]
                    on_line(lines[-1])
    except (docker.errors.APIError, OSError) as error:
        raise KaosError(*_worded(failed, sanitize.line(str(error)), lines)) from None


def _worded(failed: str, error: str, lines: list[str]) -> tuple[str, str]:
    """Cause and cure."""
    if "no space left" in error or any("o space left" in line for line in lines[-5:]):
        return f"{failed}: the disk is full.", "Free some: docker system prune"
    if "denied" in error or "unauthorized" in error or "no basic auth" in error:
        return f"{failed}: {error}.", "Log in first: docker login REGISTRY"
    last = next((line for line in reversed(lines) if re.search(r"(?i)error|failed|×|not found", line)), "")
    return f"{failed}: {last or error}", "" if last else "docker build says more: --create-dockerfile"
