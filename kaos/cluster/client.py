"""The Kubernetes API for one-shot commands: blocking, on the standard library's HTTP client, quick to import."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kaos.cluster import requests
from kaos.cluster.connection import CONTEXT_LOCAL, Connection
from kaos.cluster.errors import ApiError
from kaos.errors import NoConnection, NotFound, NotReady
from kaos.kube import resources
from kaos.kube.names import nearest
from kaos.kube.resources import Resource

Object = dict[str, Any]
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ObjectList:
    """The items of a list and the version of the collection it shows."""

    items: list[Object]
    resource_version: str


@dataclass(frozen=True)
class WatchEvent:
    """ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    type: str
    object: Object


class Response:
    """An HTTP answer that is being read."""

    def __init__(self, response: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> None:
        self._response = response
        self._connection = connection
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def read(self) -> bytes:
        return self._response.read()

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives. Raises NotReady when the server is silent for too long, NoConnection when cut."""
        while True:
            try:
                chunk = self._response.read1(65536)
            except TimeoutError:
                raise NotReady("The server sent nothing more in time.", "") from None
            except (OSError, http.client.HTTPException) as error:
                raise NoConnection(f"The connection was cut: {error or type(error).__name__}", "") from None
            if not chunk:
                return
            yield chunk

    def limit(self, seconds: float) -> None:
        """How long the next pieces may take."""
        if self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)

    def lines(self) -> Iterator[bytes]:
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class Client:
    """Every verb takes a Resource first, then the name and `namespace=`. Failures raise ApiError or NoConnection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._kept: http.client.HTTPConnection | None = None
        self._discovered: dict[str, list[Object]] = {}

    @property
    def namespace(self) -> str:
        return self.connection.namespace

    # Verbs.

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        return self._json("GET", requests.path_of(resource, namespace, name))

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None when there is none."""
        try:
            return self.get(resource, name, namespace)
        except ApiError as refused:
            if refused.code == 404:
                return None
            raise

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> ObjectList:
        path = requests.path_of(resource, namespace)
        items: list[Object] = []
        token = None
        while True:
            query = {"labelSelector": labels, "fieldSelector": fields, "limit": 500, "continue": token}
            page = self._json("GET", requests.with_query(path, **query))
            items += page["items"]
            token = page["metadata"].get("continue")
            if not token:
                return ObjectList(items, page["metadata"]["resourceVersion"])

    def table(
        self,
        resource: Resource,
        namespace: str | None = None,
        name: str | None = None,
        labels: str | None = None,
        include_object: str = "Metadata",
    ) -> Object:
        """The server's own table: `columnDefinitions` and `rows`, each with `cells` and `object` (or None of it)."""
        query = {"labelSelector": labels, "includeObject": include_object}
        path = requests.with_query(requests.path_of(resource, namespace, name), **query)
        return self._json("GET", path, headers={"Accept": requests.TABLE})

    def create(self, resource: Resource, obj: Object, namespace: str | None = None, dry_run: bool = False) -> Object:
        path = requests.with_query(requests.path_of(resource, namespace), **requests.write_query(dry_run))
        return self._json("POST", path, requests.encode(obj))

    def replace(self, resource: Resource, obj: Object, namespace: str | None = None) -> Object:
        name = obj["metadata"]["name"]
        path = requests.with_query(requests.path_of(resource, namespace, name), **requests.write_query(False))
        return self._json("PUT", path, requests.encode(obj))

    def apply(
        self,
        resource: Resource,
        obj: Object,
        namespace: str | None = None,
        force: bool = True,
        dry_run: bool = False,
        manager: str = requests.FIELD_MANAGER,
    ) -> Object:
        """Server-side apply."""
        query = requests.write_query(dry_run, manager=manager) | {"force": force}
        path = requests.with_query(requests.path_of(resource, namespace, obj["metadata"]["name"]), **query)
        return self._json("PATCH", path, requests.encode(obj), {"Content-Type": requests.APPLY})

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        media_type: str = requests.MERGE,
        subresource: str | None = None,
    ) -> Object:
        query = requests.write_query(False, strict=False)
        path = requests.with_query(requests.path_of(resource, namespace, name, subresource), **query)
        return self._json("PATCH", path, requests.encode(patch), {"Content-Type": media_type})

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        propagation: str = "Background",
    ) -> Object:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        return self._json("DELETE", requests.path_of(resource, namespace, name), requests.encode(options))

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        name: str | None = None,
        labels: str | None = None,
        resource_version: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[WatchEvent]:
        """What happens after `resource_version`, until the server ends the watch. Raises ApiError 410 when too old."""
        query = {
            "watch": True,
            "labelSelector": labels,
            "fieldSelector": requests.name_selector(name),
            "resourceVersion": resource_version,
            "timeoutSeconds": max(int(timeout_s), 1) if timeout_s else None,
            "allowWatchBookmarks": True,
        }
        path = requests.with_query(requests.path_of(resource, namespace), **query)
        response = self.request("GET", path, timeout_s=timeout_s)
        try:
            for line in response.lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                yield WatchEvent(event["type"], event["object"])
        finally:
            response.close()

    def logs(
        self,
        pod: str,
        namespace: str,
        container: str | None = None,
        follow: bool = False,
        previous: bool = False,
        tail: int | None = None,
        since_s: int | None = None,
        timestamps: bool = False,
    ) -> Response:
        """A pod's log, to be read by `lines()` and closed."""
        query = {
            "container": container, "follow": follow, "previous": previous, "tailLines": tail,
            "sinceSeconds": since_s, "timestamps": timestamps,
        }  # fmt: skip
        path = requests.with_query(requests.path_of(resources.PODS, namespace, pod, "log"), **query)
        return self.request("GET", path, timeout_s=None if follow else READ_TIMEOUT_S)

    def can(self, verb: str, resource: Resource, namespace: str | None = None, subresource: str = "") -> bool:
        """Whether these credentials may do that."""
        attributes = {"verb": verb, "group": resource.group, "resource": resource.plural, "subresource": subresource}
        if namespace:
            attributes["namespace"] = namespace
        review = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
                  "spec": {"resourceAttributes": attributes}}  # fmt: skip
        path = resources.SELFSUBJECTACCESSREVIEWS.path()
        return bool(self._json("POST", path, requests.encode(review))["status"].get("allowed"))

    # Discovery.

    def resource_for(self, api_version: str, kind: str) -> Resource:
        """The resource of a manifest's apiVersion and kind. Raises NotFound."""
        for resource in vars(resources).values():
            if isinstance(resource, Resource) and (resource.api_version, resource.kind) == (api_version, kind):
                return resource
        found = self._discover(api_version)
        for entry in found:
            if entry["kind"] == kind and "/" not in entry["name"]:
                group, _, version = api_version.rpartition("/")
                return Resource(group, version, entry["name"], kind, entry["namespaced"])
        if not found:
            raise NotFound(f"The cluster serves no {api_version}.", _install_hint(api_version))
        like = nearest(kind, [entry["kind"] for entry in found if "/" not in entry["name"]])
        raise NotFound(f"There is no kind {kind} in {api_version}.", f"Did you mean {like}?" if like else "")

    def _discover(self, api_version: str) -> list[Object]:
        if api_version not in self._discovered:
            root = "/apis" if "/" in api_version else "/api"
            try:
                self._discovered[api_version] = self._json("GET", f"{root}/{api_version}")["resources"]
            except ApiError as refused:
                if refused.code != 404:
                    raise
                self._discovered[api_version] = []
        return self._discovered[api_version]

    # HTTP.

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float | None = READ_TIMEOUT_S,
        check: bool = True,
    ) -> Response:
        """One request on a connection of its own, for answers that stream. Raises ApiError unless `check` is off."""
        connection = self._connect()
        answer = self._exchange(connection, method, path, body, headers, timeout_s)
        response = Response(answer, connection)
        if check and answer.status >= 400:
            body = response.read()
            response.close()
            raise ApiError.of(answer.status, body)
        return response

    def _json(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Object:
        headers = {"Accept": "application/json", "Content-Type": "application/json"} | (headers or {})
        reused = self._kept is not None
        connection = self._kept or self._connect()
        self._kept = None
        try:
            answer = self._exchange(connection, method, path, body, headers, READ_TIMEOUT_S)
        except _StaleConnection:
            if not reused:
                raise self._unreachable("it closed the connection") from None
            connection = self._connect()
            answer = self._exchange(connection, method, path, body, headers, READ_TIMEOUT_S)
        content = answer.read()
        if not answer.will_close:
            self._kept = connection
        if answer.status >= 400:
            raise ApiError.of(answer.status, content)
        return json.loads(content)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str] | None,
        timeout_s: float | None,
    ) -> http.client.HTTPResponse:
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout_s)
            connection.request(method, path, body, self.connection.headers() | (headers or {}))
            connection.sock.settimeout(timeout_s)
            return connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            raise _StaleConnection from None
        except TimeoutError:
            connection.close()
            raise NotReady(f"The API server at {self.connection.server} did not answer in time.", "") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(_why(error)) from None

    def _connect(self) -> http.client.HTTPConnection:
        where = urlsplit(self.connection.server)
        context = self.connection.ssl_context
        if context is None:
            return http.client.HTTPConnection(where.hostname, where.port, timeout=CONNECT_TIMEOUT_S)
        made = http.client.HTTPSConnection(
            where.hostname, where.port or 443, timeout=CONNECT_TIMEOUT_S, context=context
        )
        if name := self.connection.server_hostname:
            made._tunnel_host = None
            made.connect = lambda: _connect_as(made, context, name)  # type: ignore[method-assign]
        return made

    def _unreachable(self, why: str) -> NoConnection:
        connection = self.connection
        if connection.context == CONTEXT_LOCAL:
            return NoConnection("The local cluster is not running.", "Start it: kaos local up")
        return NoConnection(
            f"No answer from {connection.server} (context {connection.context}): {why}.",
            "Is the cluster up? Another one: kaos context list",
        )


class _StaleConnection(NoConnection):
    """A kept connection had ended."""

    def __init__(self) -> None:
        super().__init__("The API server closed the connection.", "Try again.")


def _connect_as(connection: http.client.HTTPSConnection, context: ssl.SSLContext, name: str) -> None:
    raw = socket.create_connection((connection.host, connection.port), CONNECT_TIMEOUT_S)
    connection.sock = context.wrap_socket(raw, server_hostname=name)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _install_hint(api_version: str) -> str:
    return "Install KAOS there: kaos system install --no-operator" if api_version.startswith("kaos.tools/") else ""
