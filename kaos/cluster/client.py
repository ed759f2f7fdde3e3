"""The Kubernetes API for one-shot commands: blocking, on the standard library's HTTP client, quick to import."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from kaos.cluster import answers, requests, transport
from kaos.cluster.answers import ObjectList, WatchEvent
from kaos.cluster.connection import CONTEXT_LOCAL, Connection
from kaos.cluster.errors import ApiError
from kaos.cluster.transport import Response
from kaos.errors import KaosError, NoConnection, NotFound, NotReady
from kaos.kube import resources
from kaos.kube.names import nearest
from kaos.kube.resources import Resource

Object = dict[str, Any]
OnSent = Callable[[socket.socket], None]
READ_TIMEOUT_S = 60.0
GRACE_S = 2.0  # beyond the time after which a server was asked to end a watch


class Client:
    """Every verb takes a Resource first, then the name and `namespace=`. Failures raise ApiError or NoConnection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._kept: http.client.HTTPConnection | None = None
        self._discovered: dict[str, list[Object]] = {}
        self._base = urlsplit(connection.server).path  # of servers that lead to several clusters

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
        timeout_s: float = READ_TIMEOUT_S,
    ) -> ObjectList:
        """All pages; from the start and in one piece when the server has forgotten the state that they show."""
        path = requests.path_of(resource, namespace)
        query: Object = {"labelSelector": labels, "fieldSelector": fields, "limit": requests.PAGE_SIZE}
        items: list[Object] = []
        while True:
            try:
                page = self._json("GET", requests.with_query(path, **query), timeout_s=timeout_s)
            except ApiError as refused:
                if refused.code != 410 or "continue" not in query:
                    raise
                items = []
                query = {"labelSelector": labels, "fieldSelector": fields}
                continue
            found, version, token = answers.page_of(page, self.connection.server)
            items += found
            if not token:
                return ObjectList(items, version)
            query["continue"] = token

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

    def replace(self, resource: Resource, obj: Object, namespace: str | None = None, dry_run: bool = False) -> Object:
        name = obj["metadata"]["name"]
        path = requests.with_query(requests.path_of(resource, namespace, name), **requests.write_query(dry_run))
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
        response = self.request("GET", path, timeout_s=timeout_s + GRACE_S if timeout_s else None)
        try:
            for line in response.lines():
                yield answers.event_of(line, self.connection.server)
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
        answer = self._json("POST", path, requests.encode(review))
        return bool((answer.get("status") or {}).get("allowed"))

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
                self._discovered[api_version] = self._json("GET", f"{root}/{api_version}").get("resources") or []
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
        on_sent: OnSent | None = None,
    ) -> Response:
        """One request on a connection of its own, for answers that stream. Raises ApiError unless `check` is off.

        `on_sent` gets the socket on which the answer will come: to shut it down is how another thread ends the wait."""
        connection = transport.connect(self.connection)
        answer = self._exchange(connection, method, path, body, headers, timeout_s, on_sent)
        response = Response(answer, connection)
        if check and answer.status >= 300:
            try:
                raise answers.refusal(answer.status, response.read(), self.connection.server)
            finally:
                response.close()
        return response

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> Object:
        headers = {"Accept": "application/json", "Content-Type": "application/json"} | (headers or {})
        kept, self._kept = self._kept, None
        connection = kept if kept and not transport.has_ended(kept) else transport.connect(self.connection)
        try:
            answer = self._exchange(connection, method, path, body, headers, timeout_s)
        except _StaleConnection:
            # A kept connection may end at the very moment of its use. What was sent may have been done all the same.
            if connection is not kept or method == "POST":
                raise self._unreachable("it closed the connection") from None
            connection = transport.connect(self.connection)
            answer = self._exchange(connection, method, path, body, headers, timeout_s)
        response = Response(answer, connection)
        try:
            content = response.read()
        except KaosError:
            response.close()
            raise
        if not answer.will_close:
            self._kept = connection
        if answer.status >= 300:
            raise answers.refusal(answer.status, content, self.connection.server)
        return answers.decode(content, self.connection.server)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str] | None,
        timeout_s: float | None,
        on_sent: OnSent | None = None,
    ) -> http.client.HTTPResponse:
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout_s)
            connection.request(method, self._base + path, body, self.connection.headers() | (headers or {}))
            connection.sock.settimeout(timeout_s)
            if on_sent is not None:
                on_sent(connection.sock)
            return connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            raise _StaleConnection from None
        except TimeoutError:
            connection.close()
            raise NotReady(f"The API server at {self.connection.server} did not answer in time.", "") from None
        except ConnectionRefusedError as error:
            connection.close()
            if self.connection.context == CONTEXT_LOCAL:
                raise NoConnection("The local cluster is not running.", "Start it: kaos local up") from None
            raise self._unreachable(transport.why(error)) from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(transport.why(error)) from None

    def _unreachable(self, why: str) -> NoConnection:
        return NoConnection(
            f"No answer from {self.connection.server} (context {self.connection.context}): {why}.",
            "Is the cluster up? Another one: kaos context list",
        )


class _StaleConnection(NoConnection):
    """A kept connection had ended."""

    def __init__(self) -> None:
        super().__init__("The API server closed the connection.", "Try again.")


def _install_hint(api_version: str) -> str:
    return "Install KAOS there: kaos system install" if api_version.startswith("kaos.tools/") else ""
