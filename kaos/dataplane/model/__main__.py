"""`python -m kaos.dataplane.model mock|relay [--config FILE] [--port N]`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from kaos.dataplane.model.settings import Mock
from kaos.dataplane.serving import refuse, serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kaos.dataplane.model")
    parser.add_argument("what", choices=["mock", "relay"])
    parser.add_argument("--config", help="relay: a file with LiteLLM's model_list")
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
    from kaos.dataplane.model.relay import app, read

    if not options.config:
        raise ValueError("relay needs --config FILE")
    return app(read(options.config, os.environ))


if __name__ == "__main__":
    main()
