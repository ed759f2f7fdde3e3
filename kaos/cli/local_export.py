"""`kaos local export`: from the local cluster to a real one, by the same YAML."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaos.cli.commands import Command
from kaos.cli.output import result, say
from kaos.errors import UsageError
from kaos.kube import sanitize
from kaos.kube.yaml_text import yaml_text

if TYPE_CHECKING:
    from kaos.actions.export import Export


@click.command("export", cls=Command)
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Data directory (default: $KAOS_LOCAL_DIR).")
@click.option("-n", "--namespace", metavar="NAMESPACE", help="This namespace only (default: all).")
@click.option(
    "--with-secrets",
    "secrets",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the Secrets that resources name to a file of their own, which only you can read.",
)
def export(directory: Path | None, namespace: str | None, secrets: Path | None) -> None:
    """Print what runs on the local cluster as manifests for another one.

    \b
    kaos local export > all.yaml
    kaos apply -f all.yaml --context CLUSTER

    Secrets are named in comments; their values only go into the file of --with-secrets.
    """
    from kaos.actions import export as action

    found = action.collect(action.client_of(directory and directory.expanduser().absolute()), namespace)
    if not found.objects:
        where = f"namespace {namespace}" if namespace else "the local cluster"
        say(f"There is no MCPServer, ModelAPI or Agent in {where}.")
        return
    if secrets and found.secrets:
        _write(secrets, "---\n".join(yaml_text(action.secret_manifest(one)) for one in found.secrets))
        say(f"{len(found.secrets)} Secrets are in {secrets}: apply it first, then delete it.")
    result("".join(f"# {sanitize.line(line)}\n" for line in _notes(found, secrets)), end="")
    result("---\n".join(yaml_text(obj) for obj in found.objects), end="")
    for one in found.missing:
        say(f"! Named, but not on the local cluster either: {one}")


def _notes(found: Export, secrets: Path | None) -> Iterator[str]:
    """What has to be made beside the manifests."""
    yield "Exported by kaos local export. Apply it with: kaos apply -f FILE"
    for one in found.secrets:
        command = ["kaos", "secret", "create", one.name, *sorted(one.values), "-n", one.namespace]
        yield f"Needs Secret {one.namespace}/{one.name}: " + (f"it is in {secrets}" if secrets else shlex.join(command))
    for namespace, name in found.accounts:
        yield f"Needs ServiceAccount {namespace}/{name}; for its rights see: kaos system create-rbac --help"


def _write(path: Path, text: str) -> None:
    """Readable by its owner only, from its first byte on."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.", "Name another file.") from None
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
