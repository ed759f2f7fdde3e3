"""A server of one's own, from an empty directory to a tool call in the cluster."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.conftest import KAOS, Result

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.only("cluster"),
    pytest.mark.skipif(shutil.which("kind") is None, reason="the image gets into the cluster by kind"),
    pytest.mark.timeout(400),
]


def test_init_build_load_deploy_invoke(place, namespace, tmp_path):
    def kaos(*arguments: str) -> Result:
        return place.run(*arguments, timeout_s=300).ok()

    subprocess.run([*KAOS, "mcp", "init", "--name", "my-tools"], cwd=tmp_path, check=True, capture_output=True)
    project = tmp_path / "my-tools"
    server = project / "server.py"
    server.write_text(server.read_text().replace('f"Hello, {name}!"', 'f"Good day, {name}!"'))
    (project / ".env").write_text("API_KEY=secret\n")
    built = kaos("mcp", "build", "--name", "my-tools", "--tag", namespace, "--path", str(project), "--kind-load")
    assert built.stdout == f"my-tools:{namespace}\n"
    assert [line for line in built.stderr.splitlines() if not line.startswith("  ")] == [
        f"Building image my-tools:{namespace}...",
        "✓ Dockerfile generated",
        "✓ Image built",
        "✓ Loaded into KIND cluster",
    ]
    kaos("mcp", "deploy", "--name", "my-tools", "--image", built.stdout.strip(), "-n", namespace, "--wait")
    answer = kaos("mcp", "invoke", "my-tools", "hello", "name=World", "-n", namespace)
    assert json.loads(answer.stdout) == {"result": "Good day, World!"}
