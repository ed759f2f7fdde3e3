"""Where the local cluster's objects live: SQLite on disk, all objects in memory, and a log of changes for watches.

A write is acknowledged after SQLite has committed it to its write-ahead log, so it survives `kill -9` of the daemon
(and with WAL and synchronous=NORMAL all but the last moments survive a loss of power). One event loop uses a Store;
there are no locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaos.errors import KaosError
from kaos.local.status import expired, storage_failed

Object = dict[str, Any]
Key = tuple[str, str, str]  # (collection, namespace, name)

KEPT_CHANGES = 10_000

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
  collection TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (collection, namespace, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Stored:
    """One present object. `encoded` is its JSON, made once."""

    obj: Object
    revision: int
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write. `before` is None for a creation; for a deletion `stored` is the last state."""

    kind: str  # ADDED, MODIFIED, DELETED
    key: Key
    stored: Stored
    before: Stored | None

    def gone(self) -> Stored:
        """The state before this change, as the last one that a watch sees of an object it selects no more."""
        if self.kind == "DELETED":
            return self.stored
        revision = self.stored.revision
        meta = {**self.before.obj["metadata"], "resourceVersion": str(revision)}
        last = {**self.before.obj, "metadata": meta}
        return Stored(last, revision, _encoded(last).encode())


class Store:
    """Objects by collection, and everything that happened to them lately."""

    def __init__(self, path: Path, kept_changes: int = KEPT_CHANGES) -> None:
        self._path = path
        self._changes: deque[Change] = deque(maxlen=kept_changes)
        self._listeners: set[Callable[[Change], None]] = set()
        self._collections: dict[str, dict[tuple[str, str], Stored]] = {}
        self._database = self._open()
        self.revision = self.oldest = 1  # the last one; watches from before the oldest have gaps
        self._load()

    def _open(self) -> sqlite3.Connection:
        try:
            database = sqlite3.connect(self._path, isolation_level=None)
            (verdict,) = database.execute("PRAGMA quick_check").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            raise KaosError(
                f"The local cluster's store {self._path} cannot be opened: {error}.",
                "See that the directory can be written to and that its disk is not full.",
            ) from None
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from None
        self._path.chmod(0o600)
        return database

    def _unreadable(self, error: Exception) -> KaosError:
        return KaosError(
            f"The local cluster's store {self._path} cannot be read: {error}.",
            "Put a backup in its place, or start anew without its data: kaos local reset",
        )

    def _load(self) -> None:
        """Read everything into memory. Raises KaosError."""
        try:
            self.revision = int(self.fact("revision") or 1)
            for collection, namespace, name, revision, body in self._database.execute("SELECT * FROM objects"):
                stored = Stored(json.loads(body), revision, body.encode())
                self._collections.setdefault(collection, {})[namespace, name] = stored
                self.revision = max(self.revision, revision)
        except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
            self.close()
            raise self._unreadable(error) from None
        self.oldest = self.revision

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    # Facts: the daemon's own small memory.

    def fact(self, key: str) -> str | None:
        row = self._database.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_fact(self, key: str, value: str) -> None:
        self._execute([("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))])

    # Objects.

    def get(self, key: Key) -> Stored | None:
        return self._collections.get(key[0], {}).get(key[1:])

    def items(
        self, collection: str, namespace: str | None = None, at: int | None = None
    ) -> list[tuple[tuple[str, str], Stored]]:
        """The collection's objects, ordered by namespace and name; as they were at a revision, when one is given.

        Raises ApiStatus 410 when that is forgotten.
        """
        found = self._collections.get(collection, {})
        if at is not None and at < self.revision:
            found = self._rewound(collection, found, at)
        return sorted(item for item in found.items() if namespace is None or item[0][0] == namespace)

    def _rewound(self, collection: str, found: dict[tuple[str, str], Stored], at: int) -> dict[tuple[str, str], Stored]:
        found = dict(found)
        for change in reversed(self.changes_since(at)):
            if change.key[0] != collection:
                continue
            if change.before is None:
                found.pop(change.key[1:], None)
            else:
                found[change.key[1:]] = change.before
        return found

    def put(self, key: Key, obj: Object) -> Stored:
        """Commit the object; its resourceVersion is set to the new revision."""
        revision = self.revision + 1
        obj.setdefault("metadata", {})["resourceVersion"] = str(revision)
        body = _encoded(obj)
        self._execute(
            [
                ("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", (*key, revision, body)),
                ("INSERT OR REPLACE INTO facts VALUES ('revision', ?)", (str(revision),)),
            ]
        )
        before = self.get(key)
        stored = Stored(obj, revision, body.encode())
        self._collections.setdefault(key[0], {})[key[1:]] = stored
        self._publish(revision, Change("MODIFIED" if before else "ADDED", key, stored, before))
        return stored

    def delete(self, key: Key) -> Object:
        """Commit the removal and return the last state, with the revision of its removal."""
        before = self._collections[key[0]][key[1:]]
        revision = self.revision + 1
        self._execute(
            [
                ("DELETE FROM objects WHERE collection = ? AND namespace = ? AND name = ?", key),
                ("INSERT OR REPLACE INTO facts VALUES ('revision', ?)", (str(revision),)),
            ]
        )
        del self._collections[key[0]][key[1:]]
        last = {**before.obj, "metadata": {**before.obj["metadata"], "resourceVersion": str(revision)}}
        self._publish(revision, Change("DELETED", key, Stored(last, revision, _encoded(last).encode()), before))
        return last

    def _execute(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                database.execute(statement, values)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise storage_failed(f"the local cluster could not store the object: {error}") from None

    # Watching.

    def _publish(self, revision: int, change: Change) -> None:
        if len(self._changes) == self._changes.maxlen:
            self.oldest = self._changes[0].stored.revision
        self.revision = revision
        self._changes.append(change)
        for listener in list(self._listeners):
            listener(change)

    def changes_since(self, revision: int) -> list[Change]:
        """Every change after `revision`. Raises ApiStatus 410 when some are forgotten."""
        if revision < self.oldest:
            raise expired(self.oldest, revision)
        return [change for change in self._changes if change.stored.revision > revision]

    @contextlib.contextmanager
    def subscribe(self, limit: int = 10_000) -> Iterator[asyncio.Queue[Change | None]]:
        """A queue of changes from now on. None in it means that the reader was too slow and must list again."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()

        def listener(change: Change) -> None:
            if queue.qsize() < limit:
                queue.put_nowait(change)
            else:
                self._listeners.discard(listener)
                queue.put_nowait(None)

        self._listeners.add(listener)
        try:
            yield queue
        finally:
            self._listeners.discard(listener)


def _encoded(obj: Object) -> str:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False)
