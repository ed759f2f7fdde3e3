"""Manifests in the pages about filters and remote servers are good; clients get the entries that their page shows."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from kaos.actions import connecting
from kaos.api.mcpserver import MCPServer

DOCS = Path(__file__).resolve().parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.M | re.S)


@pytest.mark.parametrize("page", ["operator/mcpserver/tools.md", "operator/mcpserver/remote.md"])
def test_every_server_of_the_page_is_accepted(page):
    found = [obj for text in blocks(page, "yaml") for obj in yaml.safe_load_all(text)]
    servers = [MCPServer.model_validate(obj) for obj in found if obj["kind"] == "MCPServer"]
    assert servers
    for one in servers:
        assert one.spec.tools


def test_the_entries_of_the_page_are_those_that_are_written(monkeypatch):
    monkeypatch.setattr(connecting, "_kaos", lambda: "/home/me/.local/bin/kaos")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KAOS_LOCAL_DIR", raising=False)
    server, known = connecting.Server("calculator", "default", "kaos-local"), connecting.clients()
    assert json.loads(blocks("connect.md", "json")[0]) == json.loads(connecting.printed(known["claude"], server))
    assert tomllib.loads(blocks("connect.md", "toml")[0]) == tomllib.loads(connecting.printed(known["codex"], server))
