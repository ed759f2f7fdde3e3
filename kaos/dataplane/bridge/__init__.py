"""The bridge: streamable HTTP on one side, a stdio MCP server on the other.

A relay: whatever passes keeps its bytes, but for request ids and progress tokens, which are renumbered so that clients
never meet. Clients of the sessions era (2025-11-25 and earlier) have a process each; those of the stateless era
(2026-07-28) share one.
"""
