"""`kaos system install` on a real cluster: the operator in a pod, in a namespace that enforces `restricted`.

It looks after one namespace only, so that an operator of other stories may run beside it; alone in the cluster it is
the only one that could have done what is seen here.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from kaos.api.names import MCPSERVERS
from kaos.cluster import ApiError, Client, resolve
from kaos.errors import KaosError
from kaos.kube.resources import CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS, DEPLOYMENTS, HTTPROUTES, LEASES, PODS
from kaos.mcp import wire
from kaos.operator.lease import lease_name
from tests.conftest import IMAGES, KAOS_IMAGE, Place, Result, clean_env
from tests.stories import is_ready, mcpserver
from tests.unit.chart.test_chart import table, words

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.only("cluster"),
    pytest.mark.skipif(shutil.which("helm") is None, reason="values need helm"),
    pytest.mark.timeout(300),
]
WAIT_S = 90
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@dataclass(frozen=True)
class Installation:
    """An operator in `system` that looks after `room`."""

    place: Place
    system: str
    room: str

    def install(self, *flags: str) -> Result:
        return self.kaos(
            "system", "install", "-n", self.system, "--set", f"watchNamespaces={{{self.room}}}", "--wait", *flags
        )

    def kaos(self, *arguments: str, **how: Any) -> Result:
        return self.place.run(*arguments, timeout_s=200, **how)

    def operator_pods(self) -> list[dict[str, Any]]:
        return [one for one in self.pods(self.system) if one["metadata"]["name"].startswith("kaos-operator-")]

    def client(self) -> Client:
        return Client(resolve(kubeconfig=str(self.place.kubeconfig)))

    def pods(self, namespace: str) -> list[dict[str, Any]]:
        found = self.client().list(PODS, namespace).items
        return [one for one in found if not one["metadata"].get("deletionTimestamp")]


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The cluster, with no operator of ours outside of it."""
    if request.config.getoption("--place") != "cluster" or not os.environ.get("KUBECONFIG"):
        pytest.skip("needs --place cluster and KUBECONFIG")
    env = clean_env(tmp_path_factory.mktemp("home")) | {"KUBECONFIG": os.environ["KUBECONFIG"]}
    here = Place("cluster", env, Path(os.environ["KUBECONFIG"]))
    for image, build in IMAGES.items():
        here.load_image(image, *build)
    return here


@pytest.fixture(scope="module")
def installation(place: Place) -> Iterator[Installation]:
    from kubernetes import client as kubernetes

    core = kubernetes.CoreV1Api(place.kubernetes())
    made = Installation(place, f"install-{os.getpid()}", f"install-{os.getpid()}-room")
    for name in (made.system, made.room):
        core.create_namespace({"metadata": {"name": name, "labels": RESTRICTED}})
    yield made
    made.kaos("system", "uninstall", "-n", made.system, "--yes")
    for name in (made.room, made.system):
        core.delete_namespace(name)


@pytest.fixture(scope="module")
def installed(installation: Installation) -> tuple[Installation, Result]:
    return installation, installation.install().ok()


@pytest.fixture(scope="module")
def here(installed: tuple[Installation, Result]) -> Installation:
    return installed[0]


@pytest.fixture(scope="module")
def calculator(here: Installation) -> str:
    here.kaos("mcp", "deploy", "-n", here.room, "-f", "-", "--wait", str(WAIT_S), stdin=mcpserver("calculator")).ok()
    return "calculator"


def add(here: Installation) -> Result:
    return here.kaos("mcp", "invoke", "calculator", "add", "a=2", "b=3", "-n", here.room)


def test_one_command_installs_it_and_tells_its_steps(installed):
    here, said = installed
    assert said.stdout == ""
    assert said.stderr.splitlines()[1:] == [
        "Installing KAOS operator...",
        "✓ Chart found",
        "✓ CRDs installed",
        "✓ Operator deployed",
        "✓ Runtime registry created",
    ]
    shown = here.kaos("system", "status", "-n", here.system).ok().stdout
    assert "  Ready:      True\n  Pods:       1/1\n" in shown
    assert re.search("^  rawpython +- Execute Python code strings as MCP tools$", shown, re.MULTILINE)


def test_a_tool_server_becomes_ready_and_answers(here, calculator):
    assert add(here).ok().stdout == '{"result": 5}\n'
    (pod,) = here.operator_pods()
    lease = here.place.until(LEASES, lease_name((here.room,)), here.system, lambda obj: obj is not None, 30)
    assert lease["spec"]["holderIdentity"].startswith(pod["metadata"]["name"])


def test_the_operator_may_do_what_is_documented_and_no_more(here):
    told = {
        ("" if group == "core" else group, resource, verb)
        for group, resources, verbs, _ in table("In the namespaces that it looks after")
        for resource, verb in itertools.product(words(resources), words(verbs))
    }
    own = {
        ("" if group == "core" else group, resource, verb)
        for group, resources, _, verbs, _ in table("In its own namespace")
        for resource, verb in itertools.product(words(resources), words(verbs))
    }
    assert rights(here, here.room) == told
    assert rights(here, here.system) == own
    assert rights(here, "default") == set()


def rights(here: Installation, namespace: str) -> set[tuple[str, str, str]]:
    """What the operator's account may do there beyond what every account may."""
    from kubernetes import client as kubernetes

    def may(account: str) -> set[tuple[str, str, str]]:
        api = here.place.kubernetes()
        api.set_default_header("Impersonate-User", f"system:serviceaccount:{here.system}:{account}")
        review = {"spec": {"namespace": namespace}}
        found = kubernetes.AuthorizationV1Api(api).create_self_subject_rules_review(review).status.resource_rules
        return {one for rule in found for one in itertools.product(rule.api_groups, rule.resources, rule.verbs)}

    return may("kaos-operator") - may("default")


@pytest.mark.parametrize("secret_verb", ["get", "list", "create", "update", "delete"])
def test_it_may_not_touch_secrets(here, secret_verb):
    assert ("", "secrets", secret_verb) not in rights(here, here.room)


MAIN = {"name": "mcp-server"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"hostNetwork": True}, "hostNetwork"),
    ({"hostPID": True}, "hostPID"),
    ({"hostIPC": True}, "hostIPC"),
    ({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}, "hostPath"),
    ({"volumes": [{"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}, "token"),
    ({"initContainers": [{"name": "a", "securityContext": {"privileged": True}}]}, "privileged"),
    ({"containers": [MAIN | {"securityContext": {"allowPrivilegeEscalation": True}}]}, "allowPrivilegeEscalation"),
    ({"containers": [MAIN | {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]}, "capabilities"),
    ({"containers": [MAIN | {"securityContext": {"procMount": "Unmasked"}}]}, "procMount"),
    ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "seccompProfile"),
    ({"containers": [MAIN | {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}]}, "appArmorProfile"),
    ({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}, "seLinuxOptions"),
    ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, "hostProcess"),
    ({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, "sysctls"),
    ({"containers": [MAIN | {"ports": [{"containerPort": 1, "hostPort": 80}]}]}, "hostPort"),
    ({"containers": [MAIN | {"livenessProbe": {"httpGet": {"host": "h", "port": 1}}}]}, "host in probes"),
    ({"containers": [MAIN | {"lifecycle": {"preStop": {"tcpSocket": {"host": "h", "port": 1}}}}]}, "host in probes"),
]
ADMITTED: list[dict[str, Any]] = [
    {},
    {"securityContext": None, "initContainers": None, "volumes": None},
    {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "projected": None}]},
    {"containers": [MAIN | {"securityContext": None, "ports": None, "livenessProbe": None, "lifecycle": None}]},
    {"containers": [MAIN | {"securityContext": {"privileged": None, "capabilities": {"drop": ["ALL"]}}}]},
    {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}},
    {"containers": [{"name": "other", "$patch": "delete"}]},
]


def written(here: Installation, pod: dict[str, Any]) -> str:
    """What the API server has against it; empty when it takes it."""
    body = yaml.safe_load(mcpserver("judged", podSpec=pod))
    try:
        here.client().create(MCPSERVERS, body, here.room, dry_run=True)
    except ApiError as refused:
        return refused.message
    return ""


@pytest.fixture(scope="module")
def policy(here: Installation) -> Callable[[dict[str, Any]], str]:
    """The judgement of the ValidatingAdmissionPolicy, once the API server goes by it; no event tells when."""
    deadline = time.monotonic() + WAIT_S
    while not written(here, {"hostNetwork": True}):
        assert time.monotonic() < deadline, "the policy does not come into force"
        time.sleep(0.2)
    return lambda pod: written(here, pod)


@pytest.mark.parametrize(("pod", "word"), REFUSED, ids=[word for _, word in REFUSED])
def test_what_the_operator_would_not_run_is_refused_when_it_is_written(policy, pod, word):
    assert "ValidatingAdmissionPolicy" in policy(pod)
    assert word in policy(pod).rpartition("denied request:")[2]


@pytest.mark.parametrize("pod", ADMITTED)
def test_what_it_would_run_is_admitted(policy, pod):
    assert policy(pod) == ""


class Prober:
    """Calls a tool five times a second, through the Service, for as long as it is entered."""

    def __init__(self, here: Installation, server: str) -> None:
        self.answers: list[str] = []
        self._client = here.client()
        self._path = f"/api/v1/namespaces/{here.room}/services/mcpserver-{server}:http/proxy/mcp"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._probe)

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _probe(self) -> None:
        asked = ("tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}})
        headers, body = wire.modern_request(1, *asked, progress=False)
        due = time.monotonic()
        while not self._done.is_set():
            self.answers.append(self._call(headers, body))
            due = max(due + 0.2, time.monotonic())
            self._done.wait(due - time.monotonic())

    def _call(self, headers: dict[str, str], body: bytes) -> str:
        """The tool's own result, or what came in its place."""
        try:
            response = self._client.request("POST", self._path, body, headers, check=False)
            text = response.read().decode()
            response.close()
        except KaosError as failed:
            return failed.cause
        found = re.search(r'"structuredContent": ?(\{[^}]*\})', text)
        return found[1].replace(" ", "") if found else text


def test_an_upgrade_is_noticed_by_nobody_who_calls(here, calculator):
    """Another value, and another image of the operator: what runs for resources is not touched."""
    image = another_tag(here)
    before = lives(here)
    with Prober(here, calculator) as prober:
        here.install("--set", "replicas=2", "--set", f"image={image}").ok()
        (lease,) = here.client().list(LEASES, here.system).items
        new = {one["metadata"]["name"] for one in here.operator_pods()}
        here.place.until(
            LEASES, lease["metadata"]["name"], here.system,
            lambda obj: (obj["spec"].get("holderIdentity") or "").partition("_")[0] in new, WAIT_S,
        )  # fmt: skip
        here.kaos("mcp", "deploy", "-n", here.room, "-f", "-", "--wait", str(WAIT_S), stdin=mcpserver("after")).ok()
    assert len(prober.answers) > 10
    assert set(prober.answers) == {'{"result":5}'}
    assert {name: lives(here)[name] for name in before} == before
    assert {one["spec"]["containers"][0]["image"] for one in here.operator_pods()} == {image}
    assert "  Pods:       2/2\n" in here.kaos("system", "status", "-n", here.system).ok().stdout


def another_tag(here: Installation) -> str:
    """The operator's image by another name, where images can be put into the cluster."""
    cluster = here.client().connection.context
    if not cluster.startswith("kind-"):
        return KAOS_IMAGE
    name = f"kaostools/kaos:next-{os.getpid()}"
    subprocess.run(["docker", "tag", KAOS_IMAGE, name], check=True)
    load = ["kind", "load", "docker-image", name, "--name", cluster.removeprefix("kind-")]
    subprocess.run(load, check=True, capture_output=True)
    subprocess.run(["docker", "rmi", name], check=True, capture_output=True)
    return name


def lives(here: Installation) -> dict[str, tuple[str, int]]:
    """Of the pods that run for resources: who each is, and how often it was started anew."""
    return {
        one["metadata"]["name"]: (one["metadata"]["uid"], one["status"]["containerStatuses"][0]["restartCount"])
        for one in here.pods(here.room)
    }


def test_runtimes_of_ones_own_survive_an_upgrade(here):
    text = "runtimes:\n  weather: {image: 'example.org/weather:1', description: The weather}\n"
    meta = {"name": "mine", "namespace": here.system, "labels": {"kaos.tools/mcp-runtimes": "true"}}
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"runtimes.yaml": text}}
    here.kaos("apply", "-f", "-", stdin=yaml.safe_dump(mine)).ok()
    before = here.client().get(CONFIGMAPS, "mine", here.system)
    here.install("--set", "mcpRuntimes.additionalRuntimes.news.image=example.org/news:1").ok()
    assert here.client().get(CONFIGMAPS, "mine", here.system) == before
    assert {"rawpython", "weather", "news"} <= runtimes(here)
    here.install().ok()
    assert "weather" in runtimes(here)
    assert "news" not in runtimes(here)


def runtimes(here: Installation) -> set[str]:
    shown = here.kaos("system", "status", "-n", here.system, "-o", "json").ok().stdout
    return {one["name"] for one in json.loads(shown)["runtimes"]}


def test_a_gateway_has_routes_until_it_is_switched_off(here, calculator):
    if not here.client().find(CUSTOMRESOURCEDEFINITIONS, f"{HTTPROUTES.plural}.{HTTPROUTES.group}"):
        pytest.skip("needs the Gateway API")
    here.install("--set", "gatewayAPI.enabled=true", "--set", "gatewayAPI.gatewayClassName=any").ok()
    route = here.place.until(HTTPROUTES, "mcpserver-calculator", here.room, lambda obj: obj is not None, WAIT_S)
    assert route["spec"]["parentRefs"][0]["name"] == "kaos-gateway"
    assert "Enabled" in here.kaos("system", "status", "-n", here.system).ok().stdout.partition("Gateway API:")[2]
    here.install().ok()
    here.place.until(HTTPROUTES, "mcpserver-calculator", here.room, lambda obj: obj is None, WAIT_S)
    assert add(here).ok().stdout == '{"result": 5}\n'


def test_a_quota_that_leaves_no_room_is_named(here):
    from kubernetes import client as kubernetes

    core, tight = kubernetes.CoreV1Api(here.place.kubernetes()), f"{here.system}-tight"
    core.create_namespace({"metadata": {"name": tight}})
    try:
        core.create_namespaced_resource_quota(tight, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
        refused = here.kaos("system", "install", "-n", tight, "--set", f"watchNamespaces={{{tight}}}", "--wait")
        assert refused.code == 3
        assert "exceeded quota: none" in refused.stderr
        assert f"kubectl edit resourcequota none -n {tight}" in refused.stderr
        assert "Traceback" not in refused.stderr
        here.kaos("system", "uninstall", "-n", tight, "--yes").ok()
    finally:
        core.delete_namespace(tight)


def test_when_the_one_that_works_goes_the_other_goes_on(here):
    from kubernetes import client as kubernetes

    here.install("--set", "replicas=2").ok()
    name = lease_name((here.room,))
    lease = here.place.until(LEASES, name, here.system, lambda obj: bool(obj["spec"].get("holderIdentity")), WAIT_S)
    first = lease["spec"]["holderIdentity"].partition("_")[0]
    kubernetes.CoreV1Api(here.place.kubernetes()).delete_namespaced_pod(first, here.system)
    here.place.until(
        LEASES, name, here.system,
        lambda obj: not (obj["spec"].get("holderIdentity") or first).startswith(first), WAIT_S,
    )  # fmt: skip
    here.kaos("mcp", "deploy", "-n", here.room, "-f", "-", stdin=mcpserver("later")).ok()
    here.place.until(MCPSERVERS, "later", here.room, is_ready, WAIT_S)


def test_an_image_that_cannot_be_pulled_is_told_and_the_old_operator_works_on(here):
    failed = here.install("--set", "image=example.invalid/kaos:1")
    assert failed.code == 3
    assert "The operator's image example.invalid/kaos:1 cannot be pulled" in failed.stderr
    assert "Traceback" not in failed.stderr
    shown = here.kaos("system", "status", "-n", here.system).ok().stdout
    assert "  Ready:      True\n" in shown
    here.install().ok()


def test_unknown_values_are_refused_by_name(here):
    refused = here.install("--set", "secrets.wotch=true")
    assert refused.code == 2
    assert "wotch" in refused.stderr


def test_a_person_without_rights_learns_which_one_is_missing(here, tmp_path):
    from kubernetes import client as kubernetes

    core = kubernetes.CoreV1Api(here.place.kubernetes())
    token = core.create_namespaced_service_account_token("default", here.room, {"spec": {}}).status.token
    config = yaml.safe_load(here.place.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    for arguments in (["install", "-n", here.system], ["uninstall", "-n", here.system, "--yes"]):
        refused = here.kaos("system", *arguments, KUBECONFIG=str(tmp_path / "config"))
        assert refused.code == 4
        assert f"system:serviceaccount:{here.room}:default" in refused.stderr
        assert "cannot" in refused.stderr


def test_uninstalling_takes_the_operator_and_leaves_what_runs(here, calculator):
    said = here.kaos("system", "uninstall", "-n", here.system, "--yes").ok().stderr
    assert "✓ Operator removed\n" in said
    assert "What stays: the CRDs and the runtime registry, " in said
    assert " MCPServers" in said
    assert "with what runs for them, which nobody looks after now.\n" in said
    assert here.operator_pods() == []
    assert here.place.until(DEPLOYMENTS, "kaos-operator", here.system, lambda obj: obj is None, 30) is None
    assert rights(here, here.room) == rights(here, here.system) == set()
    assert add(here).ok().stdout == '{"result": 5}\n'
    again = here.kaos("system", "uninstall", "-n", here.system, "--yes")
    assert again.code == 3
