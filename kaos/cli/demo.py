"""`make demo`: KAOS does its main job, on the cluster it brings along.

Every line that starts with `$` is the command a person would type, run as shown; nothing happens behind them.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kaos.cluster import resolve
from kaos.errors import KaosError

LOCAL = "kaos-local"
READING_S = 2.0  # before the console takes the screen
KAOS = Path(sys.executable).with_name("kaos")


@dataclass(frozen=True)
class Step:
    """One command of the demo and what it shows."""

    says: str
    arguments: tuple[str, ...]


STEPS = (
    Step("A cluster of its own: API server, node and operator.", ("local", "up")),
    Step(
        "A tool server in ten lines of YAML. Ready means that it answered over MCP.",
        ("mcp", "deploy", "-f", "samples/calculator.yaml", "--wait"),
    ),
    Step("What runs, and which tools it has.", ("mcp", "list")),
    Step("", ("mcp", "tools", "calculator")),
    Step(
        "A tool call, through MCP over streamable HTTP.",
        ("mcp", "invoke", "calculator", "--tool", "add", "--args", '{"a": 2, "b": 3}'),
    ),
    Step(
        "A model, here a mock that needs no key and says so.",
        ("modelapi", "deploy", "--name", "mock", "--type", "mock"),
    ),
    Step(
        "An agent that thinks with the one and acts with the other.",
        (
            "agent",
            "deploy",
            "--name",
            "helper",
            "--model-api",
            "mock",
            "--model",
            "mock",
            "--mcp",
            "calculator",
            "--wait",
        ),
    ),
    Step("", ("agent", "invoke", "helper", "--message", "what is 20 + 22?")),
)


def main() -> int:
    """Run the steps; the exit code is that of the first that fails."""
    started = time.monotonic()
    # A kubeconfig of the user's may name a real cluster: the demo never touches it.
    environment = os.environ | {"KAOS_CONTEXT": LOCAL}
    bold, dim, off = (
        ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("",) * 3
    )
    for step in STEPS:
        if step.says:
            print(f"\n{dim}# {step.says}{off}", flush=True)
        print(f"{bold}$ kaos {shlex.join(step.arguments)}{off}", flush=True)
        code = subprocess.run([KAOS, *step.arguments], env=environment, check=False).returncode
        if code != 0:
            print(f"\nThe demo stopped here (exit code {code}). The log: {KAOS} local logs", file=sys.stderr)
            return code
    took = time.monotonic() - started
    if sys.stdin.isatty() and sys.stdout.isatty():
        print(f"\n{dim}# The same in the console; ctrl+q leaves it.{off}\n{bold}$ kaos tui{off}", flush=True)
        time.sleep(READING_S)
        code = subprocess.run([KAOS, "tui"], env=environment, check=False).returncode
        if code != 0:
            return code
    print(f"\nDone in {took:.1f} s. Next:\n")
    for command, purpose in next_steps():
        print(f"  {command:<48}  {dim}{purpose}{off}")
    return 0


def next_steps() -> list[tuple[str, str]]:
    """What to type next, true for this user's environment."""
    steps = [("source .venv/bin/activate", "puts kaos on the PATH")]
    if not _local_is_default():
        steps.append((f"kaos context use {LOCAL}", "your own cluster stays the default until you say so"))
    return [
        *steps,
        ("kaos tui", "the console: browse, watch, call, chat"),
        ("kaos agent chat helper", "talk to the agent"),
        ("kaos mcp invoke calculator subtract a=7 b=2", "arguments without JSON"),
        ("kaos mcp describe calculator", "conditions, pods and events in words"),
        ("kaos local kubeconfig > local.yaml", "the same cluster for kubectl"),
        ("kaos local down", "stop it; kaos local up brings it all back"),
    ]


def _local_is_default() -> bool:
    try:
        return resolve().context == LOCAL
    except KaosError:
        return False


if __name__ == "__main__":
    sys.exit(main())
