"""A server of the eras with sessions that misbehaves, deployed as an operator would have done it; no operator runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kaos.actions.kinds import MCPSERVER
from kaos.cluster import wait
from kaos.kube.resources import DEPLOYMENTS, SERVICES

SERVER = Path(__file__).with_name("session_server.py")


@pytest.fixture
def old(client, room):
    """Start the server with so many pods; say of it what an operator would."""

    def start(pods=1, **state):
        labels = {"app.kubernetes.io/part-of": "kaos", "mcpserver": "old"}
        obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "old"},
               "spec": {"runtime": "rawpython"}}  # fmt: skip
        client.create(MCPSERVER.resource, obj, room)
        ports = [{"name": "http", "containerPort": 8000}]
        container = {
            "name": "mcp-server", "image": "example.org/old:1", "ports": ports,
            "env": [{"name": "PORT", "value": "8000"}],
            "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        }  # fmt: skip
        command = {"local.kaos.tools/command.mcp-server": json.dumps([sys.executable, str(SERVER)])}
        deployment = {
            "metadata": {"name": "mcpserver-old", "labels": labels},
            "spec": {
                "replicas": pods,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": command},
                    "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
                },
            },
        }
        service = {"metadata": {"name": "mcpserver-old"},
                   "spec": {"selector": labels, "ports": [{"port": 8000, "targetPort": "http"}]}}  # fmt: skip
        client.create(DEPLOYMENTS, deployment, room)
        client.create(SERVICES, service, room)
        wait.until(
            client, DEPLOYMENTS, "mcpserver-old", room,
            lambda obj: (obj.get("status") or {}).get("readyReplicas", 0) == pods, 20,
        )  # fmt: skip
        status = {"ready": True, "phase": "Ready", "replicas": pods, "path": "/mcp", "protocolVersion": "2025-06-18"}
        client.patch(MCPSERVER.resource, "old", {"status": status | state}, room, subresource="status")

    return start
