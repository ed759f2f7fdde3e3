"""Speaks MCP to a server, in both protocol eras: messages and negotiation without I/O, and two small drivers."""
