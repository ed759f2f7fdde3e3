"""JSON as a tree that is filled where it is opened, so that a large answer opens at once."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from kaos.kube import sanitize

CHILDREN = 500
OPEN = 40  # entries that are open from the start, at most
_WIDTH = 400


class JsonTree(Tree[Any]):
    """One value. Nodes carry theirs."""

    DEFAULT_CSS = "JsonTree { background: transparent; height: 1fr; }"
    BINDINGS: ClassVar[list[Any]] = [
        Binding("j", "cursor_down", "down", id="tree.down", show=False),
        Binding("k", "cursor_up", "up", id="tree.up", show=False),
    ]

    def __init__(self, value: Any) -> None:
        super().__init__("", value)
        self.show_root = False
        self._left = OPEN
        self._fill(self.root)
        self.root.expand()

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Any]) -> None:
        self._left = 0
        self._fill(event.node)

    def _fill(self, node: TreeNode[Any]) -> None:
        value = node.data
        if node.children or not isinstance(value, dict | list):
            return
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
        for key, part in entries[:CHILDREN]:
            self._add(node, str(key), part)
        if len(entries) > CHILDREN:
            node.add_leaf(Text(f"… {len(entries) - CHILDREN} more: see raw, or save", "dim"), None)

    def _add(self, node: TreeNode[Any], key: str, value: Any) -> None:
        name = Text(sanitize.line(key), "bold")
        if not isinstance(value, dict | list) or not value:
            node.add_leaf(Text.assemble(name, "  ", _leaf(value)), value)
            return
        many = f"{{{len(value)}}}" if isinstance(value, dict) else f"[{len(value)}]"
        made = node.add(Text.assemble(name, " ", (many, "dim")), value)
        if len(value) <= self._left:
            self._left -= len(value)
            self._fill(made)
            made.expand()


def _leaf(value: Any) -> str:
    text = sanitize.line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}… ({len(text)} characters)"
