"""A part of ``make fuzz``: mutated input for every reader is accepted and right, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from coopt.core.errors import ConfigError
from tests.fuzz.__main__ import TARGETS, cases, one
from tests.fuzz.mutate import bytes_mutated, mutated, text_mutated
from tests.fuzz.rule import BrokenError, nothing_half_written, one_line, refused

COUNT, PARTS = 500, 10


@pytest.mark.parametrize("part", range(PARTS))
def test_every_reader_holds_the_rule(part: int) -> None:
    found = [one(name, 0, number)[1] for name, number in list(cases(COUNT))[part::PARTS]]
    assert [failure for failure in found if failure] == []


def test_every_target_has_its_turn() -> None:
    assert {name for name, _ in cases(COUNT)} == set(TARGETS)
    assert len(set(cases(COUNT))) == COUNT


def test_a_case_is_the_same_again() -> None:
    tree = {"a": [1, 2, {"b": "text"}], "c": 0.5}
    for change in (
        lambda r: mutated(tree, r),
        lambda r: text_mutated(str(tree), r),
        lambda r: bytes_mutated(b"abc", r),
    ):
        assert repr([change(Random(k)) for k in range(50)]) == repr([change(Random(k)) for k in range(50)])
    assert tree == {"a": [1, 2, {"b": "text"}], "c": 0.5}


def _raises(error: Exception) -> object:
    raise error


@pytest.mark.parametrize("error", [KeyError("a"), ValueError("a"), RecursionError(), ConfigError("")])
def test_what_is_no_line_of_coopts_breaks_the_rule(error: Exception) -> None:
    with pytest.raises(BrokenError):
        refused(lambda: _raises(error))


def test_a_line_of_coopts_does_not() -> None:
    assert refused(lambda: _raises(ConfigError("what is wrong\nand where \x1b[31m")))
    assert not refused(lambda: None)


@pytest.mark.parametrize(
    "err", ["", "coopt: a\nb and c\n", "coopt: what \x1b[31m is wrong\n", "Traceback (most)\n", "no name\n"]
)
def test_what_is_not_one_line(err: str) -> None:
    with pytest.raises(BrokenError):
        one_line(err)


def test_what_is_left_behind(tmp_path: Path) -> None:
    nothing_half_written(tmp_path)
    (tmp_path / ".x.tmp").touch()
    with pytest.raises(BrokenError):
        nothing_half_written(tmp_path)
