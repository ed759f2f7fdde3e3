"""Models without a provider: a deterministic mock, and a relay to whoever speaks OpenAI's protocol."""
