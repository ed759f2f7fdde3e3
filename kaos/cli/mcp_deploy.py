"""`kaos mcp deploy`: from flags or a file to a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kaos.actions.kinds import MCPSERVER
from kaos.cli import completion, options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say, yaml_text
from kaos.errors import NoConnection, UsageError

Object = dict[str, Any]
DEFAULT_FILE = "mcp.yaml"


@click.command(cls=Command)
@click.option("--name", metavar="NAME", help="Name of the MCPServer.")
@options.namespace
@click.option("--runtime", metavar="NAME", shell_complete=completion.runtimes,
              help="Runtime from `kaos system runtimes` (default: custom).")  # fmt: skip
@click.option("--image", metavar="IMAGE", help="Container image; needed by runtime custom.")
@click.option("--params", metavar="TEXT", help="Parameters of the runtime; for rawpython a Python program.")
@click.option("--params-file", metavar="FILE|-", help="The same from a file.")
@click.option("--env", metavar="KEY=VALUE", multiple=True, help="Environment variable; no secrets here.")
@click.option("--secret", "secrets", metavar="VAR=SECRET/KEY", multiple=True,
              help="Environment variable from a key of a Secret.")  # fmt: skip
@click.option("--service-account", metavar="NAME", help="ServiceAccount of the pods.")
@click.option("--transport", type=click.Choice(["http", "stdio"]), help="How the server speaks.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the server.")
@click.option("--path", metavar="/PATH", help="Path of its MCP endpoint.")
@click.option("-f", "--file", "file", metavar="FILE|-", help="MCPServer manifests, in place of flags.")
@click.option("--create-yaml", metavar="[FILE]", is_flag=False, flag_value=DEFAULT_FILE,
              help=f"Save the manifest as well ({DEFAULT_FILE}).")  # fmt: skip
@options.wait
@click.option("--dry-run", is_flag=True, help="Print the manifest, change nothing.")
@options.create_namespace
@click.pass_obj
def deploy(
    settings: Settings,
    namespace: str | None,
    file: str | None,
    create_yaml: str | None,
    wait_s: float | None,
    dry_run: bool,
    create_namespace: bool,
    **flags: Any,
) -> None:
    """Create or change MCP servers, from flags or from a file."""
    from kaos.actions.manifests import place_of

    wanted = _from_file(file, flags) if file else [_from_flags(flags)]
    default = _namespace(settings)
    for obj in wanted:
        meta = obj["metadata"]
        obj["metadata"] = meta | {"namespace": place_of(meta.get("namespace"), namespace, default)}
    if create_yaml:
        _save(create_yaml, wanted)
    if dry_run:
        result(_yaml(wanted), end="")
        return
    client = settings.client(namespace)
    for obj in wanted:
        _deploy(client, obj, wait_s, create_namespace)


def _namespace(settings: Settings) -> str:
    """The context's; what is only written to a file needs no cluster."""
    try:
        return settings.connection().namespace
    except NoConnection:
        return "default"


def _yaml(objects: list[Object]) -> str:
    return "---\n".join(yaml_text(obj) for obj in objects)


def _from_flags(flags: Any) -> Object:
    from kaos.actions.manifests import read_text
    from kaos.actions.mcp import ServerFlags, manifest

    if not flags["name"]:
        raise UsageError("An MCPServer needs a name.", "Add --name NAME, or -f FILE")
    params = flags["params"]
    if flags["params_file"]:
        if params is not None:
            raise UsageError("--params and --params-file do not go together.", "")
        params = read_text(flags["params_file"])
    made = ServerFlags(
        runtime=flags["runtime"],
        image=flags["image"],
        params=params,
        env=tuple(options.pair(one, "--env", "KEY=VALUE") for one in flags["env"]),
        secrets=tuple(_reference(one) for one in flags["secrets"]),
        service_account=flags["service_account"],
        transport=flags["transport"],
        port=flags["port"],
        path=flags["path"],
    )
    return manifest(flags["name"], made)


def _reference(text: str) -> tuple[str, str, str]:
    form = "VAR=SECRET/KEY"
    variable, reference = options.pair(text, "--secret", form)
    secret, slash, key = reference.partition("/")
    if not slash or not secret or not key:
        raise UsageError(
            f"--secret needs the form {form}: the name of a Secret and a key in it, never a value.",
            "Make one: kaos secret create NAME KEY",
        )
    return variable, secret, key


def _from_file(file: str, flags: Any) -> list[Object]:
    from kaos.actions.kinds import kind_of
    from kaos.actions.manifests import read

    given = [name for name, value in flags.items() if value not in (None, ())]
    if given and given != ["name"]:
        option = given[0] if given[0] != "name" else given[1]
        raise UsageError(f"-f and --{option.removesuffix('s').replace('_', '-')} do not go together.", "Edit the file.")
    found = read([file])
    for manifest in found:
        if kind_of(manifest.object) is not MCPSERVER:
            raise UsageError(
                f"{manifest.source}: {manifest.kind} {manifest.name} is no MCPServer of kaos.tools/v1alpha1.",
                "For other kinds: kaos apply -f FILE",
            )
        if flags["name"] and flags["name"] != manifest.name:
            raise UsageError(f"{manifest.source} is about {manifest.name}, --name says {flags['name']}.", "")
    return [manifest.object for manifest in found]


def _save(file: str, objects: list[Object]) -> None:
    text, path = _yaml(objects), Path(file)
    try:
        if path.exists() and path.read_text() != text:
            raise UsageError(f"{file} exists and says something else.", "Choose another: --create-yaml FILE")
        path.write_text(text)
    except OSError as error:
        raise UsageError(f"Cannot write {file}: {error.strerror}.", "") from None
    say(f"✓ {file} written")


def _deploy(client: Any, obj: Object, wait_s: float | None, create_namespace: bool) -> None:
    from kaos.actions import apply

    name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
    options.announce(client, namespace)
    say(f"Deploying MCPServer {namespace}/{name}...")
    if create_namespace and apply.create_namespace(client, namespace):
        say(f"✓ Namespace {namespace} created")
    outcome = apply.apply_object(client, obj, namespace, MCPSERVER.resource)
    say(f"✓ MCPServer {outcome.verb}")
    if wait_s:
        from kaos.cli.progress import until_ready

        until_ready(client, MCPSERVER, name, namespace, wait_s)
