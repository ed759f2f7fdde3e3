"""Plain HTTP on a cluster, with the credentials of a kubeconfig and nothing of KAOS in between."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path

import httpx
import yaml


def client_of(kubeconfig: Path, timeout_s: float = 30) -> httpx.Client:
    """A client of the current context's cluster; it names itself `parity`, which becomes the field manager."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    trust = ssl.create_default_context(cadata=authority)
    if "client-certificate-data" in user:
        _show_certificate(trust, user)
    headers = {"User-Agent": "parity/1.0"}
    if "token" in user:
        headers["Authorization"] = f"Bearer {user['token']}"
    return httpx.Client(base_url=cluster["server"], verify=trust, headers=headers, timeout=timeout_s, trust_env=False)


def _named(entries: list[dict], name: str) -> dict:
    return next(entry for entry in entries if entry["name"] == name)


def _show_certificate(trust: ssl.SSLContext, user: dict) -> None:
    with tempfile.NamedTemporaryFile() as file:
        for field in ("client-certificate-data", "client-key-data"):
            file.write(base64.b64decode(user[field]) + b"\n")
        file.flush()
        trust.load_cert_chain(file.name)
