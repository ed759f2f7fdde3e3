"""`python -m kaos.dataplane.bridge -- COMMAND...` serves a stdio server, `--upstream URL` relays one of HTTP."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from dataclasses import replace

from kaos.dataplane.bridge.addresses import forbidden
from kaos.dataplane.bridge.settings import Settings
from kaos.dataplane.serving import EX_CONFIG, refuse


def main() -> None:
    settings = _at_its_socket(Settings.read(None, os.environ))
    if settings.command and shutil.which(settings.command[0]) is None:
        refuse(f"there is no program {settings.command[0]}")
    if settings.upstream and (why := forbidden(settings.upstream)):
        refuse(why)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    for library in ("asyncio", "aiohttp.server"):
        logging.getLogger(library).setLevel(logging.WARNING)
    from kaos.dataplane.bridge.serving import GivenUp, run

    behind = settings.command[0] if settings.command else settings.socket or settings.upstream.partition("?")[0]
    try:
        run(settings, lambda url: print(f"bridge to {behind} at {url}", flush=True))
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {settings.host}, port {settings.port}: {error}", file=sys.stderr)
        sys.exit(1)
    except GivenUp as given_up:
        # What a server says of its configuration stays a fault of the configuration.
        refuse(given_up, EX_CONFIG if given_up.code == EX_CONFIG else 1)


def _at_its_socket(settings: Settings) -> Settings:
    """A socket's path may be longer than its address can be: it is named from its directory."""
    if settings.socket:
        directory, name = os.path.split(settings.socket)
        os.chdir(directory or ".")
        settings = replace(settings, socket=name)
    return settings


if __name__ == "__main__":
    main()
