"""Who may ask, and the proxy through which pods are reached."""

from __future__ import annotations

import json
import os
import stat

import httpx
import pytest

from kaos.errors import KaosError
from kaos.local.lock import DirectoryLock, holder
from kaos.local.ports import free_port, is_free
from tests.unit.local.kube import is_ready, pod

ECHO = r"""
import http.server as h, json, os, time

HOME = os.path.expanduser('~/')

class Echo(h.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def head(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()

    def do_GET(self):
        if self.path == '/stream':
            return self.stream()
        if self.path == '/go':
            for word in ('one', 'two'):
                open(HOME + word, 'w').close()
        if self.path == '/cut':
            self.head(200, Content_Length='100')
            self.wfile.write(b'short')
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        told = {'path': self.path, 'method': self.command, 'headers': dict(self.headers), 'body': body}
        answer = json.dumps(told).encode()
        self.head(418 if self.path == '/teapot' else 200, Content_Length=str(len(answer)), X_Own='yes')
        self.wfile.write(answer)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def stream(self):
        self.head(200, Content_Type='text/event-stream', Transfer_Encoding='chunked')
        for word in (b'one', b'two'):
            self.wfile.write(b'%x\r\n%s\r\n' % (len(word), word))
            self.wfile.flush()
            while not os.path.exists(HOME + word.decode()):
                time.sleep(0.01)
        self.wfile.write(b'0\r\n\r\n')

    def log_message(self, *a):
        pass

h.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Echo).serve_forever()
"""


@pytest.fixture
def echo(kube):
    """The proxy path of a pod that says what it was asked."""
    spec = {
        "env": [{"name": "PORT", "value": "8000"}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": "http"}},
    }
    kube.create(pod("echo", ECHO, container=spec))
    kube.until("Pod", "echo", is_ready)
    service = {"selector": {"app": "echo"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}
    kube.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "echo"}, "spec": service})
    return kube


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic x"}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
    ],
)
def test_only_the_holder_of_the_token_on_this_machine_may_ask(http, headers, code):
    assert http.get("/api/v1/namespaces", headers=headers).status_code == code


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version", "/healthz"])
def test_whether_it_lives_anyone_may_ask(http, path):
    assert http.get(path, headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize("path", ["/livezz", "//livez", "/", "/api", "/metrics"])
def test_nothing_else_is_open(http, path):
    assert http.get(path, headers={"Authorization": ""}).status_code == 401


def test_what_the_directory_holds_is_for_its_owner_only(live):
    assert stat.S_IMODE(os.stat(live.directory).st_mode) == 0o700
    for name in ("state.db", "kubeconfig", "tls/token", "tls/server.key"):
        assert stat.S_IMODE(os.stat(live.directory / name).st_mode) == 0o600, name


def test_a_body_without_end_is_refused(http):
    big = json.dumps({"metadata": {"name": "big"}, "data": {"x": "y" * (4 << 20)}})
    refused = http.post(
        "/api/v1/namespaces/default/configmaps", content=big, headers={"Content-Type": "application/json"}
    )
    assert refused.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "a: &a [*a, *a]\n",
        "x: " + "- " * 5000,
        "x: " + "[" * 100_000,
        "\x00",
        '{"metadata": NaN}',
    ],
    ids=["lists", "objects", "aliases", "deep yaml", "brackets", "nul", "nan"],
)
@pytest.mark.parametrize("media", ["application/json", "application/yaml"])
def test_hostile_bodies_are_refused_and_hurt_nobody(http, body, media):
    answer = http.post("/api/v1/namespaces/default/configmaps", content=body, headers={"Content-Type": media})
    assert answer.status_code in (400, 413)
    assert http.get("/readyz").status_code == 200


# The proxy.


def test_a_request_reaches_the_pod_as_it_was_sent(echo):
    path = f"{echo.path('Service', 'echo')}:web/proxy/some%2Fpath/?q=a%20b"
    sent = {"X-Mine": "1", "Content-Type": "text/plain"}
    got = echo.http.post(path, content="hello", headers=sent).json()
    assert (got["method"], got["path"], got["body"]) == ("POST", "/some%2Fpath/?q=a%20b", "hello")
    assert got["headers"]["X-Mine"] == "1"
    assert "Authorization" not in got["headers"]


@pytest.mark.parametrize(
    "target", ["services/echo", "services/echo:80", "services/http:echo:web", "pods/echo", "pods/echo:8000"]
)
def test_every_way_to_name_a_port(echo, target):
    answer = echo.http.get(f"/api/v1/namespaces/{echo.namespace}/{target}/proxy/")
    assert (answer.status_code, answer.headers["X-Own"]) == (200, "yes")


def test_the_pods_own_status_comes_back(echo):
    assert echo.http.get(f"{echo.path('Pod', 'echo')}/proxy/teapot").status_code == 418


def test_a_stream_comes_word_by_word(echo):
    base = f"{echo.path('Pod', 'echo')}/proxy"
    with echo.http.stream("GET", f"{base}/stream") as answer:
        words = answer.iter_raw()
        assert next(words) == b"one"
        assert echo.http.get(f"{base}/go").status_code == 200
        assert b"".join(words) == b"two"


def test_an_answer_that_is_cut_is_not_taken_for_a_whole_one(echo):
    with pytest.raises(httpx.HTTPError):
        echo.http.get(f"{echo.path('Pod', 'echo')}/proxy/cut")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("services/nobody", 404),
        ("pods/nobody", 404),
        ("services/echo:99", 503),
        ("pods/echo:99", 503),
        ("services/https:echo:web", 501),
    ],
)
def test_where_no_pod_serves_it_is_told(echo, target, code):
    assert echo.http.get(f"/api/v1/namespaces/{echo.namespace}/{target}/proxy/").status_code == code


# One daemon a directory, ports that nobody has.


def test_a_lock_has_one_holder_and_names_it(tmp_path):
    lock = DirectoryLock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(KaosError, match=str(os.getpid())):
        DirectoryLock(tmp_path)
    lock.release()
    assert holder(tmp_path) is None
    DirectoryLock(tmp_path).release()


def test_a_stale_lock_file_holds_nobody_up(tmp_path):
    (tmp_path / "lock").write_text("999999")
    assert holder(tmp_path) is None
    DirectoryLock(tmp_path).release()


def test_ports_are_free_and_handed_out_once():
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    assert all(20_000 <= port < 30_000 for port in ports)
    assert all(is_free(port) for port in ports)
