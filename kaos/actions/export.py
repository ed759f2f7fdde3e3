"""What runs on the local cluster as manifests that any other takes: the same YAML, without what servers wrote."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaos.actions import local, survey
from kaos.actions.health import Ref
from kaos.actions.manifests import Manifest, ordered
from kaos.api.names import REGISTRY_CONFIGMAP, REGISTRY_LABEL, SYSTEM_NAMESPACE
from kaos.cluster import Client, resolve
from kaos.errors import NotReady
from kaos.kube.resources import CONFIGMAPS, SECRETS

Object = dict[str, Any]
_EVERYWHERE = ("default", SYSTEM_NAMESPACE)  # namespaces that are there, or come with the installation
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class NeededSecret:
    """A Secret that resources name. It is empty where the local cluster lacks it too."""

    namespace: str
    name: str
    values: dict[str, bytes]


@dataclass(frozen=True)
class Export:
    """The objects in the order to apply them in, and what has to be made beside them."""

    objects: tuple[Object, ...]
    secrets: tuple[NeededSecret, ...]
    accounts: tuple[tuple[str, str], ...]  # ServiceAccounts: namespace and name
    missing: tuple[str, ...]  # what resources name and the local cluster lacks


def client_of(directory: Path | None) -> Client:
    """The local cluster, whichever cluster is chosen otherwise. Raises NotReady when it does not run."""
    state = local.status(directory)
    if not state.running:
        raise NotReady("The local cluster does not run.", "Start it: kaos local up")
    return Client(resolve(kubeconfig=str(state.kubeconfig)))


def collect(client: Client, namespace: str | None) -> Export:
    """Everything of KAOS in a namespace, or in all."""
    found = survey.declared(client, namespace).resources
    mentioned = sorted({(ref.namespace, *one) for ref, obj in found.items() for one in _mentioned(obj)})
    objects = [_plain(obj) for _, obj in sorted(found.items())]
    missing = []
    secrets: list[NeededSecret] = []
    for place, kind, name in mentioned:
        obj = client.find(SECRETS if kind == "Secret" else CONFIGMAPS, name, place)
        if obj is None:
            missing.append(f"{kind} {place}/{name}")
        elif kind == "Secret":
            values = {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
            secrets.append(NeededSecret(place, name, values))
        else:
            objects.append(_plain(obj | {"apiVersion": "v1", "kind": kind}))
    if namespace is None:
        registries = client.list(CONFIGMAPS, SYSTEM_NAMESPACE, labels=f"{REGISTRY_LABEL}=true").items
        own = [one for one in registries if one["metadata"]["name"] != REGISTRY_CONFIGMAP]
        objects += [_plain(one | {"apiVersion": "v1", "kind": "ConfigMap"}) for one in own]
    for place in sorted({ref.namespace for ref in found} - set(_EVERYWHERE)):
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
    in_order = ordered(Manifest(obj, "the local cluster") for obj in objects)
    return Export(
        tuple(one.object for one in in_order), tuple(secrets), tuple(sorted(_accounts(found))), tuple(missing)
    )


def secret_manifest(secret: NeededSecret) -> Object:
    data = {key: base64.b64encode(value).decode() for key, value in secret.values.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret.name, "namespace": secret.namespace},
        "data": data,
    }


def _mentioned(obj: Object) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in survey.references(obj, optional=True)}


def _accounts(found: dict[Ref, Object]) -> set[tuple[str, str]]:
    named = {(ref.namespace, (obj.get("spec") or {}).get("serviceAccountName") or "") for ref, obj in found.items()}
    return {(place, name) for place, name in named if name}


def _plain(obj: Object) -> Object:
    """As a person would have written it."""
    meta = obj["metadata"]
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key != _LAST_APPLIED}
    kept = {
        "name": meta["name"],
        "namespace": meta["namespace"],
        **({"labels": meta["labels"]} if meta.get("labels") else {}),
        **({"annotations": annotations} if annotations else {}),
    }
    body = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept, **body}
