"""KAOS itself on a cluster: installing what the operator needs, its state, the runtimes it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaos
from kaos.api import registry
from kaos.api.names import REGISTRY_CONFIGMAP, SYSTEM_NAMESPACE
from kaos.cluster import ApiError, Client, wait
from kaos.kube.resources import CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS, NAMESPACES

Object = dict[str, Any]
ESTABLISHED_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Installed:
    """What `install_prerequisites` found and did."""

    crds: tuple[str, ...]
    namespace: str
    registry_kept: bool  # someone else had changed the registry, so it was left as it is


def install_prerequisites(
    client: Client,
    system_namespace: str = SYSTEM_NAMESPACE,
    on_step: Callable[[str], None] = lambda step: None,
) -> Installed:
    """Put on a bare cluster what `kaos operator run` needs: CRDs, system namespace, runtime registry. Idempotent."""
    crds = bundled_crds()
    for crd in crds:
        client.apply(CUSTOMRESOURCEDEFINITIONS, crd)
    for crd in crds:
        wait.until(
            client,
            CUSTOMRESOURCEDEFINITIONS,
            crd["metadata"]["name"],
            condition=_established,
            timeout_s=ESTABLISHED_TIMEOUT_S,
        )
    on_step("CRDs installed")
    labels = {"app.kubernetes.io/part-of": "kaos"}
    client.apply(
        NAMESPACES,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": system_namespace, "labels": labels}},
    )
    kept = not _apply_registry(client, system_namespace)
    on_step("Runtime registry kept as edited" if kept else "Runtime registry created")
    return Installed(tuple(crd["metadata"]["name"] for crd in crds), system_namespace, kept)


def bundled_crds() -> list[Object]:
    """The CRDs of this version, from the chart in the package or, in a checkout, beside it."""
    import yaml

    package = Path(kaos.__file__).parent
    chart = package / "_chart" if (package / "_chart").exists() else package.parent / "chart"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [yaml.load(path.read_text(), loader) for path in sorted((chart / "crds").glob("*.yaml"))]


def _established(crd: Object | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def _apply_registry(client: Client, system_namespace: str) -> bool:
    """False when someone has edited the registry: their entries are worth more than ours."""
    try:
        client.apply(CONFIGMAPS, registry.configmap(system_namespace), system_namespace, force=False)
    except ApiError as refused:
        if refused.code != 409 or client.find(CONFIGMAPS, REGISTRY_CONFIGMAP, system_namespace) is None:
            raise
        return False
    return True
