"""`kaos system ...`: KAOS itself on a cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from kaos.api.names import CUSTOM
from kaos.cli import completion, options
from kaos.cli.commands import Settings, group
from kaos.cli.output import as_json, as_yaml, result, say, table
from kaos.errors import UsageError
from kaos.kube import sanitize
from kaos.kube.yaml_text import yaml_text

# The widths that the table of runtimes has at least, so that it does not jump from one cluster to the next.
_RUNTIME_WIDTHS = (13, 10, 57)


@group("KAOS itself on a cluster: install what it needs, its state, the runtimes it knows.")
def system() -> None:
    pass


@system.command()
@click.option("--no-operator", is_flag=True, help="CRDs, namespace and runtime registry only.")
@click.pass_obj
def install(settings: Settings, no_operator: bool) -> None:
    """Install what `kaos operator run` needs on a cluster: CRDs, namespace, runtime registry."""
    from kaos.actions.system import install_prerequisites

    if not no_operator:
        raise UsageError(
            "This version cannot put the operator into the cluster yet.",
            "Install without it, and run it from here: kaos system install --no-operator && kaos operator run",
        )
    client = settings.client()
    options.announce(client)
    say("Installing KAOS without its operator...")
    done = install_prerequisites(client, on_step=lambda step: say(f"✓ {step}"))
    if done.registry_kept:
        say(f"Entries of your own survive updates in any ConfigMap of {done.namespace} with this label:")
        say("  kaos.tools/mcp-runtimes=true")
    say("Run the operator: kaos operator run")


@system.command()
@options.output("text", "json", "yaml", default="text")
@click.pass_obj
def status(settings: Settings, output: str) -> None:
    """Who runs the operator, which runtimes there are, and the gateway."""
    from kaos.actions.system import status as action

    found = action(settings.client())
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
        say("KAOS is not installed here: kaos system install --no-operator")
    elif found.operators is not None and not found.operator:
        say("No operator runs: kaos operator run")


def _operator(found: Any) -> list[tuple[str, str]]:
    import kaos

    working = found.operator
    version = found.version or (f"v{kaos.__version__}" if working else "-")
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
