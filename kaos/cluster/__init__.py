"""Speaking the Kubernetes API: which cluster, and the calls. The same for the local cluster and any other."""

from kaos.cluster.answers import ObjectList, WatchEvent
from kaos.cluster.client import Client
from kaos.cluster.connection import Connection, resolve
from kaos.cluster.errors import ApiError

__all__ = ["ApiError", "Client", "Connection", "ObjectList", "WatchEvent", "resolve"]
