"""Write kaos/local/schemas/protobuf.json.gz: which field of a built-in kind has which number on the wire.

Facts only, read from the `generated.proto` files of the Go modules k8s.io/api and k8s.io/apimachinery:

    python tools/builtin_protobuf.py kaos/local/schemas/protobuf.json.gz DIRECTORY...
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

META = "k8s.io.apimachinery.pkg.apis.meta.v1"
_MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(optional|repeated)?\s*(map<string, [\w.]+>|[\w.]+) (\w+) = (\d+);", re.MULTILINE)


def messages(directory: Path) -> dict[str, dict[str, list[str]]]:
    """`{message: {number: [name, type, "" or "repeated" or "map"]}}` of every package below the directory."""
    found = {}
    for path in directory.rglob("generated.proto"):
        text = re.sub(r"//.*", "", path.read_text())
        package = re.search(r"^package ([\w.]+);", text, re.MULTILINE)[1]
        for name, body in _MESSAGE.findall(text):
            found[f"{package}.{name}"] = {
                number: [field, *_type(kind, package), *(["repeated"] if label == "repeated" else [])]
                for label, kind, field, number in _FIELD.findall(body)
            }
    return found


def _type(kind: str, package: str) -> list[str]:
    if kind.startswith("map<"):
        return [*_type(kind[len("map<string, ") : -1], package), "map"]
    if kind.startswith("."):
        return [kind[1:]]
    return [f"{package}.{kind}" if kind[0].isupper() else kind]


def main(target: Path, directories: list[Path]) -> None:
    published = json.loads(gzip.decompress(target.with_name("builtin.json.gz").read_bytes()))
    known: dict[str, Any] = {}
    for directory in directories:
        known |= messages(directory)
    kinds = {}
    for served, component in published["kinds"].items():
        name = component.replace("io.k8s.", "k8s.io.", 1)
        if name in known:
            kinds[served] = name
    kinds["v1/DeleteOptions"] = f"{META}.DeleteOptions"
    kinds["meta.k8s.io/v1/DeleteOptions"] = f"{META}.DeleteOptions"
    kept: dict[str, Any] = {}
    queue = list(kinds.values())
    while queue:
        name = queue.pop()
        if name in kept or name not in known:
            continue
        kept[name] = known[name]
        queue += [field[1] for field in known[name].values()]
    _mark_inline(kept, published["schemas"])
    data = json.dumps({"kinds": kinds, "messages": kept}, separators=(",", ":"), sort_keys=True).encode()
    target.write_bytes(gzip.compress(data, mtime=0))
    print(f"{len(kinds)} kinds, {len(kept)} messages, {len(data)} bytes, {target.stat().st_size} compressed")


def _mark_inline(kept: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A message that JSON knows no field for is a struct that Go embeds: its fields belong to the one around it."""
    for name, fields in kept.items():
        properties = schemas.get(name.replace("k8s.io.", "io.k8s.", 1), {}).get("properties")
        for field in fields.values():
            if properties is not None and field[0] not in properties and field[1] in kept and len(field) == 2:
                field.append("inline")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
