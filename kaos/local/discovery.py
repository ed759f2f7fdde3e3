"""Discovery: which groups, versions and resources there are, in the old and the aggregated form."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from kaos.local.kinds import Kind, Kinds

Object = dict[str, Any]
GIT_VERSION = "v1.34.0+kaos"


def version() -> Object:
    import platform

    return {
        "major": "1",
        "minor": "34",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"cpython-{platform.python_version()}",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def api_versions(address: str) -> Object:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _group_versions(group: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{group}/{name}", "version": name} for name in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def group_list(kinds: Kinds) -> Object:
    groups = [_group_versions(group, versions) for group, versions in kinds.groups().items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(kinds: Kinds, name: str) -> Object | None:
    versions = kinds.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group_versions(name, versions)} if versions else None


def _of_version(kinds: Kinds, group: str, version: str) -> list[Kind]:
    found = [k for (g, v, _), k in kinds.by_path.items() if g == group and v == version]
    return sorted(found, key=lambda kind: kind.resource.plural)


def _storage_hash(kinds: Kinds, kind: Kind) -> str:
    """What clients compare to see that a kind is stored in another version than before."""
    stored = next(k.resource for k in kinds.stored() if k.collection == kind.collection)
    named = f"{stored.group}/{stored.version}/{stored.kind}"
    return base64.b64encode(hashlib.sha256(named.encode()).digest()[:8]).decode()


def _subresources(kind: Kind) -> list[tuple[str, Object, tuple[str, ...]]]:
    """(name, kind's identity, verbs) of each subresource."""
    own = {"kind": kind.resource.kind}
    found: list[tuple[str, Object, tuple[str, ...]]] = []
    if kind.resource.plural == "pods":
        found.append(("log", own, ("get",)))
    if kind.resource.plural in ("pods", "services"):
        options = {"kind": "PodProxyOptions" if kind.resource.plural == "pods" else "ServiceProxyOptions"}
        found.append(("proxy", options, ("create", "delete", "get", "patch", "update")))
    if kind.resource.plural == "namespaces":
        found.append(("finalize", own, ("update",)))
    scale = ("scale", {"group": "autoscaling", "version": "v1", "kind": "Scale"}, ("get", "patch", "update"))
    state = ("status", own, ("get", "patch", "update"))
    offered = [one for one, offers in ((scale, kind.scale), (state, kind.status)) if offers]
    return found + (offered[::-1] if kind.custom else offered)


def resource_list(kinds: Kinds, group: str, version: str) -> Object | None:
    """The APIResourceList of one group and version; None when it is not served."""
    served = _of_version(kinds, group, version)
    if not served:
        return None
    resources = []
    for kind in served:
        entry: Object = {
            "name": kind.resource.plural,
            "singularName": kind.singular,
            "namespaced": kind.resource.namespaced,
            "kind": kind.resource.kind,
            "verbs": list(kind.verbs),
        }
        if kind.short_names:
            entry["shortNames"] = list(kind.short_names)
        if kind.categories:
            entry["categories"] = list(kind.categories)
        if "list" in kind.verbs:
            entry["storageVersionHash"] = _storage_hash(kinds, kind)
        resources.append(entry)
        for name, identity, verbs in _subresources(kind):
            entry = {"name": f"{kind.resource.plural}/{name}", "singularName": ""}
            resources.append(entry | {"namespaced": kind.resource.namespaced} | identity | {"verbs": list(verbs)})
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def aggregated(kinds: Kinds, core: bool) -> Object:
    """APIGroupDiscoveryList v2 of the core group, or of all others."""
    items = []
    for name, versions in kinds.groups().items():
        if (name == "") != core:
            continue
        items.append(
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {
                        "version": version,
                        "resources": [_aggregated_resource(kind) for kind in _of_version(kinds, name, version)],
                        "freshness": "Current",
                    }
                    for version in versions
                ],
            }
        )
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_resource(kind: Kind) -> Object:
    # Of built-in kinds the group and version around them are meant.
    group, version = (kind.resource.group, kind.resource.version) if kind.custom else ("", "")
    own = {"group": group, "version": version, "kind": kind.resource.kind}
    entry: Object = {
        "resource": kind.resource.plural,
        "responseKind": own,
        "scope": "Namespaced" if kind.resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    subresources = [
        {"subresource": name, "responseKind": own | identity, "verbs": list(verbs)}
        for name, identity, verbs in _subresources(kind)
    ]
    return entry | ({"subresources": subresources} if subresources else {})
