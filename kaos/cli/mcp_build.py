"""`kaos mcp build`: an image of a server of one's own."""

from __future__ import annotations

import sys

import click

from kaos.cli.commands import Command, Settings
from kaos.cli.mcp_validate import fastmcp_path
from kaos.cli.output import result, say
from kaos.errors import NoConnection


@click.command(cls=Command)
@click.option("--name", required=True, metavar="NAME", help="Name of the image.")
@click.option("--tag", default="latest", show_default=True, metavar="TAG", help="Its version.")
@click.option("--registry", metavar="PREFIX", help="Registry and user, such as docker.io/myuser.")
@click.option("--path", default=".", show_default=True, metavar="DIRECTORY", help="The project.")
@fastmcp_path
@click.option("--push", is_flag=True, help="Push it to its registry.")
@click.option("--kind-load", is_flag=True, help="Load it into the kind cluster of the context.")
@click.option("--dockerfile", metavar="FILE", help="A Dockerfile in the project, in place of the generated one.")
@click.option("--create-dockerfile", is_flag=True, help="Save the generated Dockerfile in the project.")
@click.option("--platform", metavar="OS/ARCH", help="For another machine, such as linux/arm64.")
@click.pass_obj
def build(
    settings: Settings,
    name: str,
    tag: str,
    registry: str | None,
    path: str,
    fastmcp_path: str,
    push: bool,
    kind_load: bool,
    dockerfile: str | None,
    create_dockerfile: bool,
    platform: str | None,
) -> None:
    """Build the image of a project with Docker; needs no Dockerfile. Its name is printed."""
    from kaos.actions.project import building
    from kaos.actions.project.environment import project

    wish = building.Wish(project(path, fastmcp_path), name, tag, registry, dockerfile, create_dockerfile, platform)
    say(f"Building image {wish.reference}...")
    on_line = (lambda line: click.echo(f"  {line}", err=True)) if sys.stderr.isatty() else (lambda line: None)
    building.build(wish, lambda done: say(f"✓ {done}"), on_line)
    if push:
        building.push(wish.reference, on_line)
        say("✓ Pushed to registry")
    if kind_load:
        building.kind_load(wish.reference, _context(settings))
        say("✓ Loaded into KIND cluster")
    result(wish.reference)


def _context(settings: Settings) -> str | None:
    try:
        return settings.connection().context
    except NoConnection:
        return None
