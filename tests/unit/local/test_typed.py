"""Built-in objects become what Go's types make of them."""

from __future__ import annotations

import pytest

from kaos.local import schemas, typed


def config_map(**fields) -> dict:
    return typed.decode(schemas.builtin("", "v1", "ConfigMap"), {"metadata": {"name": "x"}, **fields})


def pod(container: dict | None = None, **spec) -> dict:
    full = {"containers": [{"name": "main", "image": "x", **(container or {})}], **spec}
    return typed.decode(schemas.builtin("", "v1", "Pod"), {"metadata": {"name": "x"}, "spec": full})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"data": None}, {}),
        ({"data": {}}, {}),
        ({"data": {"a": None}}, {"data": {"a": ""}}),
        ({"immutable": False}, {"immutable": False}),
        ({"unknown": 1}, {"unknown": 1}),
    ],
)
def test_null_and_empty_are_nothing(given, kept):
    assert config_map(**given) == {"metadata": {"name": "x"}, **kept}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}),
        ({"args": []}, {}),
        ({"stdin": False, "tty": True}, {"tty": True}),
        ({"securityContext": {"privileged": False}}, {"securityContext": {"privileged": False}}),
        (
            {"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}},
            {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}},
        ),
        ({"ports": [{"containerPort": 80, "hostPort": 0}]}, {"ports": [{"containerPort": 80, "protocol": "TCP"}]}),
        ({"livenessProbe": {"httpGet": {"port": "http"}}}, {"livenessProbe": {"httpGet": {"port": "http"}}}),
    ],
)
def test_containers(given, kept):
    (container,) = pod(given)["spec"]["containers"]
    assert {key: value for key, value in container.items() if key not in ("name", "image")} == {"resources": {}, **kept}


def test_structs_that_go_holds_by_value_are_always_there():
    assert pod()["status"] == {}
    assert typed.decode(schemas.builtin("apps", "v1", "Deployment"), {})["spec"]["template"]["spec"] == {}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: config_map(data=[1]),
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            lambda: config_map(data={"a": 1}),
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            lambda: config_map(immutable="yes"),
            "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool",
        ),
        (lambda: config_map(binaryData={"a": "no base64!"}), "illegal base64 data at input byte 2"),
        (
            lambda: pod({"ports": [{"containerPort": "80"}]}),
            "json: cannot unmarshal string into Go struct field "
            "ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            lambda: pod(containers={}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            lambda: pod({"resources": {"limits": {"cpu": "much"}}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            lambda: pod({"livenessProbe": {"httpGet": {"port": True}}}),
            "json: cannot unmarshal bool into Go value of type string",
        ),
    ],
)
def test_wrong_types_are_refused_in_gos_words(build, words):
    with pytest.raises(typed.Mistyped) as refused:
        build()
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123456Z"),
        ("2026-01-01T01:00:00.5+01:00", "2026-01-01T00:00:00.500000Z"),
    ],
)
def test_moments_are_written_in_one_way(given, written):
    lease = typed.decode(schemas.builtin("coordination.k8s.io", "v1", "Lease"), {"spec": {"renewTime": given}})
    assert lease["spec"]["renewTime"] == written
