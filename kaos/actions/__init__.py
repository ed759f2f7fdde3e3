"""What a person can do: one function a verb, typed result. No printing, no widgets."""
