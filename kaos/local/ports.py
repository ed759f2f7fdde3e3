"""Ports of local pods: every containerPort has a loopback port of its own, noted on the pod."""

from __future__ import annotations

import json
import random
import socket
from collections import deque
from typing import Any

Object = dict[str, Any]
PORTS_ANNOTATION = "local.kaos.tools/ports"  # {"8000": 41234}: containerPort -> port on 127.0.0.1


# Below the ports that systems give to outgoing connections, so that none of those takes one away.
_FIRST, _LAST = 20_000, 29_999
_lately: deque[int] = deque(maxlen=512)  # handed out, perhaps not yet listened on


def free_port() -> int:
    """A loopback port that nothing listens on and that was not handed out lately."""
    for _ in range(1000):
        port = random.randint(_FIRST, _LAST)
        if port not in _lately and is_free(port):
            _lately.append(port)
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST}")


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_map(pod: Object) -> dict[int, int]:
    text = (pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION)
    return {int(key): value for key, value in json.loads(text).items()} if text else {}


def container_port(pod: Object, port: int | str) -> int | None:
    """The number of a container port given by number or name; None when the pod declares no such port."""
    for container in pod["spec"].get("containers") or ():
        for declared in container.get("ports") or ():
            if port in (declared.get("name"), declared["containerPort"], str(declared["containerPort"])):
                return declared["containerPort"]
    return None


def host_port(pod: Object, port: int | str) -> int | None:
    """Where on 127.0.0.1 the pod serves a container port given by number or name."""
    number = container_port(pod, port)
    return port_map(pod).get(number) if number is not None else None
