"""`kaos secret ...`: values come from a prompt, standard input or files, never from the command line."""

from __future__ import annotations

import click

from kaos.cli import completion, options
from kaos.cli.commands import Settings, group
from kaos.cli.output import as_json, as_yaml, result, say, table
from kaos.errors import UsageError


@group("Keep tokens and passwords for servers. Values are never shown and never typed as arguments.")
def secret() -> None:
    pass


@secret.command("list")
@options.namespace
@options.all_namespaces
@options.output("table", "json", "yaml", "name", default="table")
@click.pass_obj
def list_(settings: Settings, namespace: str | None, all_namespaces: bool, output: str) -> None:
    """List Secrets with their keys, without values."""
    from kaos.actions.secrets import listed
    from kaos.kube.times import age

    client = settings.client(namespace)
    found = listed(client, None if all_namespaces else client.namespace)
    if output == "name":
        result("".join(f"secret/{one.name}\n" for one in found), end="")
    elif output in ("json", "yaml"):
        facts = [
            {"name": one.name, "namespace": one.namespace, "type": one.type, "keys": list(one.keys),
             "created": one.created}
            for one in found
        ]  # fmt: skip
        (as_json if output == "json" else as_yaml)(facts)
    elif found:
        rows = [[one.namespace, one.name, ", ".join(one.keys) or "-", age(one.created)] for one in found]
        headers = ["NAMESPACE", "NAME", "KEYS", "AGE"]
        skipped = 0 if all_namespaces else 1
        table(headers[skipped:], [row[skipped:] for row in rows])
    else:
        say(f"No Secrets in namespace {client.namespace} (context {client.connection.context}).")
        say("Make one: kaos secret create NAME KEY")


@secret.command()
@click.argument("name")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@options.namespace
@click.option("--from-stdin", metavar="KEY", help="The value of KEY is read from standard input; one line end is cut.")
@click.option("--from-file", metavar="KEY=PATH", multiple=True, help="The value of KEY is the content of a file.")
@click.option("--from-env-file", metavar="PATH", multiple=True, help="Keys and values from KEY=value lines.")
@options.create_namespace
@click.pass_obj
def create(
    settings: Settings,
    name: str,
    keys: tuple[str, ...],
    namespace: str | None,
    from_stdin: str | None,
    from_file: tuple[str, ...],
    from_env_file: tuple[str, ...],
    create_namespace: bool,
) -> None:
    """Make a Secret. Each KEY is asked for, unseen; the options take values from elsewhere."""
    from kaos.actions import apply, secrets

    if with_value := next((key for key in keys if "=" in key), None):
        key = with_value.partition("=")[0]
        raise UsageError(
            "A value on the command line is seen by everyone on this machine, and kept in the shell's history.",
            f"Give the key alone and be asked: kaos secret create {name} {key}",
        )
    values = _values(keys, from_stdin, from_file, from_env_file)
    client = settings.client(namespace)
    options.announce(client, client.namespace)
    if create_namespace and apply.create_namespace(client, client.namespace):
        say(f"✓ Namespace {client.namespace} created")
    made = secrets.create(client, name, client.namespace, values)
    say(f"✓ Secret {client.namespace}/{name} created ({', '.join(made.keys)})")


def _values(
    keys: tuple[str, ...], from_stdin: str | None, from_file: tuple[str, ...], from_env_file: tuple[str, ...]
) -> dict[str, bytes]:
    from kaos.actions.manifests import read_bytes, read_text
    from kaos.actions.secrets import parse_env
    from kaos.cli.prompt import hidden

    found: list[tuple[str, bytes]] = []
    for one in from_file:
        key, path = options.pair(one, "--from-file", "KEY=PATH")
        found.append((key, read_bytes(path)))
    for path in from_env_file:
        found += parse_env(read_text(path), path).items()
    if from_stdin:
        value = _without_line_end(read_bytes("-"))
        if not value:
            raise UsageError(f"Standard input holds no value for {from_stdin}.", "")
        found.append((from_stdin, value))
    found += [(key, hidden(f"{key}").encode()) for key in keys]
    if not found:
        raise UsageError("A Secret needs a key.", "Add KEY to be asked, --from-stdin KEY or --from-file KEY=PATH")
    values = dict(found)
    if len(values) < len(found):
        raise UsageError("A key is given twice.", "")
    return values


def _without_line_end(value: bytes) -> bytes:
    """`echo` adds one; no token ends with it."""
    return value.removesuffix(b"\n").removesuffix(b"\r")


@secret.command()
@click.argument("name", shell_complete=completion.secrets)
@options.namespace
@options.yes
@click.pass_obj
def delete(settings: Settings, name: str, namespace: str | None, yes: bool) -> None:
    """Delete a Secret."""
    from kaos.actions import secrets
    from kaos.cli.prompt import confirm

    client = settings.client(namespace)
    options.announce(client, client.namespace)
    confirm(f"Delete Secret {name} in namespace {client.namespace}?", yes, needed=False)
    secrets.delete(client, name, client.namespace)
    say(f"✓ Secret {client.namespace}/{name} deleted")
