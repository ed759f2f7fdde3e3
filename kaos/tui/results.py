"""A tool's answer as it can be looked at: table, tree, text, raw; and as files to save."""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaos.actions.mcp import Answer

MAX_COLUMNS = 12
_SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Attachment:
    """A part of an answer that is no text."""

    kind: str
    media_type: str
    data: bytes

    @property
    def line(self) -> str:
        return f"[{self.kind}] {self.media_type or 'unknown type'}, {size_text(len(self.data))}"


def views(answer: Answer) -> list[str]:
    """The ways to look at it, the most telling first."""
    data = data_of(answer)
    found = ["table"] if rows_of(data) else []
    if isinstance(data, dict | list):
        found.append("structured")
    return [*found, "text", "raw"]


def data_of(answer: Answer) -> Any:
    """The structured answer, without the wrapping that some servers put around what is no object; else text of JSON."""
    data = answer.structured
    if isinstance(data, dict) and data.keys() == {"result"}:
        return data["result"]
    if data is None and not answer.is_error:
        blocks = answer.result.get("content") or []
        if len(blocks) == 1 and blocks[0].get("type") == "text" and blocks[0]["text"].lstrip()[:1] in ("{", "["):
            try:
                return json.loads(blocks[0]["text"])
            except (ValueError, RecursionError):
                return None
    return data


def rows_of(data: Any) -> tuple[list[str], list[dict[str, Any]]] | None:
    """Columns and rows, when it is a list of flat objects."""
    if not isinstance(data, list) or not data:
        return None
    columns: dict[str, None] = {}
    for row in data:
        if not isinstance(row, dict) or not row or not all(isinstance(value, _SCALARS) for value in row.values()):
            return None
        columns |= dict.fromkeys(row)
    return (list(columns), data) if len(columns) <= MAX_COLUMNS else None


def attachments(answer: Answer) -> list[Attachment]:
    """Images, sounds and files of the answer."""
    return [found for block in answer.result.get("content") or () if (found := _attachment(block)) is not None]


def _attachment(block: dict[str, Any]) -> Attachment | None:
    inside = block.get("resource") if block.get("type") == "resource" else block
    data = inside.get("blob" if inside is not block else "data") if isinstance(inside, dict) else None
    if not isinstance(data, str):
        return None
    try:
        content = base64.b64decode(data)
    except binascii.Error:
        return None
    return Attachment(str(block.get("type")), str(inside.get("mimeType") or ""), content)


def text_of(answer: Answer) -> str:
    """The text, and a line for each part that is none."""
    lines, others = [], iter(attachments(answer))
    for block in answer.result.get("content") or ():
        if _attachment(block) is not None:
            lines.append(next(others).line)
        else:
            lines.append(Answer({"content": [block]}).text)
    return "\n".join(lines)


def save(answer: Answer, name: str, directory: Path) -> list[Path]:
    """Write the answer into new files of the directory: its attachments; or else its data, or its text."""
    parts = [(found.data, _suffix(found.media_type)) for found in attachments(answer)]
    if not parts:
        data = data_of(answer)
        if isinstance(data, dict | list):
            parts = [(json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n", ".json")]
        else:
            parts = [(text_of(answer).encode(errors="replace") + b"\n", ".txt")]
    return [write_new(directory, name, suffix, content) for content, suffix in parts]


def write_new(directory: Path, name: str, suffix: str, content: bytes) -> Path:
    """A new file; none is ever written over."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:80] or "result"
    for number in range(1, 1000):
        path = directory / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{stem}{suffix} and 999 more")


def _suffix(media_type: str) -> str:
    return mimetypes.guess_extension(media_type.partition(";")[0].strip()) or ".bin"


def size_text(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def cell_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
