"""Drafts: YAML that a person writes, judged by the server before anything is changed, and what it would change."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from kaos.actions import manifests, resources
from kaos.actions.kinds import Kind, kind_of
from kaos.actions.manifests import WRITTEN_BY_SERVERS, Manifest
from kaos.actions.refusals import explained
from kaos.cluster import Client
from kaos.errors import UsageError
from kaos.kube.yaml_text import yaml_text

Object = dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """What was written, as the server takes it, and the difference it makes (lines of a unified diff)."""

    objects: tuple[Object, ...]
    diff: tuple[str, ...]


def text_of(obj: Object) -> str:
    """What there is to edit of an object: not its status, nor what only servers write."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in WRITTEN_BY_SERVERS}
    return yaml_text({key: value for key, value in obj.items() if key != "status"} | {"metadata": meta})


def edited(client: Client, kind: Kind, before: Object, text: str) -> Draft:
    """The text as a new version of `before`. Raises KaosError with what is wrong with it, and where."""
    found = manifests.parse(text, "your text")
    if len(found) != 1:
        raise UsageError(f"One object was to be edited, and now there are {len(found)}.", "")
    old, new = before["metadata"], found[0].object
    if (kind_of(new), found[0].name, found[0].namespace or old["namespace"]) != (kind, old["name"], old["namespace"]):
        raise UsageError("Kind, name and namespace cannot be edited.", f"Make another: kaos {kind.command} deploy")
    kept = {key: value for key, value in old.items() if key in WRITTEN_BY_SERVERS and key != "managedFields"}
    new = new | {"metadata": new["metadata"] | kept | {"namespace": old["namespace"]}}
    with explained(client, kind.resource, old["name"], old["namespace"]):
        taken = client.replace(kind.resource, new, old["namespace"], dry_run=True)
    return Draft((new,), _diff(text_of(before), text_of(taken)))


def save(client: Client, kind: Kind, draft: Draft) -> Object:
    """Make the cluster hold an edited draft. What someone else changed meanwhile is not overwritten: ApiError 409."""
    (obj,) = draft.objects
    meta = obj["metadata"]
    with explained(client, kind.resource, meta["name"], meta["namespace"]):
        return client.replace(kind.resource, obj, meta["namespace"])


def new(client: Client, text: str, namespace: str) -> Draft:
    """The text as objects to be applied. Raises KaosError with what is wrong with it, and where."""
    found = manifests.ordered(manifests.parse(text, "your text"))
    if not found:
        raise UsageError("There is nothing to deploy.", "")
    diff: list[str] = []
    for manifest in found:
        diff += _judged(client, manifest, manifest.namespace or namespace)
    return Draft(tuple(_in(manifest, manifest.namespace or namespace) for manifest in found), tuple(diff))


def _judged(client: Client, manifest: Manifest, namespace: str) -> tuple[str, ...]:
    kind = kind_of(manifest.object)
    if kind is None:
        raise UsageError(f"{manifest.kind} is no kind of KAOS's.", "Others are applied by: kaos apply -f FILE")
    with explained(client, kind.resource, manifest.name, namespace):
        before = client.find(kind.resource, manifest.name, namespace)
        after = client.apply(kind.resource, _in(manifest, namespace), namespace, dry_run=True)
    return _diff(text_of(before) if before else "", text_of(after))


def apply(client: Client, draft: Draft) -> list[Object]:
    """Make the cluster hold a new draft, object by object."""
    done = []
    for obj in draft.objects:
        kind, meta = kind_of(obj), obj["metadata"]
        with explained(client, kind.resource, meta["name"], meta["namespace"]):
            done.append(resources.plain(client.apply(kind.resource, obj, meta["namespace"])))
    return done


def _in(manifest: Manifest, namespace: str) -> Object:
    return manifest.object | {"metadata": manifest.object["metadata"] | {"namespace": namespace}}


def _diff(before: str, after: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "now", "then", lineterm="", n=2)
    return tuple(line for line in lines if not line.startswith(("---", "+++")))
