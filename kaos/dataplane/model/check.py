"""Does a configuration serve what it was meant to? Run in the pod, for configurations that only the pod may read.

Its words become the container's termination message, and so the status of the ModelAPI: they name models, nothing else.
"""

from __future__ import annotations

from kaos.api import models
from kaos.dataplane.model import routing
from kaos.dataplane.serving import EX_UNAVAILABLE, refuse

CURE = "correct it there: it is read again by itself"


def check(path: str, name: str, wanted: list[str]) -> None:
    """Ends the process with a reason unless the file is a configuration that serves the wanted models."""
    try:
        document = routing.load(path)
    except ValueError as error:
        refuse(f"{str(error).replace(path, name)}; {CURE}")
    if message := models.lacking(models.served_by(document), wanted, name):
        refuse(f"{message}; {CURE}, or change proxyConfig.models", EX_UNAVAILABLE)
