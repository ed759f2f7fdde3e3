"""Secrets: values go in and never come out again."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from kaos.actions import secrets
from kaos.errors import KaosError, NotFound, UsageError
from kaos.kube.resources import SECRETS


def test_a_value_goes_in_byte_for_byte(client, room):
    value = bytes(range(256))
    made = secrets.create(client, "token", room, {"key": value})
    assert made.keys == ("key",)
    assert base64.b64decode(client.get(SECRETS, "token", room)["data"]["key"]) == value


def test_a_list_has_names_and_keys_and_no_values(client, room):
    secrets.create(client, "token", room, {"b": b"canary-value", "a": b"x"})
    (found,) = secrets.listed(client, room)
    assert (found.name, found.keys) == ("token", ("a", "b"))
    told = json.dumps(dataclasses.asdict(found))
    assert "canary-value" not in told
    assert base64.b64encode(b"canary-value").decode() not in told


def test_releases_of_helm_are_nobodys_tokens(client, room):
    body = {"metadata": {"name": "sh.helm.release.v1.x.v1"}, "type": "helm.sh/release.v1", "data": {"release": "eA=="}}
    client.create(SECRETS, body, room)
    assert secrets.listed(client, room) == []


def test_one_that_exists_is_not_overwritten(client, room):
    secrets.create(client, "token", room, {"key": b"first"})
    with pytest.raises(KaosError, match="exists already"):
        secrets.create(client, "token", room, {"key": b"second"})
    assert base64.b64decode(client.get(SECRETS, "token", room)["data"]["key"]) == b"first"


@pytest.mark.parametrize(("name", "key"), [("Token", "key"), ("a/b", "key"), ("token", "a b"), ("token", "ü")])
def test_names_that_cannot_be_are_refused_before_anything_is_sent(client, room, name, key):
    with pytest.raises(UsageError, match="cannot be"):
        secrets.create(client, name, room, {key: b"x"})


def test_deleting_one_that_is_not_there_suggests_the_nearest(client, room):
    secrets.create(client, "credentials", room, {"key": b"x"})
    with pytest.raises(NotFound) as missing:
        secrets.delete(client, "credential", room)
    assert missing.value.cure == "Did you mean credentials?"


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("KEY=value", {"KEY": b"value"}),
        ("export KEY=value", {"KEY": b"value"}),
        ("KEY = value ", {"KEY": b"value"}),
        ('KEY="two words"', {"KEY": b"two words"}),
        ("KEY='a#b=c'", {"KEY": b"a#b=c"}),
        ("KEY=", {"KEY": b""}),
        ("# comment\n\nKEY=ü", {"KEY": "ü".encode()}),
        ('A="', {"A": b'"'}),
    ],
)
def test_an_env_file_is_read_as_docker_and_shells_write_it(line, values):
    assert secrets.parse_env(line, ".env") == values


def test_a_bad_line_is_named_by_number_and_not_repeated():
    with pytest.raises(UsageError) as refused:
        secrets.parse_env("A=1\nhunter2\n", ".env")
    assert ".env, line 2" in refused.value.cause
    assert "hunter2" not in refused.value.cause


def test_an_env_file_without_keys_is_refused():
    with pytest.raises(UsageError, match="holds no KEY=value"):
        secrets.parse_env("# nothing\n", ".env")
