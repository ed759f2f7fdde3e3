"""MCP servers of one's own: from an empty directory to an image."""
