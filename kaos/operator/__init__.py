"""Makes it so: watches, decides, applies."""
