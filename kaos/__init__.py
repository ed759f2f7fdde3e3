"""KAOS runs MCP servers, model APIs and agents as Kubernetes resources."""

__version__ = "0.1.0"
