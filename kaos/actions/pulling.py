"""Pulling a model into a hosted ModelAPI: into each of its pods, one after the other, told step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from kaos.actions.chat import Endpoint
from kaos.api.ollama import PULL_PATH, Pull, Step
from kaos.errors import KaosError, UsageError


@dataclass(frozen=True)
class Pulled:
    """What is there now. `lasts`: also after the pods have ended."""

    model: str
    bytes: int
    seconds: float
    pods: tuple[str, ...]
    lasts: bool


def pull(endpoint: Endpoint, model: str | None, on_step: Callable[[str, Step], None]) -> Pulled:
    """Pull the model, or the one that the ModelAPI is for. Raises UsageError, NotReady, KaosError.

    `on_step` is told the pod and how far it is there.
    """
    hosted = endpoint.object["spec"].get("hostedConfig")
    if hosted is None:
        raise UsageError(f"{endpoint.who} is not of type hosted: there is nothing to pull models into.", "")
    model = model or hosted["model"]
    began, count = time.monotonic(), 0
    pods = endpoint.ready_pods()
    if not pods:
        raise endpoint.not_ready()
    for pod in pods:
        count = _pull_into(endpoint, pod, model, on_step)
    lasts = hosted.get("storage") is not None
    return Pulled(model, count, round(time.monotonic() - began, 1), tuple(pods), lasts)


def _pull_into(endpoint: Endpoint, pod: str, model: str, on_step: Callable[[str, Step], None]) -> int:
    pulling = Pull(model)
    try:
        for piece in endpoint.stream(PULL_PATH, pulling.request, pod):
            for step in pulling.feed(piece):
                on_step(pod, step)
    except ValueError as error:
        raise KaosError(f"{endpoint.who}: {model}: {error}", endpoint.read_log) from None
    if not pulling.complete:
        raise KaosError(
            f"{endpoint.who}: the pull of {model} ended before it was complete.", "Do it again: it goes on there"
        )
    return pulling.bytes
