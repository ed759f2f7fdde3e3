"""Applying and deleting what manifests name, in an order in which it can work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kaos.actions.kinds import kind_of
from kaos.actions.manifests import WRITTEN_BY_SERVERS, Manifest, Object, ordered, place_of
from kaos.actions.refusals import explained
from kaos.cluster import ApiError, Client
from kaos.errors import KaosError
from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, NAMESPACES, Resource

CREATED, CONFIGURED, UNCHANGED = "created", "configured", "unchanged"
DELETED, DELETING, ABSENT = "deleted", "being deleted", "not there"


@dataclass(frozen=True)
class Outcome:
    """What became of one object."""

    kind: str
    name: str
    namespace: str | None
    verb: str  # one of the words above; empty when it failed
    object: Object | None = None
    error: KaosError | None = None

    @property
    def title(self) -> str:
        return f"{self.kind} {f'{self.namespace}/' if self.namespace else ''}{self.name}"


def apply_object(client: Client, obj: Object, namespace: str | None, resource: Resource) -> Outcome:
    """Server-side apply of one object; what it lacks of metadata.namespace is filled in."""
    meta = obj["metadata"]
    where = _place(client, resource, meta.get("namespace"), namespace)
    body = obj | {"metadata": meta | ({"namespace": where} if where else {})}
    with explained(client, resource, meta["name"], where):
        before = client.find(resource, meta["name"], where)
        after = client.apply(resource, body, where)
    return Outcome(obj["kind"], meta["name"], where, _verb(before, after), after)


def _verb(before: Object | None, after: Object) -> str:
    if before is None or before["metadata"]["uid"] != after["metadata"]["uid"]:
        return CREATED
    return UNCHANGED if _wishes(before) == _wishes(after) else CONFIGURED


def _wishes(obj: Object) -> Object:
    """What people ask of an object, without what servers and operators write into it."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in WRITTEN_BY_SERVERS}
    return {key: value for key, value in obj.items() if key != "status"} | {"metadata": meta}


def _place(client: Client, resource: Resource, own: str | None, asked: str | None) -> str | None:
    return place_of(own, asked, client.namespace) if resource.namespaced else None


def create_namespace(client: Client, name: str) -> bool:
    """Make sure that it exists; True when it was made."""
    try:
        client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    except ApiError as refused:
        if refused.code == 409:
            return False
        with explained(client, NAMESPACES, name):
            raise
    return True


def apply_all(
    client: Client,
    manifests: Iterable[Manifest],
    namespace: str | None = None,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Apply all in order. One that fails does not keep the others from being tried."""
    outcomes = []
    for manifest in ordered(manifests):
        try:
            resource = client.resource_for(manifest.api_version, manifest.kind)
            outcome = apply_object(client, manifest.object, namespace, resource)
            if resource == CUSTOMRESOURCEDEFINITIONS:
                _await_served(client, manifest.name)
        except KaosError as error:
            outcome = _failed(manifest, namespace, error)
        outcomes.append(outcome)
        on_outcome(outcome)
    return outcomes


def _await_served(client: Client, crd: str) -> None:
    """Objects of a new kind may follow at once."""
    from kaos.actions.system import await_established

    await_established(client, crd)


def delete_all(
    client: Client,
    manifests: Iterable[Manifest],
    namespace: str | None = None,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Delete all, in the opposite order. What is not there is no failure."""
    outcomes = []
    for manifest in reversed(ordered(manifests)):
        try:
            outcome = _delete(client, manifest, namespace)
        except KaosError as error:
            outcome = _failed(manifest, namespace, error)
        outcomes.append(outcome)
        on_outcome(outcome)
    return outcomes


def _delete(client: Client, manifest: Manifest, namespace: str | None) -> Outcome:
    resource = client.resource_for(manifest.api_version, manifest.kind)
    where = _place(client, resource, manifest.namespace, namespace)
    try:
        answer = client.delete(resource, manifest.name, where)
    except ApiError as refused:
        if refused.code == 404 and refused.details.get("name"):
            return Outcome(manifest.kind, manifest.name, where, ABSENT)
        with explained(client, resource, manifest.name, where):
            raise
    waits = bool((answer.get("metadata") or {}).get("deletionTimestamp"))  # for finalizers, or its contents
    return Outcome(manifest.kind, manifest.name, where, DELETING if waits else DELETED)


def _failed(manifest: Manifest, namespace: str | None, error: KaosError) -> Outcome:
    return Outcome(manifest.kind, manifest.name, manifest.namespace or namespace, "", None, error)


def of_kaos(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that an operator makes ready."""
    return [outcome for outcome in outcomes if outcome.object and kind_of(outcome.object)]
