"""Deploying, as every kind is deployed: from flags or files to what runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kaos.actions.kinds import Kind
from kaos.cli import options
from kaos.cli.commands import Settings
from kaos.cli.output import result, say
from kaos.errors import NoConnection, UsageError
from kaos.kube.yaml_text import yaml_text

Object = dict[str, Any]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def common_options(kind: Kind) -> Decorator:
    """The options that deploying has whatever the kind: name and namespace, file, waiting, dry run."""
    saved = f"{kind.command}.yaml"
    decorators = [
        click.option("--name", metavar="NAME", help=f"Name of the {kind.title}."),
        options.namespace,
        click.option("-f", "--file", "file", metavar="FILE|-", help=f"{kind.title} manifests, in place of flags."),
        click.option("--create-yaml", metavar="[FILE]", is_flag=False, flag_value=saved,
                     help=f"Save the manifest as well ({saved})."),
        options.wait,
        click.option("--dry-run", is_flag=True, help="Print the manifest, change nothing."),
        options.create_namespace,
    ]  # fmt: skip

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def deploy(
    settings: Settings,
    kind: Kind,
    made: Callable[[str, Any], Object],
    *,
    name: str | None,
    namespace: str | None,
    file: str | None,
    create_yaml: str | None,
    wait_s: float | None,
    dry_run: bool,
    create_namespace: bool,
    **flags: Any,
) -> None:
    """Do it. `made` turns name and flags into the manifest."""
    from kaos.actions.manifests import place_of

    if file:
        wanted = _from_file(kind, file, name, flags)
    elif not name:
        raise UsageError(f"{_a(kind)} needs a name.", "Add --name NAME, or -f FILE")
    else:
        wanted = [made(name, flags)]
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
        _deploy(client, kind, obj, wait_s, create_namespace)


def secret_reference(text: str) -> tuple[str, str, str]:
    """VAR=SECRET/KEY as its three parts. Raises UsageError."""
    form = "VAR=SECRET/KEY"
    variable, reference = options.pair(text, "--secret", form)
    secret, slash, key = reference.partition("/")
    if not slash or not secret or not key:
        raise UsageError(
            f"--secret needs the form {form}: the name of a Secret and a key in it, never a value.",
            "Make one: kaos secret create NAME KEY",
        )
    return variable, secret, key


def _a(kind: Kind) -> str:
    return f"A{'n' if kind.title[0] in 'AM' and kind.title != 'ModelAPI' else ''} {kind.title}"


def _namespace(settings: Settings) -> str:
    """The context's; what is only written to a file needs no cluster."""
    try:
        return settings.connection().namespace
    except NoConnection:
        return "default"


def _yaml(objects: list[Object]) -> str:
    return "---\n".join(yaml_text(obj) for obj in objects)


def _from_file(kind: Kind, file: str, name: str | None, flags: Any) -> list[Object]:
    from kaos.actions.kinds import kind_of
    from kaos.actions.manifests import read

    given = [option for option, value in flags.items() if value not in (None, (), False)]
    if given:
        option = given[0].removesuffix("s").replace("_", "-")
        raise UsageError(f"-f and --{option} do not go together.", "Edit the file.")
    found = read([file])
    for manifest in found:
        if kind_of(manifest.object) is not kind:
            raise UsageError(
                f"{manifest.source}: {manifest.kind} {manifest.name} is no {kind.title} of kaos.tools/v1alpha1.",
                "For other kinds: kaos apply -f FILE",
            )
        if name and name != manifest.name:
            raise UsageError(f"{manifest.source} is about {manifest.name}, --name says {name}.", "")
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


def _deploy(client: Any, kind: Kind, obj: Object, wait_s: float | None, create_namespace: bool) -> None:
    from kaos.actions import apply

    name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
    options.announce(client, namespace)
    say(f"Deploying {kind.title} {namespace}/{name}...")
    if create_namespace and apply.create_namespace(client, namespace):
        say(f"✓ Namespace {namespace} created")
    outcome = apply.apply_object(client, obj, namespace, kind.resource)
    say(f"✓ {kind.title} {outcome.verb}")
    if wait_s:
        from kaos.cli.progress import until_ready

        until_ready(client, kind, name, namespace, wait_s)
