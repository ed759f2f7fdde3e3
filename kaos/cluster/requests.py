"""What the blocking and the async client share: paths, queries, media types. No I/O."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from kaos.kube.resources import Resource

Object = dict[str, Any]

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
FIELD_MANAGER = "kaos"
PAGE_SIZE = 500


def path_of(resource: Resource, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
    return resource.path(_part(namespace), _part(name), subresource)


def _part(text: str | None) -> str | None:
    """A name inside a path, which it must not leave."""
    return quote(text, safe="") if text else None


def with_query(path: str, **query: Any) -> str:
    """The path with the parameters that are set; booleans as Kubernetes writes them."""
    given = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in query.items()
        if value is not None and value is not False and value != ""
    }
    return f"{path}?{urlencode(given)}" if given else path


def write_query(dry_run: bool, strict: bool = True, manager: str = FIELD_MANAGER) -> Object:
    return {
        "fieldManager": manager,
        "dryRun": "All" if dry_run else None,
        "fieldValidation": "Strict" if strict else None,
    }


def encode(obj: Any) -> bytes:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def name_selector(name: str | None) -> str | None:
    return f"metadata.name={name}" if name else None


def service_proxy_path(namespace: str, service: str, port: int | str, path: str = "/") -> str:
    """The API server's path to a Service's port; `path` begins with a slash."""
    return f"/api/v1/namespaces/{_part(namespace)}/services/{_part(service)}:{port}/proxy{path}"


def pod_proxy_path(namespace: str, pod: str, port: int | str, path: str = "/") -> str:
    """The API server's path to a port of one pod."""
    return f"/api/v1/namespaces/{_part(namespace)}/pods/{_part(pod)}:{port}/proxy{path}"
