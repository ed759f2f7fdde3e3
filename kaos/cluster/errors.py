"""A refusal of the API server as a KaosError."""

from __future__ import annotations

import json
from typing import Any

from kaos.errors import KaosError

_EXIT_CODES = {400: 2, 401: 4, 403: 4, 404: 3, 409: 1, 413: 2, 422: 2}


class ApiError(KaosError):
    """The API server answered with a failure (a `Status` object, or anything that is not 2xx)."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, _cure(code, message))
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.exit_code = _EXIT_CODES.get(code, 1)

    @classmethod
    def of(cls, code: int, body: bytes) -> ApiError:
        """From an answer's status code and body."""
        try:
            status = json.loads(body)
        except (ValueError, RecursionError):
            status = {}
        if isinstance(status, dict) and status.get("kind") == "Status":
            message, details = status.get("message"), status.get("details")
            return cls(
                code,
                str(status.get("reason") or ""),
                str(message) if message else f"The API server answered HTTP {code}.",
                details if isinstance(details, dict) else None,
            )
        text = " ".join(body[:200].decode(errors="replace").split())
        return cls(code, "", f"The API server answered HTTP {code}{': ' + text if text else ''}")


def _cure(code: int, message: str) -> str:
    match code:
        case 401:
            return "The credentials are not accepted; renew them, or choose another context: kaos context list"
        case 403:
            return "Ask for that right, or choose another context: kaos context list"
    return ""
