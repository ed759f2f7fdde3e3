"""What screens are made of, and Textual does not have, or not fast enough."""
