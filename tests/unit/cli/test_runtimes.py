"""`kaos system runtimes NAME`: all about one, and a manifest that works."""

from __future__ import annotations

import json

import yaml


def test_one_runtime_is_told_with_a_manifest_to_begin_with(kaos):
    shown = kaos("system", "runtimes", "rawpython").ok().stdout
    told, _, example = shown.partition("\nTo begin with:\n\n")
    facts = dict(line.split(":", 1) for line in told.splitlines())
    assert facts["Locally"].strip() == "python -m kaos_rawpython"
    assert facts["Speaks"].strip() == "HTTP at :8000/mcp"
    assert yaml.safe_load(example)["spec"]["runtime"] == "rawpython"


def test_the_example_can_be_applied_as_it_is_printed(kaos, room):
    facts = json.loads(kaos("system", "runtimes", "rawpython", "-o", "json").ok().stdout)
    applied = kaos("apply", "-f", "-", "-n", room, stdin=json.dumps(facts["example"])).ok()
    assert f"✓ MCPServer {room}/my-rawpython created" in applied.stderr
    assert facts["paramsEnvVar"] == "MCP_TOOLS_STRING"


def test_an_alias_leads_to_the_runtime(kaos):
    assert kaos("system", "runtimes", "python-string", "-o", "name").ok().stdout == "rawpython\n"
