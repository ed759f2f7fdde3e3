"""Write kaos/local/schemas/builtin.json.gz: the shapes of the built-in kinds that the local cluster serves.

Facts only (fields, types, list types, merge keys), read from the OpenAPI v3 documents of any real cluster:

    KUBECONFIG=... python tools/builtin_schemas.py kaos/local/schemas/builtin.json.gz
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

DOCUMENTS = {
    "api/v1": [
        "Namespace", "ConfigMap", "Secret", "ServiceAccount", "Service", "Endpoints", "PersistentVolumeClaim",
        "PersistentVolume", "Node", "Pod", "Event", "ResourceQuota", "LimitRange",
    ],
    "apis/apps/v1": ["Deployment", "ReplicaSet"],
    "apis/autoscaling/v1": ["Scale"],
    "apis/discovery.k8s.io/v1": ["EndpointSlice"],
    "apis/events.k8s.io/v1": ["Event"],
    "apis/coordination.k8s.io/v1": ["Lease"],
    "apis/rbac.authorization.k8s.io/v1": ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"],
    "apis/networking.k8s.io/v1": ["NetworkPolicy"],
    "apis/apiextensions.k8s.io/v1": ["CustomResourceDefinition"],
    "apis/authorization.k8s.io/v1": ["SelfSubjectAccessReview", "SelfSubjectRulesReview"],
    "apis/authentication.k8s.io/v1": ["SelfSubjectReview"],
}  # fmt: skip
META = ["DeleteOptions", "Status", "ObjectMeta", "ListMeta"]
DROPPED = {"description", "x-kubernetes-group-version-kind", "example", "externalDocs", "title"}


def shape(node: Any) -> Any:
    """The node without prose; a lone `allOf: [$ref]` becomes the reference."""
    if isinstance(node, list):
        return [shape(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in DROPPED or isinstance(value, dict)}
    if list(kept.get("allOf", ())) and len(kept["allOf"]) == 1:
        (reference,) = kept.pop("allOf")
        kept |= reference
    return {key: shape(value) for key, value in kept.items()}


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found = {node["$ref"].rsplit("/", 1)[1]} if isinstance(node.get("$ref"), str) else set()
    return found.union(*map(references, node.values())) if node else found


def main(target: Path) -> None:
    schemas: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for path, wanted in DOCUMENTS.items():
        raw = subprocess.run(["kubectl", "get", "--raw", f"/openapi/v3/{path}"], check=True, capture_output=True).stdout
        components = json.loads(raw)["components"]["schemas"]
        group_version = path.removeprefix("apis/").removeprefix("api/")
        queue = []
        for name, component in components.items():
            for gvk in component.get("x-kubernetes-group-version-kind", ()):
                joined = f"{gvk['group']}/{gvk['version']}".lstrip("/")
                if gvk["kind"] in wanted and joined == group_version:
                    kinds[f"{group_version}/{gvk['kind']}"] = name
                    queue.append(name)
            if name.rsplit(".", 1)[1] in META and ".meta.v1." in name:
                queue.append(name)
        while queue:
            name = queue.pop()
            if name not in schemas:
                schemas[name] = shape(components[name])
                queue += references(schemas[name])
    data = json.dumps({"kinds": kinds, "schemas": schemas}, separators=(",", ":"), sort_keys=True).encode()
    target.write_bytes(gzip.compress(data, mtime=0))
    print(f"{len(kinds)} kinds, {len(schemas)} schemas, {len(data)} bytes, {target.stat().st_size} compressed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
