"""Ollama's protocol for pulling a model: what is asked, and how far the lines of its answer say that it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

PULL_PATH = "/api/pull"
LATEST = ":latest"  # the tag of a model that is named without one
_LOOPBACK = ("127.0.0.1:", "localhost:")


@dataclass(frozen=True)
class Step:
    """How far a pull is. Before the first bytes there is only a status."""

    status: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        if not self.total:
            return self.status
        return f"{self.percent} % ({size(self.done)} of {size(self.total)})"

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


class Pull:
    """Reads the answer to a pull, piece by piece."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.complete = False
        self._rest = b""
        self._layers: dict[str, tuple[int, int]] = {}  # digest -> bytes that are there, bytes in all

    @property
    def request(self) -> bytes:
        return json.dumps({"model": self.model, "stream": True, "insecure": self.model.startswith(_LOOPBACK)}).encode()

    @property
    def bytes(self) -> int:
        return sum(total for _, total in self._layers.values())

    def feed(self, piece: bytes) -> Iterator[Step]:
        """The steps that the piece completes. Raises ValueError when the model cannot be had."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in filter(None, lines):
            yield self._step(line)

    def _step(self, line: bytes) -> Step:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise ValueError("the answer is not Ollama's")
        if error := told.get("error"):
            raise ValueError(f"it cannot be pulled: {error}")
        status = str(told.get("status") or "")
        self.complete = status == "success"
        total, done = told.get("total"), told.get("completed") or 0
        if isinstance(total, int) and total > 0 and isinstance(done, int):
            self._layers[str(told.get("digest"))] = (min(done, total), total)
            there = sum(done for done, _ in self._layers.values())
            return Step(status, there, self.bytes)
        return Step(status)


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1000:
        return f"{count} bytes"
    amount = count / 1000
    for unit in ("kB", "MB"):
        if amount < 1000:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
