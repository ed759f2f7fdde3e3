"""EndpointSlices: which pods serve a Service, and at which port of this machine.

Local pods have ports of their own, so a Service has one slice a pod.
"""

from __future__ import annotations

from kaos.kube import selectors
from kaos.kube.resources import ENDPOINTSLICES, PODS, SERVICES
from kaos.local.controllers.base import Controller, NamespacedName, Object, is_ready, owned, place
from kaos.local.controllers.base import owner_reference as reference
from kaos.local.machinery import WatchEvent
from kaos.local.ports import host_port

SERVICE_LABEL = "kubernetes.io/service-name"


class EndpointController(Controller):
    watches = (SERVICES, PODS)

    def keys(self, event: WatchEvent) -> list[NamespacedName]:
        if event.object["kind"] == "Service":
            return [place(event.object)] if event.type != "DELETED" else []
        meta = event.object["metadata"]
        return [
            place(stored.obj)
            for stored in self.machinery.select(SERVICES, meta["namespace"])
            if stored.obj["spec"].get("selector")  # also those that it matched before its labels changed
        ]

    def reconcile(self, namespace: str, name: str) -> float | None:
        service = self.machinery.find(SERVICES, namespace, name)
        if service is None or service["metadata"].get("deletionTimestamp") or not service["spec"].get("selector"):
            return None
        selector = selectors.from_object({"matchLabels": service["spec"]["selector"]})
        pods = [pod for pod in self.machinery.list(PODS, namespace, selector) if pod["status"].get("podIP")]
        wanted = {body["metadata"]["name"]: body for pod in pods if (body := _slice(service, pod))}
        live = {obj["metadata"]["name"]: obj for obj in owned(self.machinery.list(ENDPOINTSLICES, namespace), service)}
        for gone in live.keys() - wanted.keys():
            self.machinery.delete(ENDPOINTSLICES, namespace, gone)
        for slice_name, body in wanted.items():
            if slice_name not in live:
                self.machinery.create(ENDPOINTSLICES, body, namespace)
            elif any(live[slice_name].get(field) != body[field] for field in ("endpoints", "ports")):
                parts = {field: body[field] for field in ("endpoints", "ports")}
                self.machinery.mutate(ENDPOINTSLICES, namespace, slice_name, lambda obj, parts=parts: obj.update(parts))
        return None


def _slice(service: Object, pod: Object) -> Object | None:
    meta = service["metadata"]
    ports = []
    for port in service["spec"].get("ports") or ():
        number = host_port(pod, port.get("targetPort", port["port"]))
        if number is not None:
            ports.append({"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")})
    if not ports:
        return None
    ready = is_ready(pod)
    ending = bool(pod["metadata"].get("deletionTimestamp"))
    suffix = pod["metadata"]["uid"][:8]
    return {
        "metadata": {
            "name": f"{meta['name']}-{suffix}",
            "labels": {SERVICE_LABEL: meta["name"], "endpointslice.kubernetes.io/managed-by": "kaos-local"},
            "ownerReferences": [reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": ready and not ending, "serving": ready, "terminating": ending},
                "nodeName": pod["spec"].get("nodeName", ""),
                "targetRef": {
                    "kind": "Pod",
                    "name": pod["metadata"]["name"],
                    "namespace": pod["metadata"]["namespace"],
                    "uid": pod["metadata"]["uid"],
                },
            }
        ],
        "ports": ports,
    }
