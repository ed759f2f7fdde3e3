"""`python -m kaos.dataplane.model mock|relay|proxy [--config FILE] [--port N]`.

`proxy` is the relay where that will do, else LiteLLM.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from kaos.dataplane.model.settings import Mock
from kaos.dataplane.serving import refuse, serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kaos.dataplane.model")
    parser.add_argument("what", choices=["mock", "relay", "proxy"])
    parser.add_argument("--config", help="relay, proxy: a file with LiteLLM's model_list")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    options = parser.parse_args()
    try:
        app = _app(options)
    except ValueError as error:
        refuse(error)
    print(f"{options.what} model on port {options.port}", flush=True)
    serve(app, options.port)


def _app(options: argparse.Namespace) -> Any:
    if options.what == "mock":
        from kaos.dataplane.model.mock_app import app

        return app(Mock.read(os.environ))
    from kaos.dataplane.model.relay import Unsupported, app, read

    if not options.config:
        raise ValueError(f"{options.what} needs --config FILE")
    try:
        return app(read(options.config, os.environ))
    except Unsupported as foreign:
        if options.what == "relay":
            raise
        from kaos.dataplane.model.litellm import become

        print(f"{foreign}; so this is LiteLLM", flush=True)
        become(options.config, options.port)


if __name__ == "__main__":
    main()
