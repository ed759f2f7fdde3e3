"""The models of Agent accept and refuse what the table says, in the words that it says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kaos.api.agent import Agent
from tests.agent_cases import CASES
from tests.mcpserver_cases import Case


def titled(case: Case) -> str:
    return case.title


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is None], ids=titled)
def test_accepted(case: Case) -> None:
    Agent.model_validate(case.manifest())


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is not None], ids=titled)
def test_refused_in_words_that_help(case: Case) -> None:
    with pytest.raises(ValidationError) as refused:
        Agent.model_validate(case.manifest())
    assert case.refused in str(refused.value)


def test_titles_are_unique() -> None:
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles) >= 40
