"""A JSON-RPC message that keeps its text: read to know what it is, changed only by cutting pieces out of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring
from typing import Any, NamedTuple

Edit = tuple[int, int, str]  # from, to, what comes there


class Malformed(ValueError):
    """Not one JSON-RPC message."""


class Member(NamedTuple):
    """A member of an object in a text: its value, and where key and value are."""

    value: Any
    key_begin: int
    begin: int
    end: int


def _refuse_constant(name: str) -> Any:
    raise Malformed(f"{name} is not JSON")


_scan = json.JSONDecoder(parse_constant=_refuse_constant).scan_once
_gap = re.compile(r"[ \t\n\r]*").match
_BREAKS = str.maketrans("\r\n", "  ")


@dataclass(frozen=True, slots=True)
class Message:
    """One message and the places of its members."""

    text: str
    members: dict[str, Member]

    @property
    def method(self) -> str | None:
        return self._value("method")

    @property
    def id(self) -> Any:
        return self._value("id")

    @property
    def id_text(self) -> str:
        return self.raw("id")

    @property
    def params(self) -> dict[str, Any]:
        found = self._value("params")
        return found if isinstance(found, dict) else {}

    @property
    def result(self) -> Any:
        return self._value("result")

    @property
    def error_code(self) -> int | None:
        error = self._value("error")
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, int) else None

    @property
    def is_request(self) -> bool:
        return "method" in self.members and "id" in self.members

    @property
    def is_response(self) -> bool:
        return "method" not in self.members

    def _value(self, key: str) -> Any:
        member = self.members.get(key)
        return member.value if member else None

    def raw(self, key: str) -> str:
        """The text of a member's value, as it came."""
        member = self.members[key]
        return self.text[member.begin : member.end]

    def inside(self, *path: str) -> dict[str, Member]:
        """Members of an object further in; empty when there is no such object."""
        members = self.members
        for key in path:
            member = members.get(key)
            if member is None or not isinstance(member.value, dict):
                return {}
            members = self.within(member)
        return members

    def within(self, member: Member) -> dict[str, Member]:
        """Members of the object that a member is."""
        return _members(self.text, member.begin)[0]

    def elements(self, member: Member) -> list[tuple[Any, str]]:
        """The elements of the array that a member is, each with its text."""
        found: list[tuple[Any, str]] = []
        at = _gap(self.text, member.begin + 1).end()
        while not self.text.startswith("]", at):
            value, end = _scan(self.text, at)
            found.append((value, self.text[at:end]))
            at = _gap(self.text, end).end()
            if self.text.startswith(",", at):
                at = _gap(self.text, at + 1).end()
        return found

    def replace(self, member: Member, text: str) -> Edit:
        return member.begin, member.end, text

    def edited(self, *edits: Edit) -> str:
        """The text with pieces of it replaced; they must not overlap."""
        text = self.text
        for begin, end, new in sorted(edits, reverse=True):
            text = text[:begin] + new + text[end:]
        return text


def read(data: bytes) -> Message:
    """The one message of a body or line. Raises Malformed."""
    try:
        text = data.decode().strip(" \t\r\n").translate(_BREAKS)  # inside of JSON's strings there are no line breaks
        if not text.startswith("{"):
            raise Malformed("not a JSON object")
        members, end = _members(text, 0)
    except Malformed:
        raise
    except (ValueError, RecursionError, StopIteration):
        raise Malformed("not JSON") from None
    if end != len(text):
        raise Malformed("more than one JSON object")
    message = Message(text, members)
    if message._value("jsonrpc") != "2.0":
        raise Malformed("not JSON-RPC 2.0")
    if "method" in members:
        _check(isinstance(message.method, str), "the method is no text")
        _check("id" not in members or is_id(message.id), "the id is neither text nor an integer")
        _check(isinstance(members["params"].value, dict) if "params" in members else True, "params is no object")
        return message
    _check("id" in members and ("result" in members) != ("error" in members), "neither request nor answer")
    return message


def is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def line(text: str) -> bytes:
    return text.encode() + b"\n"


def error(id_text: str, code: int, message: str, data: dict[str, Any] | None = None) -> str:
    """The text of an answer that is an error."""
    told = {"code": code, "message": message} | ({"data": data} if data else {})
    return f'{{"jsonrpc":"2.0","id":{id_text},"error":{json.dumps(told)}}}'


def _check(holds: bool, why: str) -> None:
    if not holds:
        raise Malformed(why)


def _members(text: str, at: int) -> tuple[dict[str, Member], int]:
    """The members of the object that begins at `at`, and where it ends."""
    found: dict[str, Member] = {}
    at = _gap(text, at + 1).end()
    if text.startswith("}", at):
        return found, at + 1
    while True:
        _check(text.startswith('"', at), "not JSON")
        key_begin = at
        key, at = scanstring(text, at + 1, True)
        at = _gap(text, at).end()
        _check(text.startswith(":", at), "not JSON")
        begin = _gap(text, at + 1).end()
        value, end = _scan(text, begin)
        _check(key not in found, f"{key!r} is there twice")  # whoever reads the other one would be talked to unseen
        found[key] = Member(value, key_begin, begin, end)
        at = _gap(text, end).end()
        if text.startswith("}", at):
            return found, at + 1
        _check(text.startswith(",", at), "not JSON")
        at = _gap(text, at + 1).end()
