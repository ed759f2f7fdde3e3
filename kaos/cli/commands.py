"""The shape of every command: lazy groups, and the options that each one takes, before or after its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import click

from kaos.kube.names import nearest

# Name of a command -> where it is (`module:attribute`) or what makes it, and what it does in one line.
Lazy = dict[str, tuple[str | Callable[[], click.Command], str]]


class Settings:
    """What holds for the whole command line: which cluster, and how much to tell of a failure."""

    def __init__(self) -> None:
        self.context: str | None = None
        self.kubeconfig: str | None = None
        self.debug = False

    def connection(self, namespace: str | None = None) -> Any:
        from kaos.cluster import resolve

        return resolve(self.context, self.kubeconfig, namespace)

    def client(self, namespace: str | None = None) -> Any:
        from kaos.cluster import Client

        return Client(self.connection(namespace))


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        setattr(ctx.find_root().obj, param.name, value)


def _contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from kaos.cli.completion import contexts

    return contexts(ctx, param, incomplete)


_EVERYWHERE = [
    click.Option(
        ["--context"],
        metavar="NAME",
        callback=_set,
        expose_value=False,
        shell_complete=_contexts,
        help="Cluster to use; see: kaos context list",
    ),
    click.Option(
        ["--kubeconfig"], metavar="FILE", callback=_set, expose_value=False, help="Kubeconfig to use, and no other."
    ),
    click.Option(["--debug"], is_flag=True, callback=_set, expose_value=False, help="Show the traceback of a failure."),
]


class Command(click.Command):
    """A command with the options that hold everywhere."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_EVERYWHERE]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [param.get_help_record(ctx) for param in super().get_params(ctx)]
        everywhere = [option.get_help_record(ctx) for option in _EVERYWHERE]
        for title, records in (("Options", own), ("Options of every command", everywhere)):
            with formatter.section(title):
                formatter.write_dl([record for record in records if record])


class Group(Command, click.Group):
    """A group whose commands may live in modules that are imported when they are called."""

    command_class = Command

    def __init__(
        self, *args: Any, lazy: Lazy | None = None, moved: dict[str, str] | None = None, **kwargs: Any
    ) -> None:
        """`moved`: words that people try here, and the commands that they mean."""
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}
        self.moved = moved or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.lazy:
            return self.commands.get(name)
        source = self.lazy[name][0]
        if callable(source):
            return source()
        module, _, attribute = source.partition(":")
        return getattr(importlib.import_module(module), attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            word = str(args[0])
            if word.startswith("-"):
                raise
            if word in self.moved:
                there = self.moved[word]
                raise click.UsageError(f"{ctx.command_path} {word} has moved.\nUse: {there}", ctx) from error
            like = nearest(word, self.list_commands(ctx))
            hint = f"Did you mean: {ctx.command_path} {like}" if like else f"See: {ctx.command_path} --help"
            raise click.UsageError(f"{ctx.command_path} has no command {word!r}.\n{hint}", ctx) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, self.lazy[name][1] if name in self.lazy else self.commands[name].get_short_help_str(100))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """They come before the options."""


def group(help: str, lazy: Lazy | None = None) -> Callable[[Callable[..., None]], Group]:
    """Make a group of a function."""
    return click.group(cls=Group, help=help, lazy=lazy)  # type: ignore[return-value]
