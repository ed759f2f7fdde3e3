"""A live local cluster without the `kaos` command: LocalCluster in a process of its own, up in well under a second.

    with LiveCluster(tmp_path) as cluster:
        cluster.kubeconfig  # for kubectl, the Python client, httpx

The process ends when this one does: it holds the other end of its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class LiveCluster:
    """One local cluster in `directory`; start, stop and kill it as often as a story needs."""

    def __init__(self, directory: Path, **env: str) -> None:
        self.directory = directory
        self.kubeconfig = directory / "kubeconfig"
        self._env = os.environ | {"KAOS_LOCAL_BACKOFF_S": "0.1", "PYTHONPATH": str(ROOT)} | env
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> LiveCluster:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._env,
        )
        said = self._process.stdout.readline()
        if not said:
            raise AssertionError(f"the local cluster did not come up; it ended with {self._process.wait()}")
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End it as `kaos local down` does."""
        process, self._process = self._process, None
        if process is not None:
            process.stdin.close()
            process.stdout.close()
            process.wait(20)

    def kill(self) -> None:
        """End it as a power cut does."""
        os.kill(self._process.pid, signal.SIGKILL)
        self.stop()

    def http(self) -> Any:
        """An httpx client with the credentials of the kubeconfig."""
        from tests.kubehttp import client_of

        return client_of(self.kubeconfig)

    def __enter__(self) -> LiveCluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


async def _main(directory: Path) -> None:
    from kaos.local.cluster import LocalCluster

    cluster = LocalCluster(directory, None, json.loads(os.environ.get("TEST_IMAGE_COMMANDS", "{}")))
    await cluster.start()
    print("ready", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    await cluster.stop()


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(_main(Path(sys.argv[1])))
