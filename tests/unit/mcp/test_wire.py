"""Events in pieces, names in headers: what goes over the wire survives it."""

from __future__ import annotations

import base64
import time

import pytest

from kaos.mcp.param_headers import param_headers
from kaos.mcp.wire import SseParser, header_value

EVENTS = [
    (b"data: a\n\n", [b"a"]),
    (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    (b"data:a\n\n", [b"a"]),
    (b"data:  a\n\n", [b" a"]),
    (b"data: a\ndata: b\n\n", [b"a\nb"]),
    (b"event: message\nid: 4\nretry: 5\ndata: a\n\n", [b"a"]),
    (b"data: a\nevent: message\n\n", [b"a"]),
    (b"event: ping\ndata: a\n\ndata: b\n\n", [b"b"]),
    (b"event: ping\n\ndata: b\n\n", [b"b"]),
    (b": a comment\n\ndata: a\n\n", [b"a"]),
    (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    (b"id: 1\ndata:\n\ndata: a\n\n", [b"a"]),
    (b"data\n\ndata: a\n\n", [b"a"]),
    (b"data: a\n", []),
    (b"data: a", []),
    (b"database: a\n\n", []),
    (b"\n\n\n", []),
    ("data: ü🧀\n\n".encode(), ["ü🧀".encode()]),
]


@pytest.mark.parametrize(("stream", "wanted"), EVENTS)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_events_are_the_same_however_they_are_cut(stream: bytes, wanted: list[bytes], size: int) -> None:
    parser = SseParser()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [data for piece in pieces for data in parser.feed(piece)] == wanted


def test_one_event_of_32_mib_in_small_pieces_takes_no_time() -> None:
    parser, piece = SseParser(), b"x" * 16_384
    began = time.process_time()
    assert not [*parser.feed(b"data: ")]
    for _ in range(2048):
        assert not [*parser.feed(piece)]
    (data,) = parser.feed(b"\n\n")
    assert len(data) == 2048 * 16_384
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", ["add", "a b", "get_weather-2.0", "(x)"])
def test_a_plain_name_goes_into_a_header_as_it_is(name: str) -> None:
    assert header_value(name) == name


@pytest.mark.parametrize("name", ["größe", "a\r\nX-Evil: 1", " lead", "trail ", "", "\x00", "🧀", "=?base64?YQ==?="])
def test_any_other_name_is_wrapped(name: str) -> None:
    wrapped = header_value(name)
    assert wrapped.startswith("=?base64?")
    assert wrapped.isascii()
    assert wrapped.isprintable()
    assert base64.b64decode(wrapped.removeprefix("=?base64?").removesuffix("?=")).decode() == name


def test_a_name_that_is_no_unicode_is_sent_spoilt_rather_than_raising() -> None:
    assert header_value("\udcff").isascii()


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({"region": "eu", "n": 3, "dry": True, "deep": {"inner": "x"}},
         {"mcp-param-region": "eu", "mcp-param-count": "3", "mcp-param-dry": "true", "mcp-param-inner": "x"}),
        ({"region": "Zürich"}, {"mcp-param-region": header_value("Zürich")}),
        ({"region": None, "n": None}, {}),
        ({"region": ["eu"], "deep": "flat"}, {}),
        ({"other": "x"}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_arguments_are_repeated_as_the_schema_asks(arguments: dict, headers: dict) -> None:
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "n": {"type": "integer", "x-mcp-header": "Count"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            "plain": {"type": "string"},
            "deep": {"type": "object", "properties": {"inner": {"type": "string", "x-mcp-header": "Inner"}}},
            "evil": {"type": "string", "x-mcp-header": "X\r\nY"},
        }
    }
    assert param_headers(schema, arguments | {"plain": "x", "evil": "x"}) == headers


@pytest.mark.parametrize(
    "schema",
    [None, True, [], {}, {"properties": []}, {"properties": {"a": 5}}, {"properties": {"a": {"x-mcp-header": 5}}}],
)
def test_an_odd_schema_asks_for_nothing(schema: object) -> None:
    assert param_headers(schema, {"a": "x"}) == {}
