"""The CRDs on an API server: they install, and accept and refuse what the models do, in the same words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kaos.api import crds
from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS
from kaos.cluster import ApiError, Client, resolve, wait
from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS
from tests import agent_cases, mcpserver_cases, modelapi_cases
from tests.live import LiveCluster
from tests.mcpserver_cases import Case

CASES = [*mcpserver_cases.CASES, *modelapi_cases.CASES, *agent_cases.CASES]
RESOURCES = {resource.kind: resource for resource in (MCPSERVERS, MODELAPIS, AGENTS)}


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of an API server that serves the CRDs; no operator is needed, since nothing is stored."""
    if request.config.getoption("--place") == "cluster":
        yield _with_crds(Path(os.environ["KUBECONFIG"]))
    else:
        with LiveCluster(tmp_path_factory.mktemp("crd")) as cluster:
            yield _with_crds(cluster.kubeconfig)


def _with_crds(kubeconfig: Path) -> Client:
    client = Client(resolve(kubeconfig=str(kubeconfig), namespace="default"))
    for model in crds.KINDS:
        applied = client.apply(CUSTOMRESOURCEDEFINITIONS, crds.crd(model))
        wait.until(client, CUSTOMRESOURCEDEFINITIONS, applied["metadata"]["name"], condition=_established, timeout_s=20)
    return client


def _established(crd: dict | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    states = {condition["type"]: condition["status"] for condition in conditions}
    return states.get("Established") == "True" and states.get("NonStructuralSchema", "False") == "False"


def titled(case: Case) -> str:
    return f"{case.kind}: {case.title}"


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is None], ids=titled)
def test_accepted(client: Client, case: Case) -> None:
    made = client.create(RESOURCES[case.kind], case.manifest(), "default", dry_run=True)
    assert made["metadata"]["name"] == case.metadata["name"]


@pytest.mark.parametrize("case", [case for case in CASES if case.refused is not None], ids=titled)
def test_refused_in_words_that_help(client: Client, case: Case) -> None:
    with pytest.raises(ApiError) as refused:
        client.create(RESOURCES[case.kind], case.manifest(), "default", dry_run=True)
    assert refused.value.code in (400, 422)
    assert case.refused in refused.value.message


def test_defaults_are_filled_in_by_the_server(client: Client) -> None:
    made = client.create(MCPSERVERS, Case("", {"runtime": "rawpython", "telemetry": {}}).manifest(), dry_run=True,
                         namespace="default")  # fmt: skip
    assert made["spec"] == {
        "runtime": "rawpython", "replicas": 1, "suspend": False, "telemetry": {"enabled": False},
    }  # fmt: skip


def test_the_free_parts_are_kept_as_they_are(client: Client) -> None:
    pod_spec = {"tolerations": [{"operator": "Exists"}], "something": {"new": [1, {"a": None}]}}
    made = client.create(
        MCPSERVERS, Case("", {"runtime": "rawpython", "podSpec": pod_spec}).manifest(), "default", dry_run=True
    )
    assert made["spec"]["podSpec"] == pod_spec


def test_short_names_category_and_columns(client: Client) -> None:
    served = client.request("GET", "/apis/kaos.tools/v1alpha1").read()
    entry = next(one for one in yaml.safe_load(served)["resources"] if one["name"] == "mcpservers")
    assert (entry["shortNames"], entry["categories"]) == (["mcp", "mcps"], ["kaos"])
    table = client.table(MCPSERVERS, "default")
    columns = [(column["name"], column["priority"]) for column in table["columnDefinitions"]]
    assert [name for name, priority in columns if priority == 0] == [
        "Name", "Runtime", "Transport", "Tools", "Ready", "Reason", "Age",
    ]  # fmt: skip
    assert [name for name, priority in columns if priority == 1] == ["Endpoint", "Message"]
