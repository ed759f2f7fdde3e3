"""The daemon behind `kaos local`: the local cluster and the operator in one background process.

This is the one place where `local` (which knows no KAOS kind) and `operator` (which knows no local cluster) meet.
Run as `python -m kaos.actions.daemon DIRECTORY [--port N] [--report-fd FD]`: it reports each step as a JSON line on FD,
`{"step": ..., "ms": ...}`, then `{"ready": ...}` or `{"cause": ..., "cure": ...}`, and then serves until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kaos.errors import KaosError, NotInstalled

log = logging.getLogger("kaos.daemon")

OPERATOR_START_S = 30.0
OPERATOR_STOP_S = 10.0

# KAOS's own images need no container engine on a laptop: the node runs these programs in their place.
IMAGE_COMMANDS = {
    "kaostools/kaos": ["python", "-m", "kaos"],
    "kaostools/kaos-mcp-rawpython": ["python", "-m", "kaos_rawpython"],
}

Report = Callable[[dict[str, object]], None]


async def serve(directory: Path, port: int | None, report: Report) -> None:
    """Run the cluster in `directory` until SIGTERM or SIGINT. Raises KaosError when it cannot start."""
    from kaos.local.cluster import LocalCluster

    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    started = time.monotonic()

    def step(name: str) -> None:
        report({"step": name, "ms": round((time.monotonic() - started) * 1000)})

    cluster = LocalCluster(directory, port=port, image_commands=IMAGE_COMMANDS)
    await cluster.start()
    try:
        step("API server and node")
        operator = OperatorThread(directory)
        await asyncio.to_thread(install, directory)
        step("CRDs and runtime registry")
        operator.start()
        try:
            await operator.wait_ready()
            step("Operator")
            report({"ready": os.getpid()})
            await stop.wait()
            log.info("stopping")
        finally:
            await asyncio.to_thread(operator.stop)
    finally:
        await cluster.stop()


def install(directory: Path) -> None:
    """What the operator needs on a bare cluster: CRDs, system namespace, runtime registry."""
    from kaos.actions.system import install_prerequisites
    from kaos.cluster import Client

    install_prerequisites(Client(_connection(directory)))


def _connection(directory: Path):
    from kaos.cluster import resolve

    return resolve(kubeconfig=str(directory / "kubeconfig"))


class OperatorThread:
    """The operator on a thread and event loop of its own: kopf cancels every task of its loop when it ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        from kaos.api.names import LOCAL_IDENTITY
        from kaos.operator.decide.world import Settings
        from kaos.operator.run import run

        try:
            # The directory's lock makes us the only one, so that the Lease of a killed daemon is ours at once.
            run(
                _connection(self._directory),
                stop=self._stop,
                ready=self._ready,
                settings=Settings(watch_secrets=True),
                identity=LOCAL_IDENTITY,
            )
        except Exception:
            log.exception("the operator ended")

    async def wait_ready(self) -> None:
        deadline = time.monotonic() + OPERATOR_START_S
        while not await asyncio.to_thread(self._ready.wait, 0.2):
            if not self._thread.is_alive():
                raise KaosError("The operator ended while starting.", "See: kaos local logs")
            if time.monotonic() > deadline:
                raise KaosError(f"The operator was not ready after {OPERATOR_START_S:.0f} s.", "See: kaos local logs")

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(OPERATOR_STOP_S)


def _reporter(fd: int | None) -> Report:
    if fd is None:
        return lambda event: log.info("%s", event)
    stream = os.fdopen(fd, "w", buffering=1)

    def report(event: dict[str, object]) -> None:
        # The starter may have gone (ctrl-c during `local up`): the daemon serves on.
        with contextlib.suppress(OSError, ValueError):
            stream.write(json.dumps(event) + "\n")
            if "step" not in event:
                stream.close()

    return report


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m kaos.actions.daemon", description="The daemon behind `kaos local`."
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--report-fd", type=int)
    options = parser.parse_args()
    logging.basicConfig(
        level=os.environ.get("KAOS_LOG_LEVEL", "INFO").upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    report = _reporter(options.report_fd)
    try:
        try:
            asyncio.run(serve(options.directory, options.port, report))
        except ModuleNotFoundError as error:
            raise NotInstalled(error) from error
    except KaosError as error:
        log.error("%s %s", error.cause, error.cure)
        report({"cause": error.cause, "cure": error.cure, "exit_code": error.exit_code})
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
