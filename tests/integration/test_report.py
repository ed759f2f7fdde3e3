"""A person sends what there is to know of a cluster to strangers, without its secrets."""

from __future__ import annotations

import tarfile

from kaos.api.names import MCPSERVERS
from tests.stories import agent, is_ready, manifests, mcpserver, modelapi, reason

LOUD = """
import os, sys
API_KEY = "canary-in-the-program"
print("Authorization: Bearer canary-in-a-header", file=sys.stderr)
print("connecting to https://ada:canary-in-a-url@example.org", file=sys.stderr)
print("it is " + os.environ["DB_PASSWORD"] + " and goes on", file=sys.stderr, flush=True)
print("kaos-report-was-here", file=sys.stderr, flush=True)
def one() -> int:
    return 1
"""
ENV = [
    {"name": "DB_PASSWORD", "value": "canary-in-the-environment"},
    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "token"}}},
]


def read(path):
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode()
            for member in archive.getmembers()
        }


def test_a_report_says_what_there_is_and_holds_no_secret(place, kaos, namespace, tmp_path):
    kaos("secret", "create", "tok", "-n", namespace, "--from-stdin", "token", stdin="canary-in-a-secret").ok()
    text = manifests(
        modelapi(), mcpserver("loud", LOUD, container={"env": ENV}), agent("lonely", mcpServers=["nobody"])
    )
    kaos("apply", "-f", "-", "-n", namespace, stdin=text).ok()
    place.until(MCPSERVERS, "loud", namespace, is_ready, 90)
    path = tmp_path / "bundle.tar.gz"
    told = kaos("system", "report", "-n", namespace, "--output", str(path)).ok()
    assert told.stdout.strip() == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    files = read(path)
    assert not [name for name, text in files.items() if "canary" in text]
    for name in files:
        assert name in files["README.txt"] or name == "README.txt"
    assert "name: loud" in files["resources/mcpservers.yaml"]
    assert "name: tok" in files["resources/mcpservers.yaml"], "which Secret it is helps"
    assert "mcpserver-loud" in files["children/deployments.yaml"]
    assert "Ready" in files["events.txt"]
    assert "nobody" in files["why.yaml"]
    assert "rawpython" in files["registry.yaml"]
    assert "kaos" in files["versions.yaml"]
    [log] = [text for name, text in files.items() if name.startswith(f"logs/{namespace}/mcpserver-loud")]
    assert "kaos-report-was-here" in log
    assert "https://<redacted>@example.org" in log


def test_a_report_of_a_cluster_in_trouble_says_what_it_lacks(place, kaos, namespace, tmp_path):
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=mcpserver("odd", runtime="nonsense")).ok()
    place.until(MCPSERVERS, "odd", namespace, lambda obj: reason(obj) == "RuntimeNotFound", 60)
    path = tmp_path / "bundle.tar.gz"
    kaos("system", "report", "-n", namespace, "--output", str(path)).ok()
    assert "nonsense" in read(path)["why.yaml"]
    again = kaos("system", "report", "-n", namespace, "--output", str(path))
    assert again.code == 2
    assert "--output" in again.stderr
