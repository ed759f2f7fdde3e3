"""Names that outside programs may rely on: kinds, children, labels, phases, conditions, reasons. No pydantic here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kaos.kube.resources import Resource

GROUP = "kaos.tools"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
MCPSERVERS = Resource(GROUP, VERSION, "mcpservers", "MCPServer")
MODELAPIS = Resource(GROUP, VERSION, "modelapis", "ModelAPI")
AGENTS = Resource(GROUP, VERSION, "agents", "Agent")

NAME_LIMIT = 53
PARAMS_LIMIT_BYTES = 98_304

SYSTEM_NAMESPACE = "kaos-system"
REGISTRY_CONFIGMAP = "kaos-mcp-runtimes"
REGISTRY_KEY = "runtimes.yaml"
REGISTRY_LABEL = "kaos.tools/mcp-runtimes"

FIELD_MANAGER = "kaos-operator"
OPERATOR_LEASE = "kaos-operator"
LOCAL_IDENTITY = "kaos-local"  # of the operator in the local cluster's daemon
# On the Lease: what its holder is.
LEASE_VERSION = "kaos.tools/version"
LEASE_NAMESPACES = "kaos.tools/namespaces"  # with commas; empty: all
LEASE_PLACE = "kaos.tools/runs-in"  # `cluster` or `process`
SYSTEM_LABEL = "kaos.tools/system"  # on what an installation consists of: its namespace
PART_OF = "app.kubernetes.io/part-of"
KIND_LABEL = "kaos.tools/kind"
HASH_ANNOTATION = "kaos.tools/applied-hash"
CONFIG_HASH_ANNOTATION = "kaos.tools/config-hash"  # on the pod template: what is referenced, so that changes roll pods
ALLOW_ANNOTATION = "kaos.tools/allow"  # on a ServiceAccount: which KAOS resources may use it
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"
LOCAL_COMMAND_ANNOTATION = "local.kaos.tools/command."  # + container: what a local cluster runs in place of the image

MCP_CONTAINER = "mcp-server"
BRIDGE_CONTAINER = "bridge"
INSTALL_CONTAINER = "stdio-exec"
MODEL_CONTAINER = "model-api"
CHECK_CONTAINER = "check-config"
AGENT_CONTAINER = "agent"
SERVICE_PORT = 8000
HOSTED_PORT = 11434
DEFAULT_PATH = "/mcp"
MODELS_PATH = "/v1/models"
READINESS_PATH = "/health/readiness"  # LiteLLM's, and needs no key
MASTER_KEY = "LITELLM_MASTER_KEY"

CUSTOM = "custom"
PACKAGE = "package"
ALIASES = {"python-string": "rawpython"}


def child_name(kind: str, name: str) -> str:
    """The name of every child of a resource: `mcpserver-<name>`."""
    return f"{kind.lower()}-{name}"


def labels(kind: str, name: str) -> dict[str, str]:
    """What every child carries."""
    lower = kind.lower()
    return {
        "app.kubernetes.io/name": lower,
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": lower,
        PART_OF: "kaos",
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        KIND_LABEL: kind,
        lower: name,
    }


class Phase(StrEnum):
    PENDING = "Pending"
    WAITING = "Waiting"
    READY = "Ready"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"
    FAILED = "Failed"


class Condition(StrEnum):
    ACCEPTED = "Accepted"
    PROGRESSING = "Progressing"
    DEPENDENCIES_READY = "DependenciesReady"
    READY = "Ready"


@dataclass(frozen=True)
class Explanation:
    """What a reason means, what cures it, and the phase it puts a resource into."""

    meaning: str
    cure: str
    phase: Phase


class Reason(StrEnum):
    """Why a resource is as it is; each with meaning and cure in REASONS."""

    RUNTIME_NOT_FOUND = "RuntimeNotFound"
    RUNTIME_REGISTRY_INVALID = "RuntimeRegistryInvalid"
    REQUIRED_ENV_MISSING = "RequiredEnvMissing"
    SERVICE_ACCOUNT_REQUIRED = "ServiceAccountRequired"
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"
    SERVICE_ACCOUNT_NOT_ALLOWED = "ServiceAccountNotAllowed"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"
    CONFIGMAP_NOT_FOUND = "ConfigMapNotFound"
    INVALID_PARAMS = "InvalidParams"
    INVALID_POD_SPEC = "InvalidPodSpec"
    CONFLICT = "Conflict"
    WAITING_FOR_MODELAPI = "WaitingForModelAPI"
    WAITING_FOR_MCPSERVER = "WaitingForMCPServer"
    MODEL_NOT_SERVED = "ModelNotServed"
    IMAGE_PULL_ERROR = "ImagePullError"
    IMAGE_NEEDS_DOCKER = "ImageNeedsDocker"
    CRASH_LOOPING = "CrashLooping"
    OOM_KILLED = "OOMKilled"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_SECURITY_REFUSED = "PodSecurityRefused"
    REFUSED = "Refused"
    HANDSHAKE_FAILED = "HandshakeFailed"
    NOT_AN_MCP_SERVER = "NotAnMCPServer"
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    SUSPENDED = "Suspended"
    READY = "Ready"


REASONS: dict[Reason, Explanation] = {
    Reason.RUNTIME_NOT_FOUND: Explanation(
        "spec.runtime names no entry of the runtime registry.", "Use one of: kaos system runtimes", Phase.FAILED
    ),
    Reason.RUNTIME_REGISTRY_INVALID: Explanation(
        "The runtime registry is missing or cannot be read.",
        "Install it: kaos system install --no-operator",
        Phase.FAILED,
    ),
    Reason.REQUIRED_ENV_MISSING: Explanation(
        "The runtime needs environment variables that are not set.", "Set them in spec.container.env.", Phase.FAILED
    ),
    Reason.SERVICE_ACCOUNT_REQUIRED: Explanation(
        "The runtime needs a ServiceAccount.", "Name one in spec.serviceAccountName.", Phase.FAILED
    ),
    Reason.SERVICE_ACCOUNT_NOT_FOUND: Explanation(
        "spec.serviceAccountName names no ServiceAccount of this namespace.", "Create it.", Phase.WAITING
    ),
    Reason.SERVICE_ACCOUNT_NOT_ALLOWED: Explanation(
        "The ServiceAccount does not permit its use by this resource.",
        f'Annotate it: {ALLOW_ANNOTATION}="mcpserver/NAME"',
        Phase.FAILED,
    ),
    Reason.SECRET_NOT_FOUND: Explanation("A Secret that the pod refers to is missing.", "Create it.", Phase.WAITING),
    Reason.SECRET_KEY_NOT_FOUND: Explanation(
        "A Secret lacks a key that the pod refers to.", "Add the key.", Phase.WAITING
    ),
    Reason.CONFIGMAP_NOT_FOUND: Explanation(
        "A ConfigMap that the pod refers to, or one of its keys, is missing.", "Create it.", Phase.WAITING
    ),
    Reason.INVALID_PARAMS: Explanation(
        "The runtime cannot use spec.params, or LiteLLM proxyConfig.configYaml.",
        "Correct them; the message says where.",
        Phase.FAILED,
    ),
    Reason.INVALID_POD_SPEC: Explanation(
        "The pod that container and podSpec add up to is refused.", "Change the named field.", Phase.FAILED
    ),
    Reason.CONFLICT: Explanation(
        "An object with a child's name exists and is not ours; it is left alone.",
        "Delete or rename that object, or rename this resource.",
        Phase.FAILED,
    ),
    Reason.WAITING_FOR_MODELAPI: Explanation(
        "The ModelAPI that the agent thinks with is missing or not ready.",
        "Create it, or see why it is not ready.",
        Phase.WAITING,
    ),
    Reason.WAITING_FOR_MCPSERVER: Explanation(
        "An MCPServer that the agent uses is missing or not ready.",
        "Create it, or see why it is not ready.",
        Phase.WAITING,
    ),
    Reason.MODEL_NOT_SERVED: Explanation(
        "A model is not served: an agent's by its ModelAPI, or one of proxyConfig.models by configYaml.",
        "Use one that is served, or have it served; the message names both.",
        Phase.FAILED,
    ),
    Reason.IMAGE_PULL_ERROR: Explanation(
        "The image cannot be pulled.", "Check its name and the access to its registry.", Phase.FAILED
    ),
    Reason.IMAGE_NEEDS_DOCKER: Explanation(
        "The local cluster has no command for this image and no Docker daemon answers.",
        "Start Docker, or use a cluster.",
        Phase.WAITING,
    ),
    Reason.CRASH_LOOPING: Explanation("The server ends again and again.", "Read its log: kaos mcp logs", Phase.FAILED),
    Reason.OOM_KILLED: Explanation(
        "The server was ended because it outgrew its memory limit.",
        "Raise spec.container.resources.limits.memory.",
        Phase.FAILED,
    ),
    Reason.UNSCHEDULABLE: Explanation("No node can take the pod.", "Lower its requests, or add nodes.", Phase.WAITING),
    Reason.QUOTA_EXCEEDED: Explanation(
        "The namespace's quota leaves no room.", "Raise the quota, or lower the requests.", Phase.WAITING
    ),
    Reason.POD_SECURITY_REFUSED: Explanation(
        "The namespace's pod security level refuses the pod.", "Remove what the message names.", Phase.FAILED
    ),
    Reason.REFUSED: Explanation(
        "The cluster does not let KAOS make what is needed: a right is missing, or an admission policy or webhook "
        "refuses it.",
        "Ask whoever runs the cluster; the message names right or policy.",
        Phase.FAILED,
    ),
    Reason.HANDSHAKE_FAILED: Explanation(
        "The pod is up, but does not answer in its protocol.",
        "Read its log; of an MCPServer check spec.port and spec.path too.",
        Phase.FAILED,
    ),
    Reason.NOT_AN_MCP_SERVER: Explanation(
        "The pod answers, but not in MCP.", "Check the image, spec.port and spec.path.", Phase.FAILED
    ),
    Reason.ROLLOUT_IN_PROGRESS: Explanation("Pods are being started.", "Wait.", Phase.PENDING),
    Reason.SUSPENDED: Explanation("spec.suspend is set: no pods run.", "kaos mcp resume", Phase.SUSPENDED),
    Reason.READY: Explanation("It answers in its own protocol.", "", Phase.READY),
}
