"""What an MCPServer may say: one table, judged by the models, by the local API server and by a real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

_KIB_96 = 98_304
CUSTOM: Object = {"runtime": "custom", "container": {"image": "example/server:1"}}
REMOTE: Object = {"remote": {"url": "https://mcp.example.com/mcp"}}


@dataclass(frozen=True)
class Case:
    """A resource, and the words with which it is refused (None: it is accepted)."""

    title: str
    spec: Any
    refused: str | None = None
    metadata: Object = field(default_factory=lambda: {"name": "calculator"})
    more: Object = field(default_factory=dict)
    kind: str = "MCPServer"

    def manifest(self) -> Object:
        spec = {} if self.spec is ... else {"spec": self.spec}
        head = {"apiVersion": "kaos.tools/v1alpha1", "kind": self.kind, "metadata": self.metadata}
        return head | spec | self.more


def raw(**more: Any) -> Object:
    return {"runtime": "rawpython"} | more


def custom(**container: Any) -> Object:
    return {"runtime": "custom", "container": {"image": "example/server:1"} | container}


def package(name: str) -> Object:
    return {"runtime": "package", "package": name}


def remote(**more: Any) -> Object:
    return {"remote": {"url": "https://mcp.example.com/mcp"} | more}


_LABEL = "must be a DNS label: lower-case letters, digits and -"
_PACKAGE = "package must be pypi:NAME==VERSION or npm:NAME@VERSION"
_URL = "url must be http(s)://HOST[:PORT][/PATH]"
_PATH = "path must begin with / and hold no blanks"
_TIMEOUT = "timeout must be a length of time such as 60s"
_PARAMS = "params may hold at most 96 KiB; put bigger programs into an image"
_PAIR = "runtime package and the field package go together"
_EITHER = "set either runtime or remote"
_COMMAND = "transport stdio needs container.command: an image's own entrypoint cannot be read"
_IMAGE = "runtime custom needs container.image"

CASES = [
    # Accepted.
    Case("a runtime alone", raw()),
    Case("params", raw(params="def add(a: int, b: int) -> int:\n    return a + b\n")),
    Case("params of exactly 96 KiB", raw(params="#" * _KIB_96)),
    Case("params of exactly 96 KiB in two-byte letters", raw(params="ä" * (_KIB_96 // 2))),
    Case("a runtime of the operator's own registry", {"runtime": "our-own-2"}),
    Case("custom with an image", CUSTOM),
    Case("custom over stdio with a command", custom(command=["server"]) | {"transport": "stdio"}),
    Case("a registry runtime over stdio, whose command the registry knows", raw(transport="stdio")),
    Case("a package of PyPI", package("pypi:mcp-server-time==2026.10.1")),
    Case("a package of PyPI with extras", package("pypi:Some_Thing[cli,http]==1.0rc1+local")),
    Case("a package of npm", package("npm:left-pad@1.3.0")),
    Case("a scoped package of npm", package("npm:@modelcontextprotocol/server-everything@2026.1.1-beta.2")),
    Case("a remote server", REMOTE),
    Case("a remote server on a port, with a query", remote(url="http://[2001:db8::1]:8080/mcp?tenant=a&x=%20")),
    Case(
        "a remote server with a header from a Secret",
        remote(headersFrom=[{"name": "Authorization", "secretKeyRef": {"name": "token", "key": "value"}}]),
    ),
    Case("port and path of its own", raw(port=65535, path="/a/b~?x=1")),
    Case("no pods", raw(replicas=0, suspend=True)),
    Case("a hundred pods", raw(replicas=100)),
    Case("tool filters", raw(tools={"allow": ["get_*"], "deny": ["delete_*", "*"]})),
    Case("telemetry", raw(telemetry={"enabled": True, "endpoint": "http://collector:4317"})),
    Case("a route with a timeout", raw(gatewayRoute={"timeout": "1500ms"})),
    Case("a ServiceAccount", raw(serviceAccountName="reader")),
    Case(
        "every field of the container",
        custom(
            command=["a"],
            args=["--port", "$(PORT)"],
            env=[{"name": "A", "value": ""}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            envFrom=[{"configMapRef": {"name": "c"}}],
            resources={"limits": {"cpu": 1, "memory": "64Mi"}},
            securityContext={"runAsUser": 1000},
            volumeMounts=[{"name": "data", "mountPath": "/data"}],
            workingDir="/data",
        ),
    ),
    Case("a pod spec that Kubernetes itself is to judge", raw(podSpec={"nodeSelector": {"a": "b"}, "new": {"x": [1]}})),
    Case("null in place of absent", raw(params=None, remote=None, replicas=None, container={"image": None})),
    Case("a name of 53 characters", raw(), metadata={"name": "a" * 53}),
    Case("a name that begins with a digit", raw(), metadata={"name": "7zip"}),
    Case("labels and annotations", raw(), metadata={"name": "x", "labels": {"a": "b"}, "annotations": {"c": "d"}}),
    # Refused: what runs.
    Case("nothing to run", {}, _EITHER),
    Case("a runtime and a remote server", raw() | REMOTE, _EITHER),
    Case("no spec", ..., "spec"),
    Case("a spec that is a text", "rawpython", "spec"),
    Case("custom without a container", {"runtime": "custom"}, _IMAGE),
    Case("custom without an image", {"runtime": "custom", "container": {"command": ["x"]}}, _IMAGE),
    Case("custom with an empty image", custom(image=""), "image"),
    Case("stdio without a command", CUSTOM | {"transport": "stdio"}, _COMMAND),
    Case("stdio with an empty command", custom(command=[]) | {"transport": "stdio"}, _COMMAND),
    Case("runtime package without a package", {"runtime": "package"}, _PAIR),
    Case("a package with another runtime", raw(package="npm:a@1"), _PAIR),
    Case("a package without a version", package("pypi:requests"), _PACKAGE),
    Case("a package of PyPI in npm's words", package("pypi:requests@1.0"), _PACKAGE),
    Case("a package of nowhere", package("requests==1.0"), _PACKAGE),
    Case("a package that is a flag", package("pypi:--index-url==1"), _PACKAGE),
    Case("a package with a second line", package("npm:a@1\n--registry=x"), _PACKAGE),
    Case("remote with params", REMOTE | {"params": "x"}, "remote takes no params"),
    Case("remote over stdio", REMOTE | {"transport": "stdio"}, "remote is reached over http"),
    Case("remote without a URL", {"remote": {}}, "url"),
    Case("remote on a socket", remote(url="unix:///run/x.sock"), _URL),
    Case("remote with a password in the URL", remote(url="https://me:secret@example.com/mcp"), _URL),
    Case("remote with a blank in the URL", remote(url="https://example.com/m cp"), _URL),
    Case(
        "a header that splits lines",
        remote(headersFrom=[{"name": "X\r\nY", "secretKeyRef": {"name": "a", "key": "b"}}]),
        "a header's name has letters, digits and - only",
    ),
    Case("a header from nowhere", remote(headersFrom=[{"name": "X"}]), "secretKeyRef"),
    # Refused: references that could leave their namespace.
    Case("a runtime with a dot", {"runtime": "raw.python"}, f"runtime {_LABEL}"),
    Case("a runtime that climbs", {"runtime": "a/../b"}, f"runtime {_LABEL}"),
    Case("a runtime in capitals", {"runtime": "RawPython"}, f"runtime {_LABEL}"),
    Case("an empty runtime", {"runtime": ""}, f"runtime {_LABEL}"),
    Case("a runtime with a second line", {"runtime": "rawpython\n"}, f"runtime {_LABEL}"),
    Case("a runtime of 64 characters", {"runtime": "a" * 64}, "runtime"),
    Case("a ServiceAccount elsewhere", raw(serviceAccountName="x.other-ns"), f"serviceAccountName {_LABEL}"),
    Case("a ServiceAccount that is a URL", raw(serviceAccountName="evil.test/#"), f"serviceAccountName {_LABEL}"),
    # Refused: sizes.
    Case("params one byte too long", raw(params="#" * (_KIB_96 + 1)), "params"),
    Case("params too long in bytes, not in letters", raw(params="ä" * (_KIB_96 // 2 + 1)), _PARAMS),
    Case("257 variables", custom(env=[{"name": f"V{n}"} for n in range(257)]), "env"),
    Case("an image of 513 characters", custom(image="i" * 513), "image"),
    Case("257 tool patterns", raw(tools={"allow": ["x"] * 257}), "allow"),
    Case("replicas below zero", raw(replicas=-1), "replicas"),
    Case("101 replicas", raw(replicas=101), "replicas"),
    Case("port 0", raw(port=0), "port"),
    Case("port 65536", raw(port=65536), "port"),
    # Refused: forms.
    Case("a path that is relative", raw(path="mcp"), _PATH),
    Case("a path with a blank", raw(path="/m cp"), _PATH),
    Case("a timeout without a unit", raw(gatewayRoute={"timeout": "60"}), _TIMEOUT),
    Case("a transport of old", raw(transport="sse"), "transport"),
    Case("an empty tool pattern", raw(tools={"deny": [""]}), "deny"),
    Case("a variable without a name", custom(env=[{"value": "x"}]), "name"),
    Case("a variable twice", custom(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]), "Duplicate value"),
    # Refused: types.
    Case("replicas in quotes", raw(replicas="2"), "replicas"),
    Case("suspend in words", raw(suspend="yes"), "suspend"),
    Case("a number as a variable's value", custom(env=[{"name": "A", "value": 1}]), "value"),
    Case("a command that is a text", custom(command="server"), "command"),
    Case("a pod spec that is a list", raw(podSpec=[]), "podSpec"),
    Case("params as a mapping", raw(params={"code": "x"}), "params"),
    # Refused: fields that do not exist.
    Case("the field config of old", raw(config={}), "config"),
    Case("the field type of old", raw(type="python-runtime"), "type"),
    Case("an unknown field of the container", custom(imagePullPolicy="Always"), "imagePullPolicy"),
    Case("an unknown field at the top", raw(), "data", more={"data": {}}),
    # Refused: names.
    Case("no name", raw(), "name", metadata={}),
    Case("a name of 54 characters", raw(), "the name may have at most 53 characters", metadata={"name": "a" * 54}),
    Case("a name with a dot", raw(), "the name must be a DNS label", metadata={"name": "a.b"}),
    Case("a name in capitals", raw(), "name", metadata={"name": "Calculator"}),
    Case("a name with a hyphen at its end", raw(), "name", metadata={"name": "calculator-"}),
]
