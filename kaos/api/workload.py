"""Fields that every kind has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

DnsLabel = Annotated[str, Field(max_length=63, pattern=DNS_LABEL)]
Word = Annotated[str, Field(max_length=1024)]
# What Kubernetes itself defines and checks is handed through as it is.
Free = Annotated[dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]


class Model(BaseModel):
    """Unknown fields are errors, as the API server's strict validation has them."""

    model_config = ConfigDict(extra="forbid")


def rule(expression: str, message: str, **more: str) -> dict[str, str]:
    """A CEL rule of a CRD, with the message that a person reads."""
    return {"rule": expression, "message": message, **more}


def rules(*items: dict[str, str]) -> dict[str, Any]:
    return {"x-kubernetes-validations": list(items)}


class EnvVar(Model):
    name: Annotated[str, Field(min_length=1, max_length=256)]
    value: Annotated[str | None, Field(max_length=131_072)] = None
    valueFrom: Free | None = None


class ContainerOverride(Model):
    """A strategic merge patch on the main container."""

    image: Annotated[str | None, Field(max_length=512, description="The image; required for runtime custom.")] = None
    command: Annotated[list[Word], Field(max_length=128)] | None = None
    args: Annotated[list[Word], Field(max_length=256)] | None = None
    env: Annotated[
        list[EnvVar] | None,
        Field(max_length=256, description="Environment variables; they win over generated ones of the same name."),
    ] = None
    envFrom: Annotated[list[Free], Field(max_length=32)] | None = None
    resources: Free | None = None
    securityContext: Free | None = None
    volumeMounts: Annotated[list[Free], Field(max_length=64)] | None = None
    workingDir: Word | None = None


class Telemetry(Model):
    enabled: bool = False
    endpoint: Annotated[str | None, Field(max_length=1024, description="OTLP endpoint, for example http://c:4317.")] = (
        None
    )


class GatewayRoute(Model):
    timeout: Annotated[
        str | None, Field(max_length=16, pattern=r"^[0-9]+(ms|s|m|h)$", description="For example 60s.")
    ] = None


class Workload(Model):
    """What every kind that runs pods has."""

    container: Annotated[
        ContainerOverride | None, Field(description="Overrides of the main container, merged strategically.")
    ] = None
    podSpec: Annotated[
        Free | None, Field(description="Overrides of the whole pod spec, merged strategically, lists by name.")
    ] = None
    telemetry: Telemetry | None = None
    gatewayRoute: GatewayRoute | None = None
    replicas: Annotated[
        int, Field(ge=0, le=100, description="How many pods.", json_schema_extra={"format": "int32"})
    ] = 1
    suspend: Annotated[bool, Field(description="Scale to no pods, without being a failure.")] = False
    serviceAccountName: Annotated[
        DnsLabel | None,
        Field(description="The ServiceAccount of the pods; it must allow this by annotation kaos.tools/allow."),
    ] = None


class StatusCondition(Model):
    type: Annotated[str, Field(max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str | None, Field(max_length=64)] = None
    message: Annotated[str | None, Field(max_length=32_768)] = None
    lastTransitionTime: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    observedGeneration: Annotated[int | None, Field(json_schema_extra={"format": "int64"})] = None


class WorkloadStatus(Model):
    observedGeneration: Annotated[int | None, Field(json_schema_extra={"format": "int64"})] = None
    conditions: Annotated[
        list[StatusCondition] | None,
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = None
    phase: str | None = None
    ready: bool | None = None
    reason: str | None = None
    message: str | None = None
    endpoint: str | None = None
    replicas: Annotated[int | None, Field(json_schema_extra={"format": "int32"})] = None
    readyReplicas: Annotated[int | None, Field(json_schema_extra={"format": "int32"})] = None
    selector: str | None = None
