"""A body keeps every byte but the model's name."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from kaos.dataplane.model import body
from kaos.dataplane.model.openai import Failure


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"model":"a"}', '{"model":"other"}'),
        (' {\n"model" : "a"\t}\r\n', ' {\n"model" : "other"\t}\r\n'),
        ('{"x":{"model":"a"},"model":"a","y":["model"]}', '{"x":{"model":"a"},"model":"other","y":["model"]}'),
        ('{"mod\\u0065l":"a"}', '{"mod\\u0065l":"other"}'),
        ('{"model":"a","model":"b"}', '{"model":"other","model":"other"}'),
        ('{"model":"a","n":1.0,"m":1e999,"k":-0}', '{"model":"other","n":1.0,"m":1e999,"k":-0}'),
        ('{"é":"\\ud800","model":"a"}', '{"é":"\\ud800","model":"other"}'),
    ],
)
def test_only_the_name_is_replaced(before: str, after: str) -> None:
    assert body.read(before.encode()).with_model("other") == after.encode()


def test_a_name_that_needs_quoting_is_quoted() -> None:
    assert json.loads(body.read(b'{"model":"a"}').with_model('"\\é\n')) == {"model": '"\\é\n'}


def random_value(dice: random.Random, depth: int) -> Any:
    kind = dice.randrange(7 if depth else 5)
    if kind < 5:
        return dice.choice(
            [None, True, dice.random() * 10 ** dice.randrange(-9, 9), dice.randrange(10**20), '"}\\{[é\u2028']
        )
    if kind == 5:
        return [random_value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return {dice.choice("abc") + "}": random_value(dice, depth - 1) for _ in range(dice.randrange(4))}


@pytest.mark.parametrize("seed", range(50))
def test_whatever_else_is_in_it_stays(seed: int) -> None:
    dice = random.Random(seed)
    members = [(f"k{n}", random_value(dice, 4)) for n in range(dice.randrange(6))] + [("model", "a")]
    dice.shuffle(members)
    text = json.dumps(dict(members), indent=dice.choice([None, 1]), ensure_ascii=dice.random() < 0.5)
    changed = body.read(text.encode()).with_model("a-longer-name")
    assert changed.decode() == text.replace('"model": "a"', '"model": "a-longer-name"')


@pytest.mark.parametrize("seed", range(50))
def test_what_is_broken_is_refused_and_never_passed_on(seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(json.dumps({"model": "a", "messages": [{"role": "user", "content": "hello"}], "n": 1}).encode())
    for _ in range(dice.randrange(1, 4)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    try:
        valid = isinstance(json.loads(data.decode()), dict)
    except ValueError:
        valid = False
    if valid:
        return
    with pytest.raises(Failure):
        body.read(bytes(data))
