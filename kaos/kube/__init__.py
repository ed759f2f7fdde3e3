"""Kubernetes arithmetic that several rooms need. A leaf: computes, never talks, imports nothing of KAOS but errors."""
