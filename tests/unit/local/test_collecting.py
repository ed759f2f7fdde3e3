"""What goes with an owner, and what stays: beyond what the parity suite compares."""

from __future__ import annotations

from tests.unit.local.kube import Kube


def owned(this: str, **owner: str) -> dict:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", **owner}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": this, "ownerReferences": [reference]}}


def marked(kube: Kube) -> None:
    """Wait until the collector has come past what was done before: a dependent of nobody is collected."""
    kube.create(owned("mark", name="nobody", uid="0"))
    kube.gone("ConfigMap", "mark")


def test_a_dependent_of_a_kind_that_is_not_served_here_stays(kube):
    kube.create(owned("kept", apiVersion="apps/v1", kind="StatefulSet", name="db", uid="1"))
    kube.create(owned("custom", apiVersion="nobody.example.com/v1", kind="Thing", name="x", uid="2"))
    marked(kube)
    assert {item["metadata"]["name"] for item in kube.list("ConfigMap")} == {"kept", "custom"}


def test_a_long_line_of_owners_goes_to_its_end(kube):
    uid = kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm-0"}})["metadata"]["uid"]
    for number in range(1, 20):
        uid = kube.create(owned(f"cm-{number}", name=f"cm-{number - 1}", uid=uid))["metadata"]["uid"]
    kube.delete("ConfigMap", "cm-0")
    kube.gone("ConfigMap", "cm-19")
    assert kube.list("ConfigMap") == []


def test_a_deployment_takes_its_sets_and_pods_along(kube):
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "main", "image": "x:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    kube.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
    kube.until("Deployment", "web", lambda obj: obj["status"].get("replicas") == 2)
    pods = [item["metadata"]["name"] for item in kube.list("Pod")]
    kube.delete("Deployment", "web", propagationPolicy="Foreground")
    kube.gone("Deployment", "web")
    assert kube.list("ReplicaSet") == []
    for name in pods:
        kube.gone("Pod", name)
