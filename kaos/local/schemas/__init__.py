"""The shapes of built-in kinds, as published in Kubernetes' OpenAPI; written by tools/builtin_schemas.py and
tools/builtin_protobuf.py."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib import resources
from typing import Any

from kaos.local.schema import REF_PREFIX, Schema

LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@cache
def data() -> dict[str, Any]:
    """`{"kinds": {"apps/v1/Deployment": component name}, "schemas": {component name: schema}}`."""
    return _unpacked("builtin.json.gz")


@cache
def protobuf() -> dict[str, Any]:
    """`{"kinds": {"apps/v1/Deployment": message}, "messages": {message: {number: [field, type, how]}}}`."""
    return _unpacked("protobuf.json.gz")


def _unpacked(name: str) -> dict[str, Any]:
    return json.loads(gzip.decompress(resources.files(__package__).joinpath(name).read_bytes()))


@cache
def builtin(group: str, version: str, kind: str) -> Schema:
    """The schema of a built-in kind. Raises KeyError for a kind that is not served here."""
    component = data()["kinds"][f"{group}/{version}/{kind}" if group else f"{version}/{kind}"]
    return Schema({"$ref": REF_PREFIX + component}, data()["schemas"])


@cache
def object_meta() -> Schema:
    """The schema of `metadata`, which every kind shares."""
    return Schema({"$ref": REF_PREFIX + OBJECT_META}, data()["schemas"])
