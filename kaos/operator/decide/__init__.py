"""Pure decisions: (resource, world) -> children and conditions."""
