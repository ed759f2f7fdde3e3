"""MCP as a client, without I/O and without heavy imports: both protocol eras, two drivers (blocking, asyncio).

Source of the contract: the MCP specification, revisions 2025-11-25 and earlier (handshake and sessions) and 2026-07-28
(stateless). Why not the SDK: importing it alone costs 700 ms, more than a whole `kaos mcp invoke` may take.
"""
