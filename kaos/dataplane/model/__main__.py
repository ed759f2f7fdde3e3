"""`python -m kaos.dataplane.model mock|relay|proxy|check [--config FILE] [--port N]`.

`proxy` is the relay where that will do, else LiteLLM. `check` only looks whether the file serves the models named.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from kaos.dataplane.serving import refuse
from kaos.dataplane.telemetry import SERVED, telemetry_of

if TYPE_CHECKING:
    from aiohttp import web


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kaos.dataplane.model")
    parser.add_argument("what", choices=["mock", "relay", "proxy", "check"])
    parser.add_argument("--config", help="all but mock: a file with LiteLLM's model_list")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    parser.add_argument("--name", help="check: what the file is called when its faults are told")
    parser.add_argument("--model", action="append", default=[], help="check: a model that the file must serve")
    options = parser.parse_args()
    if options.what == "check":
        from kaos.dataplane.model.check import check

        return check(options.config, options.name, options.model)
    host = os.environ.get("HOST", "0.0.0.0")
    try:
        app = _app(options, host)
    except ValueError as error:
        refuse(error)
    from kaos.dataplane.model.server import serve

    print(f"{options.what} model on port {options.port}", flush=True)
    serve(app, host, options.port)


def _app(options: argparse.Namespace, host: str) -> web.Application:
    if options.what == "mock":
        from kaos.dataplane.model.mock_app import app
        from kaos.dataplane.model.settings import Mock

        return app(Mock.read(os.environ), host, telemetry_of(os.environ, "mock", SERVED))
    from kaos.dataplane.model import relay, routing

    if not options.config:
        raise ValueError(f"{options.what} needs --config FILE")
    document = routing.load(options.config)
    if options.what == "proxy" and (foreign := routing.unsupported(document)):
        from kaos.dataplane.model.litellm import become

        print(f"{foreign[0]}; so this is LiteLLM", flush=True)
        become(options.config, options.port)
    routes = routing.Routes(document, os.environ)
    return relay.app(routes, host, telemetry_of(os.environ, "relay", SERVED))


if __name__ == "__main__":
    main()
