"""Where a kind lives on an API server."""

from __future__ import annotations

import pytest

from kaos.kube import resources
from kaos.kube.resources import DEPLOYMENTS, NAMESPACES, PODS, Resource

ALL = [value for value in vars(resources).values() if isinstance(value, Resource)]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (PODS.path(), "/api/v1/pods"),
        (PODS.path("x"), "/api/v1/namespaces/x/pods"),
        (PODS.path("x", "a"), "/api/v1/namespaces/x/pods/a"),
        (PODS.path("x", "a", "log"), "/api/v1/namespaces/x/pods/a/log"),
        (DEPLOYMENTS.path("x", "a"), "/apis/apps/v1/namespaces/x/deployments/a"),
        (NAMESPACES.path("ignored", "a"), "/api/v1/namespaces/a"),
    ],
)
def test_paths(path: str, wanted: str) -> None:
    assert path == wanted


def test_api_versions_are_written_as_manifests_have_them() -> None:
    assert (PODS.api_version, DEPLOYMENTS.api_version) == ("v1", "apps/v1")


@pytest.mark.parametrize("resource", ALL, ids=lambda resource: resource.plural)
def test_every_resource_is_named_as_kubernetes_names_it(resource: Resource) -> None:
    assert resource.plural == resource.plural.lower()
    assert resource.plural.startswith(resource.kind.lower()[:-1])
    assert [other for other in ALL if (other.group, other.plural) == (resource.group, resource.plural)] == [resource]
