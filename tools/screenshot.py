"""Run a command in a terminal of its own and draw what it shows as SVG: `screenshot.py OUT.svg TITLE COMMAND...`.

The pictures in screenshots/ are made so (`make screenshots`), from the real program, never by hand.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 100
_MOVES = re.compile(r"(\r?\n|\r|\x1b\[1A|\x1b\[2K|\x1b\[\?25[lh])")


def output_of(command: list[str]) -> str:
    """What the command prints on a terminal of COLUMNS columns on which nobody types, at home nowhere."""
    leader, follower = pty.openpty()
    subprocess.run(["stty", "cols", str(COLUMNS), "rows", "60"], stdin=follower, check=True)
    with tempfile.TemporaryDirectory(prefix="kaos-") as home:
        own = {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "HOME": home, "KAOS_LOCAL_DIR": f"{home}/local"}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=os.environ | own
        )
        os.close(follower)
        text = _read_all(leader)
        code = process.wait()
        kaos = Path(sys.executable).with_name("kaos")
        subprocess.run([kaos, "local", "reset", "--yes"], env=os.environ | own, stdout=subprocess.DEVNULL, check=False)
    if code:
        sys.exit(f"{shlex.join(command)} ended with code {code}:\n{text}")
    return text.replace(home, "~/kaos")


def _read_all(descriptor: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # the last program has closed its end
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks).decode()


def as_it_stands(text: str) -> str:
    """The screen in the end, where a program has written over its lines."""
    lines, row = [""], 0
    for part in _MOVES.split(text):
        match part:
            case "\n" | "\r\n":
                row += 1
                lines += [""] * (row == len(lines))
            case "\x1b[1A":
                row = max(row - 1, 0)
            case "\x1b[2K":
                lines[row] = ""
            case "\r" | "\x1b[?25l" | "\x1b[?25h":
                continue
            case _:
                lines[row] += part
    return "\n".join(lines)


def main() -> None:
    target, title, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi(as_it_stands(output_of(command)).strip("\n")))
        target.parent.mkdir(parents=True, exist_ok=True)
        console.save_svg(str(target), title=title, unique_id=target.stem)


if __name__ == "__main__":
    main()
