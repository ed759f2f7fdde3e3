"""What the text of a project tells without running it: where its servers are, and which async functions block."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NOT_SOURCE = {"tests", "node_modules", "build", "dist", "__pycache__"}
# Calls that hold up an event loop, by module; `*` is anything in it.
_BLOCKING = {
    "time": {"sleep"},
    "requests": {"*"},
    "httpx": {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"},
    "urllib.request": {"urlopen", "urlretrieve"},
    "subprocess": {"run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"},
    "os": {"system", "popen", "wait", "waitpid"},
    "socket": {"create_connection", "getaddrinfo", "gethostbyname"},
    "sqlite3": {"connect"},
    "smtplib": {"*"},
}
_SERVERS = {"FastMCP", "MCPServer"}


@dataclass(frozen=True)
class BlockingCall:
    """A call in an async function that lets nobody else be served meanwhile."""

    function: str
    call: str
    file: str
    line: int


def servers(root: Path, module: str) -> list[str] | None:
    """Names that the module gives to MCP servers; None when there is no such module, or it is no Python."""
    file = file_of(root, module)
    tree = _parsed(file) if file else None
    if tree is None:
        return None
    found = []
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call) and _last_name(value.func) in _SERVERS:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [target.id for target in targets if isinstance(target, ast.Name)]
    return found


def defines(root: Path, module: str, name: str) -> bool:
    """Whether the module binds the name at its top, by assignment, definition or import."""
    file = file_of(root, module)
    tree = _parsed(file) if file else None
    return tree is not None and any(name in _bound(node) for node in tree.body)


def file_of(root: Path, module: str) -> Path | None:
    """The module's file, in the project or in its `src`."""
    path = Path(*module.split("."))
    for place in (root, root / "src"):
        for file in (place / path.with_suffix(".py"), place / path / "__init__.py"):
            if file.is_file():
                return file
    return None


def blocking_calls(root: Path) -> list[BlockingCall]:
    """Every such call of the project's own code."""
    found = []
    for file in sorted(_files(root)):
        tree = _parsed(file)
        if tree is None:
            continue
        modules = _imported(tree)
        for function in ast.walk(tree):
            if isinstance(function, ast.AsyncFunctionDef):
                for call in _own_calls(function):
                    if named := _blocking(call.func, modules):
                        where = file.relative_to(root).as_posix()
                        found.append(BlockingCall(function.name, named, where, call.lineno))
    return found


def _files(root: Path) -> Iterator[Path]:
    for path in root.iterdir():
        if path.name.startswith(".") or path.name in _NOT_SOURCE or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.suffix == ".py":
            yield path


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return None  # running it tells what is wrong, with the line


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _imported(tree: ast.Module) -> dict[str, str]:
    """What names of this file stand for: `sleep` -> `time.sleep`, `rq` -> `requests`."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]  # `import a.b` binds `a`
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _own_calls(function: ast.AsyncFunctionDef) -> Iterator[ast.Call]:
    """Calls in the function itself; a function within it may run on a thread."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting += ast.iter_child_nodes(node)


def _blocking(called: ast.expr, modules: dict[str, str]) -> str:
    """`module.function` when it blocks, else nothing."""
    parts = []
    while isinstance(called, ast.Attribute):
        parts.append(called.attr)
        called = called.value
    if not isinstance(called, ast.Name) or called.id not in modules:
        return ""
    full = ".".join([modules[called.id], *reversed(parts)])
    module, _, function = full.rpartition(".")
    names = _BLOCKING.get(module, set())
    return full if function in names or "*" in names else ""


def _last_name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
