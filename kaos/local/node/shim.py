"""Holds one pod's processes, so that they end with the daemon and nothing is orphaned.

Run as `python -I -S shim.py` with the daemon at the other end of stdin and stdout, one JSON object a line. It imports
nothing but what Python starts with cheaply. When stdin ends (the daemon is gone, killed or not) it kills everything.

Commands: {"op": "start", "name", "argv", "env", "cwd", "log"}, {"op": "signal", "name", "signal"},
{"op": "exec", "id", "argv", "env", "cwd", "timeout_s"}.
Events: {"event": "started", "name", "pid"}, {"event": "failed", "name", "error"}, {"event": "exited", "name", "code"},
{"event": "exec", "id", "code"}.
"""

import errno
import json
import os
import select
import signal
import sys
import time

ROTATE_AT = 10 * 1024 * 1024
LINE_LIMIT = 16 * 1024
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class Log:
    """A container's log in the CRI format (`<time> <stream> <F|P> <text>`), rotated by size, one predecessor kept."""

    def __init__(self, path):
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self.file).st_size
        self.rest = {"stdout": b"", "stderr": b""}

    def write(self, stream, chunk):
        *lines, rest = (self.rest[stream] + chunk).split(b"\n")
        stamp = _stamp()
        head, part = f"{stamp} {stream} F ".encode(), f"{stamp} {stream} P ".encode()
        out = [head + line + b"\n" for line in lines]
        while len(rest) >= LINE_LIMIT:
            out.append(part + rest[:LINE_LIMIT] + b"\n")
            rest = rest[LINE_LIMIT:]
        self.rest[stream] = rest
        self._append(b"".join(out))

    def finish(self, stream):
        if rest := self.rest[stream]:
            self.rest[stream] = b""
            self._append(f"{_stamp()} {stream} F ".encode() + rest + b"\n")

    def close(self):
        for stream in self.rest:
            self.finish(stream)
        os.close(self.file)

    def _append(self, data):
        view = memoryview(data)
        while view:
            try:
                written = os.write(self.file, view)
            except OSError:
                return  # a full disk must not stop the pod
            view = view[written:]
            self.size += written
        if self.size > ROTATE_AT:
            self._rotate()

    def _rotate(self):
        self.size = 0
        try:
            os.replace(self.path, self.path + ".1")
            anew = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError:
            return  # go on in the old file
        os.close(self.file)
        self.file = anew


def _stamp():
    now = time.time_ns()
    seconds, nanos = divmod(now, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanos:09d}Z"


class Shim:
    def __init__(self):
        self.mains = {}  # pid -> container name
        self.groups = {}  # container name -> pid of its main process, which leads its session
        self.logs = {}  # container name -> Log
        self.pipes = {}  # fd -> (name, stream)
        self.execs = {}  # pid -> (id, deadline)
        self.buffer = b""

    def say(self, **event):
        try:
            os.write(1, json.dumps(event).encode() + b"\n")
        except OSError:
            self.end()

    def run(self):
        wake_read, wake_write = os.pipe()
        for fd in (wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, lambda *_: None)  # the daemon decides, by closing stdin
        while True:
            timeout = 0.2 if self.execs else None
            ready, _, _ = select.select([0, wake_read, *self.pipes], [], [], timeout)
            for fd in ready:
                if fd == 0:
                    self.command()
                elif fd == wake_read:
                    try:
                        os.read(wake_read, 4096)
                    except BlockingIOError:
                        pass
                elif fd in self.pipes:
                    self.drain(fd)
            self.reap()
            self.overdue()

    def command(self):
        chunk = os.read(0, 1 << 16)
        if not chunk:
            self.end()
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            order = json.loads(line)
            getattr(self, "do_" + order.pop("op"))(**order)

    def do_start(self, name, argv, env, cwd, log):
        self.logs[name] = Log(log)
        ends = {stream: os.pipe() for stream in ("stdout", "stderr")}
        try:
            pid = self.spawn(argv, env, cwd, ends["stdout"][1], ends["stderr"][1])
        except OSError as error:
            for read, write in ends.values():
                os.close(read)
                os.close(write)
            self.logs.pop(name).close()
            self.say(event="failed", name=name, error=f"{argv[0]}: {error.strerror}")
            return
        for stream, (read, write) in ends.items():
            os.close(write)
            os.set_blocking(read, False)
            self.pipes[read] = (name, stream)
        self.mains[pid] = name
        self.groups[name] = pid
        self.say(event="started", name=name, pid=pid)

    def do_signal(self, name, signal):
        if pid := self.groups.get(name):
            self.kill_group(pid, signal)

    def do_exec(self, id, argv, env, cwd, timeout_s):
        null = os.open(os.devnull, os.O_RDWR)
        try:
            pid = self.spawn(argv, env, cwd, null, null)
            self.execs[pid] = (id, time.monotonic() + timeout_s)
        except OSError:
            self.say(event="exec", id=id, code=127)
        finally:
            os.close(null)

    def spawn(self, argv, env, cwd, out, err):
        """Fork and exec; raises the OSError of a failed exec. This process has one thread, so fork is safe."""
        told_read, told_write = os.pipe()  # closed by a successful exec
        pid = os.fork()
        if pid == 0:
            try:
                os.close(told_read)
                os.setsid()
                if _prctl is not None:
                    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # should this process be killed itself
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
                    signal.signal(number, signal.SIG_DFL)
                null = os.open(os.devnull, os.O_RDONLY)
                os.dup2(null, 0)
                os.dup2(out, 1)
                os.dup2(err, 2)
                os.chdir(cwd)
                os.execvpe(argv[0], argv, env)
            except OSError as error:
                os.write(told_write, str(error.errno or 1).encode())
            finally:
                os._exit(127)
        os.close(told_write)
        failed = os.read(told_read, 16)
        os.close(told_read)
        if failed:
            os.waitpid(pid, 0)
            raise OSError(int(failed), os.strerror(int(failed)))
        return pid

    def drain(self, fd):
        name, stream = self.pipes[fd]
        for _ in range(64):  # a chatty container must not keep others from their turn
            try:
                chunk = os.read(fd, 1 << 16)
            except BlockingIOError:
                return
            except OSError:
                chunk = b""
            if not chunk:
                del self.pipes[fd]
                os.close(fd)
                return
            self.logs[name].write(stream, chunk)

    def reap(self):
        while (dead := self.next_dead()) is not None:
            pid, status = dead
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code
            if pid in self.mains:
                self.finished(pid, code)
            elif pid in self.execs:
                self.say(event="exec", id=self.execs.pop(pid)[0], code=code)

    def next_dead(self):
        """(pid, status) of a child that has ended, reaped; what its group left is killed."""
        try:
            if not hasattr(os, "waitid"):
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid in self.mains:
                    _kill_group_only(pid)
                return (pid, status) if pid else None
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return None
            if found.si_pid in self.mains:
                _kill_group_only(found.si_pid)  # before it is reaped: until then its number is nobody else's
            return os.waitpid(found.si_pid, 0)
        except ChildProcessError:
            return None

    def finished(self, pid, code):
        """The main process ended: what it left running ends too, then its log is complete."""
        name = self.mains.pop(pid)
        self.groups.pop(name, None)
        self.kill_strays(name)
        for fd in [fd for fd, (owner, _) in self.pipes.items() if owner == name]:
            self.drain(fd)
            if self.pipes.pop(fd, None):
                os.close(fd)
        self.logs.pop(name).close()
        self.say(event="exited", name=name, code=code)

    def kill_strays(self, name):
        """Children of this container in sessions of their own; the subreaper has adopted them (Linux)."""
        marker = b"KAOS_CONTAINER=" + name.encode()
        for pid in _children():
            if pid in self.mains or pid in self.execs:
                continue
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if marker in file.read().split(b"\0"):
                        self.kill_group(pid, signal.SIGKILL)
            except OSError:
                continue

    def kill_group(self, pid, number):
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError):
            try:
                os.kill(pid, number)
            except OSError:
                pass

    def overdue(self):
        now = time.monotonic()
        for pid, (_, deadline) in self.execs.items():
            if now > deadline:
                self.kill_group(pid, signal.SIGKILL)

    def end(self):
        """Kill all, until no child is left: killed children hand their own to this subreaper."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for pid in {*self.mains, *self.execs, *_children()}:
                self.kill_group(pid, signal.SIGKILL)
            try:
                while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                    self.mains.pop(pid, None)
                    self.execs.pop(pid, None)
            except ChildProcessError:
                break
            time.sleep(0.005)
        os._exit(0)


def _kill_group_only(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _children():
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return _children_by_scan()


def _children_by_scan():
    """Kernels without the `children` file: look at every process's parent."""
    found = []
    try:
        entries = [entry for entry in os.listdir("/proc") if entry.isdecimal()]
    except OSError:
        return []  # no /proc: process groups must do
    for entry in entries:
        try:
            with open(f"/proc/{entry}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(entry))
        except (OSError, IndexError, ValueError):
            continue
    return found


def _load_prctl():
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        return None


_prctl = _load_prctl()


def main():
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    shim = Shim()
    while True:
        try:
            shim.run()
        except OSError as error:
            if error.errno != errno.EINTR:
                shim.end()


if __name__ == "__main__":
    main()
