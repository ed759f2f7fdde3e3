"""What an API server refuses, in words for a person. The messages are those of Kubernetes 1.34, word for word."""

from __future__ import annotations

import pytest

from kaos.actions.kinds import MCPSERVER
from kaos.actions.refusals import explain, explained
from kaos.cluster import ApiError
from kaos.kube.resources import Resource

INVALID = "FieldValueInvalid"
NOT_CHECKED = {
    "reason": INVALID,
    "message": "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
    "field": "<nil>",
}


def told(client, code, message, causes=(), reason="Invalid"):
    return explain(ApiError(code, reason, message, {"causes": list(causes)}), client, MCPSERVER.resource, "x", "ns")


@pytest.mark.parametrize(
    ("causes", "words"),
    [
        (
            [{"reason": INVALID, "message": 'Invalid value: "object": runtime custom needs container.image',
              "field": "spec"}],
            "MCPServer ns/x is not valid: runtime custom needs container.image",
        ),
        (
            [{"reason": INVALID, "message": 'Invalid value: "object": the name may have at most 53 characters',
              "field": "<nil>"}],
            "MCPServer ns/x is not valid: the name may have at most 53 characters",
        ),
        (
            [{"reason": "FieldValueTooLong", "message": "Too long: may not be more than 98304 bytes",
              "field": "spec.params"}, NOT_CHECKED],
            "MCPServer ns/x is not valid: spec.params: may hold at most 96 KiB; put bigger programs into an image",
        ),
        (
            [{"reason": INVALID, "message": "Invalid value: 0: spec.port in body should be greater than or equal to 1",
              "field": "spec.port"}],
            "MCPServer ns/x is not valid: spec.port: 0 should be greater than or equal to 1",
        ),
        (
            [{"reason": "FieldValueNotSupported",
              "message": 'Unsupported value: "smoke": supported values: "http", "stdio"', "field": "spec.transport"},
             {"reason": INVALID, "message": "Invalid value: 0: spec.port in body should be greater than or equal to 1",
              "field": "spec.port"}],
            'MCPServer ns/x is not valid: spec.transport: Unsupported value: "smoke": supported values: '
            '"http", "stdio"; spec.port: 0 should be greater than or equal to 1',
        ),
        (
            [{"reason": INVALID, "field": "metadata.name",
              "message": 'Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of letters (e.g. '
              "'example.com', regex used for validation is '[a-z0-9]')"}],
            'MCPServer ns/x is not valid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must '
            "consist of letters",
        ),
    ],
    ids=["a rule", "a rule of the whole", "too long", "a bound", "two at once", "a name"],
)  # fmt: skip
def test_what_is_invalid_is_told_without_noise(client, causes, words):
    error = told(client, 422, "MCPServer.kaos.tools is invalid", causes)
    assert error.cause == words
    assert error.exit_code == 2


def test_a_long_value_is_not_repeated(client):
    message = f"Invalid value: \"{'x' * 500}\": spec.path in body should match '^/'"
    error = told(client, 422, "", [{"reason": INVALID, "message": message, "field": "spec.path"}])
    assert len(error.cause) < 200
    assert error.cause.endswith("should match '^/'")


@pytest.mark.parametrize(
    ("code", "message", "field"),
    [
        (500, "failed to create typed patch object (default/x; kaos.tools/v1alpha1, Kind=MCPServer): "
              ".spec.runtim: field not declared in schema", "spec.runtim"),
        (400, 'MCPServer in version "v1alpha1" cannot be handled as a MCPServer: strict decoding error: '
              'unknown field "spec.runtim"', "spec.runtim"),
        (500, "failed to create typed patch object (default/x; kaos.tools/v1alpha1, Kind=MCPServer): errors:\n"
              "  .spec.runtim: field not declared in schema\n  .spec.container.imag: field not declared in schema",
         "spec.runtim, spec.container.imag"),
    ],
    ids=["applied to Kubernetes", "strict", "several"],
)  # fmt: skip
def test_an_unknown_field_is_named_with_the_nearest(client, code, message, field):
    error = told(client, code, message, reason="")
    assert error.cause == f"MCPServer ns/x is not valid: unknown field {field}."
    assert error.cure == "Did you mean runtime?"
    assert error.exit_code == 2


def test_a_field_of_the_wrong_type_is_named(client):
    message = (
        "failed to create typed patch object (default/x; kaos.tools/v1alpha1, Kind=MCPServer): "
        ".spec.replicas: expected numeric (int or float), got string"
    )
    error = told(client, 500, message, reason="")
    assert error.cause.endswith("spec.replicas: expected numeric (int or float), got string")
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (
            '.spec.proxyConfig.models: duplicate entries for key [="small"]',
            "spec.proxyConfig.models lists small twice.",
        ),
        ('.spec.container.env: duplicate entries for key [name="A"]', "spec.container.env lists A twice."),
    ],
)
def test_what_stands_twice_in_a_list_is_named(client, place, words):
    message = f"failed to create typed patch object (default/x; kaos.tools/v1alpha1, Kind=MCPServer): {place}"
    error = told(client, 500, message, reason="")
    assert error.cause == f"MCPServer ns/x is not valid: {words}"
    assert error.exit_code == 2


def test_a_missing_right_is_named(client):
    message = (
        'mcpservers.kaos.tools is forbidden: User "eve" cannot list resource "mcpservers" in API group "kaos.tools" '
        'in the namespace "team"'
    )
    error = told(client, 403, message, reason="Forbidden")
    assert error.cause.startswith('No right to do this: User "eve" cannot list resource "mcpservers"')
    assert error.exit_code == 4


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            'configmaps "x" is forbidden: unable to create new content in namespace a because it is being terminated',
            "being terminated",
        ),
        (
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5',
            "exceeded quota",
        ),
    ],
)
def test_a_refusal_for_another_cause_is_no_missing_right(client, message, words):
    error = told(client, 403, message, reason="Forbidden")
    assert words in error.cause
    assert error.exit_code == 1


def test_an_unknown_name_suggests_the_nearest(client, room):
    client.create(
        MCPSERVER.resource,
        {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calculator"},
         "spec": {"runtime": "rawpython"}},
        room,
    )  # fmt: skip
    with pytest.raises(Exception, match="There is no MCPServer calculater") as refused:
        with explained(client, MCPSERVER.resource, "calculater", room):
            client.get(MCPSERVER.resource, "calculater", room)
    assert refused.value.cure == "Did you mean calculator?"
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("body", [b"404 page not found\n", b"{}"])
def test_a_cluster_without_kaos_is_told_how_to_get_it(client, body):
    error = explain(ApiError.of(404, body), client, MCPSERVER.resource)
    assert "knows no MCPServer" in error.cause
    assert "kaos system install" in error.cure
    assert error.exit_code == 3


def test_a_kind_of_others_has_no_cure_of_ours(client):
    widgets = Resource("example.com", "v1", "widgets", "Widget")
    assert explain(ApiError.of(404, b"404 page not found\n"), client, widgets).cure == ""
