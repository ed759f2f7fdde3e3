"""Kubeconfig files: contexts, clusters and users of all of them, the first to name one wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaos.errors import NoConnection, UsageError

Object = dict[str, Any]
_SECTIONS = {"contexts": "context", "clusters": "cluster", "users": "user"}
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass
class Kubeconfig:
    """Name -> what the files say of it, with `name` and `source` (the file) added; file names are absolute."""

    contexts: dict[str, Object] = field(default_factory=dict)
    clusters: dict[str, Object] = field(default_factory=dict)
    users: dict[str, Object] = field(default_factory=dict)
    current: str = ""


def read(files: list[Path]) -> Kubeconfig:
    """What the files that exist add up to. Raises UsageError, NoConnection."""
    merged = Kubeconfig()
    for path in files:
        try:
            text = path.read_text()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NoConnection(f"Cannot read {path}: {error.strerror}.", "") from None
        except UnicodeDecodeError:
            raise UsageError(f"{path} is no kubeconfig: it is not text.", "") from None
        try:
            document = _document(text)
            merged.current = merged.current or str(document.get("current-context") or "")
            for section, kind in _SECTIONS.items():
                for name, body in _named(document, section, kind):
                    found: dict[str, Object] = getattr(merged, section)
                    found.setdefault(name, _absolute(body, path.parent) | {"name": name, "source": str(path)})
        except ValueError as error:
            raise UsageError(f"{path} is no kubeconfig: {error}.", "") from None
    return merged


def _document(text: str) -> Object:
    """Raises ValueError. The local cluster's file is JSON, which needs no YAML library."""
    if text.startswith("{"):
        import json

        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
    import yaml

    try:
        found = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"not YAML{f', line {mark.line + 1}' if mark else ''}") from None
    if not isinstance(found, dict | None):
        raise ValueError("it is no mapping")
    return found or {}


def _named(document: Object, section: str, kind: str) -> Iterator[tuple[str, Object]]:
    entries = document.get(section) or []
    if not isinstance(entries, list):
        raise ValueError(f"{section} is no list")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ValueError(f"an entry of {section} has no name")
        body = entry.get(kind) or {}
        if not isinstance(body, dict):
            raise ValueError(f"{kind} {entry['name']} is no mapping")
        for key, value in body.items():
            if key in _TEXTS and not isinstance(value, str | None):
                raise ValueError(f"{key} of {kind} {entry['name']} is no text")
        yield entry["name"], body


_TEXTS = (
    *_FILES, *(f"{name}-data" for name in _FILES), "cluster", "user", "namespace", "server", "tls-server-name",
    "proxy-url", "token", "username", "password", "as", "as-uid",
)  # fmt: skip


def _absolute(body: Object, directory: Path) -> Object:
    """File names start from where the file is that names them; a command that is a mere word is looked for in PATH."""
    body = body | {key: str(directory / body[key]) for key in _FILES if body.get(key)}
    plugin = body.get("exec")
    if isinstance(plugin, dict) and "/" in str(plugin.get("command") or ""):
        body["exec"] = plugin | {"command": str(directory / plugin["command"])}
    return body
