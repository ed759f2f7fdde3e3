"""A parity story: requests in the order a client would send them, read from a YAML table.

    given: [widgets]                # manifests under given/ that must be there first
    where:                          # short names for paths
      cms: /api/v1/namespaces/{ns}/configmaps
    requests:
    - name: creating it answers 201
      POST: "{cms}"
      body: {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}
      keep: {version: metadata.resourceVersion}    # {version} in later requests; shown so where it comes again

What else a request may say: `raw` (a body as it is), `type` (json, yaml, merge, apply, ... or a media type; `none`),
`accept` (table, partial, ... or a media type), `until` (repeat until these values, or this `code`, are seen),
`events` (read so many events of a watch), `pick` (compare this part only), `among` (compare these items only),
`drop` (leave these fields out), `mask` (note only that these fields are there).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MEDIA = {
    "json": "application/json",
    "yaml": "application/yaml",
    "merge": "application/merge-patch+json",
    "jsonpatch": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
    "protobuf": "application/vnd.kubernetes.protobuf",
    "table": "application/json;as=Table;v=v1;g=meta.k8s.io",
    "partial": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "partials": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "discovery": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
}


@dataclass(frozen=True)
class Request:
    """One row of the table."""

    name: str
    method: str
    path: str
    body: Any = None
    raw: str | None = None
    type: str = ""
    accept: str = ""
    keep: dict[str, str] = field(default_factory=dict)
    until: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    pick: str = ""
    among: dict[str, list[str]] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)
    mask: list[str] = field(default_factory=list)

    @property
    def content_type(self) -> str | None:
        if self.type == "none" or (not self.type and self.body is None and self.raw is None):
            return None
        return MEDIA.get(self.type or ("merge" if self.method == "PATCH" else "json"), self.type)


@dataclass(frozen=True)
class Story:
    """One table."""

    name: str
    given: tuple[str, ...]
    requests: tuple[Request, ...]


def stories() -> list[Story]:
    return [_story(path) for path in sorted((HERE / "stories").glob("*.yaml"))]


def _story(path: Path) -> Story:
    table = yaml.safe_load(path.read_text())
    where = table.get("where", {})
    requests = tuple(_request(row, where, path.name) for row in table["requests"])
    names = [request.name for request in requests]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.name}: a name comes twice: {sorted({n for n in names if names.count(n) > 1})}")
    return Story(path.stem, tuple(table.get("given", ())), requests)


def _request(row: dict[str, Any], where: dict[str, str], table: str) -> Request:
    row = dict(row)
    (method,) = [key for key in row if key in METHODS]
    path = row.pop(method)
    for name, meaning in where.items():
        path = path.replace(f"{{{name}}}", meaning)
    if unknown := row.keys() - {field.name for field in fields(Request)}:
        raise ValueError(f"{table}: {row.get('name')}: unknown keys {sorted(unknown)}")
    return Request(method=method, path=path, **row)
