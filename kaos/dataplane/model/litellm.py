"""LiteLLM on a laptop: in an environment of its own, made on first use and shared by all pods of the local cluster.

In a cluster its image is used, and none of this.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

REQUIREMENT = "litellm[proxy]==1.106.0"
TELEMETRY = ("prometheus-client", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")  # of its callbacks
DONE = "complete"


def become(config: str, port: int) -> NoReturn:
    """Replace this process by LiteLLM. Raises ValueError when it cannot be installed."""
    program = _environment() / "bin/litellm"
    host = os.environ.get("HOST", "0.0.0.0")
    os.execv(program, [str(program), "--config", config, "--port", str(port), "--host", host])


def _environment() -> Path:
    """The virtual environment with LiteLLM in it."""
    base = os.environ.get("LOCAL_SHARED_DIR")
    if not base:
        raise ValueError("LiteLLM runs by its own image; outside of the local cluster nothing is installed")
    directory = Path(base) / REQUIREMENT.replace("[proxy]==", "-")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Several pods may want it at once: one makes it, the others wait.
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / DONE).exists():
            _install(directory)
            (directory / DONE).touch()
    return directory


def _install(directory: Path) -> None:
    began = time.monotonic()
    print(f"installing {REQUIREMENT} into {directory}, once; this takes a minute or two", flush=True)
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    pip = [directory / "bin/python", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    process = subprocess.Popen(
        [*pip, REQUIREMENT, *TELEMETRY], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    last = ""
    for line in process.stdout:
        last = line.strip()
        if last.startswith(("Collecting", "Downloading", "Installing")):
            print(f"  {last[:120]}", flush=True)
    if process.wait() != 0:
        raise ValueError(f"LiteLLM cannot be installed: {last}")
    print(f"installed in {time.monotonic() - began:.0f} s", flush=True)
