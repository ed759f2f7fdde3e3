"""URL paths of the Kubernetes API, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True)
class ResourcePath:
    """`/apis/GROUP/VERSION[/namespaces/NS]/PLURAL[/NAME[/SUBRESOURCE[/REST]]]`."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows /proxy, still quoted
    watch: bool = False  # the old /watch/ prefix


def parse(raw_path: str) -> ResourcePath | None:
    """The path of a resource, or None when it is not one (discovery, health, nonsense)."""
    parts = raw_path.split("/")
    if parts[:2] == ["", "api"] and len(parts) >= 4:
        group, version, rest = "", parts[2], parts[3:]
    elif parts[:2] == ["", "apis"] and len(parts) >= 5:
        group, version, rest = parts[2], parts[3], parts[4:]
    else:
        return None
    old_watch = rest[0] == "watch" and len(rest) > 1
    if old_watch:
        rest = rest[1:]
    namespace = None
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("", "status", "finalize"):
        namespace, rest = unquote(rest[1]), rest[2:]
    if not rest[0]:
        return None
    plural, name, subresource = rest[0], unquote(rest[1]) if len(rest) > 1 else "", rest[2] if len(rest) > 2 else ""
    return ResourcePath(group, version, plural, namespace, name, subresource, "/".join(rest[3:]), old_watch)
