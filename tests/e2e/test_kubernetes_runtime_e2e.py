"""The runtime kubernetes on a real cluster: with the rights that `create-rbac` gave its account, and no others.

Its image is built of the program that upstream publishes with npm.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from kaos.api.names import MCPSERVERS
from tests.conftest import ROOT, Place, Result
from tests.kubernetes_mcp_server import PAGE, VERSION, command, example, program
from tests.stories import is_ready, reason

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.only("cluster"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="the program comes from npm"),
    pytest.mark.timeout(600),
]
WAIT_S = 90
RIGHTS = (ROOT / "docs/operator/mcpserver/service-accounts.md").read_text()
PROPOSED_TOOLS = {
    "configuration_view", "resources_list", "resources_get", "resources_create_or_update", "resources_delete",
    "pods_log", "pods_exec", "pods_run", "events_list", "helm_install", "helm_list", "helm_uninstall",
}  # fmt: skip


@pytest.fixture(scope="module")
def image(place: Place, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("image")
    program(directory)
    shutil.copy(ROOT / "tests/images/kubernetes/Dockerfile", directory)
    name = f"kaos-test/kubernetes-mcp-server:{VERSION}"
    place.load_image(name, directory)
    return name


@dataclass(frozen=True)
class Room:
    """A namespace that enforces `restricted`, with a server that may read in it."""

    place: Place
    namespace: str

    def invoke(self, tool: str, **arguments: str) -> Result:
        words = [f"{key}={value}" for key, value in arguments.items()]
        return self.place.run("mcp", "invoke", "k8s-tools", tool, *words, "-n", self.namespace, "-o", "text")

    def pod(self) -> str:
        from kubernetes import client as kubernetes

        pods = kubernetes.CoreV1Api(self.place.kubernetes()).list_namespaced_pod(self.namespace).items
        return next(pod.metadata.name for pod in pods if not pod.metadata.deletion_timestamp)


@pytest.fixture(scope="module")
def room(place: Place, image: str, tmp_path_factory: pytest.TempPathFactory):
    from kubernetes import client as kubernetes

    name = f"k8s-tools-{tmp_path_factory.mktemp('room').stat().st_ino}"
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    core = kubernetes.CoreV1Api(place.kubernetes())
    core.create_namespace({"metadata": {"name": name, "labels": labels}})
    server = example()
    server["spec"]["container"] = {"image": image}
    place.run("mcp", "deploy", "-n", name, "-f", "-", stdin=yaml.safe_dump(server)).ok()
    place.until(MCPSERVERS, "k8s-tools", name, lambda obj: reason(obj) == "ServiceAccountNotFound", WAIT_S)
    place.run(*command(), "-n", name).ok()
    place.until(MCPSERVERS, "k8s-tools", name, is_ready, WAIT_S)
    yield Room(place, name)
    place.run("mcp", "delete", "k8s-tools", "-n", name, "--yes")
    core.delete_namespace(name)


def test_it_offers_every_tool_of_the_proposal_and_the_page_names_them_all(room):
    shown = set(room.place.run("mcp", "tools", "k8s-tools", "-n", room.namespace, "-o", "name").ok().stdout.split())
    assert shown >= PROPOSED_TOOLS
    assert shown == set(re.findall(r"`([a-z]+_[a-z_]+)`", PAGE))


def test_it_lists_the_pods_of_its_namespace(room):
    listed = room.invoke("pods_list_in_namespace", namespace=room.namespace).ok().stdout
    assert room.pod() in listed
    assert "Running" in listed


def test_it_reads_the_log_of_a_pod(room):
    assert "HTTP server starting" in room.invoke("pods_log", namespace=room.namespace, name=room.pod()).ok().stdout


@pytest.mark.parametrize(
    ("tool", "arguments", "refused"),
    [
        ("resources_list", {"apiVersion": "v1", "kind": "Secret", "namespace": "{here}"}, 'list resource "secrets"'),
        ("pods_list_in_namespace", {"namespace": "kube-system"}, 'cannot list resource "pods"'),
        ("pods_delete", {"namespace": "{here}", "name": "{pod}"}, 'cannot delete resource "pods"'),
        ("helm_list", {"namespace": "{here}"}, 'cannot list resource "secrets"'),
        ("pods_exec", {"namespace": "{here}", "name": "{pod}", "command:": '["ls"]'}, 'create resource "pods/exec"'),
    ],
    ids=["secrets", "elsewhere", "delete", "helm", "exec"],
)  # fmt: skip
def test_what_its_role_does_not_grant_is_refused(room, tool, arguments, refused):
    given = {key: value.format(here=room.namespace, pod=room.pod()) for key, value in arguments.items()}
    answer = room.invoke(tool, **given)
    assert answer.code == 1
    assert refused in answer.stderr
    assert f"system:serviceaccount:{room.namespace}:mcpserver-k8s-tools" in answer.stderr


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="asks kubectl")
def test_its_account_may_do_what_is_documented_and_no_more(room):
    told = dict(re.findall(r"^\| `(--[a-z]+)` \| (.*) \|$", RIGHTS, re.MULTILINE))
    documented = {(resource, tuple(told["--verbs"].split(", "))) for resource in told["--resources"].split(", ")}
    granted = can_i(room, "mcpserver-k8s-tools") - can_i(room, "default")
    assert {(resource.partition(".")[0], verbs) for resource, verbs in granted} == documented | {("pods/log", ("get",))}
    assert can_i(room, "mcpserver-k8s-tools", "default") == can_i(room, "default", "default")


def can_i(room: Room, account: str, namespace: str = "") -> set[tuple[str, tuple[str, ...]]]:
    """Resources and verbs of `kubectl auth can-i --list`."""
    who = f"system:serviceaccount:{room.namespace}:{account}"
    asking = ["kubectl", "auth", "can-i", "--list", "--no-headers", f"--as={who}", "-n", namespace or room.namespace]
    printed = subprocess.run(asking, capture_output=True, text=True, check=True, env=room.place.env, timeout=60).stdout
    lines = [line for line in printed.splitlines() if not line.startswith(" ")]
    return {(line.split()[0], tuple(line.rpartition("[")[2].strip(" ]").split())) for line in lines}


def test_who_lacks_a_right_cannot_grant_it(room, tmp_path: Path):
    from kubernetes import client as kubernetes

    api = room.place.kubernetes()
    rules = [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["*"]},
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["roles", "rolebindings"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        },
    ]
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": room.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "granter"}
    rights = kubernetes.RbacAuthorizationV1Api(api)
    rights.create_namespaced_role(room.namespace, {"metadata": {"name": "granter"}, "rules": rules})
    binding = {"metadata": {"name": "granter"}, "roleRef": reference, "subjects": [subject]}
    rights.create_namespaced_role_binding(room.namespace, binding)
    core = kubernetes.CoreV1Api(api)
    token = core.create_namespaced_service_account_token("default", room.namespace, {"spec": {}}).status.token
    config = yaml.safe_load(room.place.kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    refused = room.place.run(
        "system", "create-rbac", "--name", "mine", "-n", room.namespace, "--resources", "pods",
        KUBECONFIG=str(tmp_path / "config"),
    )  # fmt: skip
    assert refused.code == 4
    assert "You cannot grant rights that you do not have yourself" in refused.stderr
    assert 'Resources:["pods"]' in refused.stderr
    made = core.list_namespaced_service_account(room.namespace).items
    assert "mcpserver-mine" not in {account.metadata.name for account in made}, "nothing was made"
