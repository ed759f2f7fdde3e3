"""The CRDs are generated: what is committed is what the models say, and it is what Kubernetes calls structural."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kaos.api import crds
from kaos.api.mcpserver import MCPServer

COMMITTED = Path(__file__).resolve().parents[3] / "chart/crds"
NODE_FIELDS = {
    "type", "format", "description", "default", "properties", "items", "required", "enum", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "pattern", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}  # fmt: skip


def test_what_is_committed_is_what_make_crds_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["crds", str(tmp_path / "new")])
    crds.main()
    written = {path.name: path.read_text() for path in (tmp_path / "new").iterdir()}
    assert written == {path.name: path.read_text() for path in COMMITTED.iterdir()}, "run: make crds"


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in (schema.get("properties") or {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


@pytest.mark.parametrize("model", crds.KINDS, ids=lambda model: model.__name__)
def test_every_schema_is_structural(model: Any) -> None:
    schema = crds.crd(model)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, node in nodes(schema):
        assert set(node) <= NODE_FIELDS, path
        assert "type" in node, path
        if node["type"] == "object":
            free = node.get("x-kubernetes-preserve-unknown-fields")
            assert free or "properties" in node or path == ".metadata", f"{path} would lose all that is in it"


@pytest.mark.parametrize("model", crds.KINDS, ids=lambda model: model.__name__)
def test_all_that_a_person_may_write_is_bounded_and_explained(model: Any) -> None:
    spec = crds.crd(model)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for path, node in nodes(spec, "spec"):
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path
    for name, node in spec["properties"].items():
        assert node.get("description"), f"kubectl explain says nothing about spec.{name}"


@pytest.mark.parametrize("model", crds.KINDS, ids=lambda model: model.__name__)
def test_every_rule_has_words_for_people(model: Any) -> None:
    schema = crds.crd(model)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rules = [rule for _, node in nodes(schema) for rule in node.get("x-kubernetes-validations", ())]
    assert rules
    for rule in rules:
        assert set(rule) == {"rule", "message"}
        assert 10 < len(rule["message"]) < 150
        assert "\n" not in rule["message"]


def test_mcpserver_has_the_contract_s_names_columns_and_subresources() -> None:
    spec = crds.crd(MCPServer)["spec"]
    assert spec["names"] == {
        "kind": "MCPServer", "listKind": "MCPServerList", "plural": "mcpservers", "singular": "mcpserver",
        "shortNames": ["mcp", "mcps"], "categories": ["kaos"],
    }  # fmt: skip
    (version,) = spec["versions"]
    assert (spec["group"], spec["scope"], version["name"]) == ("kaos.tools", "Namespaced", "v1alpha1")
    shown = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == ["Runtime", "Transport", "Tools", "Ready", "Reason", "Age"]
    assert version["subresources"]["status"] == {}
    assert version["subresources"]["scale"]["specReplicasPath"] == ".spec.replicas"


def test_mcpserver_has_the_contract_s_fields() -> None:
    properties = crds.crd(MCPServer)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    spec, status = properties["spec"]["properties"], properties["status"]["properties"]
    assert set(spec) == {
        "container", "podSpec", "telemetry", "gatewayRoute", "replicas", "suspend", "serviceAccountName",
        "runtime", "package", "params", "transport", "port", "path", "tools", "remote",
    }  # fmt: skip
    assert set(spec["container"]["properties"]) == {
        "image", "command", "args", "env", "envFrom", "resources", "securityContext", "volumeMounts", "workingDir",
    }  # fmt: skip
    assert set(status) == {
        "observedGeneration", "conditions", "phase", "ready", "reason", "message", "endpoint", "path", "transport",
        "replicas", "readyReplicas", "selector", "serverInfo", "protocolVersion", "tools", "toolCount",
    }  # fmt: skip
    assert spec["params"]["maxLength"] == 98_304
    assert status["tools"]["maxItems"] == 256
    assert status["tools"]["items"]["properties"]["description"]["maxLength"] == 200
    assert status["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


def test_the_generated_file_has_no_aliases_and_loads_back() -> None:
    (text,) = [text for name, text in crds.files().items() if "mcpservers" in name]
    assert "&id" not in text
    assert yaml.safe_load(text) == crds.crd(MCPServer)
