"""A support bundle: what there is to know of KAOS on one cluster, in one file, without secrets.

Secrets are never asked for; what else looks like one is hidden (`redacting`). What cannot be read is named in the
bundle, and hinders nothing else.
"""

from __future__ import annotations

import io
import os
import platform
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kaos
from kaos.actions import events, podlogs, resources, survey, system
from kaos.actions.kinds import KINDS
from kaos.actions.operatorlogs import operator_source
from kaos.actions.redacting import Redactor
from kaos.actions.refusals import explained
from kaos.actions.why import troubles
from kaos.api.names import PART_OF, SYSTEM_NAMESPACE
from kaos.cluster import Client
from kaos.errors import KaosError, UsageError
from kaos.kube import resources as kube
from kaos.kube.yaml_text import yaml_text

Object = dict[str, Any]
LOG_LINES = 1000  # the last ones of each container
LOG_BYTES = 4 * 1024 * 1024
_CHILDREN = (
    kube.DEPLOYMENTS, kube.REPLICASETS, kube.PODS, kube.SERVICES, kube.CONFIGMAPS, kube.PERSISTENTVOLUMECLAIMS,
    kube.NETWORKPOLICIES,
)  # fmt: skip
_README = """\
A support bundle of KAOS {version}, taken {time} from context {context}, {where}.

No Secret was read. Values that look like secrets are replaced by <redacted>, in manifests, logs and everything else.
Programs (spec.params), names, addresses and what programs print are in it: look before you send it.

What is in it:
{inside}
{unread}"""


@dataclass(frozen=True)
class Report:
    """Where the bundle is, what is in it, and what could not be read."""

    path: Path
    files: tuple[str, ...]
    unread: tuple[str, ...]


@dataclass
class _Bundle:
    objects: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """A part that may fail alone."""
        try:
            yield
        except KaosError as refused:
            self.unread.append(f"{what}: {refused.cause}")


def write(client: Client, namespace: str | None, path: Path | None, on_step: Callable[[str], None]) -> Report:
    """Collect and write it; without a namespace of all. Raises UsageError where it cannot be written."""
    time = datetime.now(UTC)
    path = path or Path(f"kaos-report-{time:%Y%m%d-%H%M%S}.tar.gz")
    bundle = _Bundle()
    for title, collect in _PARTS.items():
        collect(client, namespace, bundle)
        on_step(title)
    files = _readable(bundle, client, namespace, time)
    _pack(path, files, time)
    return Report(path, tuple(sorted(files)), tuple(bundle.unread))


def _versions(client: Client, namespace: str | None, bundle: _Bundle) -> None:
    facts: Object = {
        "kaos": kaos.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "context": client.connection.context,
    }
    bundle.objects["versions.yaml"] = facts
    with bundle.part("the cluster's version"):
        response = client.request("GET", "/version")
        try:
            facts["kubernetes"] = response.read().decode(errors="replace")
        finally:
            response.close()


def _install(client: Client, namespace: str | None, bundle: _Bundle) -> None:
    with bundle.part("the state of the installation"):
        found = system.status(client)
        bundle.objects["system.yaml"] = asdict(found) | {"runtimes": [one.name for one in found.runtimes]}
    with bundle.part("the runtime registry"), explained(client, kube.CONFIGMAPS, "", SYSTEM_NAMESPACE):
        maps = client.list(kube.CONFIGMAPS, SYSTEM_NAMESPACE).items
        bundle.objects["registry.yaml"] = [one for one in maps if "runtimes.yaml" in (one.get("data") or {})]


def _declared(client: Client, namespace: str | None, bundle: _Bundle) -> None:
    for kind in KINDS:
        with bundle.part(kind.resource.plural):
            bundle.objects[f"resources/{kind.resource.plural}.yaml"] = resources.listed(client, kind, namespace)


def _children(client: Client, namespace: str | None, bundle: _Bundle) -> None:
    for resource in _CHILDREN:
        with bundle.part(resource.plural), explained(client, resource, "", namespace):
            found = client.list(resource, namespace, labels=f"{PART_OF}=kaos").items
            bundle.objects[f"children/{resource.plural}.yaml"] = found


def _events(client: Client, namespace: str | None, bundle: _Bundle) -> None:
    with bundle.part("events"):
        bundle.texts["events.txt"] = "".join(
            f"{one.last}  {one.type:<7}  {one.namespace}/{one.object}  {one.reason} ({one.count}): {one.message}\n"
            for one in events.listed(client, namespace)
        )


def _findings(client: Client, namespace: str | None, bundle: _Bundle) -> None:
    with bundle.part("what is wrong"):
        found = survey.take(client, namespace, secrets=False)
        bundle.objects["why.yaml"] = [
            {
                "cause": one.cause.sentence,
                "about": one.cause.about,
                "cure": one.cause.cure,
                "breaks": [str(ref) for ref in one.breaks],
            }
            for one in troubles(found)
        ]


def _logs(client: Client, namespace: str | None, bundle: _Bundle) -> None:
    with bundle.part("the operator's log"):
        _, lines = podlogs.past(client, [operator_source(client)], podlogs.Selection(tail=LOG_LINES))
        bundle.texts["logs/operator.log"] = "".join(f"{line.time} {line.text}\n" for line in lines)
    for pod in bundle.objects.get("children/pods.yaml", []):
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            _log(client, pod, status["name"], False, bundle)
            if status.get("restartCount"):
                _log(client, pod, status["name"], True, bundle)


def _log(client: Client, pod: Object, container: str, previous: bool, bundle: _Bundle) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    life = ".previous" if previous else ""
    with bundle.part(f"the{' earlier' if previous else ''} log of pod {namespace}/{name}, container {container}"):
        response = client.logs(name, namespace, container, previous=previous, tail=LOG_LINES, timestamps=True)
        try:
            text = b"\n".join(response.lines()).decode(errors="replace")
        finally:
            response.close()
        bundle.texts[f"logs/{namespace}/{name}.{container}{life}.log"] = text[-LOG_BYTES:]


_PARTS = {
    "Versions": _versions,
    "Installation and runtimes": _install,
    "MCPServers, ModelAPIs and Agents": _declared,
    "What belongs to them": _children,
    "Events": _events,
    "What is wrong": _findings,
    "Logs": _logs,
}


def _readable(bundle: _Bundle, client: Client, namespace: str | None, time: datetime) -> dict[str, str]:
    redactor = Redactor()
    kept = {name: redactor.object(value) for name, value in bundle.objects.items()}
    # Twice: what the last object teaches holds for the first one.
    files = {name: redactor.text(yaml_text(redactor.object(value))) for name, value in kept.items()}
    files |= {name: redactor.text(text) for name, text in bundle.texts.items()}
    unread = [f"  {one}" for one in bundle.unread]
    files["README.txt"] = _README.format(
        version=kaos.__version__,
        time=f"{time:%Y-%m-%d %H:%M:%S} UTC",
        context=client.connection.context,
        where=f"namespace {namespace}" if namespace else "all namespaces",
        inside="\n".join(f"  {name}" for name in sorted(files)),
        unread=redactor.text("\n".join(["\nWhat could not be read:", *unread, ""])) if unread else "",
    )
    return files


def _pack(path: Path, files: dict[str, str], time: datetime) -> None:
    """Readable by its owner only."""
    folder = path.name.removesuffix(".tar.gz")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}.", "Say where: --output FILE.tar.gz") from None
    with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            data = text.encode(errors="backslashreplace")
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime, member.mode = len(data), int(time.timestamp()), 0o600
            archive.addfile(member, io.BytesIO(data))
