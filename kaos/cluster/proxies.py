"""Which HTTP proxy leads to an API server, as kubectl finds it: the kubeconfig's `proxy-url`, else HTTPS_PROXY."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from kaos.errors import UsageError


def wanted(server: str, proxy_url: str | None, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL, or None for a direct connection. Raises UsageError for one that is not spoken here."""
    where = urlsplit(server)
    found = proxy_url or _from_environment(where, environ)
    if not found or where.scheme != "https":
        return None
    found = found if "://" in found else f"http://{found}"
    if urlsplit(found).scheme != "http" or not urlsplit(found).hostname:
        shown = found.rpartition("@")[2]
        raise UsageError(f"The proxy {shown} for {server} cannot be used: only http:// ones can.", "")
    return found


def _from_environment(where: SplitResult, environ: Mapping[str, str]) -> str | None:
    found = environ.get("HTTPS_PROXY") or environ.get("https_proxy")
    if not found or _is_exempt(where, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    return found


def _is_exempt(where: SplitResult, exempt: str) -> bool:
    host = (where.hostname or "").lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    port = str(where.port or 443)
    return any(_matches(one.strip().lower(), host, port, address) for one in exempt.split(",") if one.strip())


def _matches(pattern: str, host: str, port: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if pattern == "*":
        return True
    if address is not None:
        try:
            return address in ipaddress.ip_network(pattern.strip("[]"), strict=False)
        except ValueError:
            pass  # no address: a name, perhaps with a port
    name, colon, wanted_port = pattern.rpartition(":")
    if colon and wanted_port.isdigit():
        if wanted_port != port:
            return False
        pattern = name.strip("[]")
    if address is not None or not pattern.startswith((".", "*.")):
        return host == pattern or (address is None and host.endswith(f".{pattern}"))
    return host.endswith(pattern.removeprefix("*"))
