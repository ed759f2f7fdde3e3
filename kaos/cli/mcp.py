"""`kaos mcp ...`: MCP servers."""

from __future__ import annotations

from kaos.actions.kinds import MCPSERVER
from kaos.cli.commands import group
from kaos.cli.verbs import add_verbs


@group(
    "Deploy, inspect and call MCP servers.",
    lazy={
        "deploy": ("kaos.cli.mcp_deploy:deploy", "Create or change MCP servers, from flags or a file."),
        "invoke": ("kaos.cli.mcp_invoke:invoke", "Call a tool."),
        "tools": ("kaos.cli.mcp_invoke:tools", "List the tools of a server with their arguments."),
        "resources": ("kaos.cli.mcp_offers:resources", "List the resources of a server, or print one."),
        "prompts": ("kaos.cli.mcp_offers:prompts", "List the prompts of a server, or fill one in."),
        "init": ("kaos.cli.mcp_init:init", "Begin a server of your own."),
        "run": ("kaos.cli.mcp_run:run", "Run a server of your own here, again whenever a file changes."),
        "validate": ("kaos.cli.mcp_validate:validate", "Say what clients would trip over in a server of your own."),
        "build": ("kaos.cli.mcp_build:build", "Build an image of a server of your own."),
        "connect": ("kaos.cli.mcp_connect:connect", "Let your editor or assistant use a server."),
        "proxy": ("kaos.cli.mcp_proxy:proxy", "Speak MCP for a server of the cluster, on stdio or a port."),
        "bridge": ("kaos.cli.mcp_bridge:bridge", "Serve a stdio server over HTTP on this machine."),
    },
)
def mcp() -> None:
    pass


add_verbs(mcp, MCPSERVER)
