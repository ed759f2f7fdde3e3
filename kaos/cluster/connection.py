"""Which cluster: flags, environment, saved context, kubeconfig files, in-cluster, local; in that order."""

from __future__ import annotations

import base64
import functools
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kaos.errors import NoConnection, NotFound, UsageError
from kaos.kube.names import nearest

Object = dict[str, Any]

CONTEXT_LOCAL = "kaos-local"
IN_CLUSTER = "in-cluster"
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Connection:
    """An API server and the credentials for it."""

    context: str
    namespace: str
    server: str  # https://host:port
    source: str  # where this was found, for people
    cluster: Object = field(default_factory=dict, repr=False)  # of the kubeconfig
    user: Object = field(default_factory=dict, repr=False)
    directory: Path = Path()  # that relative file names start from
    namespace_given: bool = False

    @functools.cached_property
    def ssl_context(self) -> ssl.SSLContext | None:
        if urlsplit(self.server).scheme != "https":
            return None
        data = self._data(self.cluster, "certificate-authority")
        context = ssl.create_default_context(cadata=data.decode() if data else None)
        if self.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        # Since Python 3.13 certificates must be strictly conforming, which authorities of older clusters are not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        certificate, key = self._data(self.user, "client-certificate"), self._data(self.user, "client-key")
        if plugin := self._plugin_status:
            certificate = (plugin.get("clientCertificateData") or "").encode() or certificate
            key = (plugin.get("clientKeyData") or "").encode() or key
        if certificate and key:
            import tempfile

            with tempfile.NamedTemporaryFile() as pem:  # 0600; OpenSSL reads files only
                pem.write(certificate + b"\n" + key)
                pem.flush()
                context.load_cert_chain(pem.name)
        return context

    @property
    def server_hostname(self) -> str | None:
        return self.cluster.get("tls-server-name")

    def headers(self) -> dict[str, str]:
        """The credentials that go with every request."""
        user = self.user
        if token := self._token():
            return {"Authorization": f"Bearer {token}"}
        if user.get("username"):
            pair = base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}

    def _token(self) -> str | None:
        if path := self.user.get("tokenFile"):
            return self._file(path).read_text().strip()  # renewed by others: read each time
        if self.user.get("token"):
            return self.user["token"]
        if plugin := self._plugin_status:
            return plugin.get("token")
        if "auth-provider" in self.user:
            return self._token_of_provider
        return None

    @functools.cached_property
    def _token_of_provider(self) -> str | None:
        """Logins of old kubeconfigs (OIDC and others) are left to the official client."""
        try:
            from kubernetes import config
        except ImportError:
            raise NoConnection(
                f"The login of context {self.context} needs the Kubernetes client.",
                "Install it: pip install 'kaos-console[kubeauth]'",
            ) from None
        api = config.new_client_from_config(self.source, context=self.context)
        return (api.configuration.api_key.get("authorization") or "").removeprefix("Bearer ") or None

    @functools.cached_property
    def _plugin_status(self) -> Object:
        """What the kubeconfig's credential plugin says (client.authentication.k8s.io ExecCredential)."""
        plugin = self.user.get("exec")
        if not plugin:
            return {}
        import json
        import subprocess

        request = {
            "apiVersion": plugin["apiVersion"],
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        env = dict(os.environ) | {item["name"]: item["value"] for item in plugin.get("env") or ()}
        env["KUBERNETES_EXEC_INFO"] = json.dumps(request)
        try:
            command = [plugin["command"], *(plugin.get("args") or ())]
            done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, timeout=60)
            return json.loads(done.stdout)["status"]
        except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
            hint = plugin.get("installHint") or f"Try it by hand: {plugin['command']}"
            raise NoConnection(f"The login program {plugin['command']} failed: {error}", hint.splitlines()[0]) from None

    def _data(self, section: Object, key: str) -> bytes | None:
        if text := section.get(f"{key}-data"):
            return base64.b64decode(text)
        if path := section.get(key):
            try:
                return self._file(path).read_bytes()
            except OSError as error:
                raise NoConnection(f"Cannot read {path} of context {self.context}: {error.strerror}.", "") from None
        return None

    def _file(self, path: str) -> Path:
        return self.directory / path


@dataclass(frozen=True)
class ContextInfo:
    """One context that could be chosen."""

    name: str
    server: str
    namespace: str
    source: str
    current: bool


def resolve(
    context: str | None = None,
    kubeconfig: str | None = None,
    namespace: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Connection:
    """The connection to use. Raises NoConnection when there is none, NotFound for an unknown context."""
    if kubeconfig is not None:
        return _from_files([Path(kubeconfig)], context, namespace)
    wanted = context or environ.get("KAOS_CONTEXT") or saved_context(environ)
    if wanted == CONTEXT_LOCAL:
        return _local(namespace, environ)
    if wanted == IN_CLUSTER:
        return _in_cluster(namespace, environ)
    files = _kubeconfig_files(environ)
    if wanted or any(path.exists() for path in files):
        return _from_files(files, wanted, namespace)
    if environ.get("KUBECONFIG"):
        raise NoConnection(
            f"KUBECONFIG names no file that exists: {environ['KUBECONFIG']}",
            "Correct it, or start a cluster of your own: kaos local up",
        )
    if environ.get("KUBERNETES_SERVICE_HOST") and (_SERVICE_ACCOUNT / "token").exists():
        return _in_cluster(namespace, environ)
    if (local_directory(environ) / "kubeconfig").exists():
        return _local(namespace, environ)
    raise NoConnection(
        "No cluster is known: no kubeconfig and no local cluster.", "Start one with nothing but Python: kaos local up"
    )


def contexts(environ: Mapping[str, str] = os.environ) -> list[ContextInfo]:
    """Every context, the local one included, with the one that plain commands use marked."""
    try:
        current = resolve(environ=environ).context
    except (NoConnection, NotFound):
        current = ""
    found = []
    config, _ = _merged(_kubeconfig_files(environ))
    for entry in config["contexts"].values():
        cluster = config["clusters"].get(entry.get("cluster"), {})
        found.append((entry["name"], cluster.get("server", ""), entry.get("namespace", "default"), entry["source"]))
    kubeconfig = local_directory(environ) / "kubeconfig"
    if kubeconfig.exists():
        local, _ = _merged([kubeconfig])
        server = next(iter(local["clusters"].values()), {}).get("server", "")
        found.append((CONTEXT_LOCAL, server, "default", str(kubeconfig)))
    return [ContextInfo(*one, current=one[0] == current) for one in found]


def local_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the local cluster keeps its data."""
    if chosen := environ.get("KAOS_LOCAL_DIR"):
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or Path.home()) / ".local/share"
    return Path(base) / "kaos/local"


def _saved_file(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or Path.home()) / ".config"
    return Path(base) / "kaos/context"


def saved_context(environ: Mapping[str, str] = os.environ) -> str | None:
    """The context chosen by `kaos context use`."""
    try:
        return _saved_file(environ).read_text().strip() or None
    except OSError:
        return None


def save_context(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Choose a context for plain commands; returns the file that keeps it."""
    path = _saved_file(environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name + "\n")
    return path


def _kubeconfig_files(environ: Mapping[str, str]) -> list[Path]:
    if text := environ.get("KUBECONFIG"):
        return [Path(part).expanduser() for part in text.split(os.pathsep) if part]
    return [Path(environ.get("HOME") or Path.home()) / ".kube/config"]


def _local(namespace: str | None, environ: Mapping[str, str]) -> Connection:
    kubeconfig = local_directory(environ) / "kubeconfig"
    if not kubeconfig.exists():
        raise NoConnection("The local cluster is not running.", "Start it: kaos local up")
    return _from_files([kubeconfig], CONTEXT_LOCAL, namespace)


def _in_cluster(namespace: str | None, environ: Mapping[str, str]) -> Connection:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    own = _SERVICE_ACCOUNT / "namespace"
    return Connection(
        context=IN_CLUSTER,
        namespace=namespace or (own.read_text().strip() if own.exists() else "default"),
        server=f"https://{host}:{port}",
        source=str(_SERVICE_ACCOUNT),
        cluster={"certificate-authority": str(_SERVICE_ACCOUNT / "ca.crt")},
        user={"tokenFile": str(_SERVICE_ACCOUNT / "token")},
        namespace_given=namespace is not None,
    )


def _from_files(files: list[Path], context: str | None, namespace: str | None) -> Connection:
    config, current = _merged(files)
    names = " and ".join(str(path) for path in files)
    if not config["contexts"] and not context:
        missing = next((path for path in files if not path.exists()), None)
        why = f"{missing} does not exist" if missing else f"{names} holds no context"
        raise NoConnection(f"No cluster is known: {why}.", "Start one with nothing but Python: kaos local up")
    name = context or current
    if not name:
        raise NoConnection(f"{names} has no current context.", "Choose one: kaos context use NAME")
    if name not in config["contexts"]:
        like = nearest(name, [*config["contexts"], CONTEXT_LOCAL])
        raise NotFound(
            f"There is no context {name!r} in {names}.", f"Did you mean {like}?" if like else "See: kaos context list"
        )
    entry = config["contexts"][name]
    cluster = config["clusters"].get(entry.get("cluster"))
    if not cluster or not cluster.get("server"):
        raise UsageError(f"Context {name!r} names the cluster {entry.get('cluster')!r}, which has no server.", "")
    return Connection(
        context=name,
        namespace=namespace or entry.get("namespace") or "default",
        server=cluster["server"].rstrip("/"),
        source=entry["source"],
        cluster=cluster,
        user=config["users"].get(entry.get("user")) or {},
        directory=Path(entry["source"]).parent,
        namespace_given=namespace is not None,
    )


def _merged(files: list[Path]) -> tuple[dict[str, dict[str, Object]], str]:
    """Named contexts, clusters and users of all files, the first to name one wins; and the current context."""
    merged: dict[str, dict[str, Object]] = {"contexts": {}, "clusters": {}, "users": {}}
    current = ""
    for path in files:
        if not path.exists():
            continue
        try:
            config = _loaded(path.read_text())
            current = current or config.get("current-context") or ""
            for section, kind in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
                for entry in config.get(section) or ():
                    body = {**(entry.get(kind) or {}), "name": entry["name"], "source": str(path)}
                    merged[section].setdefault(entry["name"], body)
        except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
            raise UsageError(f"{path} is no kubeconfig: {str(error).splitlines()[0]}", "") from None
    return merged, current


def _loaded(text: str) -> Object:
    """A kubeconfig's content. Raises ValueError. The local cluster's is JSON, which needs no YAML library."""
    import json

    if text.startswith("{"):
        return json.loads(text)
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
