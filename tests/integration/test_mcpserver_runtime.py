"""The runtime registry: what a server's `runtime` may name, and what happens when the registry is bad."""

from __future__ import annotations

import pytest
import yaml

from kaos.api.names import MCPSERVERS
from kaos.kube.resources import CONFIGMAPS
from tests.stories import is_ready, mcpserver, message, reason

REGISTRY = "kaos-mcp-runtimes"
SYSTEM = "kaos-system"


@pytest.fixture
def core(place):
    from kubernetes import client

    return client.CoreV1Api(place.kubernetes())


@pytest.fixture
def registry(core):
    """The registry ConfigMap, put back as it was."""
    before = core.read_namespaced_config_map(REGISTRY, SYSTEM)
    yield before
    for field in ("resource_version", "uid", "creation_timestamp", "managed_fields"):
        setattr(before.metadata, field, None)
    core.delete_namespaced_config_map(REGISTRY, SYSTEM) if _exists(core) else None
    core.create_namespaced_config_map(SYSTEM, before)


def _exists(core) -> bool:
    return REGISTRY in [item.metadata.name for item in core.list_namespaced_config_map(SYSTEM).items]


def _write(core, text: str) -> None:
    core.patch_namespaced_config_map(REGISTRY, SYSTEM, {"data": {"runtimes.yaml": text}})


def test_an_unknown_runtime_lists_those_that_exist(place, kaos, namespace):
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("lost", runtime="rawpyton")).ok()
    lost = place.until(MCPSERVERS, "lost", namespace, lambda obj: reason(obj) == "RuntimeNotFound", 20)
    assert "rawpyton" in message(lost)
    assert "rawpython" in message(lost)


def test_a_custom_runtime_needs_an_image(kaos, namespace):
    refused = kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("mine", None, runtime="custom"))
    assert refused.code == 2
    assert "container.image" in refused.stderr


def test_python_string_is_another_name_for_rawpython(kaos, namespace):
    manifest = mcpserver("old-name", runtime="python-string")
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", "--wait", stdin=manifest).ok()


@pytest.mark.parametrize("damage", ["not YAML", "wrong type", "deleted"])
def test_a_broken_registry_stops_new_servers_and_no_running_one(place, kaos, namespace, core, registry, damage):
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", "--wait", stdin=mcpserver("running")).ok()
    pods = {pod.metadata.uid for pod in core.list_namespaced_pod(namespace).items}
    match damage:
        case "not YAML":
            _write(core, "runtimes: [unclosed")
        case "wrong type":
            _write(core, "- not\n- a mapping\n")
        case "deleted":
            core.delete_namespaced_config_map(REGISTRY, SYSTEM)
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("new")).ok()
    stopped = place.until(MCPSERVERS, "new", namespace, lambda obj: reason(obj) == "RuntimeRegistryInvalid", 20)
    assert REGISTRY in message(stopped)
    assert is_ready(place.object("mcp", "running", namespace))
    assert {pod.metadata.uid for pod in core.list_namespaced_pod(namespace).items} >= pods

    if _exists(core):
        _write(core, registry.data["runtimes.yaml"])
    else:
        core.create_namespaced_config_map(SYSTEM, {"metadata": {"name": REGISTRY}, "data": registry.data})
    place.until(MCPSERVERS, "new", namespace, is_ready, 60)
    assert {pod.metadata.uid for pod in core.list_namespaced_pod(namespace).items} >= pods


def test_a_bad_entry_hides_no_good_one(place, kaos, namespace, core, registry):
    runtimes = yaml.safe_load(registry.data["runtimes.yaml"])
    runtimes["runtimes"]["broken"] = {"image": 5, "privileged": True}
    _write(core, yaml.safe_dump(runtimes))
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", "--wait", stdin=mcpserver("good")).ok()
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("bad", None, runtime="broken")).ok()
    bad = place.until(
        MCPSERVERS, "bad", namespace, lambda obj: reason(obj) in ("RuntimeRegistryInvalid", "RuntimeNotFound"), 20
    )
    assert "broken" in message(bad)


def test_a_users_own_registry_entry_is_read_from_a_labelled_configmap(place, kaos, namespace, core, registry):
    entry = yaml.safe_load(registry.data["runtimes.yaml"])["runtimes"]["rawpython"]
    own = {"runtimes": {"my-python": {**entry, "description": "mine", "requiredEnv": ["MY_TOKEN"]}}}
    labels = {"kaos.tools/mcp-runtimes": "true"}
    body = {"metadata": {"name": "my-runtimes", "labels": labels}, "data": {"runtimes.yaml": yaml.safe_dump(own)}}
    core.create_namespaced_config_map(SYSTEM, body)
    try:
        manifest = mcpserver("own", runtime="my-python")
        kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=manifest).ok()
        missing = place.until(MCPSERVERS, "own", namespace, lambda obj: reason(obj) == "RequiredEnvMissing", 20)
        assert "MY_TOKEN" in message(missing)
        env = {"env": [{"name": "MY_TOKEN", "value": "x"}]}
        manifest = mcpserver("own", runtime="my-python", container=env)
        kaos("mcp", "deploy", "-n", namespace, "-f", "-", "--wait", stdin=manifest).ok()
        assert "my-python" in kaos("system", "runtimes").ok().stdout
    finally:
        core.delete_namespaced_config_map("my-runtimes", SYSTEM)
        place.until(CONFIGMAPS, "my-runtimes", SYSTEM, lambda obj: obj is None, 10)


def test_params_for_a_runtime_that_takes_none_are_refused(place, kaos, namespace, core, registry):
    runtimes = yaml.safe_load(registry.data["runtimes.yaml"])
    runtimes["runtimes"]["plain"] = {"type": "python", "image": "example.org/plain:1", "description": "takes no params"}
    _write(core, yaml.safe_dump(runtimes))
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("plain", runtime="plain")).ok()
    refused = place.until(MCPSERVERS, "plain", namespace, lambda obj: reason(obj) == "InvalidParams", 20)
    assert "params" in message(refused)


def test_a_named_service_account_must_allow_the_server(place, kaos, namespace, core):
    manifest = mcpserver("trusted", serviceAccountName="robot")
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=manifest).ok()
    place.until(MCPSERVERS, "trusted", namespace, lambda obj: reason(obj) == "ServiceAccountNotFound", 20)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    place.until(MCPSERVERS, "trusted", namespace, lambda obj: reason(obj) == "ServiceAccountNotAllowed", 20)
    allow = {"metadata": {"annotations": {"kaos.tools/allow": "mcpserver/trusted"}}}
    core.patch_namespaced_service_account("robot", namespace, allow)
    place.until(MCPSERVERS, "trusted", namespace, is_ready, 60)
