"""An agent: a model with instructions, tools and peers, answering chats over HTTP.

A request goes app -> openai_api or a2a -> loop -> model, tools, peers; sessions remembers, metrics and telemetry tell.
Its environment, beyond what `settings` documents, is the contract's; it imports neither an agent framework nor the
MCP SDK, since a pod's start and memory are features (measured in benchmarks/agent.py).
"""
