"""Names that outside programs rely on: children, labels, and a meaning and a cure for every reason."""

from __future__ import annotations

import pytest

from kaos.api import names
from kaos.api.names import REASONS, Condition, Phase, Reason
from kaos.kube.names import is_dns_label

# The contract's list. Those of parts that are still to come may be absent here, and nothing else.
CONTRACT = {
    "RuntimeNotFound", "RuntimeRegistryInvalid", "RequiredEnvMissing", "ServiceAccountRequired",
    "ServiceAccountNotFound", "ServiceAccountNotAllowed", "SecretNotFound", "SecretKeyNotFound", "ConfigMapNotFound",
    "InvalidParams", "InvalidPodSpec", "Conflict", "WaitingForModelAPI", "WaitingForMCPServer", "ModelNotServed",
    "ImagePullError", "ImageNeedsDocker", "CrashLooping", "OOMKilled", "Unschedulable", "QuotaExceeded",
    "PodSecurityRefused", "PortTaken", "HandshakeFailed", "NotAnMCPServer", "RolloutInProgress", "Suspended", "Ready",
}  # fmt: skip
LATER = {"WaitingForModelAPI", "WaitingForMCPServer", "ModelNotServed", "PortTaken"}


def test_every_reason_of_the_contract_is_there() -> None:
    assert {str(reason) for reason in Reason} >= CONTRACT - LATER


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_meaning_and_cure(reason: Reason) -> None:
    explanation = REASONS[reason]
    for text in (explanation.meaning, explanation.cure):
        assert "\n" not in text
    assert explanation.meaning.endswith(".")
    assert explanation.cure or reason == Reason.READY
    assert explanation.phase in Phase


def test_only_ready_means_ready() -> None:
    assert [reason for reason, explanation in REASONS.items() if explanation.phase == Phase.READY] == [Reason.READY]


def test_conditions_and_phases_are_the_contract_s() -> None:
    assert {*Condition} == {"Accepted", "Progressing", "DependenciesReady", "Ready"}
    assert {*Phase} == {"Pending", "Waiting", "Ready", "Degraded", "Suspended", "Failed"}


def test_children_of_the_longest_name_still_have_a_dns_label() -> None:
    longest = names.child_name("MCPServer", "a" * names.NAME_LIMIT)
    assert longest == "mcpserver-" + "a" * 53
    assert is_dns_label(longest)


def test_children_carry_the_labels_of_the_contract() -> None:
    assert names.labels("MCPServer", "calculator") == {
        "app.kubernetes.io/name": "mcpserver",
        "app.kubernetes.io/instance": "calculator",
        "app.kubernetes.io/component": "mcpserver",
        "app.kubernetes.io/part-of": "kaos",
        "app.kubernetes.io/managed-by": "kaos-operator",
        "kaos.tools/kind": "MCPServer",
        "mcpserver": "calculator",
    }
