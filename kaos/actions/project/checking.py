"""Validate a project: start its server as it will run, ask it for its tools, and say what clients will trip over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaos.actions.project import environment, serving, source
from kaos.actions.project.environment import Project
from kaos.actions.project.inspection import Finding, Level, findings

Object = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """What a server calls itself, the tools it lists, and what is to be mended."""

    server: str
    version: str
    tools: list[Object]
    findings: list[Finding]

    @property
    def is_good(self) -> bool:
        """Whether nothing is broken; warnings do not count."""
        return all(finding.level is not Level.ERROR for finding in self.findings)

    def as_dict(self) -> Object:
        told = [
            {"level": one.level.value, "tool": one.tool, "problem": one.problem, "cure": one.cure}
            for one in self.findings
        ]
        return {"server": self.server, "version": self.version, "tools": self.tools, "findings": told}


def validate(project: Project) -> Report:
    """Raises UsageError when the project names no server, KaosError when that does not start or answer."""
    serving.server_place(project)  # before its environment is made, which takes a while
    info, tools = serving.tools(project, environment.python(project))
    found = findings(tools, source.blocking_calls(project.root))
    return Report(str(info.get("name", "")), str(info.get("version", "")), tools, found)
