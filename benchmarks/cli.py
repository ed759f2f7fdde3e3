"""How quick the command feels: `kaos` beside kubectl, with many MCPServers in one namespace.

    python benchmarks/cli.py                                        a local cluster of its own, gone afterwards
    python benchmarks/cli.py --context NAME --namespace NAMESPACE   any cluster that runs KAOS

Prints the median of several runs of each command: processor time (what the command itself costs) and wall time.
The servers name a runtime that does not exist, so that nothing is started for them; one calculator is called.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

KAOS = str(Path(sys.executable).with_name("kaos"))
CALCULATOR = Path(__file__).parent.parent / "samples/calculator.yaml"
# What a person feels as instant, as processor time; None: shown for comparison only.
BUDGETS_S = {"kaos mcp list": 0.15, "kaos mcp invoke": 0.2, "kaos --help": None, "kubectl get mcpservers": None}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--context", help="a cluster that runs KAOS (default: a local one of its own)")
    parser.add_argument("--namespace", default="kaos-benchmark")
    options = parser.parse_args()
    with cluster(options.context) as environment, filled(environment, options.namespace, options.servers):
        there = ["-n", options.namespace]
        call = ["mcp", "invoke", "calculator", *there, "--tool", "add", "--args", '{"a": 2, "b": 3}']
        commands = {
            "kaos mcp list": [KAOS, "mcp", "list", *there],
            "kubectl get mcpservers": kubectl(environment, ["get", "mcpservers", *there]),
            "kaos mcp invoke": [KAOS, *call],
            "kaos --help": [KAOS, "--help"],
        }
        print(f"{options.servers} MCPServers, median of {options.runs} runs\n")
        print(f"{'COMMAND':<26}{'CPU':>9}{'WALL':>10}   BUDGET (CPU)")
        late = False
        for name, command in commands.items():
            if command is None:
                print(f"{name:<26}{'kubectl is not installed':>9}")
                continue
            cpu, wall = measured(command, environment, options.runs)
            budget = BUDGETS_S[name]
            late |= budget is not None and cpu > budget
            verdict = "" if budget is None else f"{budget * 1000:.0f} ms{'' if cpu <= budget else ', MISSED'}"
            print(f"{name:<26}{cpu * 1000:>6.0f} ms{wall * 1000:>7.0f} ms   {verdict}".rstrip(), flush=True)
    return int(late)


@contextlib.contextmanager
def cluster(context: str | None) -> Iterator[dict[str, str]]:
    """The environment in which `kaos` and kubectl reach the cluster."""
    if context:
        yield os.environ | {"KAOS_CONTEXT": context}
        return
    home = Path(tempfile.mkdtemp(prefix="kaos-benchmark-"))
    environment = os.environ | {"KAOS_LOCAL_DIR": str(home / "local"), "KAOS_CONTEXT": "kaos-local", "HOME": str(home)}
    environment |= {"KUBECONFIG": str(home / "local/kubeconfig")}
    try:
        run([KAOS, "local", "up"], environment)
        yield environment
    finally:
        run([KAOS, "local", "reset", "--yes"], environment)
        shutil.rmtree(home)


@contextlib.contextmanager
def filled(environment: dict[str, str], namespace: str, servers: int) -> Iterator[None]:
    """A namespace with a calculator and many servers that run nothing."""
    manifest = "\n---\n".join(
        f"apiVersion: kaos.tools/v1alpha1\nkind: MCPServer\nmetadata: {{name: server-{number:05}}}\n"
        "spec: {runtime: benchmark, params: 'def f(): ...'}"
        for number in range(servers - 1)
    )
    there = ["-n", namespace]
    deploy = [KAOS, "mcp", "deploy", "-f", str(CALCULATOR), *there, "--create-namespace", "--wait"]
    run(deploy, environment)
    try:
        run([KAOS, "apply", "-f", "-", *there], environment, stdin=manifest)
        yield
    finally:
        everything = manifest + "\n---\n" + CALCULATOR.read_text()
        run([KAOS, "delete", "-f", "-", *there, "--yes"], environment, stdin=everything)


def kubectl(environment: dict[str, str], arguments: list[str]) -> list[str] | None:
    found = shutil.which("kubectl")
    context = environment["KAOS_CONTEXT"]
    return [found, *(["--context", context] if context != "kaos-local" else []), *arguments] if found else None


def run(command: list[str], environment: dict[str, str], stdin: str = "") -> None:
    done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")


def measured(command: list[str], environment: dict[str, str], runs: int) -> tuple[float, float]:
    """Median processor and wall time in seconds; one run before them fills the caches."""
    cpu, wall = [], []
    for _ in range(runs + 1):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        wall.append(time.monotonic() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(cpu[1:]), statistics.median(wall[1:])


if __name__ == "__main__":
    sys.exit(main())
