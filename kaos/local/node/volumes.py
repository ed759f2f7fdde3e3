"""A pod's directories: volumes projected as files, and mount paths rewritten to where they are on this machine."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaos.kube.resources import CONFIGMAPS, PERSISTENTVOLUMECLAIMS, SECRETS, Resource
from kaos.local.controllers.claims import claim_directory
from kaos.local.machinery import Machinery
from kaos.local.node.environment import field_value, raw

Object = dict[str, Any]
Rewrite = Callable[[str], str]
Mounts = dict[str, tuple[Path, bool]]  # path inside the container -> (path on this machine, read-only)


class MountError(Exception):
    """A volume cannot be made ready (kubelet's FailedMount)."""


@dataclass(frozen=True)
class _Projection:
    """A directory and the files that are to be in it, no others."""

    target: Path
    files: dict[str, bytes]
    mode: int

    def write(self) -> None:
        """Renew what changed, each file at once. Raises MountError and OSError."""
        wanted = set()
        for name, content in self.files.items():
            path = self.target / name
            if self.target.resolve() not in path.resolve().parents:
                raise MountError(f"the path {name} leaves the volume")
            wanted.add(path)
            if not path.is_file() or path.read_bytes() != content:
                self._write(path, content)
        for path in self.target.rglob("*"):
            if path.is_file() and path not in wanted:
                path.unlink()

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(self.mode | 0o600)
        temporary.replace(path)


class Volumes:
    """The volumes of one pod, below its own directory."""

    def __init__(self, machinery: Machinery, pod: Object, directory: Path, claims: Path, rewrite: Rewrite) -> None:
        self._machinery = machinery
        self._pod = pod
        self._directory = directory
        self._claims = claims
        self._rewrite = rewrite

    async def project(self) -> None:
        """Make or renew every volume. Raises MountError."""
        # The objects are read here, on the event loop that owns them; only files are written elsewhere.
        projections = []
        for volume in self._pod["spec"].get("volumes") or ():
            try:
                projections += self._plan(volume)
            except OSError as error:
                raise MountError(f'volume "{volume["name"]}": {error.strerror}') from None
        if projections:
            await asyncio.to_thread(_write_all, projections)

    def mounts(self, container: Object) -> Mounts:
        """Where each mount of the container is. Raises MountError."""
        by_name = {volume["name"]: volume for volume in self._pod["spec"].get("volumes") or ()}
        found = {}
        for mount in container.get("volumeMounts") or ():
            if (volume := by_name.get(mount["name"])) is None:
                raise MountError(f'volume "{mount["name"]}" of a mount is not declared')
            path = self._path(volume)
            if mount.get("subPath"):
                path = path / mount["subPath"]
                if not path.exists() and not any(key in volume for key in ("configMap", "secret", "projected")):
                    path.mkdir(parents=True, exist_ok=True)
            found[mount["mountPath"].rstrip("/") or "/"] = (path, bool(mount.get("readOnly")))
        return found

    def _path(self, volume: Object) -> Path:
        if claim := volume.get("persistentVolumeClaim"):
            return claim_directory(self._claims, self._pod["metadata"]["namespace"], claim["claimName"])
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        return self._directory / "volumes" / volume["name"]

    def _plan(self, volume: Object) -> list[_Projection]:
        """Make the volume's directory, and say what is to be written into it. Raises MountError and OSError."""
        target = self._path(volume)
        if claim := volume.get("persistentVolumeClaim"):
            namespace, name = self._pod["metadata"]["namespace"], claim["claimName"]
            if self._machinery.find(PERSISTENTVOLUMECLAIMS, namespace, name) is None or not target.is_dir():
                raise MountError(f'persistentvolumeclaim "{name}" not found')
            return []
        if "hostPath" in volume:
            if not target.exists():
                raise MountError(f"hostPath {target} does not exist on this machine")
            return []
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if "emptyDir" in volume:
            return []
        source, files = self._files(volume)
        mode = (source.get("defaultMode") or 0o644) & 0o700
        return [_Projection(target, {name: self._rewritten(content) for name, content in files.items()}, mode)]

    def _files(self, volume: Object) -> tuple[Object, dict[str, bytes]]:
        if source := volume.get("configMap"):
            return source, self._objects(CONFIGMAPS, source.get("name"), source)
        if source := volume.get("secret"):
            return source, self._objects(SECRETS, source.get("secretName"), source)
        if source := volume.get("downwardAPI"):
            return source, self._downward(source.get("items") or ())
        if source := volume.get("projected"):
            files: dict[str, bytes] = {}
            for part in source.get("sources") or ():
                files |= self._projection(part)
            return source, files
        kind = next((key for key in volume if key != "name"), "unknown")
        raise MountError(f'volume "{volume["name"]}": the local cluster has no {kind} volumes')

    def _rewritten(self, content: bytes) -> bytes:
        try:
            return self._rewrite(content.decode()).encode()
        except UnicodeDecodeError:
            return content

    def _projection(self, part: Object) -> dict[str, bytes]:
        if source := part.get("configMap"):
            return self._objects(CONFIGMAPS, source.get("name"), source)
        if source := part.get("secret"):
            return self._objects(SECRETS, source.get("name"), source)
        if source := part.get("downwardAPI"):
            return self._downward(source.get("items") or ())
        raise MountError(f"the local cluster cannot project {next(iter(part), 'nothing')}")

    def _objects(self, resource: Resource, name: str | None, source: Object) -> dict[str, bytes]:
        found = self._machinery.find(resource, self._pod["metadata"]["namespace"], name or "")
        if found is None:
            if source.get("optional"):
                return {}
            raise MountError(f'{resource.kind.lower()} "{name}" not found')
        data = raw(resource, found)
        if items := source.get("items"):
            missing = [item["key"] for item in items if item["key"] not in data]
            if missing and not source.get("optional"):
                raise MountError(f"references non-existent {resource.kind.lower()} key: {missing[0]}")
            return {item["path"]: data[item["key"]] for item in items if item["key"] in data}
        return data

    def _downward(self, items: Any) -> dict[str, bytes]:
        return {item["path"]: field_value(self._pod, item["fieldRef"]["fieldPath"]).encode() for item in items}


def _write_all(projections: list[_Projection]) -> None:
    for projection in projections:
        try:
            projection.write()
        except OSError as error:
            raise MountError(f"{projection.target.name}: {error.strerror}") from None


def rewriter(mounts: Mounts) -> Rewrite:
    """Replaces mount paths, where they stand as paths of their own, by their places on this machine."""
    if not mounts:
        return lambda text: text
    words = "|".join(re.escape(path) for path in sorted(mounts, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w./~-])({words})(?=$|[/\s:;,\"')\]}}])")
    return lambda text: pattern.sub(lambda found: str(mounts[found[1]][0]), text)
