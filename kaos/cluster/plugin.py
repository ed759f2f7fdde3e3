"""Login programs of kubeconfigs (`exec`): they print an ExecCredential of client.authentication.k8s.io."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from kaos.errors import NoConnection
from kaos.kube import times

Object = dict[str, Any]
TIMEOUT_S = 60.0


class Plugin:
    """One login program; asked once, and again when what it gave has expired."""

    def __init__(self, entry: Any, context: str) -> None:
        self._entry: Object = entry if isinstance(entry, dict) else {}
        self._context = context
        self._status: Object | None = None
        self._lock = threading.Lock()

    def status(self) -> Object:
        """`token`, or `clientCertificateData` and `clientKeyData`. Raises NoConnection."""
        with self._lock:
            if self._status is None or _expired(self._status):
                self._status = self._run()
            return self._status

    def _run(self) -> Object:
        entry, command = self._entry, self._entry.get("command")
        if not isinstance(command, str) or not command or not entry.get("apiVersion"):
            raise NoConnection(f"The login of context {self._context} lacks exec.command or exec.apiVersion.", "")
        interactive = entry.get("interactiveMode") != "Never" and sys.stdin is not None and sys.stdin.isatty()
        request = {
            "apiVersion": entry["apiVersion"],
            "kind": "ExecCredential",
            "spec": {"interactive": interactive},
        }
        env = os.environ | {str(one["name"]): str(one["value"]) for one in entry.get("env") or ()}
        env["KUBERNETES_EXEC_INFO"] = json.dumps(request)
        arguments = [str(one) for one in entry.get("args") or ()]
        try:
            done = subprocess.run(
                [command, *arguments],
                env=env,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=False,
                timeout=TIMEOUT_S,
            )
        except FileNotFoundError:
            raise self._failed("is not installed") from None
        except subprocess.TimeoutExpired:
            raise self._failed(f"gave no answer within {TIMEOUT_S:g} s") from None
        except OSError as error:
            raise self._failed(f"cannot be started: {error.strerror}") from None
        if done.returncode:
            raise self._failed(f"ended with exit code {done.returncode}")
        try:
            status = json.loads(done.stdout)["status"]
        except (ValueError, LookupError, TypeError):
            status = None
        if not isinstance(status, dict) or not (status.get("token") or status.get("clientCertificateData")):
            raise self._failed("printed no ExecCredential with a status")
        return status

    def _failed(self, how: str) -> NoConnection:
        command = self._entry["command"]
        hint = str(self._entry.get("installHint") or "").strip() or f"Try it by hand: {command}"
        return NoConnection(f"The login program {command} of context {self._context} {how}.", hint.splitlines()[0])


def _expired(status: Object) -> bool:
    try:
        return times.parse(status["expirationTimestamp"]) <= datetime.now(UTC)
    except (KeyError, ValueError, TypeError):
        return False
