"""Label and field selectors, as text and as objects: who is selected, and what is refused."""

from __future__ import annotations

import pytest

from kaos.kube.selectors import from_object, parse_fields, parse_labels, text_of

LABELS = {"app": "web", "tier": "front", "kaos.tools/kind": "MCPServer", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web", True),
        ("app=api", False),
        ("app!=api", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("missing=", False),
        ("empty=", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("! app", False),
        ("app in (web,api)", True),
        ("app in ( web , api )", True),
        ("app in (api)", False),
        ("app notin (api)", True),
        ("app notin (web)", False),
        ("missing notin (web)", True),
        ("missing in ()", False),
        ("empty in ()", True),
        ("app=web,tier=front", True),
        ("app=web,tier=back", False),
        ("app in (web,api),tier notin (back),!missing,kaos.tools/kind=MCPServer", True),
        (" app=web , tier ", True),
    ],
)
def test_labels_by_text(text: str, matches: bool) -> None:
    assert parse_labels(text).matches(LABELS) == matches


@pytest.mark.parametrize(
    "text",
    [
        "=web",
        "app=web=x",
        "app=(web)",
        "app in web",
        "app in (web",
        "a b",
        "app~web",
        "app=w b",
        "-app",
        "app=-w",
        "a/b/c=d",
    ],
)
def test_label_selectors_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse requirement"):
        parse_labels(text)


def test_an_object_without_labels_matches_what_asks_for_none() -> None:
    assert parse_labels("").matches(None)
    assert parse_labels("!a,b!=c").matches(None)
    assert not parse_labels("a").matches({})


OBJECT = {"metadata": {"name": "a", "namespace": "x"}, "status": {"phase": "Running", "on": True, "count": 3}}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a", True),
        ("metadata.name=b", False),
        ("metadata.name!=b", True),
        ("metadata.name=a,status.phase=Running", True),
        ("metadata.name=a,status.phase!=Running", False),
        ("status.on=true", True),
        ("status.count=3", True),
        ("spec.nodeName=", True),
        ("spec.nodeName!=", False),
        ("metadata.name.x=", True),
    ],
)
def test_fields(text: str, matches: bool) -> None:
    assert parse_fields(text).matches(OBJECT) == matches


@pytest.mark.parametrize("text", ["metadata.name", "=a", "a b=c", "metadata.name~a"])
def test_field_selectors_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="invalid selector"):
        parse_fields(text)


@pytest.mark.parametrize(
    ("selector", "matches", "text"),
    [
        (None, True, ""),
        ({}, True, ""),
        ({"matchLabels": {"app": "web"}}, True, "app=web"),
        ({"matchLabels": {"tier": "front", "app": "api"}}, False, "app=api,tier=front"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}, True, "app in (api,web)"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False, "app notin (web)"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True, "app"),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False, "!app"),
        (
            {"matchLabels": {"tier": "front"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]},
            True,
            "app,tier=front",
        ),
    ],
)
def test_selectors_that_are_objects_and_their_text(selector, matches: bool, text: str) -> None:
    assert from_object(selector).matches(LABELS) == matches
    assert text_of(selector) == text
    assert parse_labels(text).matches(LABELS) == matches
