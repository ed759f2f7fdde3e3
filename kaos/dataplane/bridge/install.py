"""`python -m kaos.dataplane.bridge.install DIRECTORY`: puts `stdio-exec` there, for a container of any image.

KAOS's image has the static program. Elsewhere a script calls the twin, with this interpreter.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from kaos.dataplane.bridge import stdio_exec

NAME = "stdio-exec"


def install(directory: Path) -> None:
    target, program = directory / NAME, Path(sys.executable).with_name(NAME)
    if program.is_file():
        shutil.copyfile(program, target)
    else:
        twin = shlex.join([sys.executable, "-I", "-S", stdio_exec.__file__])
        target.write_text(f'#!/bin/sh\nexec {twin} "$@"\n')
    target.chmod(0o755)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
