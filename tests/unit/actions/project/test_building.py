"""What goes into an image and what never does; what is refused before Docker is asked."""

from __future__ import annotations

import tarfile

import pytest

from kaos.actions.project import building, image
from kaos.actions.project.building import Wish, build, pack
from kaos.actions.project.environment import Project
from kaos.errors import NoConnection, UsageError


@pytest.fixture
def root(tmp_path):
    (tmp_path / "server.py").write_text("from fastmcp import FastMCP\nmcp = FastMCP('x')\n")
    return tmp_path


def names(root) -> set[str]:
    with tarfile.open(fileobj=pack(root, "FROM scratch\n")) as tar:
        return {entry.name for entry in tar if entry.isfile()}


@pytest.mark.parametrize(
    "secret", [".env", "sub/.env", ".env.local", ".git/config", "sub/key.pem", "id_rsa", "sub/.netrc", ".ssh/config"]
)
def test_keys_and_histories_never_reach_the_engine(root, secret):
    (root / secret).parent.mkdir(parents=True, exist_ok=True)
    (root / secret).write_text("SECRET")
    assert secret not in names(root)
    assert {"server.py", building.GENERATED} <= names(root)


def test_what_the_project_ignores_stays_out(root):
    (root / ".dockerignore").write_text("# ours\ndata\n")
    (root / "data").mkdir()
    (root / "data" / "big.bin").write_text("x")
    assert "data/big.bin" not in names(root)


def test_a_link_out_of_the_project_is_not_followed(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_text("x")
    (root / "link").symlink_to(outside)
    assert "link" not in names(root)


def test_the_hosts_certificates_are_in_the_build_stage_alone(root, tmp_path, monkeypatch):
    certificates = tmp_path / "ca.crt"
    certificates.write_text("CERTIFICATE")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    assert image.CA_FILE in names(root)
    first, last = image.dockerfile(Project(root), "server.py:mcp").rsplit("\nFROM ", 1)
    assert image.CA_FILE in first
    assert image.CA_FILE not in last


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ((), "uv pip install --quiet 'fastmcp>=4.1,<5'"),
        (("requirements.txt",), "uv pip install --quiet -r requirements.txt"),
        (("pyproject.toml", "requirements.txt"), "uv sync --no-dev --no-install-project\n"),
        (("pyproject.toml", "uv.lock"), "uv sync --no-dev --no-install-project --locked"),
    ],
)
def test_dependencies_are_installed_as_the_project_declares_them(root, files, command):
    for file in files:
        (root / file).write_text("")
    assert command in image.dockerfile(Project(root), "server.py:mcp")


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"name": "My Tools"}, "'My Tools:latest' cannot be the name of an image."),
        ({"name": "my-tools", "tag": "; rm -rf"}, "'my-tools:; rm -rf' cannot be the name of an image."),
        ({"name": "my-tools", "dockerfile": "../Dockerfile"}, "../Dockerfile is outside of the project"),
        ({"name": "my-tools", "dockerfile": "nothing"}, "There is no Dockerfile nothing in"),
    ],
)
def test_what_cannot_be_is_refused(root, changed, cause):
    with pytest.raises(UsageError) as refused:
        build(Wish(Project(root), **changed), print, print)
    assert cause in refused.value.cause


def test_a_wrong_place_names_what_is_there(root):
    with pytest.raises(UsageError) as refused:
        build(Wish(Project(root, "server:app"), "my-tools"), print, print)
    assert (refused.value.cause, refused.value.cure) == (
        "The module server has no app.",
        "It has: mcp; --fastmcp-path server:mcp",
    )
    with pytest.raises(UsageError) as refused:
        build(Wish(Project(root, "main:mcp"), "my-tools"), print, print)
    assert refused.value.cure == "Servers are in: server; --fastmcp-path server:mcp"


def test_without_docker_it_is_said_so(root, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(NoConnection) as refused:
        build(Wish(Project(root), "my-tools"), print, print)
    assert refused.value.cause.startswith("No Docker engine answers: ")


def test_an_existing_dockerfile_is_kept(root):
    (root / "Dockerfile").write_text("FROM mine\n")
    with pytest.raises(UsageError) as refused:
        build(Wish(Project(root), "my-tools", save_dockerfile=True), print, print)
    assert "exists and says something else" in refused.value.cause
    assert (root / "Dockerfile").read_text() == "FROM mine\n"
