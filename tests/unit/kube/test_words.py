"""Quantities, names, selectors and YAML as an API server writes and words them."""

from __future__ import annotations

import pytest

from kaos.kube import gotext, manifests, names, quantities, selectors


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("0.5", "500m"), ("1", "1"), ("1000", "1k"), ("1000m", "1"), ("1500m", "1500m"), ("0.1", "100m"), (2, "2"),
        ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("0.5Ki", "512"), ("512", "512"), ("1e3", "1e3"), ("1M", "1M"),
        ("0", "0"), ("-5", "-5"), ("128Mi", "128Mi"), ("1e-3", "1e-3"), ("0.0000000001", "1n"),
    ],
)  # fmt: skip
def test_a_quantity_has_one_form(given, written):
    assert quantities.canonical(given) == written
    assert quantities.canonical(written) == written


def test_amounts_are_rounded_up():
    assert quantities.cpu_millis("0.0001") == 1
    assert quantities.cpu_millis("1500m") == 1500
    assert quantities.bytes_("1.5") == 2
    assert quantities.bytes_("64Mi") == 64 << 20


@pytest.mark.parametrize("text", ["", "much", "1 Gi", "Gi", "1..2", "1GiB"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        quantities.canonical(text)


@pytest.mark.parametrize(
    ("key", "problems"),
    [
        ("app", 0), ("example.com/app", 0), ("a_b.c-d", 0), ("a" * 63, 0),
        ("a" * 64, 1), ("-a", 1),
        ("Ex_ample/app", 1), ("/app", 1), ("example.com/", 2), ("a/b/c", 1), ("é", 1), ("", 2),
    ],
)  # fmt: skip
def test_keys_of_labels(key, problems):
    assert len(names.qualified_name_problems(key)) == problems


@pytest.mark.parametrize(
    ("value", "good"),
    [("", True), ("a", True), ("A.b_c-1", True), ("a" * 63, True), ("a" * 64, False),
        ("-a", False), ("a/b", False), ("a\n", False)],
)  # fmt: skip
def test_values_of_labels(value, good):
    assert (names.label_value_problem(value) == "") == good


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("a=1", {"a": "1"}, True),
        ("a==1,b!=2", {"a": "1"}, True),
        ("a in (1, 2),!c", {"a": "2"}, True),
        ("a notin (1)", {}, True),
        ("a", {"b": ""}, False),
        ("a=", {"a": ""}, True),
        ("in=x", {"in": "x"}, True),
        ("", {}, True),
        ("example.com/a=1", {"example.com/a": "1"}, True),
    ],
)
def test_label_selectors(text, labels, selected):
    assert selectors.parse_labels(text).matches(labels) == selected


@pytest.mark.parametrize("text", ["a in x", "a in (x", "a=b/c", "=x", "-a", "a in", "a b", "a=1=2", "a>1"])
def test_label_selectors_that_cannot_be_read(text):
    with pytest.raises(ValueError, match="unable to parse requirement"):
        selectors.parse_labels(text)


def test_a_selector_object_as_text():
    selector = {
        "matchLabels": {"b": "1"},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["y", "x"]},
            {"key": "c", "operator": "NotIn", "values": ["z"]},
            {"key": "d", "operator": "Exists"},
            {"key": "e", "operator": "DoesNotExist"},
        ],
    }
    assert selectors.text_of(selector) == "a in (x,y),b=1,c notin (z),d,!e"
    assert selectors.text_of(None) == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("2026-01-01", "2026-01-01"), ("12:30", "12:30"), ("1", 1),
        ("1.5", 1.5), ("yes", True), ("~", None), ("'1'", "1"), ("0o17", 15), ("v1", "v1"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_yaml_knows_what_json_knows(text, value):
    assert manifests.load(f"x: {text}") == {"x": value}


def test_values_as_go_prints_them():
    assert gotext.shown({"b": [1, True, None], "a": {"x": "y"}}) == "map[a:map[x:y] b:[1 true <nil>]]"
