"""Counts and times for Prometheus, under `GET /metrics`; written by hand, since a library doubles the start."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Of one server, by served model; requests that name none of those count as model ""."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))

    def answered(self, model: str, status: int, seconds: float) -> None:
        """A request has ended, its answer sent to the end or broken off."""
        self._requests[model, status] += 1
        self._seconds[model] += seconds
        self._buckets[model][bisect_left(BUCKETS_S, seconds)] += 1

    def spent(self, model: str, usage: Mapping[str, int]) -> None:
        """`usage` as in OpenAI's answers."""
        for kind in ("prompt", "completion"):
            self._tokens[model, kind] += usage.get(f"{kind}_tokens", 0)

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# HELP kaos_model_requests_total Requests answered, by served model and HTTP status."
        yield "# TYPE kaos_model_requests_total counter"
        for (model, status), number in sorted(self._requests.items()):
            yield f'kaos_model_requests_total{{model="{_escaped(model)}",status="{status}"}} {number}'
        yield "# HELP kaos_model_tokens_total Tokens, as the answers count them."
        yield "# TYPE kaos_model_tokens_total counter"
        for (model, kind), number in sorted(self._tokens.items()):
            yield f'kaos_model_tokens_total{{model="{_escaped(model)}",kind="{kind}"}} {number}'
        yield "# HELP kaos_model_request_seconds Time of whole answers."
        yield "# TYPE kaos_model_request_seconds histogram"
        for model, counts in sorted(self._buckets.items()):
            name, total = _escaped(model), 0
            for bound, number in zip((*BUCKETS_S, "+Inf"), counts, strict=True):
                total += number
                yield f'kaos_model_request_seconds_bucket{{model="{name}",le="{bound}"}} {total}'
            yield f'kaos_model_request_seconds_sum{{model="{name}"}} {self._seconds[model]:.6f}'
            yield f'kaos_model_request_seconds_count{{model="{name}"}} {total}'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
