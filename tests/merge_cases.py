"""Strategic merges of a pod's spec: one table, judged by the arithmetic and by API servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A pod spec, a patch on it, and what comes out, as far as it is named."""

    title: str
    base: Object
    patch: Object
    wanted: Object

    def __str__(self) -> str:
        return self.title


def pod(*containers: Object, **more: Any) -> Object:
    return {"containers": [{"image": "i:1"} | one for one in containers]} | more


def ports(*found: Object) -> Object:
    return pod({"name": "a", "ports": list(found)})


TCP, UDP = {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}
ONE = pod({"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]})
VOLUMES = pod({"name": "a"}, volumes=[{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}])
TOLERATIONS = [{"key": "a", "operator": "Exists"}]

CASES = [
    Case(
        "a container is found by name",
        ONE,
        {"containers": [{"name": "a", "image": "i:2"}]},
        {
            "containers": [
                {"name": "a", "image": "i:2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}
            ]
        },
    ),
    Case(
        "an unknown container is added",
        pod({"name": "a"}),
        {"containers": [{"name": "b", "image": "i:2"}]},
        {"containers": [{"name": "b", "image": "i:2"}, {"name": "a", "image": "i:1"}]},
    ),
    Case(
        "a container is deleted",
        pod({"name": "a"}, {"name": "b"}),
        {"containers": [{"name": "a", "$patch": "delete"}]},
        {"containers": [{"name": "b"}]},
    ),
    Case(
        "containers are replaced whole",
        pod({"name": "a"}, {"name": "b"}),
        {"containers": [{"$patch": "replace"}, {"name": "c", "image": "i:3"}]},
        {"containers": [{"name": "c", "image": "i:3"}]},
    ),
    Case(
        "variables merge by name",
        ONE,
        {"containers": [{"name": "a", "env": [{"name": "Y", "value": "3"}, {"name": "Z", "value": "4"}]}]},
        {
            "containers": [
                {"env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "3"}, {"name": "Z", "value": "4"}]}
            ]
        },
    ),
    Case(
        "a variable is deleted",
        ONE,
        {"containers": [{"name": "a", "env": [{"name": "X", "$patch": "delete"}]}]},
        {"containers": [{"env": [{"name": "Y", "value": "2"}]}]},
    ),
    Case(
        "variables are replaced whole",
        ONE,
        {"containers": [{"name": "a", "env": [{"$patch": "replace"}, {"name": "Q", "value": "1"}]}]},
        {"containers": [{"env": [{"name": "Q", "value": "1"}]}]},
    ),
    Case(
        "a variable's value gives way to a source",
        ONE,
        {
            "containers": [
                {
                    "name": "a",
                    "env": [{"name": "X", "value": None, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                }
            ]
        },
        {
            "containers": [
                {"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "Y"}]}
            ]
        },
    ),
    Case(
        "lists of words are replaced",
        pod({"name": "a", "args": ["1", "2"]}),
        {"containers": [{"name": "a", "args": ["3"]}]},
        {"containers": [{"args": ["3"]}]},
    ),
    Case(
        "ports are found by number alone",
        ports(TCP),
        {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "web"}]}]},
        {"containers": [{"ports": [{"containerPort": 80, "protocol": "TCP", "name": "web"}]}]},
    ),
    Case(
        "a port of the same number changes its protocol",
        ports(TCP),
        {"containers": [{"name": "a", "ports": [UDP]}]},
        {"containers": [{"ports": [UDP]}]},
    ),
    Case(
        "another port is added",
        ports(TCP),
        {"containers": [{"name": "a", "ports": [{"containerPort": 81}]}]},
        {"containers": [{"ports": [{"containerPort": 81}, TCP]}]},
    ),
    Case(
        "volumes merge by name",
        VOLUMES,
        {"volumes": [{"name": "x", "emptyDir": {}}]},
        {"volumes": [{"name": "x", "emptyDir": {}}, {"name": "v"}, {"name": "w"}]},
    ),
    Case(
        "a volume's source is replaced by what is to be kept",
        VOLUMES,
        {"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]},
        {"volumes": [{"name": "v", "configMap": {"name": "c"}}, {"name": "w"}]},
    ),
    Case(
        "a volume's source is deleted by null",
        VOLUMES,
        {"volumes": [{"name": "v", "emptyDir": None, "configMap": {"name": "c"}}]},
        {"volumes": [{"name": "v", "configMap": {"name": "c"}}, {"name": "w"}]},
    ),
    Case(
        "mounts merge by path",
        pod({"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=VOLUMES["volumes"]),
        {"containers": [{"name": "a", "volumeMounts": [{"name": "w", "mountPath": "/v"}]}]},
        {"containers": [{"volumeMounts": [{"name": "w", "mountPath": "/v"}]}]},
    ),
    Case(
        "tolerations are replaced",
        pod({"name": "a"}, tolerations=TOLERATIONS),
        {"tolerations": [{"key": "b", "operator": "Exists"}]},
        {"tolerations": [{"key": "b", "operator": "Exists"}]},
    ),
    Case(
        "tolerations go with null",
        pod({"name": "a"}, tolerations=TOLERATIONS),
        {"tolerations": None},
        {"containers": [{"name": "a"}]},
    ),
    Case(
        "sources of variables are replaced",
        pod({"name": "a", "envFrom": [{"configMapRef": {"name": "x"}}]}),
        {"containers": [{"name": "a", "envFrom": [{"configMapRef": {"name": "y"}}]}]},
        {"containers": [{"envFrom": [{"configMapRef": {"name": "y"}}]}]},
    ),
    Case(
        "pull secrets merge by name",
        pod({"name": "a"}, imagePullSecrets=[{"name": "p"}]),
        {"imagePullSecrets": [{"name": "q"}]},
        {"imagePullSecrets": [{"name": "q"}, {"name": "p"}]},
    ),
    Case(
        "host aliases merge by address",
        pod({"name": "a"}, hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a"]}]),
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["b"]}]},
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["b"]}]},
    ),
    Case(
        "maps merge key by key",
        pod({"name": "a"}, nodeSelector={"a": "1", "b": "2"}),
        {"nodeSelector": {"b": "3", "c": "4", "a": None}},
        {"nodeSelector": {"b": "3", "c": "4"}},
    ),
    Case(
        "a map is replaced whole",
        pod({"name": "a"}, nodeSelector={"a": "1"}),
        {"nodeSelector": {"$patch": "replace", "z": "1"}},
        {"nodeSelector": {"z": "1"}},
    ),
    Case(
        "resources merge by name",
        pod({"name": "a", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}),
        {"containers": [{"name": "a", "resources": {"limits": {"cpu": "2"}}}]},
        {"containers": [{"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}]},
    ),
    Case(
        "the asked order is kept",
        pod({"name": "a"}, {"name": "b"}, {"name": "c"}),
        {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [{"name": "c", "image": "i:9"}]},
        {"containers": [{"name": "b"}, {"name": "c", "image": "i:9"}, {"name": "a"}]},
    ),
    Case(
        "init containers merge too",
        pod({"name": "a"}, initContainers=[{"name": "i", "image": "i:1"}]),
        {"initContainers": [{"name": "i", "command": ["x"]}]},
        {"initContainers": [{"name": "i", "image": "i:1", "command": ["x"]}]},
    ),
    Case("nothing changes nothing", ONE, {}, ONE),
    Case("an empty list of named things changes nothing", ONE, {"containers": []}, ONE),
    Case(
        "an empty list of other things empties",
        pod({"name": "a", "args": ["1"]}),
        {"containers": [{"name": "a", "args": []}]},
        {"containers": [{"name": "a", "args": []}]},
    ),
]


def contains(actual: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; lists have the same length and order, an empty one may be absent."""
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(contains(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        found = actual or []
        return len(found) == len(wanted) and all(contains(a, w) for a, w in zip(found, wanted, strict=True))
    return actual == wanted
