"""Manifests: read from files, directories and standard input; a bad one names its place and what is wrong."""

from __future__ import annotations

import pytest

from kaos.actions import manifests
from kaos.errors import UsageError

SERVER = "apiVersion: kaos.tools/v1alpha1\nkind: MCPServer\nmetadata: {name: %s}\nspec: {runtime: rawpython}\n"
CONFIGMAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\n"


def names(found):
    return [manifest.name for manifest in found]


def test_a_directory_is_read_in_the_order_of_its_names(tmp_path):
    (tmp_path / "b.yaml").write_text(SERVER % "second")
    (tmp_path / "a.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first"}}')
    (tmp_path / "notes.txt").write_text("not a manifest")
    (tmp_path / "sub").mkdir()
    assert names(manifests.read([str(tmp_path)])) == ["first", "second"]


def test_several_documents_and_lists_become_single_objects():
    items = "items:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n"
    text = f"{SERVER % 'one'}---\n# nothing\n---\napiVersion: v1\nkind: List\n{items}"
    assert names(manifests.parse(text, "x.yaml")) == ["one", "two"]


def test_what_others_need_comes_first():
    kinds = [
        ("kaos.tools/v1alpha1", "Agent"),
        ("kaos.tools/v1alpha1", "MCPServer"),
        ("example.org/v1", "Other"),
        ("kaos.tools/v1alpha1", "ModelAPI"),
        ("v1", "Secret"),
        ("v1", "Namespace"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ]
    text = "---\n".join(f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: x}}\n" for group, kind in kinds)
    order = [manifest.kind for manifest in manifests.ordered(manifests.parse(text, "x"))]
    assert order == ["Namespace", "CustomResourceDefinition", "Secret", "Other", "ModelAPI", "MCPServer", "Agent"]


def test_what_a_server_wrote_is_left_out_and_dates_stay_text():
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: saved\n  uid: 1-2\n  resourceVersion: '7'\n"
        "  creationTimestamp: 2026-11-24T08:00:00Z\n  annotations: {day: 2026-11-24}\nstatus: {phase: old}\n"
    )
    (found,) = manifests.parse(text, "x")
    assert found.object["metadata"] == {"name": "saved", "annotations": {"day": "2026-11-24"}}
    assert "status" not in found.object


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [b", "x.yaml, line 1: not YAML"),
        ("a: b\nc: 'open", "x.yaml, line 2: not YAML"),
        ("just text", "a manifest is a mapping"),
        ("kind: ConfigMap\nmetadata: {name: x}", "ConfigMap lacks apiVersion"),
        ("apiVersion: v1\nmetadata: {name: x}", "lacks kind"),
        ("apiVersion: v1\nkind: ConfigMap", "ConfigMap lacks metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}", "lacks metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 5}", "metadata.name must be text, not 5"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: 5}", "metadata.namespace must be text"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: .nan}", "what JSON cannot say"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: !!binary aGk=}", "what JSON cannot say"),
        ("a: " + "[" * 100_000, "nested more than"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n" + "c: [" + "*b, " * 200_000 + "]", "aliases unfolded"),
    ],
)
def test_a_bad_manifest_names_its_place_and_what_is_wrong(text, told):
    with pytest.raises(UsageError) as refused:
        manifests.parse(text, "x.yaml")
    assert refused.value.cause.startswith("x.yaml")
    assert told in refused.value.cause


@pytest.mark.parametrize(
    ("kind", "spec", "replacement"),
    [
        ("MCPServer", "{type: python}", "spec.runtime"),
        ("MCPServer", "{config: {tools: {fromString: x}}}", "spec.params"),
        ("MCPServer", "{config: {tools: {fromPackage: x}}}", "spec.package"),
        ("MCPServer", "{config: {env: []}}", "spec.container.env"),
        ("MCPServer", "{config: {}}", "spec.runtime"),
        ("Agent", "{config: {env: []}}", "spec.container.env"),
        ("ModelAPI", "{proxyConfig: {env: []}}", "spec.container.env"),
    ],
)
def test_a_field_of_the_old_contract_names_its_replacement(kind, spec, replacement):
    text = f"apiVersion: kaos.tools/v1alpha1\nkind: {kind}\nmetadata: {{name: old}}\nspec: {spec}\n"
    with pytest.raises(UsageError) as refused:
        manifests.parse(text, "x.yaml")
    assert replacement in refused.value.cure


def test_the_config_of_an_agent_is_no_old_field():
    text = "apiVersion: kaos.tools/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec: {config: {instructions: x}}\n"
    assert names(manifests.parse(text, "x")) == ["a"]


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.yaml").write_text("# only a comment\n")
    for path, told in [
        ("missing.yaml", "No such file"),
        ("latin.yaml", "not UTF-8"),
        ("empty", "holds no .yaml"),
        ("nothing.yaml", "no manifest"),
    ]:
        with pytest.raises(UsageError, match=told):
            manifests.read([str(tmp_path / path)])


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "notepad.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + CONFIGMAP.encode())
    assert names(manifests.read([str(path)])) == ["words"]


@pytest.mark.parametrize(
    ("own", "asked", "place"), [(None, None, "home"), ("a", None, "a"), (None, "b", "b"), ("a", "a", "a")]
)
def test_the_namespace_is_the_objects_own_or_the_one_asked_for(own, asked, place):
    assert manifests.place_of(own, asked, "home") == place


def test_two_namespaces_that_differ_are_refused():
    with pytest.raises(UsageError, match="says namespace a, the command says b"):
        manifests.place_of("a", "b", "home")
