"""HTTP for the blocking client: connections, and answers that are being read."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from kaos.cluster.connection import Connection
from kaos.errors import KaosError, NoConnection, NotReady

CONNECT_TIMEOUT_S = 10.0


def connect(connection: Connection) -> http.client.HTTPConnection:
    """A new connection to the API server, not yet open. Raises NoConnection for unusable credentials."""
    where, context = urlsplit(connection.server), connection.ssl_context
    if context is None:
        return http.client.HTTPConnection(where.hostname, where.port, timeout=CONNECT_TIMEOUT_S)
    name, port = connection.server_hostname or where.hostname, where.port or 443
    if connection.proxy is None:
        return _TlsConnection(where.hostname, port, context, name)
    proxy = urlsplit(connection.proxy)
    made = _TlsConnection(proxy.hostname, proxy.port or 80, context, name)
    made.set_tunnel(where.hostname, port, _proxy_credentials(proxy))
    return made


def has_ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed an idle connection: there is something to read, and it can only be the end."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


class _TlsConnection(http.client.HTTPConnection):
    """HTTPS, perhaps through a proxy's tunnel, whose server must prove to be `server_name`."""

    default_port = 443

    def __init__(self, host: str, port: int, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(host, port, timeout=CONNECT_TIMEOUT_S)
        self._tls, self._server_name = context, server_name

    def connect(self) -> None:
        super().connect()
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


def _proxy_credentials(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class Response:
    """An HTTP answer that is being read."""

    def __init__(self, response: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> None:
        self._response = response
        self._connection = connection
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def read(self) -> bytes:
        """The whole body. Raises NotReady, NoConnection."""
        try:
            return self._response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _failure(error) from None

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives. Raises NotReady when the server is silent for too long, NoConnection when cut."""
        while True:
            try:
                chunk = self._response.read1(65536)
            except (OSError, http.client.HTTPException) as error:
                raise _failure(error) from None
            if not chunk:
                break
            yield chunk
        if self._response.length:
            raise _failure(http.client.IncompleteRead(b""))

    def limit(self, seconds: float) -> None:
        """How long the next pieces may take."""
        if self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)

    def lines(self) -> Iterator[bytes]:
        pieces: list[bytes] = []  # of the line that has not ended yet
        for chunk in self.chunks():
            *ended, rest = chunk.split(b"\n")
            for piece in ended:
                yield b"".join([*pieces, piece])
                pieces = []
            if rest:
                pieces.append(rest)
        if pieces:
            yield b"".join(pieces)

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def _failure(error: Exception) -> KaosError:
    if isinstance(error, TimeoutError):
        return NotReady("The server sent nothing more in time.", "")
    what = "the answer is not complete" if isinstance(error, http.client.IncompleteRead) else why(error)
    return NoConnection(f"The connection was cut: {what}.", "Try again.")


def why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.lower().split())
