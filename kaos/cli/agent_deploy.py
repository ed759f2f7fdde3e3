"""`kaos agent deploy`: from flags or a file to a running agent."""

from __future__ import annotations

from typing import Any

import click

from kaos.actions.kinds import AGENT
from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS
from kaos.cli import completion, deploying, options
from kaos.cli.commands import Command, Settings

Object = dict[str, Any]


@click.command(cls=Command)
@deploying.common_options(AGENT)
@click.option("--model-api", metavar="NAME", shell_complete=completion.names_of(MODELAPIS),
              help="ModelAPI that it thinks with.")  # fmt: skip
@click.option("--model", metavar="MODEL", help="Model that the ModelAPI serves.")
@click.option("--mcp", "servers", metavar="NAME", multiple=True, shell_complete=completion.names_of(MCPSERVERS),
              help="MCPServer whose tools it may use.")  # fmt: skip
@click.option("--peer", "peers", metavar="NAME", multiple=True, shell_complete=completion.names_of(AGENTS),
              help="Agent that it may delegate to.")  # fmt: skip
@click.option("--expose", is_flag=True, help="Let other agents and the Gateway reach it.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--instructions", metavar="TEXT", help="What the model is told first.")
@click.option("--env", metavar="KEY=VALUE", multiple=True, help="Environment variable; no secrets here.")
@click.option("--secret", "secrets", metavar="VAR=SECRET/KEY", multiple=True,
              help="Environment variable from a key of a Secret.")  # fmt: skip
@click.pass_obj
def deploy(settings: Settings, **flags: Any) -> None:
    """Create or change agents, from flags or from a file."""
    deploying.deploy(settings, AGENT, _manifest, **flags)


def _manifest(name: str, flags: Any) -> Object:
    from kaos.actions.agents import AgentFlags, agent_manifest

    made = AgentFlags(
        model_api=flags["model_api"],
        model=flags["model"],
        servers=flags["servers"],
        peers=flags["peers"],
        expose=flags["expose"],
        description=flags["description"],
        instructions=flags["instructions"],
        env=tuple(options.pair(one, "--env", "KEY=VALUE") for one in flags["env"]),
        secrets=tuple(deploying.secret_reference(one) for one in flags["secrets"]),
    )
    return agent_manifest(name, made)
