"""MCPServer: a tool server that speaks the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kaos.api.names import CUSTOM, NAME_LIMIT, PACKAGE, PARAMS_LIMIT_BYTES
from kaos.api.rules import Model, Rule, pattern
from kaos.api.workload import Int32, Workload, WorkloadStatus, dns_label, name_rules

Glob = Annotated[str, Field(min_length=1, max_length=128)]
HeaderName = Annotated[
    str, Field(max_length=128), pattern("[A-Za-z0-9-]+", "a header's name has letters, digits and - only")
]
Url = Annotated[
    str,
    Field(max_length=2048),
    pattern(r"https?://[A-Za-z0-9.:\[\]-]+([/?][!-~]*)?", "url must be http(s)://HOST[:PORT][/PATH]"),
]
UrlPath = Annotated[str, Field(max_length=256), pattern("/[!-~]*", "path must begin with / and hold no blanks")]
PackageName = Annotated[
    str,
    Field(max_length=256),
    pattern(
        r"pypi:[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9.!+_-]+"
        r"|npm:(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@[A-Za-z0-9.+-]+",
        "package must be pypi:NAME==VERSION or npm:NAME@VERSION",
    ),
]


class ToolFilter(Model):
    allow: Annotated[
        list[Glob] | None, Field(max_length=256, description="Only these; shell-style patterns such as get_*.")
    ] = None
    deny: Annotated[list[Glob] | None, Field(max_length=256, description="None of these; the same patterns.")] = None


class SecretKeyRef(Model):
    name: Annotated[str, Field(min_length=1, max_length=253, description="The Secret, in the same namespace.")]
    key: Annotated[str, Field(min_length=1, max_length=253, description="The key in it.")]


class HeaderFrom(Model):
    name: Annotated[HeaderName, Field(description="The header, for example Authorization.")]
    secretKeyRef: SecretKeyRef


class Remote(Model):
    """A server that runs elsewhere, relayed by the bridge."""

    url: Annotated[Url, Field(description="The URL of its MCP endpoint; credentials go into headersFrom.")]
    headersFrom: Annotated[
        list[HeaderFrom] | None, Field(max_length=32, description="Headers whose values come from Secrets.")
    ] = None


class MCPServerSpec(Workload):
    """What the tool server runs and how."""

    RULES = (
        Rule(
            "has(self.runtime) != has(self.remote)",
            "set either runtime or remote",
            lambda spec: (spec.runtime is None) != (spec.remote is None),
        ),
        Rule(
            "!has(self.runtime) || self.runtime != 'custom' || (has(self.container) && has(self.container.image))",
            "runtime custom needs container.image",
            lambda spec: spec.runtime != CUSTOM or bool(spec.container and spec.container.image),
        ),
        Rule(
            "(has(self.runtime) && self.runtime == 'package') == has(self.package)",
            "runtime package and the field package go together",
            lambda spec: (spec.runtime == PACKAGE) == (spec.package is not None),
        ),
        Rule(
            f"!has(self.params) || bytes(self.params).size() <= {PARAMS_LIMIT_BYTES}",
            "params may hold at most 96 KiB; put bigger programs into an image",
            lambda spec: spec.params is None or len(spec.params.encode()) <= PARAMS_LIMIT_BYTES,
        ),
        Rule(
            "!has(self.transport) || self.transport != 'stdio' || !has(self.runtime) || self.runtime != 'custom' || "
            "(has(self.container) && has(self.container.command) && size(self.container.command) > 0)",
            "transport stdio needs container.command: an image's own entrypoint cannot be read",
            lambda spec: (
                spec.transport != "stdio" or spec.runtime != CUSTOM or bool(spec.container and spec.container.command)
            ),
        ),
        Rule(
            "!has(self.remote) || !has(self.params)",
            "remote takes no params",
            lambda spec: spec.remote is None or spec.params is None,
        ),
        Rule(
            "!has(self.remote) || !has(self.transport) || self.transport == 'http'",
            "remote is reached over http",
            lambda spec: spec.remote is None or spec.transport != "stdio",
        ),
    )

    runtime: Annotated[
        dns_label("runtime") | None,
        Field(description="An entry of the runtime registry, custom (with container.image), or package."),
    ] = None
    package: Annotated[
        PackageName | None, Field(description="With runtime package: pypi:NAME==VERSION or npm:NAME@VERSION.")
    ] = None
    params: Annotated[
        str | None,
        Field(
            max_length=PARAMS_LIMIT_BYTES,
            description="Parameters of the runtime; for rawpython YAML with a key code, or Python itself.",
        ),
    ] = None
    transport: Annotated[
        Literal["http", "stdio"] | None, Field(description="How the server speaks; default: the runtime's.")
    ] = None
    port: Annotated[
        Int32 | None, Field(ge=1, le=65535, description="The port it serves on; default: the runtime's.")
    ] = None
    path: Annotated[UrlPath | None, Field(description="The path of the MCP endpoint; default: the runtime's.")] = None
    tools: Annotated[
        ToolFilter | None, Field(description="Which tools are shown and callable; deny wins over allow.")
    ] = None
    remote: Annotated[Remote | None, Field(description="A server that runs elsewhere, in place of runtime.")] = None


class ServerInfo(Model):
    name: str | None = None
    version: str | None = None


class StatusTool(Model):
    name: Annotated[str, Field(max_length=256)]
    description: Annotated[str | None, Field(max_length=200)] = None


class MCPServerStatus(WorkloadStatus):
    """What the operator saw last."""

    path: Annotated[str | None, Field(description="The path of the MCP endpoint.")] = None
    transport: Annotated[str | None, Field(description="http or stdio.")] = None
    serverInfo: Annotated[ServerInfo | None, Field(description="What the server calls itself.")] = None
    protocolVersion: Annotated[str | None, Field(description="The MCP revision it speaks.")] = None
    tools: Annotated[list[StatusTool] | None, Field(max_length=256, description="Its first 256 tools.")] = None
    toolCount: Annotated[Int32 | None, Field(description="How many tools it has.")] = None


class MCPServer(Model):
    """A tool server that speaks the Model Context Protocol."""

    RESOURCE: ClassVar[dict[str, object]] = {
        "plural": "mcpservers",
        "singular": "mcpserver",
        "shortNames": ["mcp", "mcps"],
        "columns": [
            ("Runtime", "string", ".spec.runtime"),
            ("Transport", "string", ".status.transport"),
            ("Tools", "integer", ".status.toolCount"),
            ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            ("Reason", "string", ".status.reason"),
            ("Age", "date", ".metadata.creationTimestamp"),
        ],
        "wide": [("Endpoint", "string", ".status.endpoint"), ("Message", "string", ".status.message")],
    }
    RULES = name_rules("mcpserver", NAME_LIMIT)

    apiVersion: Literal["kaos.tools/v1alpha1"]
    kind: Literal["MCPServer"]
    metadata: dict[str, Any]
    spec: MCPServerSpec
    status: MCPServerStatus | None = None
