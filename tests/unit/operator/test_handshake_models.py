"""The handshake with model servers: what they list, and what they are when they list nothing to strangers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kaos.api.names import Reason
from kaos.cluster.aio import AsyncClient
from kaos.cluster.connection import IN_CLUSTER, Connection
from kaos.operator.conversations import converse
from tests.unit.operator.scripted_pod import Exchange, Handler, Server

Answers = dict[str, tuple[int, Any]]
READY = {"status": "healthy", "db": "Not connected"}
NO_KEY = {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(Connection(IN_CLUSTER, "default", "http://127.0.0.1:1", "a test")) as inside:
        yield inside


def script(answers: Answers) -> Handler:
    async def handle(exchange: Exchange) -> None:
        status, body = answers.get(exchange.path, (404, {"error": {"message": "there is nothing here"}}))
        await exchange.answer(body if isinstance(body, bytes) else json.dumps(body).encode(), status)

    return handle


@pytest.mark.parametrize(
    ("answers", "models"),
    [
        ({"/v1/models": (200, {"data": [{"id": "a"}, {"id": "b/*"}, {"id": 7}, "odd"]})}, ("a", "b/*")),
        ({"/v1/models": (200, {"data": None})}, ()),
    ],
)
async def test_models_are_those_that_it_lists(client: AsyncClient, answers: Answers, models: tuple[str, ...]) -> None:
    async with Server(script(answers)) as server:
        answer = await converse(client, server.ask("/v1/models", protocol="models"))
    assert (answer.good, answer.keyed, answer.models) == (True, False, models)


@pytest.mark.parametrize(
    ("path", "answers"),
    [
        ("/health/readiness", {"/health/readiness": (200, READY)}),
        ("/v1/models", {"/v1/models": (401, {"error": {"message": "a key is needed"}})}),
        ("/v1/models", {"/v1/models": (403, b"")}),
        ("/v1/models", {"/v1/models": (400, NO_KEY), "/health/readiness": (200, READY)}),
        ("/v1/models", {"/v1/models": (500, b"Internal Server Error"), "/health/readiness": (200, READY)}),
    ],
)
async def test_one_that_wants_a_key_serves_all_the_same(client: AsyncClient, path: str, answers: Answers) -> None:
    async with Server(script(answers)) as server:
        answer = await converse(client, server.ask(path, protocol="models"))
    assert (answer.good, answer.keyed, answer.models) == (True, True, ())


@pytest.mark.parametrize(
    ("path", "answers", "words"),
    [
        ("/v1/models", {}, "HTTP 404 to /v1/models"),
        ("/v1/models", {"/v1/models": (500, b"Internal Server Error")}, "HTTP 500 to /v1/models"),
        ("/v1/models", {"/v1/models": (500, b""), "/health/readiness": (200, ["odd"])}, "HTTP 500 to /v1/models"),
        ("/v1/models", {"/v1/models": (502, b""), "/health/readiness": (200, READY)}, "HTTP 502 to /v1/models"),
        ("/v1/models", {"/v1/models": (200, b"<html>")}, "no answer in the OpenAI protocol"),
        ("/v1/models", {"/v1/models": (200, {"data": "a"})}, "the list of models is none"),
        ("/health/readiness", {"/health/readiness": (503, {"status": "starting"})}, "HTTP 503 to /health/readiness"),
        ("/health/readiness", {}, "HTTP 404 to /health/readiness"),
    ],
)
async def test_one_that_does_not_serve_is_told_so(client: AsyncClient, path: str, answers: Answers, words: str) -> None:
    async with Server(script(answers)) as server:
        answer = await converse(client, server.ask(path, protocol="models"))
    assert (answer.good, answer.reason) == (False, Reason.HANDSHAKE_FAILED)
    assert words in answer.message
