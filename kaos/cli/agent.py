"""`kaos agent ...`: agents."""

from __future__ import annotations

from kaos.actions.kinds import AGENT
from kaos.cli.commands import group
from kaos.cli.verbs import add_verbs


@group(
    "Deploy, inspect and talk to agents.",
    lazy={
        "deploy": ("kaos.cli.agent_deploy:deploy", "Create or change agents, from flags or a file."),
        "invoke": ("kaos.cli.agent_talk:invoke", "Ask an agent one question."),
        "chat": ("kaos.cli.agent_chat:chat", "Talk to an agent, line by line."),
        "tools": ("kaos.cli.agent_talk:tools", "List the tools that an agent has now."),
        "memory": ("kaos.cli.agent_talk:memory", "Show what an agent remembers."),
        "card": ("kaos.cli.agent_talk:card", "Print an agent's A2A card."),
        "a2a": ("kaos.cli.agent_talk:a2a", "Send an agent a message over A2A."),
        "proxy": ("kaos.cli.agent_proxy:proxy", "Give an agent an address on this machine."),
    },
)
def agent() -> None:
    pass


add_verbs(agent, AGENT)
