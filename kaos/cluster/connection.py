"""Which cluster: flags, environment, saved context, kubeconfig files, in-cluster, local; in that order."""

from __future__ import annotations

import base64
import functools
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kaos.cluster import kubeconfig as kubeconfigs
from kaos.cluster.kubeconfig import Kubeconfig
from kaos.errors import KaosError, NoConnection, NotFound, UsageError
from kaos.kube.names import nearest

if TYPE_CHECKING:
    from kaos.cluster.plugin import Plugin

Object = dict[str, Any]

CONTEXT_LOCAL = "kaos-local"
IN_CLUSTER = "in-cluster"
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Connection:
    """An API server and the credentials for it. What is wrong with them raises NoConnection when they are used."""

    context: str
    namespace: str
    server: str  # https://host:port, perhaps with a path
    source: str  # where this was found, for people
    cluster: Object = field(default_factory=dict, repr=False)  # of the kubeconfig
    user: Object = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)  # http://[user:password@]host:port
    namespace_given: bool = False

    @functools.cached_property
    def ssl_context(self) -> ssl.SSLContext | None:
        if urlsplit(self.server).scheme != "https":
            return None
        authority = self._data(self.cluster, "certificate-authority")
        try:
            context = ssl.create_default_context(cadata=authority.decode() if authority else None)
        except (ssl.SSLError, ValueError):
            raise self._unusable("certificate authority") from None
        if self.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        # Since Python 3.13 certificates must be strictly conforming, which authorities of older clusters are not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        certificate, key = self._data(self.user, "client-certificate"), self._data(self.user, "client-key")
        if self._plugin:
            status = self._plugin.status()
            certificate = str(status.get("clientCertificateData") or "").encode() or certificate
            key = str(status.get("clientKeyData") or "").encode() or key
        if certificate and key:
            self._show(certificate, key, context)
        return context

    def _show(self, certificate: bytes, key: bytes, context: ssl.SSLContext) -> None:
        import tempfile

        with tempfile.NamedTemporaryFile() as pem:  # 0600; OpenSSL reads files only
            pem.write(certificate + b"\n" + key)
            pem.flush()
            try:
                context.load_cert_chain(pem.name)
            except (ssl.SSLError, ValueError):
                raise self._unusable("client certificate and key") from None

    @property
    def server_hostname(self) -> str | None:
        return self.cluster.get("tls-server-name")

    def headers(self) -> dict[str, str]:
        """The credentials that go with every request."""
        found: dict[str, str] = {}
        if token := self._token():
            if not token.isascii() or not token.isprintable():
                raise self._unusable("token")
            found["Authorization"] = f"Bearer {token}"
        elif self.user.get("username"):
            pair = f"{self.user['username']}:{self.user.get('password') or ''}"
            found["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        if self.user.get("as-groups") or self.user.get("as-user-extra"):
            raise NoConnection(f"Context {self.context} acts as a group, which kaos cannot.", "Name a user in `as`.")
        if self.user.get("as"):
            found["Impersonate-User"] = self.user["as"]
        if self.user.get("as-uid"):
            found["Impersonate-Uid"] = self.user["as-uid"]
        return found

    def _token(self) -> str | None:
        if path := self.user.get("tokenFile"):
            return self._content(path).decode(errors="replace").strip()  # renewed by others: read each time
        if self.user.get("token"):
            return self.user["token"]
        if self._plugin:
            return self._plugin.status().get("token")
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
    def _plugin(self) -> Plugin | None:
        if not self.user.get("exec"):
            return None
        from kaos.cluster.plugin import Plugin

        return Plugin(self.user["exec"], self.context)

    def _data(self, section: Object, key: str) -> bytes | None:
        if text := section.get(f"{key}-data"):
            try:
                return base64.b64decode(text, validate=True)
            except ValueError:
                raise self._unusable(f"{key}-data") from None
        return self._content(section[key]) if section.get(key) else None

    def _content(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise NoConnection(f"Cannot read {path} of context {self.context}: {error.strerror}.", "") from None

    def _unusable(self, what: str) -> NoConnection:
        return NoConnection(f"The {what} of context {self.context} in {self.source} cannot be used.", "")


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
    """The connection to use. Raises NoConnection when there is none, NotFound for an unknown context, UsageError."""
    found = _find(context, kubeconfig, namespace, environ)
    proxy_url = found.cluster.get("proxy-url")
    if not proxy_url and not any(environ.get(name) for name in _PROXY_VARIABLES):
        return found
    from kaos.cluster import proxies

    return replace(found, proxy=proxies.wanted(found.server, proxy_url, environ))


def _find(context: str | None, kubeconfig: str | None, namespace: str | None, environ: Mapping[str, str]) -> Connection:
    if kubeconfig is not None:
        files = [Path(kubeconfig).expanduser()]
        return _from_files(kubeconfigs.read(files), files, context, namespace)
    wanted = context or environ.get("KAOS_CONTEXT") or saved_context(environ)
    if wanted == CONTEXT_LOCAL:
        return _local(namespace, environ)
    if wanted == IN_CLUSTER:
        return _in_cluster(namespace, environ)
    files = _kubeconfig_files(environ)
    if environ.get("KUBECONFIG") and not any(path.exists() for path in files):
        raise NoConnection(f"KUBECONFIG names no file that exists: {environ['KUBECONFIG']}", "Correct it, or unset it.")
    config = kubeconfigs.read(files)
    if wanted or config.current:
        return _from_files(config, files, wanted, namespace)
    if environ.get("KUBERNETES_SERVICE_HOST") and (_SERVICE_ACCOUNT / "token").exists():
        return _in_cluster(namespace, environ)
    if (local_directory(environ) / "kubeconfig").exists():
        return _local(namespace, environ)
    if any(path.exists() for path in files):
        return _from_files(config, files, None, namespace)  # which says what they lack
    raise NoConnection(
        "No cluster is known: no kubeconfig and no local cluster.", "Start one with nothing but Python: kaos local up"
    )


def contexts(environ: Mapping[str, str] = os.environ) -> list[ContextInfo]:
    """Every context, the local one included, with the one that plain commands use marked."""
    try:
        current = resolve(environ=environ).context
    except KaosError:
        current = ""
    found = []
    config = kubeconfigs.read(_kubeconfig_files(environ))
    local = local_directory(environ) / "kubeconfig"
    for entry in config.contexts.values():
        if entry["name"] == CONTEXT_LOCAL and local.exists():
            continue
        server = config.clusters.get(entry.get("cluster") or "", {}).get("server") or ""
        found.append((entry["name"], server, entry.get("namespace") or "default", entry["source"]))
    if local.exists():
        server = next(iter(kubeconfigs.read([local]).clusters.values()), {}).get("server") or ""
        found.append((CONTEXT_LOCAL, server, "default", str(local)))
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
    return _from_files(kubeconfigs.read([kubeconfig]), [kubeconfig], CONTEXT_LOCAL, namespace)


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


def _from_files(config: Kubeconfig, files: list[Path], context: str | None, namespace: str | None) -> Connection:
    names = " and ".join(str(path) for path in files)
    if not config.contexts and not context:
        missing = next((path for path in files if not path.exists()), None)
        why = f"{missing} does not exist" if missing else f"{names} holds no context"
        raise NoConnection(f"No cluster is known: {why}.", "Start one with nothing but Python: kaos local up")
    name = context or config.current
    if not name:
        raise NoConnection(f"{names} has no current context.", "Choose one: kaos context use NAME")
    if name not in config.contexts:
        like = nearest(name, [*config.contexts, CONTEXT_LOCAL])
        raise NotFound(
            f"There is no context {name!r} in {names}.", f"Did you mean {like}?" if like else "See: kaos context list"
        )
    entry = config.contexts[name]
    cluster = config.clusters.get(entry.get("cluster") or "", {})
    if not cluster.get("server"):
        raise UsageError(f"Context {name!r} names the cluster {entry.get('cluster')!r}, which has no server.", "")
    user = config.users.get(entry.get("user") or "")
    if entry.get("user") and user is None:
        raise UsageError(f"Context {name!r} names the user {entry['user']!r}, who is not in {names}.", "")
    return Connection(
        context=name,
        namespace=namespace or entry.get("namespace") or "default",
        server=_checked_url(cluster["server"].rstrip("/"), name),
        source=entry["source"],
        cluster=cluster,
        user=user or {},
        namespace_given=namespace is not None,
    )


def _checked_url(server: str, context: str) -> str:
    try:
        where = urlsplit(server)
        good = where.scheme in ("http", "https") and bool(where.hostname) and where.port != 0
    except ValueError:  # the port is no number
        good = False
    if not good:
        raise UsageError(f"The server {server!r} of context {context!r} is no URL such as https://HOST:PORT.", "")
    return server
