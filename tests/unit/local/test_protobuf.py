"""Protobuf bodies become the objects that they mean."""

from __future__ import annotations

import struct

import pytest

from kaos.local.protobuf import BadProtobuf, decode


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


def test_a_config_map():
    meta = field(1, "one") + field(11, field(1, "app") + field(2, "x")) + field(14, "a/f") + field(14, "b/f")
    raw = field(1, meta) + field(2, field(1, "key") + field(2, "välue")) + field(3, field(1, "bin") + field(2, b"\0\1"))
    assert decode(body("v1", "ConfigMap", raw)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "one", "labels": {"app": "x"}, "finalizers": ["a/f", "b/f"]},
        "data": {"key": "välue"},
        "binaryData": {"bin": "AAE="},
    }


def test_numbers_quantities_ports_and_embedded_structs():
    quantity = field(1, "64Mi")
    limits = field(1, field(1, "memory") + field(2, quantity))
    action = field(1, "/ready") + field(2, field(1, 1) + field(3, "http"))
    probe = field(1, field(2, action)) + field(2, 5)  # the handler is embedded
    container = field(1, "main") + field(2, "x:1") + field(8, limits) + field(11, probe)
    volume = field(1, "v") + field(2, field(2, b""))  # an emptyDir in the embedded source
    spec = field(1, volume) + field(2, container) + field(4, -1)
    made = decode(body("v1", "Pod", field(2, spec)))["spec"]
    assert made["terminationGracePeriodSeconds"] == -1
    assert made["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert made["containers"] == [
        {
            "name": "main",
            "image": "x:1",
            "resources": {"limits": {"memory": "64Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "initialDelaySeconds": 5},
        }
    ]


def test_moments():
    spec = field(1, "me") + field(4, field(1, 1_767_225_600) + field(2, 123_456_000))
    assert decode(body("coordination.k8s.io/v1", "Lease", field(2, spec)))["spec"] == {
        "holderIdentity": "me",
        "renewTime": "2026-01-01T00:00:00.123456Z",
    }


def test_unknown_fields_are_passed_over():
    raw = field(1, field(1, "one")) + field(999, "new") + varint(998 << 3 | 1) + struct.pack("<d", 1.0)
    assert decode(body("v1", "ConfigMap", raw))["metadata"] == {"name": "one"}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"{}", "magic number"),
        (b"k8s\0\xff", "cut or broken"),
        (body("v1", "ConfigMap", field(1, field(1, "one")))[:-3], "cut or broken"),
        (body("v1", "Nonsense", b""), "Nonsense of v1 is not known"),
        (body("v1", "ConfigMap", field(1, field(1, b"\xff\xfe"))), "cut or broken"),
        (b"k8s\0" + varint(1 << 3 | 3), "wire type 3"),
    ],
)
def test_what_is_no_protobuf_is_refused(raw, why):
    with pytest.raises(BadProtobuf, match=why):
        decode(raw)
