"""`kaos system create-rbac`: what an MCPServer may do on the cluster, said before it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaos.api.names import MCPSERVERS
from kaos.cli import completion, options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say
from kaos.errors import UsageError
from kaos.kube.yaml_text import yaml_text

if TYPE_CHECKING:
    from kaos.actions.apply import Outcome
    from kaos.actions.rbac import Plan
    from kaos.actions.rights import Risk


def _words(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """`--verbs get,list` and `--verbs get --verbs list` are the same."""
    words = tuple(word.strip() for text in value for word in text.split(","))
    if value and not all(words):
        raise UsageError(f"{param.opts[0]} names nothing.", f"Such as: {param.opts[0]} {param.metavar}")
    return words


@click.command("create-rbac", cls=Command)
@click.option(
    "--name",
    metavar="NAME",
    shell_complete=completion.names_of(MCPSERVERS),
    help="The MCPServer; its account is mcpserver-NAME.",
)
@options.namespace
@click.option(
    "--namespaces",
    metavar="A,B",
    multiple=True,
    callback=_words,
    shell_complete=completion.namespaces,
    help="Where it may act (default: in its own namespace).",
)
@click.option(
    "--resources",
    metavar="pods,services",
    multiple=True,
    callback=_words,
    help="What it may see (default: pods and their logs, workloads, services, events).",
)
@click.option(
    "--verbs", metavar="get,list", multiple=True, callback=_words, help="What it may do (default: get,list,watch)."
)
@click.option("--read-only", is_flag=True, help="Refuse any verb that changes something.")
@click.option("--cluster-wide", is_flag=True, help="In every namespace, and beyond namespaces.")
@click.option(
    "--mcpserver",
    "servers",
    metavar="NAME",
    multiple=True,
    callback=_words,
    shell_complete=completion.names_of(MCPSERVERS),
    help="Who may use the account (default: the MCPServer NAME alone).",
)
@click.option("--allow-dangerous", is_flag=True, help="Grant what is shown as dangerous, such as Secrets.")
@click.option("--dry-run", is_flag=True, help="Print the manifests; change nothing.")
@click.pass_obj
def create_rbac(
    settings: Settings,
    name: str | None,
    namespace: str | None,
    namespaces: tuple[str, ...],
    resources: tuple[str, ...],
    verbs: tuple[str, ...],
    read_only: bool,
    cluster_wide: bool,
    servers: tuple[str, ...],
    allow_dangerous: bool,
    dry_run: bool,
) -> None:
    """Let an MCPServer act on the cluster: a ServiceAccount that it may use, with the rights that you name."""
    from kaos.actions import rbac
    from kaos.actions.rights import risks
    from kaos.actions.served import served

    name = name or next((server for server in servers if server != "*"), None)
    if not name:
        raise UsageError("Rights for which MCPServer?", "Say: --name NAME")
    client = settings.client(namespace)
    request = rbac.Request(name, client.namespace, namespaces, resources, verbs, read_only, cluster_wide, servers)
    plan = rbac.plan(request, served(client))
    _warn(plan, risks(plan.rules), allow_dangerous)
    if dry_run:
        for resource, obj in rbac.left_over(client, plan):
            where = obj["metadata"].get("namespace")
            say(f"! {resource.kind} {obj['metadata']['name']}{f' in {where}' if where else ''} would be removed")
        result("---\n".join(yaml_text(obj) for obj in plan.objects), end="")
        return
    options.announce(client, client.namespace)
    if plan.namespaces not in ((), (plan.namespace,)):
        say(f"It will act in: {', '.join(plan.namespaces)}")
    say(f"Creating RBAC for MCPServer {name}...")
    _tell(rbac.apply(client, plan))


def _warn(plan: Plan, found: list[Risk], allowed: bool) -> None:
    """What is dangerous comes first. Raises UsageError when a person has not said that it is meant."""
    if "*" in plan.servers:
        say(f"! Every MCPServer of namespace {plan.namespace} may use the account.")
    for risk in found:
        say(f"! {risk.words}")
    grave = [risk.what for risk in found if risk.grave]
    if grave and not allowed:
        raise UsageError(
            f"This would grant what is dangerous: {'; '.join(grave)}.", "If it is meant: --allow-dangerous"
        )


def _tell(outcomes: list[Outcome]) -> None:
    """A line a kind, with namespaces only where not all went the same way."""
    seen: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        seen.setdefault((outcome.kind, outcome.verb), []).append(outcome)
    for (kind, verb), group in seen.items():
        mixed = verb == "removed" or any(other == kind and word != verb for other, word in seen)
        for outcome in group if mixed else group[:1]:
            where = f" in {outcome.namespace}" if mixed and outcome.namespace else ""
            say(f"✓ {kind} {verb}: {outcome.name}{where}")
