"""MCP servers of one's own: from an empty directory to an image.

`launch.py` serves a project's server object and stands alone: the same file runs on a laptop and in the image.
"""
