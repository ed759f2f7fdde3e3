"""`kaos mcp init`: a project for a server of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from kaos.cli.commands import Command
from kaos.cli.output import result, say


@click.command(cls=Command)
@click.option("--name", metavar="NAME", required=True, help="Name of the project, and of its directory.")
@click.option("--create-dockerfile", is_flag=True, help="Write a Dockerfile too; else `kaos mcp build` makes one.")
@click.option("--create-yaml", is_flag=True, help="Write the manifest mcp.yaml too; else `kaos mcp deploy` makes one.")
def init(name: str, create_dockerfile: bool, create_yaml: bool) -> None:
    """Write a project: a FastMCP server that runs and passes its tests as it is."""
    from kaos.actions.project.scaffold import create

    created = create(name, Path("."), create_dockerfile, create_yaml)
    result(f"Created {name}/")
    width = max(len(path) for path, _ in created.files) + 5
    for number, (path, about) in enumerate(created.files, 1):
        branch = "└──" if number == len(created.files) else "├──"
        result(f"{branch} {f'{path:<{width}}# {about}' if about else path}")
    result(f"""
Next steps:
  cd {name}
  kaos mcp run
  kaos mcp build --name {name} --registry docker.io/myuser
  kaos mcp deploy --name {name} --namespace default --image docker.io/myuser/{name}:latest""")
    if created.unlocked:
        say(f"Its dependencies are not locked: {created.unlocked}")
