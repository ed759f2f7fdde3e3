"""`kaos mcp deploy`: from flags or a file to a running server."""

from __future__ import annotations

from typing import Any

import click

from kaos.actions.kinds import MCPSERVER
from kaos.cli import completion, deploying, options
from kaos.cli.commands import Command, Settings
from kaos.errors import UsageError

Object = dict[str, Any]


@click.command(cls=Command)
@deploying.common_options(MCPSERVER)
@click.option("--runtime", metavar="NAME", shell_complete=completion.runtimes,
              help="Runtime from `kaos system runtimes` (default: custom).")  # fmt: skip
@click.option("--package", metavar="PACKAGE", help="pypi:NAME==VERSION or npm:NAME@VERSION, run as it is.")
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
@click.pass_obj
def deploy(settings: Settings, **flags: Any) -> None:
    """Create or change MCP servers, from flags or from a file."""
    deploying.deploy(settings, MCPSERVER, _manifest, **flags)


def _manifest(name: str, flags: Any) -> Object:
    from kaos.actions.manifests import read_text
    from kaos.actions.mcp import ServerFlags, manifest

    params = flags["params"]
    if flags["params_file"]:
        if params is not None:
            raise UsageError("--params and --params-file do not go together.", "")
        params = read_text(flags["params_file"])
    made = ServerFlags(
        runtime=flags["runtime"],
        package=flags["package"],
        image=flags["image"],
        params=params,
        env=tuple(options.pair(one, "--env", "KEY=VALUE") for one in flags["env"]),
        secrets=tuple(deploying.secret_reference(one) for one in flags["secrets"]),
        service_account=flags["service_account"],
        transport=flags["transport"],
        port=flags["port"],
        path=flags["path"],
    )
    return manifest(name, made)
