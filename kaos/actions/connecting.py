"""Entries in the configuration of editors and assistants, by which they start `kaos mcp proxy` for a server.

A file keeps all else that is in it. It is written in one step and only when it changes, beside a copy of what it was.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaos.errors import UsageError

Object = dict[str, Any]
BACKUP = ".before-kaos"
# Which cluster is meant may depend on these; a program that starts the proxy later need not have them.
_VARIABLES = ("KUBECONFIG", "KAOS_LOCAL_DIR")
_HEADER = re.compile(r"^\s*\[")


@dataclass(frozen=True)
class Client:
    """One program, the file that it reads, and where in it servers are."""

    name: str
    title: str
    file: Path
    key: str
    typed: bool = False  # whether an entry says that it is spoken to over stdio

    @property
    def is_here(self) -> bool:
        return self.file.exists() or (self.file.parent != Path.home() and self.file.parent.is_dir())


@dataclass(frozen=True)
class Written:
    """What became of one client's file."""

    client: Client
    entry: str
    changed: bool
    backup: Path | None


def clients(environ: Mapping[str, str] = os.environ) -> dict[str, Client]:
    """Those that are known, by name; files are the ones of this person, for all projects."""
    home = Path.home()
    claude = Path(environ.get("CLAUDE_CONFIG_DIR") or home) / ".claude.json"
    codex = Path(environ.get("CODEX_HOME") or home / ".codex") / "config.toml"
    if sys.platform == "darwin":
        settings = home / "Library/Application Support"
    elif sys.platform == "win32":
        settings = Path(environ.get("APPDATA") or home / "AppData/Roaming")
    else:
        settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    found = (
        Client("claude", "Claude Code", claude, "mcpServers", typed=True),
        Client("cursor", "Cursor", home / ".cursor/mcp.json", "mcpServers"),
        Client("vscode", "VS Code", settings / "Code/User/mcp.json", "servers", typed=True),
        Client("codex", "Codex", codex, "mcp_servers"),
    )
    return {client.name: client for client in found}


@dataclass(frozen=True)
class Server:
    """A server of a cluster as the proxy is told of it."""

    name: str
    namespace: str
    context: str
    kubeconfig: str | None = None

    def entry(self, client: Client, environ: Mapping[str, str] = os.environ) -> Object:
        more = ["--kubeconfig", str(Path(self.kubeconfig).absolute())] if self.kubeconfig else []
        env = {name: environ[name] for name in _VARIABLES if environ.get(name)}
        typed = {"type": "stdio"} if client.typed else {}
        return typed | {"command": _kaos(), "args": [*self._words, *more]} | ({"env": env} if env else {})

    def is_in(self, entry: object) -> bool:
        """Whether an entry is for this server."""
        args = entry.get("args") if isinstance(entry, dict) else None
        return isinstance(args, list) and args[: len(self._words)] == self._words

    @property
    def _words(self) -> list[str]:
        return ["mcp", "proxy", self.name, "-n", self.namespace, "--context", self.context]


def _kaos() -> str:
    """Editors have a PATH of their own."""
    beside = Path(sys.executable).with_name("kaos")
    return str(beside) if beside.exists() else shutil.which("kaos") or "kaos"


def printed(client: Client, server: Server) -> str:
    """What is to be in the client's file."""
    if client.file.suffix == ".toml":
        return _table(client.key, server.name, server.entry(client))
    return json.dumps({client.key: {server.name: server.entry(client)}}, indent=2)


def connect(client: Client, server: Server) -> Written:
    """Have the server in the client's file. Raises UsageError."""
    file = Path(os.path.realpath(client.file))  # who keeps such files elsewhere has links to them
    by_hand = f"Add it yourself: kaos mcp connect {server.name} --client {client.name} --print"
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        change = _changed_toml if file.suffix == ".toml" else _changed_json
        name, after = change(before, client, server)
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8; it stays as it is.", by_hand) from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}.", by_hand) from None
    except ValueError as error:
        raise UsageError(f"{file} {error}; it stays as it is.", by_hand) from None
    if after == before:
        return Written(client, name, False, None)
    try:
        return Written(client, name, True, _write(file, before, after))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", by_hand) from None


def _write(file: Path, before: str, after: str) -> Path | None:
    file.parent.mkdir(parents=True, exist_ok=True)
    backup = None
    if file.exists():
        backup = file.with_name(file.name + BACKUP)
        shutil.copy2(file, backup)
    handle, path = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(after)
        if backup is not None:
            shutil.copymode(file, path)
        os.replace(path, file)
    except OSError:
        os.unlink(path)
        raise
    return backup


def _name_in(servers: Object, server: Server) -> str:
    """What the server is called there. Raises ValueError."""
    for name in (server.name, f"{server.namespace}-{server.name}"):
        if name not in servers or server.is_in(servers[name]):
            return name
    raise ValueError(f"has another server called {server.name} already")


# JSON.


def _changed_json(before: str, client: Client, server: Server) -> tuple[str, str]:
    """The entry's name and the text that the file is to have. Raises ValueError."""
    text = before.removeprefix("\ufeff")
    try:
        whole = json.loads(text, object_pairs_hook=_once) if text.strip() else {}
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("is not plain JSON (it may have comments)") from None
    servers = whole.setdefault(client.key, {}) if isinstance(whole, dict) else None
    if not isinstance(servers, dict):
        raise ValueError(f"has something else where {client.key} should be")
    name = _name_in(servers, server)
    old = servers.get(name, {})
    new = old | server.entry(client)
    if old == new:
        return name, before
    servers[name] = new
    indent = re.search(r"\n([ \t]+)\S", text)
    return name, json.dumps(whole, indent=indent[1] if indent else 2, ensure_ascii=text.isascii()) + "\n"


def _once(pairs: list[tuple[str, Any]]) -> Object:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("has a key twice")
    return found


# TOML.


def _changed_toml(before: str, client: Client, server: Server) -> tuple[str, str]:
    """The entry's name and the text that the file is to have: lines of ours among those that are there. Raises
    ValueError."""
    try:
        whole = tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        raise ValueError("is not TOML") from None
    servers = whole.setdefault(client.key, {})
    if not isinstance(servers, dict):
        raise ValueError(f"has something else where {client.key} should be")
    name = _name_in(servers, server)
    entry = server.entry(client)
    old = servers.get(name)
    if old is None:
        gap = "" if not before.strip() else "\n" if before.endswith("\n") else "\n\n"
        after = before + gap + _table(client.key, name, entry)
    elif old == old | entry:
        return name, before
    else:
        after = _with_lines(before, client.key, name, entry)
    servers[name] = (old or {}) | entry
    try:
        as_meant = tomllib.loads(after) == whole
    except tomllib.TOMLDecodeError:
        as_meant = False
    if not as_meant:
        raise ValueError(f"has {client.key} in a form that is not rewritten")
    return name, after


def _table(key: str, name: str, entry: Object) -> str:
    return f"[{key}.{name}]\n" + "".join(f"{line}\n" for line in _lines(entry))


def _lines(entry: Object) -> list[str]:
    """JSON's texts and lists are TOML's too."""
    found = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items() if key != "env"]
    if env := entry.get("env"):
        pairs = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in env.items())
        found.append(f"env = {{ {', '.join(pairs)} }}")
    return found


def _with_lines(text: str, key: str, name: str, entry: Object) -> str:
    """The text with the entry's lines in place of those of the same keys."""
    header = re.compile(rf"^\s*\[\s*{key}\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*\]")
    ours = re.compile(rf"^\s*({'|'.join(entry)})\s*=")
    made: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            inside = bool(header.match(line))
            made.append(line)
            if inside:
                made += [f"{one}\n" for one in _lines(entry)]
        elif not (inside and ours.match(line)):
            made.append(line)
    return "".join(made)
