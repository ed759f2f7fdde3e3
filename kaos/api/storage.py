"""Storage that a resource may ask for: a volume of its own that outlives its pods."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kaos.api.rules import Model, pattern

Size = Annotated[
    str,
    Field(max_length=32),
    pattern(r"[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?", "storage.size must be an amount such as 1Gi"),
    pattern("[0-9.]*[1-9][0-9.]*[A-Za-z]*", "storage.size must be more than nothing"),
]


class Storage(Model):
    size: Annotated[Size, Field(description="How much, for example 1Gi.")] = "1Gi"
    storageClassName: Annotated[
        str | None, Field(max_length=253, description="Which StorageClass; default: the cluster's.")
    ] = None
    retain: Annotated[bool, Field(description="Keep the volume when the resource is deleted.")] = True
