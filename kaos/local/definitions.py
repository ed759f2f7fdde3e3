"""CRDs: whether one is acceptable, and the kinds that it adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kaos.kube import times
from kaos.kube.resources import Resource
from kaos.local import schemas, structural
from kaos.local.kinds import CUSTOM_VERBS, Kind, ScalePaths
from kaos.local.schema import REF_PREFIX, FieldError, Schema, invalid, not_supported, required
from kaos.local.validation import SERVICE, is_service_name

Object = dict[str, Any]
_APPROVAL = "api-approved.kubernetes.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def check(definition: Object, old: Object | None) -> list[FieldError]:
    """What is wrong with a CRD, and with its change from `old`."""
    spec = definition["spec"]
    if old is not None and (fixed := list(_fixed(spec, old["spec"]))):
        return fixed
    errors = list(_names(definition))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        errors.append(not_supported("spec.scope", spec.get("scope", ""), "Cluster", "Namespaced"))
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [_go_version(version) for version in versions]
        errors.append(invalid("spec.versions", shown, "must have exactly one version marked as storage version"))
        if not any(version.get("storage") for version in versions):
            shown = (old or {}).get("status", {}).get("storedVersions")
            errors.append(invalid("status.storedVersions", shown, "must have at least one stored version"))
    for position, version in enumerate(versions):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if not schema:
            errors.append(required(f"spec.versions[{position}].schema.openAPIV3Schema"))
            continue
        # What all versions have in common is known to a real server as spec.validation and so on.
        where = "spec" if len(versions) == 1 else f"spec.versions[{position}]"
        path = f"{where}.{'validation' if len(versions) == 1 else 'schema'}.openAPIV3Schema"
        if schema.get("type") != "object":
            errors.append(invalid(f"{path}.type", schema.get("type", ""), "must be object at the root"))
        errors += structural.check(schema, path)
        for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
            errors += _column(column, f"{where}.additionalPrinterColumns[{number}]")
    return errors


def _fixed(spec: Object, old: Object) -> Iterator[FieldError]:
    for field in ("group", "scope"):
        if spec.get(field) != old.get(field):
            yield invalid(f"spec.{field}", spec.get(field), "field is immutable")
    for field in ("plural", "kind"):
        if spec["names"].get(field) != old["names"].get(field):
            yield invalid(f"spec.names.{field}", spec["names"].get(field), "field is immutable")


def _names(definition: Object) -> Iterator[FieldError]:
    spec, meta = definition["spec"], definition["metadata"]
    group, names = spec.get("group", ""), spec["names"]
    if meta.get("name") != f"{names.get('plural', '')}.{group}":
        yield invalid("metadata.name", meta.get("name"), 'must be spec.names.plural+"."+spec.group')
    protected = group.endswith((".k8s.io", ".kubernetes.io")) or group in ("k8s.io", "kubernetes.io")
    if protected and _APPROVAL not in (meta.get("annotations") or {}):
        detail = (
            f'protected groups must have approval annotation "{_APPROVAL}", '
            "see https://github.com/kubernetes/enhancements/pull/1111"
        )
        yield required(f"metadata.annotations[{_APPROVAL}]", detail)
    if not group:
        yield required("spec.group")
    for field in ("plural", "singular", "kind", "listKind"):
        name = names.get(field, "")
        if not name:
            yield required(f"spec.names.{field}")
        elif not is_service_name(name.lower() if field in ("kind", "listKind") else name):
            yield invalid(f"spec.names.{field}", name, SERVICE)


def _column(column: Object, path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield required(f"{path}.name")
    if column.get("type") not in _COLUMN_TYPES:
        yield invalid(f"{path}.type", column.get("type", ""), f"must be one of {','.join(_COLUMN_TYPES)}")
    if not column.get("jsonPath"):
        yield required(f"{path}.JSONPath")
    elif not column["jsonPath"].startswith("."):
        yield invalid(f"{path}.JSONPath", column["jsonPath"], "must be a simple json path starting with .")


def _go_version(version: Object) -> Object:
    """A version as a real server quotes it: its own type, with the schema moved elsewhere."""
    shown = {
        "Name": version.get("name", ""), "Served": version.get("served", False),
        "Storage": version.get("storage", False), "Deprecated": version.get("deprecated", False),
    }  # fmt: skip
    absent = ("DeprecationWarning", "Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields")
    return shown | dict.fromkeys(absent)


def accept(definition: Object) -> None:
    """Write the status that says the kinds are served."""
    spec = definition["spec"]
    stored = next(version["name"] for version in spec["versions"] if version.get("storage"))
    status = definition.setdefault("status", {})
    status["acceptedNames"] = dict(spec["names"])
    before = status.get("storedVersions") or []
    status["storedVersions"] = before if stored in before else [*before, stored]
    if not status.get("conditions"):
        status["conditions"] = [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            _condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]


def end(definition: Object) -> None:
    """Write the condition that says the kinds are going."""
    conditions = definition.setdefault("status", {}).setdefault("conditions", [])
    if not any(condition["type"] == "Terminating" for condition in conditions):
        message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        conditions.append(_condition("Terminating", "InstanceDeletionPending", message))


def _condition(kind: str, reason: str, message: str) -> Object:
    return {
        "type": kind, "status": "True", "lastTransitionTime": times.now(), "reason": reason, "message": message,
    }  # fmt: skip


def collection(definition: Object) -> str:
    """The store's name for the objects of the kind."""
    return f"{definition['spec']['names']['plural']}.{definition['spec']['group']}"


def kinds(definition: Object) -> Iterator[Kind]:
    """The kinds that a CRD serves, one a version."""
    spec = definition["spec"]
    names = spec["names"]
    going = definition["metadata"].get("deletionTimestamp")
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        subresources = version.get("subresources") or {}
        scale = subresources.get("scale")
        schema = Schema(_with_identity(version["schema"]["openAPIV3Schema"]), schemas.data()["schemas"])
        yield Kind(
            Resource(spec["group"], version["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced"),
            schema=lambda schema=schema: schema,
            singular=names.get("singular") or names["kind"].lower(),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            verbs=tuple(verb for verb in CUSTOM_VERBS if not going or verb != "create"),
            list_kind=names.get("listKind", ""),
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
    """The schema with apiVersion, kind and metadata, which every object has."""
    properties = dict(schema.get("properties") or {})
    metadata: Mapping[str, Any] = {"$ref": REF_PREFIX + schemas.OBJECT_META}
    if narrowed := (properties.get("metadata") or {}).get("properties"):
        full = schemas.object_meta().node
        fields = {name: {**full["properties"].get(name, {}), **node} for name, node in narrowed.items()}
        metadata = {**full, "properties": {**full["properties"], **fields}}
    identity = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": metadata}
    return {**schema, "properties": {**properties, **identity}}
