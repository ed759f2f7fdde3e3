"""The rawpython runtime: Python functions, given as text, served as MCP tools over streamable HTTP.

`program` reads the text, `calls` runs its functions away from the server, `tools` makes them MCP tools, `guard` and
`metrics` stand around them, `telemetry` tells a collector (by `otel`, when there is one), `server` puts these together,
and `python -m kaos_rawpython` serves.
"""

__version__ = "0.1.0"
