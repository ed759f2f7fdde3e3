"""What an MCPServer may do on the cluster, the dangerous first; and what `create-rbac` would make of it instead."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Checkbox, Input, Label, Static

from kaos.actions import rbac
from kaos.actions.accounts import AccountRights, account_of, rights_of
from kaos.actions.rights import risks
from kaos.actions.served import Served, served
from kaos.api.names import MCPSERVERS
from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.kube.yaml_text import yaml_text
from kaos.tui.forms.fields import Tick
from kaos.tui.looks import BAD, GLYPHS, OK, TONES, WARN, Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.table import Column, Row, Table

_COLUMNS = (Column("RISK"), Column("MAY", flexible=True), Column("WHERE"), Column("BY", 1))
# Field -> the option of the command.
_FIELDS = {"namespaces": "--namespaces", "resources": "--resources", "verbs": "--verbs"}
_FLAGS = {"cluster-wide": "--cluster-wide", "allow-dangerous": "--allow-dangerous"}


class RbacScreen(ConsoleScreen):
    """Of one MCPServer."""

    DEFAULT_CSS = """
    RbacScreen {
        & #account { height: auto; max-height: 3; padding: 0 1; }
        & Table { height: 1fr; min-height: 3; border-bottom: solid $panel; }
        & .field { height: 1; }
        & .field Label { width: 14; padding: 0 1; color: $text-muted; }
        & .field Input { width: 1fr; }
        & .field Tick { margin-right: 2; }
        & VerticalScroll { height: 2fr; padding: 0 1; border-top: solid $panel; }
        & #plan { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [Binding("ctrl+s", "save", "apply", id="rbac.apply", priority=True)]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._rights: AccountRights | None = None
        self._served: tuple[Served, ...] = ()
        self._plan: rbac.Plan | None = None

    def crumbs(self) -> tuple[str, ...]:
        return self._namespace, "mcp", self.place.name, "rights"

    @property
    def _namespace(self) -> str:
        return self.place.namespace or self.session.namespace or "default"

    def argv(self) -> tuple[str, ...]:
        words = ["system", "create-rbac", "--name", self.place.name, "-n", self._namespace]
        if self.is_mounted:
            for field, option in _FIELDS.items():
                if text := self._words(field):
                    words += [option, ",".join(text)]
            words += [option for flag, option in _FLAGS.items() if self._holds(flag)]
        return tuple(words)

    def body(self) -> ComposeResult:
        yield Static(id="account")
        yield Table(_COLUMNS, empty="It may do nothing on the cluster.")
        hints = {
            "namespaces": self._namespace,
            "resources": "pods and their logs, services, events, workloads",
            "verbs": "get,list,watch",
        }
        for field in _FIELDS:
            with Horizontal(classes="field"):
                yield Label(field.capitalize())
                yield Input(placeholder=hints[field], id=field, compact=True)
        with Horizontal(classes="field"):
            yield Label("Also")
            yield Tick("cluster-wide", False, "cluster-wide")
            yield Tick("allow what is dangerous", False, "allow-dangerous")
        with VerticalScroll(can_focus=False):
            yield Static(id="plan")

    def on_mount(self) -> None:
        self.query_one(Table).focus()
        self.refetch()

    # What it has.

    @work(exclusive=True, group="fetch", exit_on_error=False)
    async def refetch(self) -> None:
        self._served = await self.do(lambda: served(self.session.client())) or ()
        self._plan_anew()
        await self._look()

    async def _look(self) -> None:
        account = self._account
        if account:
            self._rights = await self.do(lambda: rights_of(self.session.client(), account, self._namespace))
        else:
            self._rights = None
        self._tell_rights()

    @property
    def _account(self) -> str:
        obj = self.session.objects(MCPSERVERS).get((self._namespace, self.place.name))
        return account_of(obj) if obj else ""

    def on_objects(self, changed: set[Resource]) -> None:
        if MCPSERVERS in changed and self._account != (self._rights.name if self._rights else ""):
            self.refetch()

    def _tell_rights(self) -> None:
        self.query_one("#account", Static).update(Content("\n").join(self._told(self._rights)))
        grants = self._rights.grants if self._rights else ()
        self.query_one(Table).fill(
            Row(
                number,
                (_risk(grant.risks), cell(grant.rule.words), cell(grant.namespace or "everywhere"), cell(grant.by)),
                order=(number, None, None, None),
                troubled=bool(grant.risks),
            )
            for number, grant in enumerate(grants)
        )

    def _told(self, rights: AccountRights | None) -> list[Content]:
        if rights is None:
            return [Content("No ServiceAccount: it has neither rights nor a token."), Content(self._next())]
        lets = rights.lets("mcpserver", self.place.name)
        tone = OK if lets else BAD
        why = (
            "lets this server use it" if lets
            else "does not let this server use it" if rights.exists
            else "does not exist"
        )  # fmt: skip
        told = [Content.styled(f"{GLYPHS[tone]} ServiceAccount {sanitize.line(rights.name)} {why}", TONES[tone])]
        if rights.name != rbac.account_name(self.place.name):
            told.append(Content(self._next()))
        if not rights.complete:
            told.append(Content.styled("You may not see all bindings: it may have more rights.", TONES[WARN]))
        return told

    def _next(self) -> str:
        account = rbac.account_name(self.place.name)
        return f"Below: an account for it; then name it in the server (e): serviceAccountName: {account}"

    # What it could have.

    def _words(self, field: str) -> tuple[str, ...]:
        text = self.query_one(f"#{field}", Input).value
        return tuple(word for word in text.replace(",", " ").split() if word)

    def _holds(self, flag: str) -> bool:
        return self.query_one(f".{flag}", Tick).value

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _plan_anew(self) -> None:
        if not self._served:
            return
        request = rbac.Request(
            self.place.name,
            self._namespace,
            **{field: self._words(field) for field in _FIELDS},
            cluster_wide=self._holds("cluster-wide"),
        )
        try:
            self._plan = rbac.plan(request, self._served)
            shown = self._preview(self._plan)
        except KaosError as error:
            self._plan = None
            lines = [part for part in (error.cause, error.cure) if part]
            shown = Content.styled(sanitize.text("\n".join(lines)), TONES[BAD])
        self.query_one("#plan", Static).update(shown)
        self.refresh_chrome()

    def _preview(self, plan: rbac.Plan) -> Content:
        lines = [
            Content.styled(f"{GLYPHS[BAD if risk.grave else WARN]} {risk.words}", TONES[BAD if risk.grave else WARN])
            for risk in risks(plan.rules)
        ]
        if any(risk.grave for risk in risks(plan.rules)) and not self._holds("allow-dangerous"):
            lines.append(Content.styled("→ only if you allow what is dangerous", "$text-accent"))
        lines.append(Content.styled(f"ctrl+s makes ServiceAccount {plan.account}, which may", "bold"))
        where = ", ".join(plan.namespaces) or "every namespace"
        lines += [Content(f"  {rule.words}  in {where}") for rule in plan.rules]
        text = "---\n".join(yaml_text(obj) for obj in plan.objects)
        return Content("\n").join([*lines, Content(""), Content.styled(sanitize.text(text), "$text-muted")])

    @work(exclusive=True, group="apply", exit_on_error=False)
    async def action_save(self) -> None:
        plan = self._plan
        if plan is None:
            self.notice("There is nothing to apply yet; the lines below say why.", error=True)
            return
        found = risks(plan.rules)
        if any(risk.grave for risk in found) and not self._holds("allow-dangerous"):
            self.notice(
                "This would grant what is dangerous.\nIf it is meant: tick `allow what is dangerous`", error=True
            )
            return
        names = [risk.words for risk in found] + [rule.words for rule in plan.rules]
        if not await self.confirm(f"Give ServiceAccount {plan.namespace}/{plan.account} these rights?", names, "apply"):
            return
        outcomes = await self.do(lambda: rbac.apply(self.session.client(), plan))
        if outcomes is not None:
            self.notice("\n".join(dict.fromkeys(f"{one.kind} {one.name} {one.verb}" for one in outcomes)))
            await self._look()


class AccountsScreen(ConsoleScreen):
    """All MCPServers with their accounts, to choose one."""

    def crumbs(self) -> tuple[str, ...]:
        return self.place.namespace or self.session.namespace or "all namespaces", "rights"

    def argv(self) -> tuple[str, ...]:
        namespace = self.place.namespace or self.session.namespace
        return ("mcp", "list", *(("-n", namespace) if namespace else ("-A",)))

    def body(self) -> ComposeResult:
        columns = (Column("NAMESPACE", 1), Column("MCPSERVER"), Column("SERVICEACCOUNT", flexible=True))
        yield Table(columns, empty="No MCPServers here.")

    def on_mount(self) -> None:
        self.query_one(Table).focus()

    def on_objects(self, changed: set[Resource]) -> None:
        self.query_one(Table).fill(
            Row((namespace, name), (cell(namespace), cell(name), cell(account_of(obj) or "none: no rights")))
            for (namespace, name), obj in sorted(self.session.objects(MCPSERVERS).items())
            if self.place.namespace in (None, namespace)
        )

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        namespace, name = event.key
        self.console.go(Place("rbac", "mcp", namespace, name))


def _risk(found: Any) -> Cell:
    if not found:
        return Cell(f"{GLYPHS[OK]} none", OK)
    return Cell(f"{GLYPHS[BAD]} grave", BAD) if found[0].grave else Cell(f"{GLYPHS[WARN]} some", WARN)
