"""The official Python client works on the local cluster."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

GROUP, VERSION = "parity.example.com", "v1"


@pytest.fixture(scope="module")
def api(live):
    return config.new_client_from_config(str(live.kubeconfig))


@pytest.fixture
def core(api):
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(core, request):
    name = request.node.name.replace("_", "-")[:50]
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    yield name
    core.delete_namespace(name)


def config_map(name: str, **data: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


def widget(name: str, **spec) -> dict:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": "small", **spec},
    }


def test_create_read_patch_replace_delete(core, namespace):
    made = core.create_namespaced_config_map(namespace, config_map("one", a="1"))
    assert made.metadata.uid
    patched = core.patch_namespaced_config_map("one", namespace, {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}
    patched.data["c"] = "3"
    assert core.replace_namespaced_config_map("one", namespace, patched).data["c"] == "3"
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("one", namespace, patched)
    assert stale.value.status == 409
    core.delete_namespaced_config_map("one", namespace)
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_config_map("one", namespace)
    assert gone.value.status == 404


def test_lists_select_and_page(core, namespace):
    for number in range(5):
        core.create_namespaced_config_map(namespace, config_map(f"cm-{number}"))
    page = core.list_namespaced_config_map(namespace, limit=2)
    names = [item.metadata.name for item in page.items]
    while page.metadata._continue:
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=page.metadata._continue)
        names += [item.metadata.name for item in page.items]
    assert names == [f"cm-{number}" for number in range(5)]
    found = core.list_namespaced_config_map(namespace, field_selector="metadata.name=cm-3")
    assert [item.metadata.name for item in found.items] == ["cm-3"]


def test_a_watch_goes_on_where_the_list_ended(core, namespace):
    core.create_namespaced_config_map(namespace, config_map("before"))
    listed = core.list_namespaced_config_map(namespace)
    seen = []
    following = watch.Watch()

    def change():
        core.create_namespaced_config_map(namespace, config_map("after"))
        core.patch_namespaced_config_map("after", namespace, {"data": {"a": "1"}})
        core.delete_namespaced_config_map("after", namespace)

    threading.Timer(0.05, change).start()
    version = listed.metadata.resource_version
    for event in following.stream(
        core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=10
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            following.stop()
    assert seen == [("ADDED", "after"), ("MODIFIED", "after"), ("DELETED", "after")]


def test_custom_objects(api, namespace):
    objects = client.CustomObjectsApi(api)
    where = (GROUP, VERSION, namespace, "widgets")
    objects.create_namespaced_custom_object(*where, widget("one"))
    objects.patch_namespaced_custom_object(*where, "one", {"spec": {"size": "large"}})
    objects.patch_namespaced_custom_object_status(*where, "one", {"status": {"phase": "Busy"}})
    shown = objects.get_namespaced_custom_object(*where, "one")
    assert (shown["spec"]["size"], shown["status"]["phase"]) == ("large", "Busy")
    assert objects.get_namespaced_custom_object_scale(*where, "one")["spec"] == {"replicas": 1}
    with pytest.raises(ApiException) as wrong:
        objects.create_namespaced_custom_object(*where, widget("two", size="huge"))
    assert wrong.value.status == 422
    objects.delete_namespaced_custom_object(*where, "one")
    assert objects.list_namespaced_custom_object(*where)["items"] == []


def test_the_dynamic_client_applies(api, namespace):
    widgets = DynamicClient(api).resources.get(api_version=f"{GROUP}/{VERSION}", kind="Widget")
    applied = widgets.server_side_apply(widget("one"), namespace=namespace, field_manager="tester")
    assert applied.metadata.managedFields[0].manager == "tester"


def test_a_deployment_in_typed_form(api, namespace):
    apps = client.AppsV1Api(api)
    container = client.V1Container(name="main", image="example.com/x:1")
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "x"}), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(
        replicas=0, selector=client.V1LabelSelector(match_labels={"app": "x"}), template=template
    )
    made = apps.create_namespaced_deployment(
        namespace, client.V1Deployment(metadata=client.V1ObjectMeta(name="d"), spec=spec)
    )
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    scaled = apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 0}})
    assert scaled.status.selector == "app=x"


def test_of_two_that_want_a_lease_one_gets_it(api, namespace):
    leases = client.CoordinationV1Api(api)
    free = client.V1Lease(metadata=client.V1ObjectMeta(name="leader"), spec=client.V1LeaseSpec(holder_identity=""))
    lease = leases.create_namespaced_lease(namespace, free)
    outcomes = []

    def take(identity: str) -> None:
        now = datetime.now(UTC)
        spec = client.V1LeaseSpec(holder_identity=identity, lease_duration_seconds=15, renew_time=now)
        wanted = client.V1Lease(metadata=lease.metadata, spec=spec)
        try:
            leases.replace_namespaced_lease("leader", namespace, wanted)
            outcomes.append((200, identity))
        except ApiException as refused:
            outcomes.append((refused.status, identity))

    racing = [threading.Thread(target=take, args=(identity,)) for identity in ("first", "second")]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()
    (_, winner), (lost, _) = sorted(outcomes)
    assert lost == 409
    assert leases.read_namespaced_lease("leader", namespace).spec.holder_identity == winner
