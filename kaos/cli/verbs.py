"""The verbs that every kind has: list, get, describe, edit, restart, scale, suspend, resume, logs, delete."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from kaos.actions.kinds import Kind
from kaos.cli import completion, options
from kaos.cli.commands import Command, Group, Settings
from kaos.cli.output import as_json, as_yaml, result, say, table

Decorator = Callable[[Callable[..., None]], click.Command]

MANY = 3
_LIST_FORMATS = ("table", "wide", "json", "yaml", "name")


def add_verbs(group: Group, kind: Kind) -> None:
    """Give a command group the verbs of its kind; each is made when it is called."""
    for name, (make, does) in _VERBS.items():
        does = does.format(title=kind.title)
        group.lazy[name] = (functools.partial(make, kind, click.command(name, Command, help=does)), does)


def name_argument(kind: Kind) -> Callable[[Any], Any]:
    return click.argument("name", shell_complete=completion.names_of(kind.resource))


def _list(kind: Kind, command: Decorator) -> click.Command:
    @command
    @options.namespace
    @options.all_namespaces
    @options.output(*_LIST_FORMATS, default="table")
    @click.pass_obj
    def run(settings: Settings, namespace: str | None, all_namespaces: bool, output: str) -> None:
        from kaos.actions import resources

        client = settings.client(namespace)
        place = None if all_namespaces else client.namespace
        if output in ("json", "yaml"):
            items = resources.listed(client, kind, place)
            show = as_json if output == "json" else as_yaml
            show({"apiVersion": "v1", "kind": "List", "items": items})
            return
        found = resources.table(client, kind, place, wide=output == "wide")
        if output == "name":
            result("".join(f"{kind.resource.plural[:-1]}.{kind.resource.group}/{name}\n" for name in found.names), "")
        elif found.rows:
            columns = [column.upper() for column in found.columns]
            if all_namespaces:
                rows = ([where, *row] for where, row in zip(found.namespaces, found.rows, strict=True))
                table(["NAMESPACE", *columns], rows)
            else:
                table(columns, found.rows)
        else:
            where = f"namespace {place}" if place else "any namespace"
            if place and not resources.namespace_exists(client, place):
                where += ", which does not exist"
            say(f"No {kind.title}s in {where} (context {client.connection.context}).")
            say(f"Make one: kaos {kind.command} deploy --help")

    return run


def _get(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @options.output("yaml", "json", "name", default="yaml")
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None, output: str) -> None:
        from kaos.actions import resources

        client = settings.client(namespace)
        obj = resources.get(client, kind, name, client.namespace)
        if output == "name":
            result(f"{kind.resource.plural[:-1]}.{kind.resource.group}/{name}")
        else:
            (as_json if output == "json" else as_yaml)(obj)

    return run


def _describe(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None) -> None:
        from kaos.actions.describe import describe
        from kaos.cli.describe import report

        client = settings.client(namespace)
        result(report(describe(client, kind, name, client.namespace), kind), end="")

    return run


def _edit(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None) -> None:
        from kaos.actions import resources
        from kaos.cli.editor import Editor

        client = settings.client(namespace)
        options.announce(client, client.namespace)
        with Editor() as editor:
            changed = resources.edit(client, kind, name, client.namespace, editor.change)
        say(f"✓ {kind.title} {'configured' if changed else 'unchanged'}")

    return run


def _restart(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None) -> None:
        from kaos.actions import resources

        client = settings.client(namespace)
        options.announce(client, client.namespace)
        resources.restart(client, kind, name, client.namespace)
        say(f"✓ {kind.title} {client.namespace}/{name}: its pods are being replaced")

    return run


def _scale(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @click.option("--replicas", type=click.IntRange(min=0), required=True, help="How many pods.")
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None, replicas: int) -> None:
        from kaos.actions import resources

        client = settings.client(namespace)
        options.announce(client, client.namespace)
        resources.scale(client, kind, name, client.namespace, replicas)
        say(f"✓ {kind.title} {client.namespace}/{name} scaled to {replicas}")

    return run


def _suspend(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None) -> None:
        from kaos.actions import resources

        client = settings.client(namespace)
        options.announce(client, client.namespace)
        resources.suspend(client, kind, name, client.namespace)
        say(f"✓ {kind.title} {client.namespace}/{name} suspended; go on with: kaos {kind.command} resume {name}")

    return run


def _resume(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None) -> None:
        from kaos.actions import resources

        client = settings.client(namespace)
        options.announce(client, client.namespace)
        resources.resume(client, kind, name, client.namespace)
        say(f"✓ {kind.title} {client.namespace}/{name} resumed")

    return run


def _logs(kind: Kind, command: Decorator) -> click.Command:
    @command
    @name_argument(kind)
    @options.namespace
    @click.option("-f", "--follow", is_flag=True, help="Keep printing what comes, from pods to come as well.")
    @click.option("--previous", is_flag=True, help="Of the containers before their last restart.")
    @click.option("--tail", type=click.IntRange(min=0), help="Only the last N lines of each pod.")
    @click.option("--since", type=options.Duration(), metavar="DURATION", help="Only the last 30s, 5m, 1h30m.")
    @click.option("--timestamps", is_flag=True, help="With the time of each line.")
    @click.option("-c", "--container", default=kind.container, show_default=True, help="Container of the pods.")
    @click.pass_obj
    def run(settings: Settings, name: str, namespace: str | None, **wanted: Any) -> None:
        from kaos.actions.podlogs import PodsOf
        from kaos.cli.logs import refuse_both, show

        refuse_both(wanted["follow"], wanted["previous"])
        client = settings.client(namespace)
        show(client, [PodsOf.resource(kind, name, client.namespace)], **wanted)

    return run


def _delete(kind: Kind, command: Decorator) -> click.Command:
    @command
    @click.argument("names", nargs=-1, required=True, metavar="NAME...",
                    shell_complete=completion.names_of(kind.resource))  # fmt: skip
    @options.namespace
    @options.yes
    @click.pass_obj
    def run(settings: Settings, names: tuple[str, ...], namespace: str | None, yes: bool) -> None:
        from kaos.actions import resources
        from kaos.cli.prompt import confirm

        client = settings.client(namespace)
        options.announce(client, client.namespace)
        what = ", ".join(names) if len(names) <= MANY else f"{len(names)} of them"
        confirm(f"Delete {kind.title} {what} in namespace {client.namespace}?", yes, needed=False)
        for name in names:
            resources.delete(client, kind, name, client.namespace)
            say(f"✓ {kind.title} {client.namespace}/{name} deleted")

    return run


_VERBS: dict[str, tuple[Callable[[Kind, Decorator], click.Command], str]] = {
    "list": (_list, "List {title}s."),
    "get": (_get, "Print one {title}."),
    "describe": (_describe, "Tell all about one {title}: conditions, tools, pods, events."),
    "edit": (_edit, "Change one {title} in your editor."),
    "restart": (_restart, "Replace the pods, one after the other."),
    "scale": (_scale, "Change the number of pods."),
    "suspend": (_suspend, "Stop all pods until resume."),
    "resume": (_resume, "Start the pods again after suspend."),
    "logs": (_logs, "What the pods said."),
    "delete": (_delete, "Delete {title}s with all that belongs to them."),
}
