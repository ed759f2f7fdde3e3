"""`kaos modelapi pull`: a model into a hosted ModelAPI, with a bar on a terminal and a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from kaos.actions.kinds import MODELAPI
from kaos.cli import options
from kaos.cli.agent_talk import timeout
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, colourful, result, say
from kaos.cli.verbs import name_argument
from kaos.kube import sanitize

if TYPE_CHECKING:
    from kaos.api.ollama import Step

Tell = Callable[[str, "Step"], None]
LINE_EVERY_PERCENT = 10


@click.command(cls=Command)
@name_argument(MODELAPI)
@click.argument("model", required=False)
@options.namespace
@timeout
@options.output("text", "json", default="text")
@click.pass_obj
def pull(
    settings: Settings, name: str, model: str | None, namespace: str | None, timeout_s: float, output: str
) -> None:
    """Pull MODEL into the hosted ModelAPI NAME; without MODEL the one that it is for, anew."""
    from kaos.actions.chat import Endpoint
    from kaos.actions.pulling import pull as do
    from kaos.api.ollama import size

    client = settings.client(namespace)
    options.announce(client, client.namespace)
    api = Endpoint(client, MODELAPI, name, client.namespace, timeout_s)
    with _bar() if colourful(sys.stderr) else _lines() as tell:
        pulled = do(api, model, tell)
    if not pulled.lasts:
        say("It stays until its pods end; spec.hostedConfig.storage would keep it.")
    if output == "json":
        as_json(dataclasses.asdict(pulled))
    else:
        result(f"{pulled.model} pulled ({size(pulled.bytes)})")


@contextlib.contextmanager
def _bar() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = ("{task.percentage:>3.0f} %", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    words = TextColumn("{task.description}", markup=False)
    tasks: dict[str, TaskID] = {}
    with Progress(words, *columns, console=Console(stderr=True)) as progress:

        def tell(pod: str, step: Step) -> None:
            if pod not in tasks:
                tasks[pod] = progress.add_task(pod, total=None)
            words = sanitize.line(f"{pod}: {step.status}")
            progress.update(tasks[pod], description=words, completed=step.done or None, total=step.total or None)

        yield tell


@contextlib.contextmanager
def _lines() -> Iterator[Tell]:
    """Each status once, and each tenth of the way."""
    told = ""

    def tell(pod: str, step: Step) -> None:
        nonlocal told
        now = f"{pod} {step.status} {step.percent // LINE_EVERY_PERCENT}"
        if now != told:
            told = now
            say(f"{pod}: {step}")

    yield tell
