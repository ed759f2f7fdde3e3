"""What a kubeconfig says about credentials reaches the wire, or is refused in words; secrets appear in none of them."""

from __future__ import annotations

import base64
import datetime
import json
import ssl
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kaos.cluster import proxies
from kaos.cluster.connection import Connection, resolve
from kaos.errors import NoConnection, UsageError

CANARY = "s3cret-c4nary"


def connection(directory: Path, user: Any, cluster: dict | None = None, environ: dict | None = None) -> Connection:
    """The connection that a kubeconfig with this user and cluster gives."""
    path = directory / "kubeconfig"
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"} | (cluster or {})}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return resolve(kubeconfig=str(path), environ=environ or {"HOME": str(directory)})


def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM), pem


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def plugin(directory: Path, code: str, **more: Any) -> dict:
    """A login program in Python, as a kubeconfig names it."""
    program = directory / "login"
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", **more}}


def credential(status: str) -> str:
    return f"import json\nprint(json.dumps({{'kind': 'ExecCredential', 'status': {status}}}))"


@pytest.mark.parametrize(
    ("user", "headers"),
    [
        ({}, {}),
        ({"token": "abc"}, {"Authorization": "Bearer abc"}),
        ({"username": "me", "password": "pass:word"}, {"Authorization": f"Basic {encoded(b'me:pass:word')}"}),
        ({"username": "me"}, {"Authorization": f"Basic {encoded(b'me:')}"}),
        ({"token": "abc", "username": "me"}, {"Authorization": "Bearer abc"}),
        ({"token": "abc", "as": "other", "as-uid": "7"},
         {"Authorization": "Bearer abc", "Impersonate-User": "other", "Impersonate-Uid": "7"}),
    ],
)  # fmt: skip
def test_users_become_headers(tmp_path: Path, user: dict, headers: dict) -> None:
    assert connection(tmp_path, user).headers() == headers


def test_a_token_file_is_looked_for_beside_the_kubeconfig_and_read_each_time(tmp_path: Path) -> None:
    found = connection(tmp_path, {"tokenFile": "token", "token": "older"})
    with pytest.raises(NoConnection, match=r"Cannot read .*token of context c: No such file"):
        found.headers()
    (tmp_path / "token").write_text("one\n")
    assert found.headers() == {"Authorization": "Bearer one"}
    (tmp_path / "token").write_text("two\n")
    assert found.headers() == {"Authorization": "Bearer two"}


def test_acting_as_a_group_is_refused_rather_than_forgotten(tmp_path: Path) -> None:
    with pytest.raises(NoConnection, match="acts as a group"):
        connection(tmp_path, {"token": "x", "as": "me", "as-groups": ["admins"]}).headers()


@pytest.mark.parametrize("token", [f"{CANARY}\nX-Evil: 1", f"{CANARY}\r", f"{CANARY} ü", f"{CANARY}\x00"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(tmp_path: Path, token: str) -> None:
    with pytest.raises(NoConnection, match=r"The token of context c .* cannot be used") as told:
        connection(tmp_path, {"token": token}).headers()
    assert CANARY not in told.value.cause


@pytest.mark.parametrize("form", ["data", "file"])
def test_client_certificates_are_shown(tmp_path: Path, form: str) -> None:
    shown, key = certificate()
    (tmp_path / "c.pem").write_bytes(shown)
    (tmp_path / "k.pem").write_bytes(key)
    user = (
        {"client-certificate": "c.pem", "client-key": "k.pem"}
        if form == "file"
        else {"client-certificate-data": encoded(shown), "client-key-data": encoded(key)}
    )
    assert isinstance(connection(tmp_path, user).ssl_context, ssl.SSLContext)


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"client-certificate": "gone", "client-key": "gone"}, {}, "Cannot read .*gone of context c"),
        (
            {"client-certificate-data": "!", "client-key-data": "!"},
            {},
            "client-certificate-data of context c .* cannot",
        ),
        (
            {"client-certificate-data": encoded(b"x"), "client-key-data": encoded(b"y")},
            {},
            "client certificate and key",
        ),
        ({}, {"certificate-authority": "gone"}, "Cannot read .*gone of context c"),
        ({}, {"certificate-authority-data": "!"}, "certificate-authority-data"),
        ({}, {"certificate-authority-data": encoded(b"no certificate")}, "The certificate authority of context c"),
        ({}, {"certificate-authority-data": encoded("ü".encode("latin-1"))}, "The certificate authority of context c"),
    ],
)
def test_unusable_certificates_are_named(tmp_path: Path, user: dict, cluster: dict, words: str) -> None:
    with pytest.raises(NoConnection, match=words) as told:
        _ = connection(tmp_path, user, cluster).ssl_context
    assert "\n" not in told.value.cause


def test_the_files_of_a_cluster_are_beside_the_kubeconfig_that_names_it(tmp_path: Path) -> None:
    shown, _ = certificate()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two/ca.pem").write_bytes(shown)
    (tmp_path / "one/k").write_text("current-context: c\ncontexts: [{name: c, context: {cluster: c}}]\n")
    (tmp_path / "two/k").write_text(
        "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: ca.pem}}]\n"
    )
    found = resolve(environ={"HOME": str(tmp_path), "KUBECONFIG": f"{tmp_path}/one/k:{tmp_path}/two/k"})
    assert found.ssl_context.cert_store_stats()["x509"] == 1


def test_verification_can_be_switched_off_and_only_then_is(tmp_path: Path) -> None:
    assert connection(tmp_path, {}).ssl_context.verify_mode == ssl.CERT_REQUIRED
    assert connection(tmp_path, {}, {"insecure-skip-tls-verify": True}).ssl_context.verify_mode == ssl.CERT_NONE
    assert connection(tmp_path, {}, {"server": "http://127.0.0.1:8080"}).ssl_context is None


def test_credentials_are_in_no_repr(tmp_path: Path) -> None:
    found = connection(tmp_path, {"token": CANARY, "password": CANARY}, {"proxy-url": f"http://u:{CANARY}@proxy:1"})
    assert CANARY not in repr(found)


# Login programs.


def test_a_login_program_is_asked_once_and_told_what_is_wanted(tmp_path: Path) -> None:
    code = (
        "import json, os, sys\n"
        "open('asked', 'a').write(os.environ['KUBERNETES_EXEC_INFO'] + os.environ['EXTRA'] + sys.argv[1])\n"
        + credential("{'token': 'from-program'}")
    )
    user = plugin(tmp_path, code.replace("'asked'", repr(str(tmp_path / "asked"))),
                  args=["get-token"], env=[{"name": "EXTRA", "value": "more"}])  # fmt: skip
    found = connection(tmp_path, user)
    assert found.headers() == found.headers() == {"Authorization": "Bearer from-program"}
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith("moreget-token")
    info = json.loads(asked.removesuffix("moreget-token"))
    assert info == {
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "spec": {"interactive": False},
    }  # fmt: skip


def test_a_login_that_has_expired_is_asked_for_again(tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = (
        f"import pathlib\nfile = pathlib.Path({str(count)!r})\n"
        "number = int(file.read_text()) + 1 if file.exists() else 1\nfile.write_text(str(number))\n"
        + credential("{'token': f'token-{number}', 'expirationTimestamp': TIME}")
    )
    found = connection(tmp_path, plugin(tmp_path, code.replace("TIME", "'2020-01-01T00:00:00Z'")))
    assert [found.headers()["Authorization"] for _ in range(2)] == ["Bearer token-1", "Bearer token-2"]
    found = connection(tmp_path, plugin(tmp_path, code.replace("TIME", "'2999-01-01T00:00:00Z'")))
    assert [found.headers()["Authorization"] for _ in range(2)] == ["Bearer token-3", "Bearer token-3"]


def test_a_login_program_may_give_a_certificate(tmp_path: Path) -> None:
    shown, key = certificate()
    status = repr({"clientCertificateData": shown.decode(), "clientKeyData": key.decode()})
    found = connection(tmp_path, plugin(tmp_path, credential(status)))
    assert isinstance(found.ssl_context, ssl.SSLContext)
    assert found.headers() == {}


@pytest.mark.parametrize(
    ("code", "more", "words", "cure"),
    [
        ("raise SystemExit(3)", {}, "ended with exit code 3", "Try it by hand: "),
        ("raise SystemExit(3)", {"installHint": "Get it from\nsomewhere"}, "ended with exit code 3", "Get it from"),
        ("print('hello')", {}, "printed no ExecCredential", "Try it"),
        ("print('[]')", {}, "printed no ExecCredential", "Try it"),
        ("print('{}')", {}, "printed no ExecCredential", "Try it"),
        ("print('{\"status\": 5}')", {}, "printed no ExecCredential", "Try it"),
        ("print('{\"status\": {}}')", {}, "printed no ExecCredential", "Try it"),
        ("", {"command": "no-such-login-program"}, "no-such-login-program of context c is not installed", "Try it"),
        ("", {"command": "./gone"}, "is not installed", "Try it"),
        ("", {"command": "/dev/null"}, "cannot be started: Permission denied", "Try it"),
    ],
)
def test_a_login_program_that_fails_is_named_with_a_cure(tmp_path: Path, code, more, words, cure) -> None:
    with pytest.raises(NoConnection) as told:
        connection(tmp_path, plugin(tmp_path, code, **({"args": ["--password", CANARY]} | more))).headers()
    assert words in told.value.cause
    assert told.value.cure.startswith(cure)
    assert CANARY not in told.value.cause + told.value.cure
    assert "\n" not in told.value.cause + told.value.cure


@pytest.mark.parametrize("entry", [{"command": "x"}, {"apiVersion": "v1"}, "x", ["x"]])
def test_a_login_that_names_no_program_is_told(tmp_path: Path, entry: Any) -> None:
    with pytest.raises(NoConnection, match=r"lacks exec\.command or exec\.apiVersion"):
        connection(tmp_path, {"exec": entry}).headers()


# Proxies.


@pytest.mark.parametrize(
    ("server", "proxy_url", "environ", "wanted"),
    [
        ("https://k.example.com:6443", None, {}, None),
        ("https://k.example.com:6443", "http://p:3128", {}, "http://p:3128"),
        ("https://k.example.com:6443", "http://p:1", {"HTTPS_PROXY": "http://q:2"}, "http://p:1"),
        ("https://k.example.com:6443", None, {"HTTPS_PROXY": "http://q:2"}, "http://q:2"),
        ("https://k.example.com:6443", None, {"https_proxy": "q:2"}, "http://q:2"),
        ("https://k.example.com:6443", None, {"HTTP_PROXY": "http://q:2"}, None),
        ("http://k.example.com:6443", None, {"HTTPS_PROXY": "http://q:2"}, None),
        ("https://127.0.0.1:6443", None, {"HTTPS_PROXY": "http://q:2"}, None),
        ("https://localhost:6443", None, {"HTTPS_PROXY": "http://q:2"}, None),
        ("https://[::1]:6443", None, {"HTTPS_PROXY": "http://q:2"}, None),
        *[
            ("https://k.example.com:6443", None, {"HTTPS_PROXY": "http://q:2", "NO_PROXY": exempt}, wanted)
            for exempt, wanted in [
                ("*", None), ("k.example.com", None), ("example.com", None), (".example.com", None),
                ("*.example.com", None), ("K.EXAMPLE.COM", None), ("a, example.com ,b", None),
                ("k.example.com:6443", None), ("k.example.com:443", "http://q:2"), ("ample.com", "http://q:2"),
                (".k.example.com", "http://q:2"), ("10.0.0.0/8", "http://q:2"), ("", "http://q:2"),
            ]
        ],
        *[
            ("https://10.1.2.3:6443", None, {"HTTPS_PROXY": "http://q:2", "no_proxy": exempt}, wanted)
            for exempt, wanted in [
                ("10.0.0.0/8", None), ("10.1.2.3", None), ("10.1.2.3:6443", None), ("10.1.2.3:1", "http://q:2"),
                ("192.168.0.0/16", "http://q:2"), ("2.3", "http://q:2"),
            ]
        ],
    ],
)  # fmt: skip
def test_the_proxy_is_the_one_that_kubectl_would_take(server, proxy_url, environ, wanted) -> None:
    assert proxies.wanted(server, proxy_url, environ) == wanted


@pytest.mark.parametrize("url", ["socks5://me:s3cret-c4nary@p:1", "https://p:1", "http://"])
def test_a_proxy_that_is_not_spoken_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="only http:// ones can") as told:
        connection(tmp_path, {}, {"proxy-url": url})
    assert CANARY not in told.value.cause


def test_the_environment_s_proxy_reaches_the_connection(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "HTTPS_PROXY": "http://p:3128"}
    assert connection(tmp_path, {}, {"server": "https://k.example.com"}, environ).proxy == "http://p:3128"
    assert connection(tmp_path, {}, {}, environ).proxy is None
