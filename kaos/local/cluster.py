"""The local cluster, put together: store, API server, controllers, Services and node in one directory and process."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from kaos.errors import KaosError
from kaos.kube.resources import NAMESPACES
from kaos.local import certs
from kaos.local.controllers import Controllers
from kaos.local.lock import DirectoryLock
from kaos.local.machinery import Machinery
from kaos.local.node import Node
from kaos.local.ports import free_port
from kaos.local.rbac import Account
from kaos.local.server import ApiServer
from kaos.local.services import Services
from kaos.local.store import Store

log = logging.getLogger("kaos.local")
_PORT_FACT = "port"
BACKOFF_VARIABLE = "KAOS_LOCAL_BACKOFF_S"  # first restart back-off of pods, for tests; 10 s as kubelet's


class LocalCluster:
    """One cluster in one data directory."""

    def __init__(self, directory: Path, port: int | None, image_commands: dict[str, list[str]]) -> None:
        self.directory = directory
        self._wanted_port = port
        self._image_commands = image_commands
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Come up with everything that the store holds. Raises KaosError."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
        except OSError as error:
            raise KaosError(
                f"The directory {self.directory} cannot hold a local cluster: {error.strerror}.",
                "Choose another: kaos local up --dir DIRECTORY",
            ) from None
        async with contextlib.AsyncExitStack() as stack:
            lock = DirectoryLock(self.directory)
            stack.callback(lock.release)
            store = Store(self.directory / "state.db")
            stack.callback(store.close)
            machinery = Machinery(store)
            _make_base(machinery)
            credentials = certs.load_or_make(self.directory / "tls")
            services = Services(machinery)

            def kubeconfig(account: Account) -> str:
                return credentials.kubeconfig(server.port, account.token(credentials.token), account.namespace)

            node = Node(machinery, self.directory, services, self._image_commands, kubeconfig, _backoff_s())
            server = ApiServer(machinery, credentials, services, node)
            self._take_port(server, store)
            stack.push_async_callback(server.stop)
            await services.start()
            stack.push_async_callback(services.stop)
            await node.start()
            stack.push_async_callback(node.stop)
            controllers = Controllers(machinery, self.directory / "volumes")
            controllers.start()
            stack.push_async_callback(controllers.stop)
            await server.start()
            certs.write_private(self.directory / "kubeconfig", credentials.kubeconfig(server.port))
            self._stack = stack.pop_all()
        log.info("serving on 127.0.0.1:%d, data in %s", server.port, self.directory)

    def _take_port(self, server: ApiServer, store: Store) -> None:
        """The wanted port, else the one of last time, else a free one."""
        known = store.fact(_PORT_FACT)
        port = self._wanted_port or int(known or 0) or free_port()
        try:
            server.bind(port)
        except KaosError:
            if self._wanted_port or not known:
                raise
            log.warning("port %d of last time is taken; taking another", port)
            server.bind(free_port())
        store.set_fact(_PORT_FACT, str(server.port))

    async def stop(self) -> None:
        await self._stack.aclose()


def _make_base(machinery: Machinery) -> None:
    for name in ("default", "kube-system", "kube-public"):
        if machinery.find(NAMESPACES, None, name) is None:
            machinery.create(NAMESPACES, {"metadata": {"name": name}})


def _backoff_s() -> float:
    try:
        return float(os.environ.get(BACKOFF_VARIABLE, "10"))
    except ValueError:
        return 10.0
