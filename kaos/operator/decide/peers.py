"""What a person should know about an agent's peers: those that are not there, and ways that lead back to itself.

Neither is a fault of the agent: peers come and go, and a delegation that comes back is refused where it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


def note(agent: Object, agents: Mapping[str, Object]) -> str:
    """One line; empty when there is nothing to say."""
    name = agent["metadata"]["name"]
    access = _access(agent)
    told = []
    if absent := [peer for peer in access if peer not in agents and peer != name]:
        told.append(f"peers that do not exist yet: {', '.join(absent)}")
    if shy := [peer for peer in access if peer in agents and peer != name and not exposed(agents[peer])]:
        told.append(f"peers that do not expose themselves (agentNetwork.expose): {', '.join(shy)}")
    if way := circle(name, {**{one: _access(obj) for one, obj in agents.items()}, name: access}):
        told.append(f"peers lead back to this agent: {' -> '.join(way)}; a delegation that comes back is refused")
    return "; ".join(told)


def exposed(agent: Object) -> bool:
    return bool((agent["spec"].get("agentNetwork") or {}).get("expose"))


def circle(name: str, access: Mapping[str, list[str]]) -> list[str]:
    """The shortest way from the agent over its peers back to it; empty when there is none."""
    came_from: dict[str, str] = {}
    ring = [name]
    while ring:
        following = []
        for one in ring:
            for peer in access.get(one, ()):
                if peer == name:
                    return [*_way(name, one, came_from), name]
                if peer not in came_from:
                    came_from[peer] = one
                    following.append(peer)
        ring = following
    return []


def _way(start: str, end: str, came_from: Mapping[str, str]) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


def _access(agent: Object) -> list[str]:
    return (agent["spec"].get("agentNetwork") or {}).get("access") or []
