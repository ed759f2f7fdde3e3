"""MCPServer: a tool server that speaks the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kaos.api.names import NAME_LIMIT, PARAMS_LIMIT_BYTES
from kaos.api.workload import DnsLabel, Model, Workload, WorkloadStatus, rule, rules

Glob = Annotated[str, Field(min_length=1, max_length=128)]


class ToolFilter(Model):
    """Which tools are shown and callable; shell-style patterns. Deny wins."""

    allow: Annotated[list[Glob], Field(max_length=256)] | None = None
    deny: Annotated[list[Glob], Field(max_length=256)] | None = None


class SecretKeyRef(Model):
    name: Annotated[str, Field(min_length=1, max_length=253)]
    key: Annotated[str, Field(min_length=1, max_length=253)]


class HeaderFrom(Model):
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9-]+$")]
    secretKeyRef: SecretKeyRef


class Remote(Model):
    """A server that runs elsewhere, relayed by the bridge."""

    url: Annotated[str, Field(max_length=2048, pattern=r"^https?://")]
    headersFrom: Annotated[list[HeaderFrom], Field(max_length=32)] | None = None


class MCPServerSpec(Workload):
    __doc__ = "What the tool server runs and how."
    model_config = Workload.model_config | {
        "json_schema_extra": rules(
            rule("has(self.runtime) != has(self.remote)", "set either runtime or remote"),
            rule(
                "!has(self.runtime) || self.runtime != 'custom' || (has(self.container) && has(self.container.image))",
                "runtime custom needs container.image",
            ),
            rule(
                "(has(self.runtime) && self.runtime == 'package') == has(self.package)",
                "runtime package and the field package go together",
            ),
            rule(
                "!has(self.params) || bytes(self.params).size() <= 98304",
                "params may hold at most 96 KiB; put bigger programs into an image",
            ),
            rule(
                "!has(self.transport) || self.transport != 'stdio' || has(self.remote) || self.runtime != 'custom' || "
                "(has(self.container) && has(self.container.command))",
                "transport stdio needs container.command: an image's own entrypoint cannot be read",
            ),
            rule("!has(self.remote) || !has(self.params)", "remote takes no params"),
        )
    }

    runtime: Annotated[
        DnsLabel | None,
        Field(description="An entry of the runtime registry, custom (with container.image), or package."),
    ] = None
    package: Annotated[
        str | None,
        Field(
            max_length=256,
            pattern=r"^(pypi:[A-Za-z0-9._\[\]-]+==[A-Za-z0-9.!+_-]+|npm:(@[a-z0-9._-]+/)?[a-z0-9._-]+@[A-Za-z0-9.+-]+)$",
            description="With runtime package: pypi:NAME==VERSION or npm:NAME@VERSION.",
        ),
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
        int | None, Field(ge=1, le=65535, description="The server's port.", json_schema_extra={"format": "int32"})
    ] = None
    path: Annotated[
        str | None, Field(max_length=256, pattern=r"^/[!-~]*$", description="The path of the MCP endpoint.")
    ] = None
    tools: ToolFilter | None = None
    remote: Remote | None = None

    @model_validator(mode="after")
    def _together(self) -> MCPServerSpec:
        if (self.runtime is None) == (self.remote is None):
            raise ValueError("set either runtime or remote")
        if self.runtime == "custom" and not (self.container and self.container.image):
            raise ValueError("runtime custom needs container.image")
        if (self.runtime == "package") != (self.package is not None):
            raise ValueError("runtime package and the field package go together")
        if self.params is not None and len(self.params.encode()) > PARAMS_LIMIT_BYTES:
            raise ValueError("params may hold at most 96 KiB; put bigger programs into an image")
        if self.transport == "stdio" and self.runtime == "custom" and not self.container.command:
            raise ValueError("transport stdio needs container.command: an image's own entrypoint cannot be read")
        if self.remote is not None and self.params is not None:
            raise ValueError("remote takes no params")
        return self


class ServerInfo(Model):
    name: str | None = None
    version: str | None = None


class StatusTool(Model):
    name: Annotated[str, Field(max_length=256)]
    description: Annotated[str | None, Field(max_length=200)] = None


class MCPServerStatus(WorkloadStatus):
    """What the operator saw last."""

    path: str | None = None
    transport: str | None = None
    serverInfo: ServerInfo | None = None
    protocolVersion: str | None = None
    tools: Annotated[list[StatusTool] | None, Field(max_length=256)] = None
    toolCount: Annotated[int | None, Field(json_schema_extra={"format": "int32"})] = None


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
    model_config = Model.model_config | {
        "json_schema_extra": rules(
            rule(
                f"self.metadata.name.size() <= {NAME_LIMIT}",
                f"the name may have at most {NAME_LIMIT} characters: its children are called mcpserver-<name>",
            ),
            rule(
                "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                "the name must be a DNS label: lower-case letters, digits and -",
            ),
        )
    }

    apiVersion: Literal["kaos.tools/v1alpha1"]
    kind: Literal["MCPServer"]
    metadata: dict
    spec: MCPServerSpec
    status: MCPServerStatus | None = None

    @model_validator(mode="after")
    def _named(self) -> MCPServer:
        if len(self.metadata.get("name") or "") > NAME_LIMIT:
            raise ValueError(f"the name may have at most {NAME_LIMIT} characters")
        return self
