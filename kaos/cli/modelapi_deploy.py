"""`kaos modelapi deploy`: from flags or a file to models behind one address."""

from __future__ import annotations

from typing import Any

import click

from kaos.actions.kinds import MODELAPI
from kaos.cli import deploying, options
from kaos.cli.commands import Command, Settings
from kaos.errors import UsageError

Object = dict[str, Any]


@click.command(cls=Command)
@deploying.common_options(MODELAPI)
@click.option("--type", "type_", type=click.Choice(["proxy", "hosted", "mock"]), help="What it is (default: proxy).")
@click.option(
    "--model", "models", metavar="MODEL", multiple=True, help="Model to serve; a proxy also takes openai/* and *."
)
@click.option("--provider", metavar="NAME", help="Proxy: provider of names that name none.")
@click.option("--api-base", metavar="URL", help="Proxy: address of the provider.")
@click.option("--api-key", metavar="SECRET/KEY", help="Proxy: the provider's key, in a Secret.")
@click.option("--response", "responses", metavar="TEXT", multiple=True, help="Mock: a scripted answer.")
@click.option("--env", metavar="KEY=VALUE", multiple=True, help="Environment variable; no secrets here.")
@click.option("--secret", "secrets", metavar="VAR=SECRET/KEY", multiple=True,
              help="Environment variable from a key of a Secret.")  # fmt: skip
@click.pass_obj
def deploy(settings: Settings, **flags: Any) -> None:
    """Create or change model APIs, from flags or from a file."""
    deploying.deploy(settings, MODELAPI, _manifest, **flags)


def _manifest(name: str, flags: Any) -> Object:
    from kaos.actions.agents import ModelFlags, modelapi_manifest

    made = ModelFlags(
        type=flags["type_"],
        models=flags["models"],
        provider=flags["provider"],
        api_base=flags["api_base"],
        api_key=_key(flags["api_key"]),
        responses=flags["responses"],
        env=tuple(options.pair(one, "--env", "KEY=VALUE") for one in flags["env"]),
        secrets=tuple(deploying.secret_reference(one) for one in flags["secrets"]),
    )
    return modelapi_manifest(name, made)


def _key(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    secret, slash, key = text.partition("/")
    if not slash or not secret or not key:
        raise UsageError(
            "--api-key needs the form SECRET/KEY: the name of a Secret and a key in it, never the key itself.",
            "Make one: kaos secret create NAME KEY",
        )
    return secret, key
