"""Fields that every kind has."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from kaos.api.rules import Model, Once, Rule, pattern

DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def dns_label(what: str) -> Any:
    """The type of a text that becomes a part of names: it must be a DNS label."""
    wording = pattern(DNS_LABEL, f"{what} must be a DNS label: lower-case letters, digits and -, at most 63")
    return Annotated[str, Field(max_length=63), wording]


Word = Annotated[str, Field(max_length=1024)]
# What Kubernetes itself defines and checks is handed through as it is.
Free = Annotated[dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]
Duration = Annotated[
    str, Field(max_length=16), pattern("[0-9]+(ms|s|m|h)", "timeout must be a length of time such as 60s")
]
Int32 = Annotated[int, Field(json_schema_extra={"format": "int32"})]
Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]


class EnvVar(Model):
    name: Annotated[str, Field(min_length=1, max_length=256, description="Its name.")]
    value: Annotated[str | None, Field(max_length=131_072, description="Its value, as text.")] = None
    valueFrom: Annotated[
        Free | None, Field(description="Where the value comes from, such as secretKeyRef; see kubectl explain pod.")
    ] = None


Env = Annotated[list[EnvVar], Field(max_length=256), Once("name")]


class ContainerOverride(Model):
    """A strategic merge patch on the main container."""

    image: Annotated[
        str | None, Field(min_length=1, max_length=512, description="The image; required for runtime custom.")
    ] = None
    command: Annotated[
        list[Word] | None, Field(max_length=128, description="The program, in place of the image's entrypoint.")
    ] = None
    args: Annotated[list[Word] | None, Field(max_length=256, description="The program's arguments.")] = None
    env: Annotated[
        Env | None, Field(description="Environment variables; they win over generated ones of the same name.")
    ] = None
    envFrom: Annotated[
        list[Free] | None, Field(max_length=32, description="ConfigMaps and Secrets whose keys become variables.")
    ] = None
    resources: Annotated[Free | None, Field(description="Requests and limits.")] = None
    securityContext: Annotated[Free | None, Field(description="Security settings of the container.")] = None
    volumeMounts: Annotated[
        list[Free] | None, Field(max_length=64, description="Where volumes of podSpec.volumes appear.")
    ] = None
    workingDir: Annotated[Word | None, Field(description="The directory the program starts in.")] = None


class Telemetry(Model):
    enabled: Annotated[bool, Field(description="Send traces and metrics.")] = False
    endpoint: Annotated[
        str | None, Field(max_length=1024, description="Where they go, by OTLP over HTTP: http://collector:4318.")
    ] = None


class GatewayRoute(Model):
    timeout: Annotated[Duration | None, Field(description="How long a request may take, for example 60s.")] = None


class Workload(Model):
    """What every kind that runs pods has."""

    container: Annotated[
        ContainerOverride | None, Field(description="Overrides of the main container, merged strategically.")
    ] = None
    podSpec: Annotated[
        Free | None, Field(description="Overrides of the whole pod spec, merged strategically, lists by name.")
    ] = None
    telemetry: Annotated[Telemetry | None, Field(description="OpenTelemetry.")] = None
    gatewayRoute: Annotated[GatewayRoute | None, Field(description="The route through the Gateway API.")] = None
    replicas: Annotated[Int32, Field(ge=0, le=100, description="How many pods.")] = 1
    suspend: Annotated[bool, Field(description="Scale to no pods, without being a failure.")] = False
    serviceAccountName: Annotated[
        dns_label("serviceAccountName") | None,
        Field(description="The ServiceAccount of the pods; it must allow this by annotation kaos.tools/allow."),
    ] = None


class StatusCondition(Model):
    type: Annotated[str, Field(max_length=64, description="Accepted, Progressing, DependenciesReady or Ready.")]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str | None, Field(max_length=64, description="Why, in one word.")] = None
    message: Annotated[str | None, Field(max_length=32_768, description="Why, for people.")] = None
    lastTransitionTime: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    observedGeneration: Int64 | None = None


class WorkloadStatus(Model):
    observedGeneration: Annotated[Int64 | None, Field(description="The generation of the spec that this is about.")] = (
        None
    )
    conditions: Annotated[
        list[StatusCondition] | None,
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = None
    phase: Annotated[
        str | None, Field(description="Pending, Waiting, Ready, Degraded, Suspended or Failed.", max_length=64)
    ] = None
    ready: Annotated[bool | None, Field(description="Whether it can be used.")] = None
    reason: Annotated[str | None, Field(description="Why it is as it is, in one word.", max_length=64)] = None
    message: Annotated[str | None, Field(description="Why it is as it is, and what to do.", max_length=32_768)] = None
    endpoint: Annotated[str | None, Field(description="Its URL inside the cluster, without a path.")] = None
    replicas: Annotated[Int32 | None, Field(description="Pods that exist.")] = None
    readyReplicas: Annotated[Int32 | None, Field(description="Pods that are ready.")] = None
    selector: Annotated[str | None, Field(description="The label selector of its pods.")] = None


def name_rules(child_prefix: str, limit: int) -> tuple[Rule, ...]:
    """What the name of a resource must be like, since its children are called after it."""

    def name(resource: Any) -> str:
        return str(resource.metadata.get("name") or "")

    return (
        Rule(
            f"self.metadata.name.size() <= {limit}",
            f"the name may have at most {limit} characters: its children are called {child_prefix}-<name>",
            lambda resource: len(name(resource)) <= limit,
        ),
        Rule(
            f"self.metadata.name.matches('^{DNS_LABEL}$')",
            "the name must be a DNS label: lower-case letters, digits and -",
            lambda resource: re.fullmatch(DNS_LABEL, name(resource)) is not None,
        ),
    )
