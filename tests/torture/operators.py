"""Operators as processes that can be killed at any moment, started in some tens of milliseconds."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["kaos.operator.run", "tests.torture.operators"])


class Operator:
    """One process that runs `kaos.operator.run.run` against a kubeconfig."""

    def __init__(self, kubeconfig: Path, log: Path, namespaces: tuple[str, ...] = (), **settings: Any) -> None:
        self.log = log
        self.namespaces = namespaces
        self._ready = _fork.Event()
        arguments = (kubeconfig, log, namespaces, settings, self._ready)
        self._process = _fork.Process(target=_operate, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def leads(self) -> bool:
        return self._ready.is_set()

    def kill(self) -> None:
        self._process.kill()
        self._process.join(10)

    async def stop(self) -> None:
        """As `kaos operator run` ends on SIGTERM: it gives the lead back, for which the proxy must go on."""
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)
            await asyncio.to_thread(self._process.join, 20)
        if self.alive:
            self.kill()
            raise AssertionError("the operator did not end on SIGTERM")

    def tracebacks(self) -> str:
        text = self.log.read_text() if self.log.exists() else ""
        return text[text.index("Traceback") - 500 :][:4000] if "Traceback" in text else ""


def _operate(kubeconfig: Path, log: Path, namespaces: tuple[str, ...], settings: dict[str, Any], ready: Any) -> None:
    import logging

    from kaos.cluster import resolve
    from kaos.operator.decide.world import Settings
    from kaos.operator.run import run

    with log.open("a") as out:
        os.dup2(out.fileno(), sys.stdout.fileno())
        os.dup2(out.fileno(), sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    connection = resolve(kubeconfig=str(kubeconfig))
    run(connection, stop=stop, ready=_Flag(ready), namespaces=namespaces, settings=Settings(**settings))


class _Flag(threading.Event):
    """A threading.Event that the parent process sees too."""

    def __init__(self, shared: Any) -> None:
        super().__init__()
        self._shared = shared

    def set(self) -> None:
        super().set()
        self._shared.set()

    def clear(self) -> None:
        super().clear()
        self._shared.clear()
