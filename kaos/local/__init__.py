"""A Kubernetes cluster on one machine. Knows no KAOS kind."""
