"""The cache: the newest of everything, whatever order the news comes in."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.api.names import labels
from kaos.kube.resources import CONFIGMAPS, DEPLOYMENTS, PODS, SECRETS
from kaos.operator.cache import Cache

Object = dict[str, Any]


def thing(name: str = "a", version: int = 5, uid: str = "u1", namespace: str = "ns", **meta: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": str(version), **meta},
        "data": {"version": str(version)},
    }


@pytest.fixture
def cache() -> Cache:
    return Cache()


def version_of(cache: Cache, name: str = "a") -> int | None:
    found = cache.get(CONFIGMAPS, "ns", name)
    return int(found["metadata"]["resourceVersion"]) if found else None


def test_the_newer_version_stays_in_whatever_order_they_come(cache: Cache) -> None:
    assert cache.put(CONFIGMAPS, thing(version=9))
    assert not cache.put(CONFIGMAPS, thing(version=5))
    assert not cache.put(CONFIGMAPS, thing(version=9)), "the same again is no news"
    assert version_of(cache) == 9
    assert cache.put(CONFIGMAPS, thing(version=10))
    assert version_of(cache) == 10, "versions are numbers, not texts"


def test_another_object_of_the_same_name_takes_the_place(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing(version=5, uid="old"))
    assert cache.put(CONFIGMAPS, thing(version=8, uid="new"))
    assert not cache.remove(CONFIGMAPS, thing(version=7, uid="old")), "late news of the former one's end"
    assert version_of(cache) == 8


def test_a_deleted_object_does_not_come_back_by_a_late_answer(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing(version=5))
    assert cache.remove(CONFIGMAPS, thing(version=7))
    assert not cache.put(CONFIGMAPS, thing(version=6))
    assert version_of(cache) is None


def test_an_object_that_only_lost_its_label_can_be_found_again(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing(version=5))
    cache.remove(CONFIGMAPS, thing(version=7))  # what a watch with a label selector says of it
    assert cache.put(CONFIGMAPS, thing(version=7))
    assert version_of(cache) == 7


def test_old_news_of_a_deletion_is_no_deletion(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing(version=5))
    cache.remove(CONFIGMAPS, thing(version=7))
    cache.put(CONFIGMAPS, thing(version=8))
    assert not cache.remove(CONFIGMAPS, thing(version=7))
    assert version_of(cache) == 8


def test_a_list_tells_what_has_changed_and_what_has_gone(cache: Cache) -> None:
    for name in ("same", "changed", "gone"):
        cache.put(CONFIGMAPS, thing(name, version=5, uid=name))
    told = cache.replace(
        CONFIGMAPS, [thing("same", 5, "same"), thing("changed", 6, "changed"), thing("new", 7, "new")], "8"
    )
    assert sorted(obj["metadata"]["name"] for obj in told) == ["changed", "gone", "new"]
    assert sorted(obj["metadata"]["name"] for obj in cache.all(CONFIGMAPS)) == ["changed", "new", "same"]


def test_a_list_says_nothing_of_what_was_made_after_it(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing("late", version=9))
    assert cache.replace(CONFIGMAPS, [], "8") == []
    assert version_of(cache, "late") == 9


def test_an_older_list_changes_nothing(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing("a", version=9, uid="a"))
    assert cache.replace(CONFIGMAPS, [thing("a", version=5, uid="a")], "6") == []
    assert version_of(cache) == 9


def test_a_list_of_one_namespace_leaves_the_others(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing(version=5))
    cache.put(CONFIGMAPS, thing(version=5, uid="u2", namespace="other"))
    cache.replace(CONFIGMAPS, [], "8", namespace="other")
    assert [obj["metadata"]["namespace"] for obj in cache.all(CONFIGMAPS)] == ["ns"]


def test_objects_are_found_by_whom_they_belong_to_as_their_labels_are_now(cache: Cache) -> None:
    def names(kind: str, name: str) -> list[str]:
        return [obj["metadata"]["name"] for obj in cache.of(PODS, "ns", kind, name)]

    cache.put(PODS, thing("pod", 5, labels=labels("MCPServer", "one")))
    assert names("MCPServer", "one") == ["pod"]
    assert names("MCPServer", "two") == names("Agent", "one") == []
    cache.put(PODS, thing("pod", 6, labels=labels("MCPServer", "two")))
    assert names("MCPServer", "one") == []
    assert names("MCPServer", "two") == ["pod"]
    cache.put(PODS, thing("pod", 7, labels=None))
    assert names("MCPServer", "two") == []
    assert [obj["metadata"]["name"] for obj in cache.all(PODS, "ns")] == ["pod"]
    cache.remove(PODS, thing("pod", 8))
    assert cache.all(PODS, "ns") == cache.all(PODS) == []


def test_kinds_are_kept_apart(cache: Cache) -> None:
    cache.put(CONFIGMAPS, thing())
    assert cache.get(DEPLOYMENTS, "ns", "a") is None


def test_of_a_secret_only_the_names_of_its_keys_are_kept(cache: Cache) -> None:
    applied = '{"data": {"password": "aHVudGVyMg=="}}'
    secret = thing(annotations={"kubectl.kubernetes.io/last-applied-configuration": applied})
    secret["data"] = {"password": "aHVudGVyMg=="}
    cache.put(SECRETS, secret)
    assert cache.get(SECRETS, "ns", "a")["data"] == {"password": ""}
    assert "aHVudGVyMg" not in repr(cache.all(SECRETS))
    assert secret["data"]["password"] == "aHVudGVyMg==", "the caller's object is left alone"
