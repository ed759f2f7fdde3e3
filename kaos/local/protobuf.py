"""Bodies in Kubernetes' protobuf form, which clients written in Go send for built-in kinds; answers are always JSON.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from kaos.local import schemas

Object = dict[str, Any]

MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_META = "k8s.io.apimachinery.pkg.apis.meta.v1."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadProtobuf(ValueError):
    """The body is no Kubernetes protobuf, or of a kind that is not known here."""


def decode(body: bytes) -> Object:
    """The object of a body. Raises BadProtobuf."""
    if not body.startswith(_MAGIC):
        raise BadProtobuf("the body does not start with the magic number of Kubernetes protobuf")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        identity = dict(_fields(envelope.get(1, b"")))
        api_version, kind = identity.get(1, b"").decode(), identity.get(2, b"").decode()
        message = schemas.protobuf()["kinds"].get(f"{api_version}/{kind}")
        if message is None:
            raise BadProtobuf(f"{kind or 'nothing'} of {api_version or 'no version'} is not known in protobuf form")
        return {"apiVersion": api_version, "kind": kind, **_message(message, envelope.get(2, b""))}
    except (IndexError, struct.error, UnicodeDecodeError, AttributeError, OverflowError) as error:
        raise BadProtobuf(f"the body is cut or broken: {error}") from None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field: an int, or the bytes of what has a length."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        match tag & 7:
            case 0:
                value, position = _varint(data, position)
            case 1:
                (value,) = struct.unpack_from("<d", data, position)
                position += 8
            case 2:
                length, position = _varint(data, position)
                value = data[position : position + length]
                if len(value) != length:
                    raise IndexError("a field is longer than the body")
                position += length
            case 5:
                (value,) = struct.unpack_from("<f", data, position)
                position += 4
            case other:
                raise BadProtobuf(f"wire type {other} is not used by Kubernetes")
        yield tag >> 3, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if not byte & 0x80:
            return value, position
        shift += 7


def _message(name: str, data: bytes) -> Any:
    special = _SPECIAL.get(name)
    if special is not None:
        return special(dict(_fields(data)))
    known = schemas.protobuf()["messages"][name]
    made: Object = {}
    for number, value in _fields(data):
        if (field := known.get(str(number))) is None:
            continue
        key, kind, *how = field
        if "map" in how:
            entry = dict(_fields(value))
            made.setdefault(key, {})[entry.get(1, b"").decode()] = _value(kind, entry.get(2, b""))
        elif "repeated" in how:
            made.setdefault(key, []).append(_value(kind, value))
        elif "inline" in how:
            made |= _message(kind, value)
        else:
            made[key] = _value(kind, value)
    return made


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "string":
            return value.decode()
        case "bool":
            return bool(value)
        case "bytes":
            return base64.b64encode(value).decode()
        case "int32" | "int64":
            return value - (1 << 64) if value >> 63 else value
        case "double" | "float":
            return value
    return _message(kind, value)


def _time(fields: dict[int, Any]) -> str | None:
    if not fields:
        return None
    moment = _EPOCH + timedelta(seconds=_value("int64", fields.get(1, 0)))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(fields: dict[int, Any]) -> str | None:
    if not fields:
        return None
    microseconds = fields.get(2, 0) // 1000
    moment = _EPOCH + timedelta(seconds=_value("int64", fields.get(1, 0)), microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _int_or_string(fields: dict[int, Any]) -> int | str:
    return fields.get(3, b"").decode() if fields.get(1, 0) else _value("int32", fields.get(2, 0))


def _raw(fields: dict[int, Any]) -> Any:
    return json.loads(fields.get(1) or b"null")


_SPECIAL = {
    f"{_META}Time": _time,
    f"{_META}MicroTime": _micro_time,
    f"{_META}FieldsV1": _raw,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": lambda fields: fields.get(1, b"0").decode(),
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw,
    "k8s.io.api.authentication.v1.ExtraValue": lambda fields: [value.decode() for value in fields.values()],
}
