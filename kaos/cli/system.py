"""`kaos system ...`: KAOS itself on a cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

import kaos
from kaos.api.names import CUSTOM, SYSTEM_NAMESPACE
from kaos.cli import completion, options
from kaos.cli.commands import Settings, group
from kaos.cli.output import as_json, as_yaml, result, say, table
from kaos.errors import NotFound, UsageError
from kaos.kube import sanitize
from kaos.kube.yaml_text import yaml_text

# The widths that the table of runtimes has at least, so that it does not jump from one cluster to the next.
_RUNTIME_WIDTHS = (13, 10, 57)


@group(
    "KAOS itself on a cluster: install what it needs, its state, the runtimes it knows, rights of servers.",
    lazy={
        "create-rbac": ("kaos.cli.system_rbac:create_rbac", "Let an MCPServer act on the cluster."),
        "report": ("kaos.cli.system_report:report", "Write a support bundle, without secrets."),
    },
)
def system() -> None:
    pass


_system_namespace = click.option(
    "-n",
    "--namespace",
    metavar="NAMESPACE",
    default=SYSTEM_NAMESPACE,
    show_default=True,
    shell_complete=completion.namespaces,
    help="The operator's namespace.",
)


@system.command()
@_system_namespace
@click.option("--version", metavar="VERSION", help="Of KAOS; this kaos installs its own.")
@click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, help="A value of the chart; may be given again.")
@click.option("--values", "files", metavar="FILE", multiple=True, type=click.Path(exists=True, dir_okay=False),
              help="Values of the chart; may be given again.")  # fmt: skip
@options.wait
@click.option("--no-operator", is_flag=True, help="CRDs, namespace and runtime registry only.")
@click.pass_obj
def install(
    settings: Settings,
    namespace: str,
    version: str | None,
    sets: tuple[str, ...],
    files: tuple[str, ...],
    wait_s: float | None,
    no_operator: bool,
) -> None:
    """Install KAOS on a cluster, or upgrade it: CRDs, operator, runtime registry. Again and again does no harm."""
    from kaos.actions import installing
    from kaos.actions.chart import Values
    from kaos.actions.system import install_prerequisites
    from kaos.cluster.connection import CONTEXT_LOCAL

    if version and version.removeprefix("v") != kaos.__version__:
        raise UsageError(
            f"This kaos carries KAOS {kaos.__version__}, not {version}.",
            f"Install that kaos first: pip install kaos-console=={version.removeprefix('v')}",
        )
    client = settings.client()
    if no_operator:
        if sets or files or wait_s:
            raise UsageError("--set, --values and --wait are about the operator.", "Leave out --no-operator, or them.")
        options.announce(client, namespace)
        say("Installing KAOS without its operator...")
        kept = install_prerequisites(client, namespace, lambda step: say(f"✓ {step}")).registry_kept
        hint = "Run the operator: kaos operator run"
    else:
        if client.connection.context == CONTEXT_LOCAL:
            raise UsageError("The local cluster has its operator already.", "Another cluster: kaos context list")
        options.announce(client, namespace)
        say("Installing KAOS operator...")
        objects = installing.rendered(client, namespace, Values(sets, files))
        say("✓ Chart found")
        kept = installing.install(client, namespace, objects, lambda step: say(f"✓ {step}"), wait_s or 0)
        hint = "" if wait_s else "See how it starts: kaos system status" + _elsewhere(namespace)
    if kept:
        say(f"Entries of your own survive updates in any ConfigMap of {namespace} with this label:")
        say("  kaos.tools/mcp-runtimes=true")
    if hint:
        say(hint)


def _elsewhere(namespace: str) -> str:
    return "" if namespace == SYSTEM_NAMESPACE else f" -n {namespace}"


@system.command()
@_system_namespace
@options.yes
@click.option("--purge", is_flag=True, help="Take every MCPServer, ModelAPI and Agent of the cluster and the CRDs too.")
@click.pass_obj
def uninstall(settings: Settings, namespace: str, yes: bool, purge: bool) -> None:
    """Take the operator out of a cluster. Resources and what runs for them stay."""
    from kaos.actions import installing
    from kaos.cli.prompt import confirm
    from kaos.cluster.connection import CONTEXT_LOCAL

    client = settings.client()
    if client.connection.context == CONTEXT_LOCAL:
        raise UsageError("The local cluster's operator is part of it.", "End both: kaos local down")
    options.announce(client, namespace)
    counts = installing.declared(client)
    there = [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items() if count]
    question = f"Remove the operator from namespace {namespace} of context {client.connection.context}"
    confirm(f"{question}, with {', '.join([*there, 'the CRDs'])}?" if purge else f"{question}?", yes)
    say("Uninstalling KAOS operator...")
    try:
        installing.uninstall(client, namespace, lambda step: say(f"✓ {step}"))
    except NotFound:
        if not purge:
            raise
    if purge:
        installing.purge(client, namespace, lambda step: say(f"✓ {step}"))
        say(f"Namespace {namespace} stays, and so do volumes that resources retained.")
    else:
        running = f", {', '.join(there)} with what runs for them, which nobody looks after now" if there else ""
        say(f"What stays: the CRDs and the runtime registry{running}.")
        say(f"To take these too: kaos system uninstall --purge{_elsewhere(namespace)}")


@system.command()
@_system_namespace
@options.output("text", "json", "yaml", default="text")
@click.pass_obj
def status(settings: Settings, namespace: str, output: str) -> None:
    """Who runs the operator, which runtimes there are, and the gateway."""
    from kaos.actions.system import status as action

    found = action(settings.client(), namespace)
    if output in ("json", "yaml"):
        facts = asdict(found) | {"runtimes": [_facts(one) for one in found.runtimes]}
        (as_json if output == "json" else as_yaml)(facts)
        return
    result("KAOS Operator Status:")
    for name, value in _operator(found):
        result(f"  {name + ':':<12}{value}")
    result("\nAvailable Runtimes:")
    named = [one for one in found.runtimes if one.name != CUSTOM]
    width = max((len(one.name) for one in named), default=0) + 1
    for one in named:
        result(f"  {one.name:<{width}} - {one.description}")
    for problem in found.problems:
        result(f"  ! {problem}")
    result(f"\nGateway API: {'Disabled' if found.gateways is None else 'Enabled'}")
    for gateway in found.gateways or ():
        result(f"  Gateway: {gateway}")
    if not found.installed:
        say("KAOS is not installed here: kaos system install")
    elif found.operators is not None and not found.operator:
        say("No operator runs: kaos operator run")


def _operator(found: Any) -> list[tuple[str, str]]:
    working = found.operator
    told = found.version or (kaos.__version__ if working else "")
    version = f"v{told.removeprefix('v')}" if told else "-"
    ready = "Unknown" if found.operators is None else str(bool(working))
    facts = [("Namespace", found.namespace), ("Version", version), ("Ready", ready)]
    pods = f"{found.pods[0]}/{found.pods[1]}" if found.pods else "none" if found.pods_known else "unknown"
    if working and pods == "none":
        pods += f"; it runs outside the cluster ({working.holder})"
    facts.append(("Pods", pods))
    return facts


@system.command()
@click.argument("name", required=False, shell_complete=completion.runtimes)
@options.output("table", "json", "yaml", "name", default="table")
@click.pass_obj
def runtimes(settings: Settings, name: str | None, output: str) -> None:
    """List the runtimes that an MCPServer may name; with NAME all about one."""
    from kaos.actions import system as action
    from kaos.actions.examples import manifest

    client = settings.client()
    if name:
        one = action.runtime(client, name)
        match output:
            case "name":
                result(one.name)
            case "json":
                as_json(_facts(one) | {"example": manifest(one)})
            case "yaml":
                as_yaml(_facts(one) | {"example": manifest(one)})
            case _:
                _tell(one)
        return
    found, problems = action.runtimes(client)
    if output == "name":
        result("".join(f"{one.name}\n" for one in found), end="")
    elif output in ("json", "yaml"):
        (as_json if output == "json" else as_yaml)([_facts(one) for one in found])
    else:
        rows = [[one.name, one.type, one.description, one.source] for one in found]
        table(["NAME", "TYPE", "DESCRIPTION", "SOURCE"], rows, minimum=_RUNTIME_WIDTHS)
    for problem in problems:
        say(f"! {problem}")


def _tell(one: Any) -> None:
    from kaos.actions.examples import facts, manifest, needs

    for name, value in facts(one):
        result(f"{name + ':':<10}{sanitize.line(value)}")
    for number, need in enumerate(needs(one)):
        result(f"{'' if number else 'Needs:':<10}{sanitize.line(need)}")
    result("\nTo begin with:\n")
    result("".join(f"  {sanitize.line(line)}\n" for line in yaml_text(manifest(one)).splitlines()), end="")


def _facts(one: Any) -> dict[str, Any]:
    """A registry entry in the registry's own words, without what it does not say."""
    entry = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(one).items()}
    command = entry.pop("local_command")
    return {key: value for key, value in entry.items() if value not in ("", [], {}, False, "-")} | (
        {"local": {"command": command}} if command else {}
    )
