"""Strategic merge patches on an API server come out as the arithmetic says that they do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from kaos.cluster import Client, requests, resolve
from kaos.kube.resources import DEPLOYMENTS, NAMESPACES
from tests.live import LiveCluster
from tests.merge_cases import CASES, Case, contains

NAMESPACE = f"merging-{os.getpid()}"


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    if request.config.getoption("--place") == "cluster":
        client = Client(resolve(kubeconfig=os.environ["KUBECONFIG"]))
        client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        yield client
        client.delete(NAMESPACES, NAMESPACE)
    else:
        with LiveCluster(tmp_path_factory.mktemp("merging")) as cluster:
            client = Client(resolve(kubeconfig=str(cluster.kubeconfig)))
            client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
            yield client


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_comes_out_as_the_table_says(client: Client, case: Case) -> None:
    labels = {"app": "merging"}
    name = f"case-{CASES.index(case)}"
    client.create(
        DEPLOYMENTS,
        {
            "metadata": {"name": name},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": case.base},
            },
        },
        NAMESPACE,
    )
    path = requests.with_query(DEPLOYMENTS.path(NAMESPACE, name), dryRun="All")
    patch = requests.encode({"spec": {"template": {"spec": case.patch}}})
    answer = client.request("PATCH", path, patch, {"Content-Type": requests.STRATEGIC})
    found = json.loads(answer.read())["spec"]["template"]["spec"]
    assert contains(found, case.wanted), found
