"""Errors as data: what went wrong, what to do about it, and the exit code that a script sees.

Every room raises these for anything a person can cause or cure; only cli/ and tui/ turn them into text.
"""

from __future__ import annotations


class KaosError(Exception):
    """A failure with a one-line cause and, where there is one, a one-line cure."""

    exit_code = 1  # the thing failed

    def __init__(self, cause: str, cure: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.cure = cure


class UsageError(KaosError):
    """Wrong usage or bad input."""

    exit_code = 2


class NotFound(KaosError):
    """The named thing does not exist."""

    exit_code = 3


class NotReady(KaosError):
    """The thing exists but was not ready in time."""

    exit_code = 3


class NoConnection(KaosError):
    """No cluster answers."""

    exit_code = 4


class Forbidden(KaosError):
    """The cluster answers, but refuses the right; the cause names it."""

    exit_code = 4


class NotInstalled(KaosError):
    """A part of kaos that was left out when it was installed."""

    def __init__(self, missing: ModuleNotFoundError) -> None:
        package = (missing.name or "").partition(".")[0]
        super().__init__(
            f"This needs the Python package {package}, which is not installed.",
            "Install kaos with all its parts: pip install 'kaos-console[local]'",
        )
