"""What a person can declare: one module a kind, CRDs generated from it."""
