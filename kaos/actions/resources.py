"""What a person does with any resource of KAOS: look at it, change how it runs, delete it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kaos.actions.kinds import Kind
from kaos.actions.refusals import explained
from kaos.cluster import ApiError, Client
from kaos.errors import NotReady, UsageError
from kaos.kube import times
from kaos.kube.resources import DEPLOYMENTS, NAMESPACES

Object = dict[str, Any]
# The annotation that `kubectl rollout restart` sets: the pods of a changed template are replaced.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


@dataclass(frozen=True)
class Table:
    """Resources as rows of text; `names` and `namespaces` belong to the rows."""

    columns: list[str]
    rows: list[list[str]]
    names: list[str]
    namespaces: list[str]


def table(client: Client, kind: Kind, namespace: str | None, wide: bool = False) -> Table:
    """The server's own table. Without a namespace: all of them."""
    with explained(client, kind.resource):
        # Metadata, the namespace among it, is ten times the size of the cells.
        found = client.table(kind.resource, namespace, include_object="None" if namespace else "Metadata")
    shown = [index for index, column in enumerate(found["columnDefinitions"]) if wide or not column["priority"]]
    return Table(
        [found["columnDefinitions"][index]["name"] for index in shown],
        [[cell_text(row["cells"][index]) for index in shown] for row in found["rows"]],
        [row["cells"][0] for row in found["rows"]],
        [namespace or row["object"]["metadata"]["namespace"] for row in found["rows"]],
    )


def cell_text(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)


def namespace_exists(client: Client, name: str) -> bool:
    """Whether it does, as far as we may know."""
    try:
        return client.find(NAMESPACES, name) is not None
    except ApiError:
        return True


def listed(client: Client, kind: Kind, namespace: str | None) -> list[Object]:
    """The resources themselves, as `get` shows each."""
    with explained(client, kind.resource):
        return [plain(obj) for obj in client.list(kind.resource, namespace).items]


def get(client: Client, kind: Kind, name: str, namespace: str) -> Object:
    """One resource. Raises NotFound with the nearest name."""
    with explained(client, kind.resource, name, namespace):
        return plain(client.get(kind.resource, name, namespace))


def plain(obj: Object) -> Object:
    """Without the records of who owns which field, as nobody reads them."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return obj | {"metadata": meta}


def delete(client: Client, kind: Kind, name: str, namespace: str) -> None:
    """Delete one resource; what belongs to it goes with it."""
    with explained(client, kind.resource, name, namespace):
        client.delete(kind.resource, name, namespace)


def scale(client: Client, kind: Kind, name: str, namespace: str, replicas: int) -> Object:
    return _change(client, kind, name, namespace, {"replicas": replicas})


def suspend(client: Client, kind: Kind, name: str, namespace: str) -> Object:
    """No pods until `resume`."""
    return _change(client, kind, name, namespace, {"suspend": True})


def resume(client: Client, kind: Kind, name: str, namespace: str) -> Object:
    return _change(client, kind, name, namespace, {"suspend": False})


def _change(client: Client, kind: Kind, name: str, namespace: str, spec: Object) -> Object:
    with explained(client, kind.resource, name, namespace):
        return client.patch(kind.resource, name, {"spec": spec}, namespace)


def restart(client: Client, kind: Kind, name: str, namespace: str) -> None:
    """Replace the pods one after the other, as `kubectl rollout restart` does. Raises NotReady when there are none."""
    status = get(client, kind, name, namespace).get("status") or {}
    child = kind.child(name)
    with explained(client, DEPLOYMENTS, child, namespace):
        deployment = client.find(DEPLOYMENTS, child, namespace)
    if deployment is None:
        why = f": {status['reason']}, {status.get('message')}" if status.get("reason") else ""
        raise NotReady(f"{kind.title} {namespace}/{name} has no pods to restart{why}.", "")
    annotations = {RESTARTED_AT: times.now()}
    with explained(client, DEPLOYMENTS, child, namespace):
        client.patch(DEPLOYMENTS, child, {"spec": {"template": {"metadata": {"annotations": annotations}}}}, namespace)


def edit(client: Client, kind: Kind, name: str, namespace: str, change: Callable[[Object], Object | None]) -> bool:
    """Let `change` turn the resource into another; False when it changed nothing (None, or the same).

    The object's version goes along: what someone else changed meanwhile is not overwritten.
    """
    before = get(client, kind, name, namespace)
    before.pop("status", None)
    after = change(before)
    if after is None or after == before:
        return False
    meta = after.get("metadata") if isinstance(after, dict) else None
    if not isinstance(meta, dict) or (meta.get("name"), meta.get("namespace")) != (name, namespace):
        raise UsageError("Kind, name and namespace cannot be edited.", f"Make another: kaos {kind.command} deploy")
    with explained(client, kind.resource, name, namespace):
        client.replace(kind.resource, after, namespace)
    return True
