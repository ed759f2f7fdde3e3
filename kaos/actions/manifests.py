"""Manifests: reading them from files, directories and streams, checking their form, and the order to apply them in."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaos.api.names import GROUP
from kaos.errors import UsageError
from kaos.kube import manifests as kube_manifests
from kaos.kube import yaml_limits

Object = dict[str, Any]

STDIN = "-"
_SUFFIXES = (".yaml", ".yml", ".json")

# What others need comes first: a namespace before what is in it, a model before the agent that uses it.
_ORDER = (
    "Namespace", "CustomResourceDefinition", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim",
    "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "NetworkPolicy", "Service", "Deployment",
)  # fmt: skip
_ORDER_OF_KAOS = ("ModelAPI", "MCPServer", "Agent")

# Fields that earlier versions had. The longest path that fits is told.
_REPLACED = {
    "MCPServer": {
        "type": "spec.runtime",
        "config.tools.fromString": "spec.runtime: rawpython and spec.params",
        "config.tools.fromPackage": "spec.runtime: package and spec.package",
        "config.tools.fromSecretKeyRef": "spec.container.env with valueFrom.secretKeyRef",
        "config.env": "spec.container.env",
        "config.telemetry": "spec.telemetry",
        "config": "spec.runtime and spec.params",
    },
    "Agent": {"config.env": "spec.container.env"},
    "ModelAPI": {"proxyConfig.env": "spec.container.env", "hostedConfig.env": "spec.container.env"},
}
# What a server wrote into an object that someone saved: it cannot be asked for.
WRITTEN_BY_SERVERS = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
                       "managedFields", "resourceVersion", "selfLink", "uid")  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """One object that someone wants, and where it was written."""

    object: Object
    source: str

    @property
    def kind(self) -> str:
        return self.object["kind"]

    @property
    def api_version(self) -> str:
        return self.object["apiVersion"]

    @property
    def name(self) -> str:
        return self.object["metadata"]["name"]

    @property
    def namespace(self) -> str | None:
        return self.object["metadata"].get("namespace")


def read(sources: Iterable[str]) -> list[Manifest]:
    """Every object of files, directories and `-` (standard input), checked for its form. Raises UsageError."""
    found = [manifest for source in sources for name, text in _texts(source) for manifest in parse(text, name)]
    if not found:
        raise UsageError("There is no manifest in what was given.", "A manifest has apiVersion, kind and metadata.")
    return found


def place_of(own: str | None, asked: str | None, default: str) -> str:
    """The namespace of an object: its own or the one asked for. Raises UsageError when they differ."""
    if own and asked and own != asked:
        raise UsageError(
            f"The manifest says namespace {own}, the command says {asked}.", "Leave one of them out: -n or the field."
        )
    return own or asked or default


def ordered(manifests: Iterable[Manifest]) -> list[Manifest]:
    """As they must be applied; those of one rank stay as they were written."""
    return sorted(manifests, key=_rank)


def _rank(manifest: Manifest) -> int:
    if manifest.api_version.partition("/")[0] == GROUP:
        known = _ORDER_OF_KAOS.index(manifest.kind) if manifest.kind in _ORDER_OF_KAOS else 0
        return len(_ORDER) + 1 + known
    return _ORDER.index(manifest.kind) if manifest.kind in _ORDER else len(_ORDER)


def _texts(source: str) -> list[tuple[str, str]]:
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
        if not files:
            raise UsageError(f"The directory {source} holds no .yaml, .yml or .json file.", "")
        return [(str(file), read_text(str(file))) for file in files]
    return [("standard input" if source == STDIN else source, read_text(source))]


def read_bytes(source: str) -> bytes:
    """A file that a person named, or `-` for standard input. Raises UsageError."""
    try:
        return sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read {source}: {error.strerror}.", "") from None


def read_text(source: str) -> str:
    """The same as text. Raises UsageError."""
    try:
        return read_bytes(source).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{source} is not UTF-8 text.", "") from None


def parse(text: str, source: str) -> list[Manifest]:
    """The objects of one YAML or JSON text. Raises UsageError that names source and place."""
    import yaml

    try:
        yaml_limits.check(text)
        documents = [one for one in kube_manifests.load_all(text) if one is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f", line {min(mark.line + 1, len(text.splitlines()))}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(f"{source}{where}: not YAML: {problem}.", "") from None
    except yaml_limits.TooMuch as error:
        raise UsageError(f"{source} is no manifest: {error}.", "") from None
    found = []
    for document in documents:
        of_list = isinstance(document, dict) and str(document.get("kind", "")).endswith("List")
        items = document.get("items") if of_list else [document]
        for item in items if isinstance(items, list) else [document]:
            found.append(_manifest(item, source))
    return found


def _manifest(obj: Any, source: str) -> Manifest:
    if not isinstance(obj, dict):
        raise UsageError(f"{source}: a manifest is a mapping with apiVersion, kind and metadata.", "")
    meta = obj.get("metadata")
    for field, value in (
        ("apiVersion", obj.get("apiVersion")),
        ("kind", obj.get("kind")),
        ("metadata.name", meta.get("name") if isinstance(meta, dict) else None),
    ):
        if value is None:
            raise UsageError(f"{source}: {obj.get('kind') or 'a manifest'} lacks {field}.", "")
        if not isinstance(value, str) or not value:
            raise UsageError(f"{source}: {field} must be text, not {value!r}.", "")
    if not isinstance(meta.get("namespace"), str | None):
        raise UsageError(f"{source}: metadata.namespace must be text, not {meta['namespace']!r}.", "")
    try:
        json.dumps(obj, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{source}: {obj['kind']} {meta['name']} holds what JSON cannot say: {error}.", "") from None
    _refuse_replaced(obj, source)
    meta = {key: value for key, value in meta.items() if key not in WRITTEN_BY_SERVERS}
    return Manifest({key: value for key, value in obj.items() if key != "status"} | {"metadata": meta}, source)


def _refuse_replaced(obj: Object, source: str) -> None:
    if not obj["apiVersion"].startswith(f"{GROUP}/"):
        return
    paths = sorted(_REPLACED.get(obj["kind"], {}).items(), key=lambda item: -len(item[0]))
    for path, replacement in paths:
        if _has(obj.get("spec"), path.split(".")):
            raise UsageError(
                f"{source}: {obj['kind']} {obj['metadata']['name']}: spec.{path} is a field of an earlier version.",
                f"Use instead: {replacement}",
            )


def _has(node: Any, path: list[str]) -> bool:
    for key in path:
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True
