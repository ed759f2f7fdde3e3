"""Ends the Docker containers of one local cluster when its daemon is gone, killed or not.

Run as `python -P docker_guard.py LABEL`, LABEL being `key=value`, with the daemon at the other end of stdin.
"""

import contextlib
import sys


def main(label: str) -> None:
    sys.stdin.buffer.read()  # until the daemon is gone
    import docker

    client = docker.from_env(timeout=30)
    for container in client.containers.list(all=True, filters={"label": label}):
        with contextlib.suppress(docker.errors.APIError):
            container.remove(force=True)


if __name__ == "__main__":
    main(sys.argv[1])
