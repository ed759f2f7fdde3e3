"""What a cluster serves, by discovery: resources under all the names that a person may call them by."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kaos.cluster import Client
from kaos.errors import KaosError, UsageError
from kaos.kube.names import nearest

Object = dict[str, Any]
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# Of these a cluster may serve none and yet be asked for a right to them: the same manifest goes elsewhere later.
_EVERYWHERE = {
    "pods": ("attach", "exec", "log", "portforward", "proxy"),
    "services": ("proxy",),
    "serviceaccounts": ("token",),
}


@dataclass(frozen=True)
class Served:
    """One resource that the cluster serves."""

    group: str
    plural: str
    namespaced: bool
    others: tuple[str, ...] = ()  # its kind, singular and short names, in lower case
    subresources: tuple[str, ...] = ()


def served(client: Client) -> tuple[Served, ...]:
    """All of them, the core group first and the others in the cluster's own order."""
    return tuple(one for root in ("/api", "/apis") for one in parsed(_discovered(client, root)))


def _discovered(client: Client, root: str) -> Object:
    response = client.request("GET", root, headers={"Accept": _AGGREGATED})
    try:
        found = json.loads(response.read())
    finally:
        response.close()
    if found.get("kind") != "APIGroupDiscoveryList":
        raise KaosError("The cluster does not tell what it serves in one list.", "It needs Kubernetes 1.30 or newer.")
    return found


def parsed(listing: Object) -> Iterable[Served]:
    """What one discovery document says, each resource in its preferred version."""
    for group in listing.get("items") or ():
        seen = set()
        for version in group.get("versions") or ():
            for one in version.get("resources") or ():
                if one["resource"] not in seen:
                    seen.add(one["resource"])
                    yield _served((group.get("metadata") or {}).get("name", ""), one)


def _served(group: str, one: Object) -> Served:
    kind = (one.get("responseKind") or {}).get("kind", "").lower()
    others = (kind, one.get("singularResource", ""), *(one.get("shortNames") or ()))
    below = tuple(sub["subresource"] for sub in one.get("subresources") or ())
    return Served(group, one["resource"], one.get("scope") == "Namespaced", tuple(filter(None, others)), below)


def named(word: str, known: Iterable[Served]) -> tuple[Served, str]:
    """The resource that `word` means, and its name in a rule: `po` is pods, `deployments.apps/scale` a subresource.

    Raises UsageError with the nearest.
    """
    known = tuple(known)
    name, _, below = word.lower().partition("/")
    plural, _, group = name.partition(".")
    found = next((one for one in known if plural == one.plural and (not group or group == one.group)), None)
    found = found or next((one for one in known if plural in one.others and (not group or group == one.group)), None)
    if found is None:
        like = nearest(plural, {one.plural for one in known})
        hint = f"Did you mean {like}?" if like else "What there is: kubectl api-resources"
        raise UsageError(f"The cluster serves no resource {word!r}.", hint)
    if not below:
        return found, found.plural
    have = {*found.subresources, *(_EVERYWHERE.get(found.plural, ()) if not found.group else ())}
    if below not in have and below != "*":
        like = nearest(below, have)
        hint = f"Did you mean {found.plural}/{like}?" if like else f"There is: {', '.join(sorted(have)) or 'none'}"
        raise UsageError(f"{found.plural} has no subresource {below!r}.", hint)
    return found, f"{found.plural}/{below}"
