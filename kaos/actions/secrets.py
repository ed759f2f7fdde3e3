"""Secrets: their names and keys are shown, their values only ever go in."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from kaos.actions.refusals import explained
from kaos.cluster import Client
from kaos.errors import UsageError
from kaos.kube.names import is_dns_subdomain
from kaos.kube.resources import SECRETS

Object = dict[str, Any]

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*", re.DOTALL)
# Helm keeps its releases in Secrets of a megabyte each: they are nobody's tokens.
_NO_RELEASES = "type!=helm.sh/release.v1"


@dataclass(frozen=True)
class SecretInfo:
    """A Secret without its values."""

    name: str
    namespace: str
    type: str
    keys: tuple[str, ...]
    created: str


def listed(client: Client, namespace: str | None) -> list[SecretInfo]:
    with explained(client, SECRETS, "", namespace):
        items = client.list(SECRETS, namespace, fields=_NO_RELEASES).items
    return [_info(secret) for secret in items]


def _info(secret: Object) -> SecretInfo:
    meta = secret["metadata"]
    keys = tuple(sorted(secret.get("data") or {}))
    return SecretInfo(meta["name"], meta["namespace"], secret.get("type", ""), keys, meta.get("creationTimestamp", ""))


def create(client: Client, name: str, namespace: str, values: dict[str, bytes]) -> SecretInfo:
    """Make a Secret. Raises UsageError for names that cannot be, KaosError when it exists."""
    if not is_dns_subdomain(name):
        raise UsageError(f"{name!r} cannot be the name of a Secret.", "Use lower-case letters, digits, - and .")
    for key in values:
        if not _KEY.fullmatch(key):
            raise UsageError(f"{key!r} cannot be a key of a Secret.", "Use letters, digits, -, _ and .")
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(value).decode() for key, value in values.items()},
    }
    with explained(client, SECRETS, name, namespace):
        return _info(client.create(SECRETS, body, namespace))


def delete(client: Client, name: str, namespace: str) -> None:
    with explained(client, SECRETS, name, namespace):
        client.delete(SECRETS, name, namespace)


def parse_env(text: str, source: str) -> dict[str, bytes]:
    """`KEY=value` lines as Docker and shells write them: comments, `export`, and one pair of quotes around a value."""
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if not found:
            raise UsageError(f"{source}, line {number} is not KEY=value.", "")  # the line itself may be the secret
        value = found[2]
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[found[1]] = value.encode()
    if not values:
        raise UsageError(f"{source} holds no KEY=value.", "")
    return values
