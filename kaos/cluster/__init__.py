"""Speaks the Kubernetes API: which cluster, a one-shot client, an async client, waiting, logs, service proxy."""
