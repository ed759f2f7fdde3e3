"""`python -m kaos.dataplane.model mock|relay [--config FILE] [--port N]`."""

from __future__ import annotations

import argparse
import os
import sys

import uvicorn

from kaos.dataplane.model.settings import Mock

EX_CONFIG = 78
DRAIN_S = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kaos.dataplane.model")
    parser.add_argument("what", choices=["mock", "relay"])
    parser.add_argument("--config", help="relay: a file with LiteLLM's model_list")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
    options = parser.parse_args()
    try:
        app = _app(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(EX_CONFIG)
    print(f"{options.what} model on port {options.port}", flush=True)
    host = os.environ.get("HOST", "0.0.0.0")
    uvicorn.run(app, host=host, port=options.port, log_level="warning", timeout_graceful_shutdown=DRAIN_S)


def _app(options: argparse.Namespace):
    if options.what == "mock":
        from kaos.dataplane.model.mock_app import app

        return app(Mock.read(os.environ))
    from kaos.dataplane.model.relay import app, read

    if not options.config:
        raise ValueError("relay needs --config FILE")
    return app(read(options.config, os.environ))


if __name__ == "__main__":
    main()
