"""CRDs: whether one is acceptable, and the kinds that it adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kaos.kube import times
from kaos.kube.resources import Resource
from kaos.local import cel
from kaos.local.kinds import Kind, ScalePaths
from kaos.local.schema import FieldError, Schema, invalid, required

Object = dict[str, Any]
_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "id")
_TYPES = ("object", "array", "string", "integer", "number", "boolean")


def check(definition: Object) -> list[FieldError]:
    """What is wrong with a CRD beyond its own schema."""
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    errors: list[FieldError] = []
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if definition["metadata"].get("name") != wanted:
        name = definition["metadata"].get("name")
        errors.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        message = f'Unsupported value: "{spec.get("scope", "")}": supported values: "Cluster", "Namespaced"'
        errors.append(FieldError("spec.scope", "FieldValueNotSupported", message))
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        errors.append(invalid("spec.versions", versions, "must have exactly one version marked as storage version"))
    for position, version in enumerate(versions):
        path = f"spec.versions[{position}].schema.openAPIV3Schema"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if not schema:
            errors.append(required(path, "schemas are required"))
            continue
        if schema.get("type") != "object":
            errors.append(invalid(f"{path}.type", schema.get("type", ""), 'must be "object" at the root'))
        errors += _structural(schema, path)
    return errors


def _structural(node: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    anything = node.get("x-kubernetes-int-or-string") or node.get("x-kubernetes-preserve-unknown-fields")
    if not node.get("type") and not anything:
        yield required(f"{path}.type", "must not be empty for specified object fields")
    elif node.get("type") and node["type"] not in _TYPES:
        supported = ", ".join(f'"{name}"' for name in sorted(_TYPES))
        message = f'Unsupported value: "{node["type"]}": supported values: {supported}'
        yield FieldError(f"{path}.type", "FieldValueNotSupported", message)
    for field in _FORBIDDEN:
        if field in node:
            yield FieldError(f"{path}.{field}", "FieldValueForbidden", f"Forbidden: {field} is not supported")
    if node.get("type") == "array" and not node.get("items"):
        yield required(f"{path}.items", "must be specified")
    if node.get("x-kubernetes-list-type") == "map" and not node.get("x-kubernetes-list-map-keys"):
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    if node.get("properties") and isinstance(node.get("additionalProperties"), dict):
        detail = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield FieldError(f"{path}.additionalProperties", "FieldValueForbidden", detail)
    for position, rule in enumerate(node.get("x-kubernetes-validations") or ()):
        for field in ("rule", "messageExpression"):
            if text := rule.get(field):
                try:
                    cel.compile_rule(text)
                except cel.CelError as error:
                    here = f"{path}.x-kubernetes-validations[{position}].{field}"
                    yield invalid(here, text, f"compilation failed: {error}")
    for name, child in (node.get("properties") or {}).items():
        yield from _structural(child, f"{path}.properties[{name}]")
    if isinstance(node.get("items"), dict):
        yield from _structural(node["items"], f"{path}.items")
    if isinstance(node.get("additionalProperties"), dict):
        yield from _structural(node["additionalProperties"], f"{path}.additionalProperties")


def accept(definition: Object) -> None:
    """Write the status that says the kinds are served."""
    spec = definition["spec"]
    moment = times.now()
    stored = next(version["name"] for version in spec["versions"] if version.get("storage"))
    status = definition.setdefault("status", {})
    status["acceptedNames"] = dict(spec["names"])
    before = status.get("storedVersions") or []
    status["storedVersions"] = before if stored in before else [*before, stored]
    if not status.get("conditions"):
        status["conditions"] = [
            {
                "type": "NamesAccepted",
                "status": "True",
                "lastTransitionTime": moment,
                "reason": "NoConflicts",
                "message": "no conflicts found",
            },
            {
                "type": "Established",
                "status": "True",
                "lastTransitionTime": moment,
                "reason": "InitialNamesAccepted",
                "message": "the initial names have been accepted",
            },
        ]


def kinds(definition: Object) -> Iterator[Kind]:
    """The kinds that a CRD serves, one a version."""
    spec = definition["spec"]
    names = spec["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        subresources = version.get("subresources") or {}
        scale = subresources.get("scale")
        schema = Schema(_with_identity(version["schema"]["openAPIV3Schema"]))
        yield Kind(
            Resource(spec["group"], version["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced"),
            schema=lambda schema=schema: schema,
            singular=names.get("singular") or names["kind"].lower(),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            status="status" in subresources,
            scale=_scale(scale) if scale else None,
            columns=tuple(version.get("additionalPrinterColumns") or ()),
            selectable_fields=tuple(
                field["jsonPath"].removeprefix(".") for field in version.get("selectableFields") or ()
            ),
            custom=True,
            storage_version=bool(version.get("storage")),
        )


def _scale(scale: Mapping[str, str]) -> ScalePaths:
    return ScalePaths(
        scale["specReplicasPath"].removeprefix("."),
        scale["statusReplicasPath"].removeprefix("."),
        scale.get("labelSelectorPath", "").removeprefix("."),
    )


def _with_identity(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with apiVersion, kind and metadata, which every object has. Metadata is checked elsewhere."""
    identity = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    properties = dict(schema.get("properties") or {})
    declared = properties.get("metadata") or {}
    if declared.get("properties"):
        identity["metadata"] = {**declared, "x-kubernetes-preserve-unknown-fields": True}
    return {**schema, "properties": {**properties, **identity}}
