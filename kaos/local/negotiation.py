"""What form of an answer the caller asked for: the object, a Table, or metadata only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from kaos.local import status
from kaos.local.kinds import Kind

JSON = "application/json"
_SPOKEN = (JSON, "application/yaml")
_SHAPES = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True)
class Form:
    """The negotiated form."""

    kind: str = ""  # "" (the object itself), Table, PartialObjectMetadata, PartialObjectMetadataList
    version: str = "v1"  # of meta.k8s.io
    yaml: bool = False

    @property
    def is_plain(self) -> bool:
        return not self.kind and not self.yaml


def offers(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The media types of an Accept header with their parameters, in order."""
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        yield media, dict(piece.split("=", 1) for piece in parameters if "=" in piece)


def negotiate(request: web.Request, kind: Kind) -> Form:
    """The first acceptable form of the Accept header. Raises ApiStatus 406."""
    accept = request.headers.get("Accept", "")
    if not accept.strip():
        return Form()
    known = False
    for media, asked in offers(accept):
        if media in ("*/*", "application/*"):
            return Form()
        if media not in _SPOKEN or asked.get("stream") not in (None, "watch"):
            known |= media == "application/vnd.kubernetes.protobuf"
            continue
        known = True
        shape = asked.get("as", "")
        if not shape:
            return Form(yaml=media != JSON)
        if shape in _SHAPES and asked.get("g") == "meta.k8s.io" and asked.get("v") in ("v1", "v1beta1"):
            return Form(shape, asked["v"], yaml=media != JSON)
    raise status.not_acceptable(known or kind.custom)


def wants_aggregated(accept: str) -> bool:
    """Whether discovery is asked for in its aggregated form. Raises ApiStatus 406 when no known form is."""
    for media, asked in offers(accept):
        if media in ("", "*/*", "application/*") or (media in _SPOKEN and "as" not in asked):
            return False
        is_discovery = asked.get("g") == "apidiscovery.k8s.io" and asked.get("as") == "APIGroupDiscoveryList"
        if media == JSON and is_discovery and asked.get("v") == "v2":
            return True
    raise status.not_acceptable(known=True)
