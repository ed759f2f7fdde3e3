"""The `kaos mcp` command as a person uses it: what is typed, printed and returned."""

from __future__ import annotations

import json
import re
import signal

import pytest
import yaml

from kaos.kube.resources import DEPLOYMENTS, PODS
from tests.stories import CALCULATOR, mcpserver


@pytest.fixture
def calculator(kaos, namespace):
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("calculator")).ok()
    return "calculator"


def test_deploy_with_flags_says_what_it_did(kaos, namespace, tmp_path):
    params = tmp_path / "calculator.py"
    params.write_text("def double(n: int) -> int:\n    return 2 * n\n")
    deployed = kaos(
        "mcp",
        "deploy",
        "--name",
        "twice",
        "-n",
        namespace,
        "--runtime",
        "rawpython",
        "--params-file",
        str(params),
        "--wait",
    ).ok()
    told = deployed.stdout + deployed.stderr
    assert f"Deploying MCPServer {namespace}/twice..." in told
    assert "✓ MCPServer created" in told
    assert json.loads(kaos("mcp", "invoke", "twice", "-n", namespace, "double", "n=21").ok().stdout) == {"result": 42}


def test_dry_run_prints_the_manifest_and_writes_nothing(kaos, namespace):
    arguments = ["--name", "draft", "-n", namespace, "--runtime", "rawpython", "--params", "def f(): ...", "--dry-run"]
    manifest = yaml.safe_load(kaos("mcp", "deploy", *arguments).ok().stdout)
    assert manifest["kind"] == "MCPServer"
    assert manifest["metadata"] == {"name": "draft", "namespace": namespace}
    assert manifest["spec"]["runtime"] == "rawpython"
    assert kaos("mcp", "get", "draft", "-n", namespace).code == 3


def test_create_yaml_saves_a_manifest_that_deploys(kaos, namespace, tmp_path):
    target = tmp_path / "mcp.yaml"
    code = "def f() -> int:\n    return 1\n"
    arguments = ["--name", "saved", "-n", namespace, "--runtime", "rawpython", "--params", code]
    kaos("mcp", "deploy", *arguments, "--create-yaml", str(target), "--dry-run").ok()
    kaos("mcp", "deploy", "-f", str(target), "-n", namespace, "--wait").ok()


def test_list_shows_the_contracts_columns(kaos, calculator, namespace):
    header, row = kaos("mcp", "list", "-n", namespace).ok().stdout.splitlines()
    assert header.split() == ["NAME", "RUNTIME", "TRANSPORT", "TOOLS", "READY", "REASON", "AGE"]
    assert row.split()[:5] == ["calculator", "rawpython", "http", "2", "True"]


@pytest.mark.parametrize("output", ["json", "yaml", "name", "wide"])
def test_list_speaks_the_asked_format(kaos, calculator, namespace, output):
    listed = kaos("mcp", "list", "-n", namespace, "-o", output).ok().stdout
    match output:
        case "json":
            assert [item["metadata"]["name"] for item in json.loads(listed)["items"]] == ["calculator"]
        case "yaml":
            assert [item["metadata"]["name"] for item in yaml.safe_load(listed)["items"]] == ["calculator"]
        case "name":
            assert listed.strip().endswith("calculator")
        case "wide":
            assert "calculator" in listed


def test_an_empty_list_tells_what_to_do_next(kaos, namespace):
    empty = kaos("mcp", "list", "-n", namespace).ok()
    assert empty.stdout == ""
    assert "kaos mcp deploy" in empty.stderr


def test_get_prints_yaml_that_applies_again(kaos, calculator, namespace):
    text = kaos("mcp", "get", calculator, "-n", namespace).ok().stdout
    assert yaml.safe_load(text)["spec"]["runtime"] == "rawpython"
    kaos("apply", "-n", namespace, "-f", "-", stdin=text).ok()


def test_describe_tells_conditions_children_and_events_in_words(kaos, calculator, namespace):
    text = kaos("mcp", "describe", calculator, "-n", namespace).ok().stdout
    for word in ("calculator", "rawpython", "Ready", "add", "subtract", "mcpserver-calculator"):
        assert word in text


def test_logs_show_what_the_server_said(kaos, namespace):
    code = "def speak() -> str:\n    print('canary in the log')\n    return 'ok'\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("speaker", code)).ok()
    kaos("mcp", "invoke", "speaker", "-n", namespace, "speak").ok()
    assert "canary in the log" in kaos("mcp", "logs", "speaker", "-n", namespace).ok().stdout


def test_logs_follow_until_interrupted(place, kaos, namespace):
    code = "def speak(word: str) -> str:\n    print(word, flush=True)\n    return word\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("speaker", code)).ok()
    following = place.start("mcp", "logs", "speaker", "-n", namespace, "-f")
    try:
        kaos("mcp", "invoke", "speaker", "-n", namespace, "speak", "word=canary-7").ok()
        assert any("canary-7" in line for line in following.stdout)
    finally:
        following.send_signal(signal.SIGINT)
    _, stderr = following.communicate(timeout=10)
    assert following.returncode == 130
    assert "Traceback" not in stderr


def test_tools_lists_names_arguments_and_descriptions(kaos, calculator, namespace):
    text = kaos("mcp", "tools", calculator, "-n", namespace).ok().stdout
    assert re.search(r"add\b.*Add two numbers\.", text)
    tools = json.loads(kaos("mcp", "tools", calculator, "-n", namespace, "-o", "json").ok().stdout)
    assert tools[0]["inputSchema"]["properties"]["a"]["type"] == "integer"


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["--tool", "add", "--args", '{"a": 2, "b": 3}'], None),
        (["add", "a=2", "b=3"], None),
        (["add", "a:=2", "b:=3"], None),
        (["--tool", "add", "--args-file", "-"], '{"a": 2, "b": 3}'),
    ],
    ids=["JSON", "typed by the schema", "JSON values", "from stdin"],
)
def test_invoke_prints_the_structured_result(kaos, calculator, namespace, arguments, stdin):
    called = kaos("mcp", "invoke", calculator, "-n", namespace, *arguments, stdin=stdin).ok()
    assert called.stdout == '{"result": 5}\n'


def test_invoke_prints_text_or_the_whole_answer_when_asked(kaos, calculator, namespace):
    call = ["mcp", "invoke", calculator, "-n", namespace, "add", "a=2", "b=3", "-o"]
    assert kaos(*call, "text").ok().stdout == "5\n"
    answer = json.loads(kaos(*call, "json").ok().stdout)
    assert answer["structuredContent"] == {"result": 5}
    assert answer["isError"] is False


def test_delete_says_what_it_deleted(kaos, calculator, namespace):
    deleted = kaos("mcp", "delete", calculator, "-n", namespace, "--yes").ok()
    assert "calculator" in deleted.stdout + deleted.stderr
    assert kaos("mcp", "get", calculator, "-n", namespace).code == 3


def test_every_write_names_context_and_namespace(kaos, namespace):
    deployed = kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=mcpserver("anything")).ok()
    assert namespace in deployed.stderr
    assert "context" in deployed.stderr


def test_scale_changes_the_number_of_pods(place, kaos, calculator, namespace):
    kaos("mcp", "scale", calculator, "-n", namespace, "--replicas", "2").ok()
    place.until(
        DEPLOYMENTS, "mcpserver-calculator", namespace, lambda obj: obj.get("status", {}).get("readyReplicas") == 2, 60
    )


def test_restart_replaces_the_pods_and_the_operator_lets_it_be(place, kaos, calculator, namespace):
    from kubernetes import client

    core = client.CoreV1Api(place.kubernetes())
    before = [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items]
    kaos("mcp", "restart", calculator, "-n", namespace).ok()
    for pod in before:
        place.until(PODS, pod, namespace, lambda obj: obj is None, 60)

    def serves(obj):
        status = obj.get("status", {})
        return status.get("replicas") == status.get("readyReplicas") == status.get("updatedReplicas") == 1

    place.until(DEPLOYMENTS, "mcpserver-calculator", namespace, serves, 60)
    assert before != [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items]


# Bad input: one line of cause and cure on stderr, the documented exit code, no traceback.


def refused(result, code: int, *words: str) -> None:
    assert result.code == code, result
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


def test_a_tool_that_raises_is_exit_code_1_with_its_message(kaos, namespace):
    code = "def fail() -> None:\n    raise ValueError('the answer is 41')\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("failing", code)).ok()
    refused(kaos("mcp", "invoke", "failing", "-n", namespace, "fail"), 1, "the answer is 41")


def test_a_tool_that_hangs_ends_at_the_timeout(kaos, namespace):
    code = "import time\ndef hang() -> None:\n    time.sleep(3600)\ndef quick() -> int:\n    return 1\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("hanging", code)).ok()
    refused(kaos("mcp", "invoke", "hanging", "-n", namespace, "hang", "--timeout", "1"), 3, "1 s")
    kaos("mcp", "invoke", "hanging", "-n", namespace, "quick").ok()


def test_a_tool_returning_five_megabytes_is_printed_whole(kaos, namespace):
    code = "def big() -> str:\n    return 'x' * 5_000_000\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("big", code)).ok()
    called = kaos("mcp", "invoke", "big", "-n", namespace, "big").ok()
    assert len(json.loads(called.stdout)["result"]) == 5_000_000


def test_arguments_that_are_no_json_are_wrong_usage(kaos, calculator, namespace):
    refused(kaos("mcp", "invoke", calculator, "-n", namespace, "--tool", "add", "--args", "{a: 2"), 2, "JSON")


def test_an_unknown_tool_suggests_the_nearest(kaos, calculator, namespace):
    refused(kaos("mcp", "invoke", calculator, "-n", namespace, "--tool", "ad", "--args", "{}"), 2, "ad", "add")


def test_a_wrong_argument_name_or_type_is_told(kaos, calculator, namespace):
    refused(kaos("mcp", "invoke", calculator, "-n", namespace, "add", "a=two", "b=3"), 2, "a")


def test_an_unknown_server_suggests_the_nearest(kaos, calculator, namespace):
    refused(kaos("mcp", "invoke", "calculater", "-n", namespace, "add", "a=1", "b=2"), 3, "calculater", "calculator")


def test_a_server_that_is_not_ready_says_why(kaos, namespace):
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("lost", runtime="nonsense")).ok()
    waited = kaos(
        "mcp", "deploy", "-n", namespace, "-f", "-", "--wait", "20", stdin=mcpserver("lost", runtime="nonsense")
    )
    assert waited.code in (1, 3)
    assert "RuntimeNotFound" in waited.stderr
    refused(kaos("mcp", "invoke", "lost", "-n", namespace, "add"), 3, "RuntimeNotFound")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def broken(:\n    pass\n", ["line 1", "SyntaxError"]),
        ("import no_such_module\n", ["line 1", "no_such_module"]),
        ("X = 1\n\n\nY = undefined_name\n", ["line 4", "undefined_name"]),
        ("def _hidden() -> int:\n    return 1\n", ["no tools"]),
    ],
    ids=["syntax", "import", "name", "no tools"],
)
def test_params_that_are_no_tools_say_where_and_why(place, kaos, namespace, code, words):
    from kaos.api.names import MCPSERVERS
    from tests.stories import message, reason

    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("broken", code)).ok()
    broken = place.until(MCPSERVERS, "broken", namespace, lambda obj: reason(obj) == "InvalidParams", 60)
    for word in words:
        assert word in message(broken)


def test_a_name_too_long_is_told_with_the_limit(kaos, namespace):
    refused(kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("a" * 54)), 2, "53")


def test_a_field_of_the_old_contract_names_its_replacement(kaos, namespace):
    refused(kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("old", type="python")), 2, "spec.runtime")


def test_an_unknown_field_is_refused_by_name(kaos, namespace):
    refused(kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("typo", runtim="x")), 2, "runtim")


def test_a_file_that_is_not_there_or_not_yaml(kaos, namespace, tmp_path):
    refused(kaos("mcp", "deploy", "-n", namespace, "-f", str(tmp_path / "none.yaml")), 2, "none.yaml")
    refused(kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin="a: [b"), 2, "YAML")


def test_a_missing_namespace_offers_to_create_it(kaos):
    missing = kaos("mcp", "deploy", "-n", "nowhere-at-all", "-f", "-", stdin=mcpserver("x", CALCULATOR))
    refused(missing, 3, "nowhere-at-all", "--create-namespace")
