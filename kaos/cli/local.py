"""`kaos local ...`: the cluster that KAOS brings along."""

from __future__ import annotations

from pathlib import Path

import click

from kaos.cli.commands import group

directory_option = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Data directory (default: $KAOS_LOCAL_DIR)."
)


@group(
    "A small cluster on this machine: API server, node and operator, with nothing but Python.",
    lazy={"export": ("kaos.cli.local_export:export", "Print what runs there as manifests for another cluster.")},
)
def local() -> None:
    pass


@local.command()
@directory_option
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API server (default: a free one, then kept).")
def up(directory: Path | None, port: int | None) -> None:
    """Start the local cluster, or say that it runs."""
    from kaos.actions import local as action

    click.echo("Starting the local cluster...", err=True)
    started = action.up(
        _absolute(directory), port, on_step=lambda step, ms: click.echo(f"✓ {step} ({ms} ms)", err=True)
    )
    state = started.status
    if started.already_running:
        click.echo(f"The local cluster already runs at {state.server} (pid {state.pid}).")
        return
    click.echo(f"Local cluster ready at {state.server} (context kaos-local)")
    click.echo("Its pods are processes with your rights, not a security boundary.", err=True)
    if started.saved_as_default:
        click.echo("Saved as kaos's default context; change it with: kaos context use NAME", err=True)
    click.echo(f"For kubectl: export KUBECONFIG={state.kubeconfig}", err=True)


@local.command()
@directory_option
def down(directory: Path | None) -> None:
    """Stop the local cluster and its pods; everything comes back with `up`."""
    from kaos.actions import local as action

    stopped = action.down(_absolute(directory))
    click.echo(
        "Local cluster stopped. Its data stays; start again with: kaos local up"
        if stopped
        else "No local cluster runs."
    )


@local.command()
@directory_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(directory: Path | None, output: str) -> None:
    """Say whether the local cluster runs, and where."""
    from kaos.actions import local as action

    state = action.status(_absolute(directory))
    if output == "json":
        import json

        facts = {"running": state.running, "pid": state.pid, "server": state.server, "directory": str(state.directory)}
        click.echo(json.dumps(facts | {"kubeconfig": str(state.kubeconfig)}))
    elif state.running:
        click.echo(f"Local cluster:  running (pid {state.pid})")
        click.echo(f"API server:     {state.server or 'starting'}")
        click.echo(f"Data:           {state.directory}")
        click.echo(f"Kubeconfig:     {state.kubeconfig}")
    else:
        click.echo("Local cluster:  not running")
        click.echo(f"Data:           {state.directory}{'' if state.directory.exists() else ' (none yet)'}")
        click.echo("Start it with: kaos local up", err=True)
    if not state.running:
        raise SystemExit(3)


@local.command()
@directory_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(directory: Path | None, yes: bool) -> None:
    """Delete the local cluster with all its resources, volumes and logs."""
    from kaos.actions import local as action
    from kaos.cli.prompt import confirm

    target = action.status(_absolute(directory)).directory
    confirm(f"Delete the local cluster in {target} with everything in it?", yes)
    click.echo(f"Deleted {action.reset(_absolute(directory))}")


@local.command()
@directory_option
@click.option("-f", "--follow", is_flag=True, help="Keep printing what comes.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last N lines.")
def logs(directory: Path | None, follow: bool, tail: int | None) -> None:
    """The daemon's log: API server, node and operator."""
    from kaos.actions import local as action
    from kaos.kube import sanitize

    for line in action.logs(_absolute(directory), tail, follow):
        click.echo(sanitize.line(line))


@local.command()
@directory_option
def kubeconfig(directory: Path | None) -> None:
    """Print the kubeconfig, for kubectl and other programs. It holds the token."""
    from kaos.actions import local as action

    click.echo(action.kubeconfig(_absolute(directory)), nl=False)


def _absolute(directory: Path | None) -> Path | None:
    return directory.expanduser().absolute() if directory else None
