"""Arguments -> action -> output."""
