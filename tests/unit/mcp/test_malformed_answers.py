"""Five hundred answers that are no good MCP: every one becomes an McpError, none is passed on as a success."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import mcp_types
import pytest
from pydantic import ValidationError

from kaos.errors import KaosError
from kaos.mcp.session import READ, Send, Session
from kaos.mcp.wire import MAX_ANSWER_BYTES, MODERN, Head, McpError
from tests.unit.mcp.scripted import (
    Heard,
    Object,
    Reply,
    ScriptedServer,
    events,
    http,
    modern_server,
    server_of_sessions,
)
from tests.unit.mcp.talking import BlockingTalk, Talker

GOOD_RESULT: Object = {"content": [{"type": "text", "text": "5"}]}


def good(heard: Heard) -> Object:
    return {"jsonrpc": "2.0", "id": heard.id, "result": GOOD_RESULT}


def as_json(message: object) -> bytes:
    return json.dumps(message).encode()


def ok(body: bytes, media_type: str = "application/json") -> bytes:
    return http(200, body, media_type)


def changed(**fields: object) -> Reply:
    """A good answer with some fields of the message changed; None takes one out."""
    return lambda heard: ok(as_json({k: v for k, v in (good(heard) | fields).items() if v is not ...}))


def of_result(value: object) -> Reply:
    return changed(result=value)


def chunked(*pieces: bytes, media_type: str = "text/event-stream", end: bytes = b"0\r\n\r\n") -> bytes:
    head = f"content-type: {media_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    return (
        b"HTTP/1.1 200 X\r\n"
        + head.encode()
        + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        + end
    )


MALFORMED: dict[str, Reply] = {
    # HTTP.
    "nothing": lambda heard: http(200, media_type=""),
    "accepted, but no answer": lambda heard: http(202, media_type=""),
    "no content": lambda heard: http(204, media_type=""),
    "HTML with 200": lambda heard: ok(b"<html>Welcome</html>", "text/html"),
    "HTML that says it is JSON": lambda heard: ok(b"<html>Welcome</html>"),
    "HTML with 502": lambda heard: http(502, b"<html>Bad Gateway</html>", "text/html"),
    "a good answer with 500": lambda heard: http(500, as_json(good(heard))),
    "a good answer with 404": lambda heard: http(404, as_json(good(heard))),
    "a redirect": lambda heard: http(307, location="http://127.0.0.1:1/mcp"),
    "a redirect with a good answer": lambda heard: http(302, as_json(good(heard)), location="/else"),
    "access refused": lambda heard: http(401, as_json(good(heard))),
    "forbidden": lambda heard: http(403, b"no", "text/plain"),
    "another media type": lambda heard: ok(as_json(good(heard)), "text/plain"),
    "no media type": lambda heard: ok(as_json(good(heard)), ""),
    "events that say they are JSON": lambda heard: ok(b"data: " + as_json(good(heard)) + b"\n\n"),
    "JSON that says it is events": lambda heard: ok(as_json(good(heard)), "text/event-stream"),
    "Latin-1": lambda heard: ok('{"jsonrpc":"2.0","id":1,"result":{"content":[],"ä":1}}'.encode("latin-1")),
    "half of the body": lambda heard: ok(as_json(good(heard))[:-10]),
    # JSON.
    "empty": lambda heard: ok(b""),
    "a blank": lambda heard: ok(b" \n"),
    "null": lambda heard: ok(b"null"),
    "a text": lambda heard: ok(b'"ok"'),
    "a number": lambda heard: ok(b"5"),
    "NaN": lambda heard: ok(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"x":NaN}}' % heard.id),
    "Infinity": lambda heard: ok(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"x":-Infinity}}' % heard.id),
    "single quotes": lambda heard: ok(str(good(heard)).encode()),
    "a comma too many": lambda heard: ok(as_json(good(heard))[:-1] + b",}"),
    "two documents": lambda heard: ok(as_json(good(heard)) * 2),
    "a batch": lambda heard: ok(as_json([good(heard)])),
    "a batch of two": lambda heard: ok(as_json([good(heard), good(heard)])),
    "an empty batch": lambda heard: ok(b"[]"),
    "10,000 deep": lambda heard: ok(
        b'{"jsonrpc":"2.0","id":%d,"result":{"content":%s%s}}' % (heard.id, b"[" * 10_000, b"]" * 10_000)
    ),
    "10,000 deep, unclosed": lambda heard: ok(b'{"a":' * 10_000),
    "300 deep": lambda heard: ok(
        b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"structuredContent":%s1%s}}'
        % (heard.id, b'{"a":' * 300, b"}" * 300)
    ),
    "a number without end": lambda heard: ok(b'{"jsonrpc":"2.0","id":1,"result":%s}' % (b"9" * 10_000)),
    "UTF-16": lambda heard: ok(json.dumps({"a": 1}).encode("utf-16")),
    "a broken escape": lambda heard: ok(b'{"jsonrpc":"2.0","id":1,"result":{"x":"\\u12"}}'),
    # JSON-RPC.
    "no version": changed(jsonrpc=...),
    "version 1.0": changed(jsonrpc="1.0"),
    "version as a number": changed(jsonrpc=2.0),
    "no id": changed(id=...),
    "null as id": changed(id=None),
    "the id as text": lambda heard: ok(as_json(good(heard) | {"id": str(heard.id)})),
    "another id": changed(id=4711),
    "true as id": changed(id=True),
    "a list as id": changed(id=[1]),
    "neither result nor error": changed(result=...),
    "both result and error": changed(error={"code": -1, "message": "x"}),
    "an error of another request": lambda heard: ok(as_json({"jsonrpc": "2.0", "id": 99, "error": {"message": "x"}})),
    "an error that is a text": lambda heard: ok(as_json({"jsonrpc": "2.0", "id": heard.id, "error": "sorry"})),
    "an error that is a list": lambda heard: ok(as_json({"jsonrpc": "2.0", "id": heard.id, "error": [1]})),
    "an error that is null": lambda heard: ok(as_json({"jsonrpc": "2.0", "id": heard.id, "error": None})),
    "an error of odd parts": lambda heard: ok(
        as_json({"jsonrpc": "2.0", "id": heard.id, "error": {"code": {}, "message": [], "data": 5}})
    ),
    "an unsupported version with odd data": lambda heard: ok(
        as_json({"jsonrpc": "2.0", "id": heard.id, "error": {"code": -32022, "message": "x", "data": {"supported": 3}}})
    ),
    "a request": lambda heard: ok(as_json({"jsonrpc": "2.0", "id": heard.id, "method": "ping"})),
    "a notification": lambda heard: ok(as_json({"jsonrpc": "2.0", "method": "notifications/message"})),
    # Results that are none.
    "result null": of_result(None),
    "result true": of_result(True),
    "result as text": of_result("5"),
    "result as a list": of_result([GOOD_RESULT]),
    "an empty result": of_result({}),
    "another result": of_result({"tools": []}),
    "content as text": of_result({"content": "5"}),
    "content as an object": of_result({"content": {"type": "text", "text": "5"}}),
    "content of texts": of_result({"content": ["5"]}),
    "content null": of_result({"content": None}),
    "isError as text": of_result({"content": [], "isError": "false"}),
    "isError null": of_result({"content": [], "isError": None}),
    "a task in place of a result": of_result({"resultType": "task", "task": {"taskId": "1"}}),
    # Events.
    "no event": lambda heard: events(),
    "an event that is not ended": lambda heard: events() + b"data: " + as_json(good(heard)),
    "an event that is half": lambda heard: events() + b"data: " + as_json(good(heard))[:-5] + b"\n\n",
    "an event of another type": lambda heard: events() + b"event: answer\ndata: " + as_json(good(heard)) + b"\n\n",
    "an event of another field": lambda heard: events() + b"date: " + as_json(good(heard)) + b"\n\n",
    "only comments": lambda heard: events() + b": ping\n\n" * 100,
    "only progress": lambda heard: events(*[{"jsonrpc": "2.0", "method": "notifications/progress", "params": [1]}] * 9),
    "two answers": lambda heard: chunked(b"data: %s\n\n" % as_json(good(heard)) * 2),
    "two answers, one an error": lambda heard: chunked(
        b"data: %s\n\n" % as_json(good(heard))
        + b"data: %s\n\n" % as_json({"jsonrpc": "2.0", "id": heard.id, "error": {"code": 1, "message": "x"}})
    ),
    "an answer to nobody first": lambda heard: events(good(heard) | {"id": 99}, good(heard)),
    "a batch as an event": lambda heard: events(as_json([good(heard)])),
    "garbage before the answer": lambda heard: events(b"!!", good(heard)),
    "bytes that are no UTF-8": lambda heard: events(b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"x":"\xff\xfe"}}'),
    "a good answer as events with 500": lambda heard: events(good(heard)).replace(b"200", b"500", 1),
}  # fmt: skip

# Answers that HTTP itself is broken in: the client that reads them says so, in its own words.
BROKEN: dict[str, Reply] = {
    "a length that is too long": lambda heard: ok(as_json(good(heard))).replace(b"length: ", b"length: 9"),
    "a chunk that is cut": lambda heard: chunked(b"data: " + as_json(good(heard)))[:-20],
    "a chunk without a length": lambda heard: chunked(end=b"") + b"zz\r\n" + as_json(good(heard)),
    "an event and a chunk that is cut": lambda heard: chunked(b": ping\n\n", end=b"ff\r\ndata: "),
    "not HTTP at all": lambda heard: b"SSH-2.0-OpenSSH_9.9\r\n",
    "a head that is cut": lambda heard: events()[:-1],
    "a closed connection": lambda heard: b"",
}  # fmt: skip
UNREAD = {"a good answer with 404"}  # whatever its body says: nobody has read the request
SERVERS = {"modern": modern_server, "sessions": server_of_sessions}


@pytest.mark.parametrize("era", SERVERS)
@pytest.mark.parametrize("case", MALFORMED)
def test_an_answer_of_the_table_becomes_an_mcp_error(talk: Talker, case: str, era: str) -> None:
    with ScriptedServer(SERVERS[era](MALFORMED[case])) as server:
        with pytest.raises(McpError) as told:
            talk(server.url).do("call_tool", "add", {"a": 2, "b": 3})
        assert told.value.cause
        assert "\n" not in told.value.cause
        assert server.asked().count("tools/call") == 1 or case in UNREAD, "what may have acted is not asked again"


@pytest.mark.parametrize("era", SERVERS)
@pytest.mark.parametrize("case", BROKEN)
def test_broken_http_becomes_an_error_in_words(case: str, era: str) -> None:
    with ScriptedServer(SERVERS[era](BROKEN[case])) as server:
        with pytest.raises(KaosError) as told:
            BlockingTalk(server.url).do("call_tool", "add", {"a": 2, "b": 3})
        assert told.value.cause
        assert server.asked().count("tools/call") == 1


@pytest.mark.parametrize("case", MALFORMED)
def test_no_negotiation_is_fooled(case: str) -> None:
    """Every message answered that way: no session begins."""
    with ScriptedServer(MALFORMED[case]) as server, pytest.raises(McpError):
        BlockingTalk(server.url).do("open")


@pytest.mark.parametrize("case", MALFORMED)
def test_a_server_thought_to_be_modern_is_not_asked_twice(case: str) -> None:
    """Without negotiation too, a call is made again only where the server cannot have read it."""
    with ScriptedServer(MALFORMED[case]) as server:
        with pytest.raises(McpError):
            BlockingTalk(server.url, MODERN).do("call_tool", "add", {})
        assert server.asked().count("tools/call") == 1 or case in UNREAD


def test_a_call_that_wants_more_input_is_told_so(talk: Talker) -> None:
    reply = modern_server(of_result({"resultType": "input_required", "inputRequests": {}}))
    with ScriptedServer(reply) as server, pytest.raises(McpError, match="asks for more input"):
        talk(server.url).do("call_tool", "add", {})


def test_an_answer_without_end_is_cut_off() -> None:
    piece = b"x" * (1024 * 1024)
    for media_type, start in (("application/json", b'{"a":"'), ("text/event-stream", b"data: ")):
        head = [start, *[piece] * (MAX_ANSWER_BYTES // len(piece) + 2)]
        reply = modern_server(lambda heard, head=head, kind=media_type: chunked(*head, media_type=kind))
        with ScriptedServer(reply) as server, pytest.raises(McpError, match="larger than 64 MiB"):
            BlockingTalk(server.url).do("call_tool", "add", {})


# The same without HTTP, so that there can be thousands.


def ask(body: bytes, media_type: str = "application/json", status: int = 200) -> Object:
    """What a session known to be modern makes of a tool call that is answered so."""
    flow = Session(MODERN).call_tool("add", {})
    assert isinstance(next(flow), Send)
    try:
        step = flow.send(Head(status, {"content-type": media_type}))
        for chunk in (body, b""):
            assert step is READ
            step = flow.send(chunk)
    except StopIteration as done:
        return done.value
    raise AssertionError(f"the session wants more: {step}")


def test_a_server_that_only_asks_is_given_up() -> None:
    flow = Session(MODERN).call_tool("add", {})
    next(flow)
    assert flow.send(Head(200, {"content-type": "text/event-stream"})) is READ
    asked = flow.send(b'data: {"jsonrpc": "2.0", "id": "x", "method": "ping"}\n\n' * 2000)
    for _ in range(999):
        assert asked.aside
        asked = flow.send(Head(202, {}))
    with pytest.raises(McpError, match="asks without end"):
        flow.send(Head(202, {}))


ODD = [None, True, False, 0, 1, -1, 2, 1.5, "", "x", "1", [], [1], ["x"], [[]], {}, {"a": 1}, [{}], [{"type": "text"}]]


def variants(value: Any) -> Iterator[Any]:
    """The value with one part replaced by something odd, or taken out."""
    yield from ODD
    if isinstance(value, dict):
        for key, part in value.items():
            yield {k: v for k, v in value.items() if k != key}
            yield from (value | {key: changed} for changed in variants(part))
        yield from (value | {key: odd} for key in ("error", "isError", "resultType", "method") for odd in ODD)
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from ([*value[:position], changed, *value[position + 1 :]] for changed in variants(part))


KNOWN_CONTENT = ("text", "image", "audio", "resource", "resource_link")


def is_good(message: Any) -> bool:
    """Whether the message is a tool's answer to request 1, by the SDK's own types; new types of content may come."""
    try:
        content = message["result"].get("content") or ()
        known = [one for one in content if not isinstance(one["type"], str) or one["type"] in KNOWN_CONTENT]
        message = message | {"result": message["result"] | {"content": known}}
        answer = mcp_types.JSONRPCResponse.model_validate(message)
        mcp_types.CallToolResult.model_validate(answer.result)
    except ValidationError:
        return False
    return answer.id == 1 and "error" not in message


def test_every_odd_variant_is_refused_unless_the_sdk_s_types_take_it() -> None:
    whole = {"jsonrpc": "2.0", "id": 1, "result": GOOD_RESULT | {"isError": False}}
    tried = refused = 0
    for message in variants(whole):
        tried += 1
        try:
            taken = ask(as_json(message))
        except McpError:
            refused += 1
        else:
            assert is_good(message), message
            assert taken == message["result"]
    assert refused > 200
    assert tried > refused, "a test in which all is refused proves nothing"


@pytest.mark.parametrize("media_type", ["application/json", "text/event-stream"])
def test_an_answer_cut_anywhere_is_refused(media_type: str) -> None:
    body = as_json({"jsonrpc": "2.0", "id": 1, "result": GOOD_RESULT})
    whole = body if media_type == "application/json" else b"event: message\r\ndata: %s\r\n\r\n" % body
    assert ask(whole, media_type) == GOOD_RESULT
    ends = b"\r\n" if media_type == "text/event-stream" else b""
    for length in range(len(whole) - len(ends.strip(b"\n"))):
        with pytest.raises(McpError):
            ask(whole[:length], media_type)


def test_random_bytes_and_flipped_bits_are_refused_or_good() -> None:
    chance = random.Random(4)
    body = as_json({"jsonrpc": "2.0", "id": 1, "result": GOOD_RESULT})
    refused = 0
    for _ in range(2000):
        spoilt = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        try:
            taken = ask(bytes(spoilt))
        except McpError:
            refused += 1
        else:
            assert is_good(json.loads(spoilt))
            assert taken == json.loads(spoilt)["result"]
    assert refused > 1000
