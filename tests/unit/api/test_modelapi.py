"""The models of ModelAPI accept and refuse what the table says, in the words that it says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kaos.api.modelapi import ModelAPI
from tests.mcpserver_cases import Case
from tests.modelapi_cases import CASES


def titled(case: Case) -> str:
    return case.title


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is None], ids=titled)
def test_accepted(case: Case) -> None:
    ModelAPI.model_validate(case.manifest())


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is not None], ids=titled)
def test_refused_in_words_that_help(case: Case) -> None:
    with pytest.raises(ValidationError) as refused:
        ModelAPI.model_validate(case.manifest())
    assert case.refused in str(refused.value)


def test_titles_are_unique() -> None:
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles) >= 40
