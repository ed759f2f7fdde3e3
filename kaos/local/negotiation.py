"""What form of an answer the caller asked for: the object, a Table, or metadata only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kaos.local import status

JSON = "application/json"
_ACCEPTED = (JSON, "application/yaml", "application/vnd.kubernetes.protobuf")
_OURS = (JSON, "application/yaml")


@dataclass(frozen=True)
class Form:
    """The negotiated form."""

    kind: str = ""  # "", Table, PartialObjectMetadata, PartialObjectMetadataList
    yaml: bool = False

    @property
    def media_type(self) -> str:
        return "application/yaml" if self.yaml else JSON


def negotiate(request: web.Request) -> Form:
    """The first acceptable form of the Accept header. Raises ApiStatus 406."""
    accept = request.headers.get("Accept", "")
    if not accept.strip():
        return Form()
    for part in accept.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        options = dict[str, Any](piece.split("=", 1) for piece in parameters if "=" in piece)
        if media in ("*/*", "application/*"):
            return Form()
        if media in _OURS and options.get("stream") in (None, "watch"):
            shape = options.get("as", "")
            if shape and (options.get("g") != "meta.k8s.io" or options.get("v") not in ("v1", "v1beta1")):
                continue
            if shape in ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
                return Form(shape, yaml=media != JSON)
    raise status.not_acceptable(_ACCEPTED)
