"""What can be done to chosen resources: edit, delete, restart, scale, suspend; always asked first."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import work

from kaos.actions import resources
from kaos.actions.kinds import Kind
from kaos.api.names import AGENTS
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.confirm import AskScreen

if TYPE_CHECKING:
    from kaos.cluster import Client

Target = tuple[Kind, str, str]  # kind, namespace, name


class ObjectVerbs(ConsoleScreen):
    """For screens on which resources are chosen."""

    def chosen(self) -> list[Target]:
        """What the verbs are about."""
        raise NotImplementedError

    def in_namespace(self, namespace: str | None) -> tuple[str, ...]:
        """The words that name it on a command line."""
        return ("-n", namespace) if namespace else ("-A",)

    @work(exit_on_error=False)
    async def action_delete(self) -> None:
        targets = self.chosen()
        users = [
            f"{user} uses {name}" for kind, namespace, name in targets for user in self._users(kind, namespace, name)
        ]
        names = [*map(_named, targets), *([""] if users else []), *users]
        if targets and await self.confirm(_question("Delete", targets), names, "delete"):
            done = await self._each(targets, "deleted", resources.delete)
            if done:
                self.after_delete()

    def after_delete(self) -> None:
        """What was chosen is going."""

    @work(exit_on_error=False)
    async def action_restart(self) -> None:
        targets = self.chosen()
        if targets and await self.confirm(_question("Restart the pods of", targets), map(_named, targets), "restart"):
            await self._each(targets, "restarting", resources.restart)

    @work(exit_on_error=False)
    async def action_suspend(self) -> None:
        targets = self.chosen()
        if not targets:
            return
        kind, namespace, name = targets[0]
        spec = (self.session.objects(kind.resource).get((namespace, name)) or {}).get("spec") or {}
        verb, action = ("resume", resources.resume) if spec.get("suspend") else ("suspend", resources.suspend)
        if await self.confirm(_question(verb.capitalize(), targets), map(_named, targets), verb):
            await self._each(targets, "suspended" if verb == "suspend" else "resumed", action)

    @work(exit_on_error=False)
    async def action_scale(self) -> None:
        targets = self.chosen()
        if not targets or self.session.read_only:
            return
        kind, namespace, name = targets[0]
        spec = (self.session.objects(kind.resource).get((namespace, name)) or {}).get("spec") or {}
        said = await self.app.push_screen_wait(
            AskScreen(f"{_question('How many pods for', targets)}", str(spec.get("replicas", 1)), "integer")
        )
        if said is None:
            return
        if not said.isdecimal():
            self.notice(f"{said!r} is no number of pods.", error=True)
            return
        await self._each(targets, f"scaled to {said}", functools.partial(_scale, replicas=int(said)))

    async def edit(self, kind: Kind, namespace: str | None, name: str) -> None:
        """In the person's editor, outside of the console; what is wrong with it is said, and the text kept."""
        from kaos.tui.screens.edit import EditScreen

        if self.session.read_only:
            self.notice("The console is read-only (--read-only).", error=True)
            return
        obj = await self.do(self._get, kind, name, namespace)
        if obj is not None:
            self.app.push_screen(EditScreen(kind, obj))

    def _get(self, kind: Kind, name: str, namespace: str) -> Any:
        return resources.get(self.session.client(), kind, name, namespace)

    async def _each(self, targets: list[Target], done: str, verb: Callable[..., Any]) -> int:
        """Do it to each; what fails does not keep the others from it. How many went well."""
        went_well = []
        for kind, namespace, name in targets:
            if await self.do(_act, self.session.client, verb, kind, name, namespace) is not None:
                went_well.append(f"{kind.command}/{name}")
        if went_well:
            self.notice(f"{', '.join(went_well[:5])}{' …' if len(went_well) > 5 else ''} {done}")
        return len(went_well)

    def _users(self, kind: Kind, namespace: str, name: str) -> list[str]:
        """Agents that would miss it."""
        field = {"mcp": "mcpServers", "modelapi": "modelAPI"}.get(kind.command)
        found = []
        for (where, agent), obj in self.session.objects(AGENTS).items():
            spec = obj.get("spec") or {}
            used = (
                name in (spec.get(field) or ()) if field == "mcpServers"
                else spec.get(field) == name if field
                else name in ((spec.get("agentNetwork") or {}).get("access") or ())
            )  # fmt: skip
            if used and where == namespace:
                found.append(f"agent/{agent}")
        return found


def _act(client: Callable[[], Client], verb: Callable[..., Any], kind: Kind, name: str, namespace: str) -> bool:
    verb(client(), kind, name, namespace)
    return True


def _scale(client: Client, kind: Kind, name: str, namespace: str, replicas: int) -> None:
    resources.scale(client, kind, name, namespace, replicas)


def _question(verb: str, targets: list[Target]) -> str:
    if len(targets) == 1:
        kind, namespace, name = targets[0]
        return f"{verb} {kind.title} {namespace}/{name}?"
    return f"{verb} {len(targets)} {targets[0][0].title}s?" if targets else ""


def _named(target: Target) -> str:
    kind, namespace, name = target
    return f"{kind.command}/{name}  in {namespace}"
