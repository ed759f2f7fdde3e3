"""Ages are what kubectl prints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kaos.kube import times

NOW = datetime(2026, 11, 23, 20, 36, 9, tzinfo=UTC)
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        (-3600, "<invalid>"),
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (1, "1s"),
        (59, "59s"),
        (60, "60s"),
        (119, "119s"),
        (120, "2m"),
        (121, "2m1s"),
        (599, "9m59s"),
        (600, "10m"),
        (601, "10m"),
        (90 * MINUTE, "90m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + MINUTE, "3h1m"),
        (8 * HOUR - 1, "7h59m"),
        (8 * HOUR, "8h"),
        (9 * HOUR + MINUTE, "9h"),
        (47 * HOUR, "47h"),
        (48 * HOUR, "2d"),
        (49 * HOUR, "2d1h"),
        (8 * DAY - 1, "7d23h"),
        (8 * DAY, "8d"),
        (9 * DAY + HOUR, "9d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR - 1, "7y364d"),
        (8 * YEAR, "8y"),
        (9 * YEAR + DAY, "9y"),
        (100 * YEAR, "100y"),
    ],
)
def test_two_units_while_small_one_when_large(seconds: int, age: str) -> None:
    then = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert times.age(then, NOW) == age
    assert times.duration(seconds) == age


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T20:36:04Z",
        "2026-11-23T20:36:04.000000Z",
        "2026-11-23T20:36:04.123456789Z",
        "2026-11-23T21:36:04+01:00",
    ],
)
def test_times_and_microtimes_are_read(text: str) -> None:
    assert times.age(text, NOW) in ("5s", "4s")


@pytest.mark.parametrize(
    ("text", "age"),
    [
        (None, "<unknown>"),
        ("", "<unknown>"),
        ("soon", "<invalid>"),
        ("2026-11-23", "<invalid>"),
        ("99999-01-01T00:00:00Z", "<invalid>"),
    ],
)
def test_what_is_no_time_has_no_age(text: str | None, age: str) -> None:
    assert times.age(text, NOW) == age


def test_now_is_written_as_kubernetes_writes_it() -> None:
    assert abs(times.parse(times.now()) - datetime.now(UTC)) < timedelta(seconds=2)
    assert len(times.now()) == len("2026-11-23T20:36:09Z")
    assert len(times.micro_now()) == len("2026-11-23T20:36:09.123456Z")
    assert times.age(times.now()) in ("0s", "1s")
