"""The models of MCPServer accept and refuse what the table says, in the words that it says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kaos.api.mcpserver import MCPServer
from tests.mcpserver_cases import CASES, Case


def titled(case: Case) -> str:
    return case.title


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is None], ids=titled)
def test_accepted(case: Case) -> None:
    MCPServer.model_validate(case.manifest())


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is not None], ids=titled)
def test_refused_in_words_that_help(case: Case) -> None:
    with pytest.raises(ValidationError) as refused:
        MCPServer.model_validate(case.manifest())
    assert case.refused in str(refused.value)


def test_titles_are_unique() -> None:
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles) >= 40


def test_absent_fields_have_the_contract_s_defaults() -> None:
    server = MCPServer.model_validate(Case("", {"runtime": "rawpython", "telemetry": {}}).manifest())
    assert (server.spec.replicas, server.spec.suspend, server.spec.telemetry.enabled) == (1, False, False)
    assert server.spec.transport is server.spec.port is server.spec.path is None, "these are the runtime's to say"


def test_all_broken_rules_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        MCPServer.model_validate(Case("", {"runtime": "custom", "transport": "stdio", "package": "npm:a@1"}).manifest())
    for words in ("needs container.image", "needs container.command", "go together"):
        assert words in str(refused.value)
