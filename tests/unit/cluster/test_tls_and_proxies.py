"""Who the API server must prove to be, and the way to it through a proxy; on the local API server's own TLS."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import aiohttp
import pytest

from kaos.cluster import Client, Connection, resolve
from kaos.cluster.aio import AsyncClient
from kaos.errors import NoConnection
from kaos.kube.resources import NAMESPACES
from tests.live import LiveCluster


@pytest.fixture
def here(live: LiveCluster) -> Connection:
    return resolve(kubeconfig=str(live.kubeconfig))


def asked_by_both(connection: Connection) -> list[str]:
    """What the blocking and the async client get; both must be let in."""

    async def ask() -> str:
        async with AsyncClient(connection) as client:
            return (await client.get(NAMESPACES, "default"))["metadata"]["name"]

    return [Client(connection).get(NAMESPACES, "default")["metadata"]["name"], asyncio.run(ask())]


async def _failing(connection: Connection) -> None:
    async with AsyncClient(connection) as client:
        await client.get(NAMESPACES, "default")


def test_the_right_authority_and_name_are_enough(here: Connection) -> None:
    assert asked_by_both(here) == ["default", "default"]


def test_the_name_to_prove_can_be_another_than_the_address(here: Connection) -> None:
    by_name = replace(here, cluster=here.cluster | {"tls-server-name": "kubernetes.default.svc"})
    assert asked_by_both(by_name) == ["default", "default"]


def test_a_server_of_another_name_is_not_trusted(here: Connection) -> None:
    other = replace(here, cluster=here.cluster | {"tls-server-name": "evil.example.com"})
    with pytest.raises(NoConnection, match=r"its certificate is not trusted \(.*evil.example.com"):
        Client(other).get(NAMESPACES, "default")
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        asyncio.run(_failing(other))


def test_a_server_of_another_authority_is_not_trusted(here: Connection) -> None:
    strange = replace(here, cluster={"server": here.server})
    with pytest.raises(NoConnection, match=r"its certificate is not trusted \(.*certificate") as told:
        Client(strange).get(NAMESPACES, "default")
    assert told.value.exit_code == 4
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        asyncio.run(_failing(strange))


def test_verification_can_be_switched_off(here: Connection) -> None:
    blind = replace(here, cluster={"server": here.server, "insecure-skip-tls-verify": True})
    assert asked_by_both(blind) == ["default", "default"]


def test_wrong_credentials_are_told_with_a_cure(here: Connection) -> None:
    with pytest.raises(Exception, match="Unauthorized") as told:
        Client(replace(here, user={"token": "wrong"})).get(NAMESPACES, "default")
    assert told.value.exit_code == 4
    assert "renew them" in told.value.cure


class ConnectProxy:
    """An HTTP proxy that knows CONNECT, and says what it was asked."""

    def __init__(self, refuse: bytes = b"") -> None:
        self.asked: list[str] = []
        self._refuse = refuse
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
            head += piece
        self.asked.append(head.decode())
        if self._refuse:
            connection.sendall(self._refuse)
            connection.close()
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        server = socket.create_connection((host, int(port)))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=_pour, args=(server, connection), daemon=True).start()
        _pour(connection, server)


def _pour(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    made = ConnectProxy()
    yield made
    made.stop()


def test_a_proxy_is_asked_for_a_tunnel_and_the_server_still_proves_itself(
    here: Connection, proxy: ConnectProxy
) -> None:
    through = replace(here, proxy=f"http://me:p%40ss@{proxy.address}")
    assert asked_by_both(through) == ["default", "default"]
    assert len(proxy.asked) == 2
    for head in proxy.asked:
        assert head.startswith(f"CONNECT {here.server.removeprefix('https://')} HTTP/1.")
        assert f"Basic {base64.b64encode(b'me:p@ss').decode()}" in head
        assert "Bearer" not in head, "the cluster's credentials are not the proxy's business"
    with pytest.raises(NoConnection, match="certificate is not trusted"):
        Client(replace(through, cluster={})).get(NAMESPACES, "default")


def test_a_proxy_that_refuses_is_told(here: Connection) -> None:
    refusing = ConnectProxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nConnection: close\r\n\r\n")
    with pytest.raises(NoConnection, match="407 proxy authentication required"):
        Client(replace(here, proxy=f"http://{refusing.address}")).get(NAMESPACES, "default")
    refusing.stop()


def test_proxies_of_the_environment_do_not_stand_between_us_and_this_machine(
    live: LiveCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert asked_by_both(resolve(kubeconfig=str(live.kubeconfig))) == ["default", "default"]
