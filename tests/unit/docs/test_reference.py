"""docs/reference says what the program says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def written() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools/reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("page", ["mcpserver.md", "modelapi.md", "agent.md", "reasons.md", "commands.md"])
def test_the_page_is_what_make_reference_writes(page):
    assert (ROOT / "docs/reference" / page).read_text() == written()[page]
