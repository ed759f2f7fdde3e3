"""The bridge in a pod: the container that serves over HTTP what another one speaks over standard input and output.

The server's image stays as it is. `stdio-exec` is brought into a directory that the two containers share, and starts
the server's command there, once for each connection of the bridge (decision 4).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from kaos.api.names import BRIDGE_CONTAINER, INSTALL_CONTAINER
from kaos.operator.decide import children, podspec
from kaos.operator.decide.world import Settings

Object = dict[str, Any]

_DIRECTORY = "/kaos"
_SOCKET = f"{_DIRECTORY}/s.sock"
WRAPPER = (f"{_DIRECTORY}/stdio-exec", _SOCKET, "--")
VOLUME: Object = {"name": "kaos-stdio", "emptyDir": {"sizeLimit": "16Mi"}}
MOUNT: Object = {"name": "kaos-stdio", "mountPath": _DIRECTORY}
COMMAND = ("python", "-m", "kaos.dataplane.bridge")
_HEADER_VARIABLE = "KAOS_HEADER_"
GIVE_UP = 3  # starts: then the container ends, and its restarts tell the cluster that something is wrong
_RESOURCES: Object = {
    "requests": {"cpu": "25m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
    "limits": {"memory": "256Mi", "ephemeral-storage": "256Mi"},
}


def before_stdio(
    settings: Settings, port: int, path: str, start_s: int, isolation: str, tools: Object | None = None
) -> Object:
    """The bridge to the server's container."""
    arguments = ["--socket", _SOCKET, "--give-up", str(GIVE_UP), "--isolation", isolation, *filter_arguments(tools)]
    return container(settings, port, path, start_s, arguments, [MOUNT])


def before_http(settings: Settings, port: int, inner_port: int, path: str, start_s: int, tools: Object) -> Object:
    """The filter in front of a server that serves HTTP by itself, on a port that only the pod reaches."""
    arguments = ["--upstream", f"http://127.0.0.1:$(UPSTREAM_PORT){path}", *filter_arguments(tools)]
    env = podspec.plain_env({"UPSTREAM_PORT": str(inner_port)})
    return container(settings, port, path, start_s, arguments, env=env)


def port_in_front(inner_port: int) -> int:
    return next(port for port in (8099, 8098) if port != inner_port)


def remote_arguments(path: str, remote: Object, tools: Object | None) -> list[str]:
    """What a relay is told of a server elsewhere; values of headers come from variables (`remote_env`)."""
    headers = [
        word
        for number, one in enumerate(remote.get("headersFrom") or ())
        for word in ("--header", f"{one['name']}={_HEADER_VARIABLE}{number}")
    ]
    url = remote["url"].replace("$(", "$$(")  # what is a reference to Kubernetes is none in a URL
    return ["--path", path, "--upstream", url, *headers, *filter_arguments(tools)]


def remote_env(remote: Object) -> list[Object]:
    return [
        {"name": f"{_HEADER_VARIABLE}{number}", "valueFrom": {"secretKeyRef": dict(one["secretKeyRef"])}}
        for number, one in enumerate(remote.get("headersFrom") or ())
    ]


def filter_arguments(tools: Object | None) -> list[str]:
    # In one word each, as a pattern may begin with a dash.
    rules = ((word, pattern) for word in ("allow", "deny") for pattern in (tools or {}).get(word) or ())
    return [f"--{word}={pattern.replace('$(', '$$(')}" for word, pattern in rules]


def container(
    settings: Settings,
    port: int,
    path: str,
    start_s: int,
    arguments: Sequence[str],
    mounts: Iterable[Object] = (),
    env: Iterable[Object] = (),
) -> Object:
    """A bridge that serves on the port; `arguments` say what is behind it."""
    generated = podspec.plain_env({"PORT": str(port), "HOME": "/tmp"})  # noqa: S108 - a path inside the container
    return _ours(BRIDGE_CONTAINER, settings) | {
        "command": list(COMMAND),
        "args": ["--path", path, *arguments],
        "env": podspec.env_list(generated, env),
        "ports": [{"name": children.PORT_NAME, "containerPort": port, "protocol": "TCP"}],
        "resources": _RESOURCES,
        "lifecycle": {"preStop": {"sleep": {"seconds": children.DRAIN_S}}},
        "volumeMounts": [podspec.TMP_MOUNT, *mounts],
        **_probes(start_s),
    }


def installer(settings: Settings) -> Object:
    """Brings stdio-exec before the server's container starts."""
    return _ours(INSTALL_CONTAINER, settings) | {
        "command": ["python", "-m", "kaos.dataplane.bridge.install", _DIRECTORY],
        "resources": _RESOURCES,
        "volumeMounts": [MOUNT],
    }


def _ours(name: str, settings: Settings) -> Object:
    return {
        "name": name,
        "image": settings.bridge_image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": copy.deepcopy(podspec.CONTAINER_SECURITY),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _probes(start_s: int) -> Object:
    """Ready means that the server behind has answered; what lives may still wait for it."""
    ready, alive = ({"httpGet": {"path": path, "port": children.PORT_NAME}} for path in ("/ready", "/health"))
    return {
        "startupProbe": ready | {"periodSeconds": 1, "failureThreshold": start_s, "timeoutSeconds": 2},
        "readinessProbe": ready | {"periodSeconds": 5, "failureThreshold": 1, "timeoutSeconds": 2},
        "livenessProbe": alive | {"periodSeconds": 20, "failureThreshold": 3, "timeoutSeconds": 5},
    }


def is_in(deployment: Object | None) -> bool:
    """Whether the pods of a Deployment are served by a bridge."""
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else ()
    return any(one["name"] == BRIDGE_CONTAINER for one in containers)
