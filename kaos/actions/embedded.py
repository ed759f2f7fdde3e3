"""An operator beside a program: it lives as long as its standard input stays open, so it cannot outlive who started it.

python -m kaos.actions.embedded CONTEXT [KUBECONFIG]
"""

from __future__ import annotations

import logging
import sys
import threading

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def main(context: str, kubeconfig: str | None = None) -> None:
    """Run until the input ends; `ready` is printed once, when it works or stands by."""
    from kaos.cluster import resolve
    from kaos.operator.run import run

    logging.basicConfig(level="INFO", format=LOG_FORMAT)
    stop, ready = threading.Event(), threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        stop.set()

    def tell() -> None:
        ready.wait()
        print("ready", flush=True)

    for job in (wait_for_the_end, tell):
        threading.Thread(target=job, daemon=True).start()
    run(resolve(context or None, kubeconfig), stop=stop, ready=ready)


if __name__ == "__main__":
    main(*sys.argv[1:])
