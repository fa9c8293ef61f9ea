"""Threads that meet: calls are answered together, in order, once everybody waits; errors end everybody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from coopt.core.rendezvous import Rendezvous, at_once, here, seconds


class Counting:
    """Answers a number with its square, and remembers what was asked together."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, requests: Sequence[int]) -> list[int]:
        self.asked.append(list(requests))
        return [n * n for n in requests]


def test_calls_are_answered_together_in_the_order_of_the_works() -> None:
    square, got = Counting(), {}
    together = Rendezvous({"square": square})

    def work(k: int, calls: int) -> None:
        got[k] = [together.call("square", 10 * k + n) for n in range(calls)]

    together.run([partial(work, k, calls) for k, calls in enumerate((3, 1, 2))])
    assert square.asked == [[0, 10, 20], [1, 21], [2]]
    assert got == {0: [0, 1, 4], 1: [100], 2: [400, 441]}
    assert here() is None


def test_kinds_and_what_is_set_apart_have_calls_of_their_own() -> None:
    square, other = Counting(), Counting()
    together = Rendezvous({"square": square, "other": other})
    together.run([
        partial(together.call, "square", 1),
        partial(together.call, "other", 2),
        partial(together.call, "square", 3, apart="alone"),
        partial(together.call, "square", 4),
    ])  # fmt: skip
    assert square.asked == [[1, 4], [3]]
    assert other.asked == [[2]]


def test_a_thread_may_ask_several_things_at_once() -> None:
    square = Counting()
    together = Rendezvous({"square": square})
    got: dict[int, list[int]] = {}

    def work(k: int) -> None:
        got[k] = at_once([partial(together.call, "square", 10 * k + n) for n in range(3)])
        got[k].append(together.call("square", 9))

    together.run([partial(work, k) for k in range(2)])
    assert square.asked == [[0, 1, 2, 10, 11, 12], [9, 9]]
    assert got[1] == [100, 121, 144, 81]
    assert at_once([lambda: 1, lambda: 2]) == [1, 2], "outside one after another"


@pytest.mark.parametrize("forks", [False, True])
def test_the_first_that_fails_ends_the_others_and_is_named(forks: bool) -> None:
    square, after = Counting(), []
    together = Rendezvous({"square": square})

    def fail() -> None:
        together.call("square", 1)
        raise ValueError("mine")

    def wait() -> None:
        together.call("square", 2)
        together.call("square", 3)
        after.append("went on")

    def several() -> None:
        at_once([fail, wait])

    with pytest.raises(ValueError, match="mine"):
        together.run([wait, several if forks else fail, wait])
    assert together.failed == 1
    assert after == []


def test_an_error_of_an_answer_reaches_those_who_asked() -> None:
    def broken(requests: Sequence[int]) -> list[int]:
        raise OSError("no room")

    square, seen = Counting(), []
    together = Rendezvous({"broken": broken, "square": square})

    def ask() -> None:
        try:
            together.call("broken", 1)
        except OSError:
            seen.append(1)

    together.run([ask, ask, partial(together.call, "square", 1)])
    assert seen == [1, 1]
    assert square.asked == [[1]]


def test_what_is_computed_together_costs_each_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("coopt.core.rendezvous.time.perf_counter", lambda: now[0])

    def slow(requests: Sequence[int]) -> list[int]:
        now[0] += 4
        return list(requests)

    together, cost = Rendezvous({"slow": slow}), {}

    def work(k: int) -> None:
        start = seconds()
        now[0] += k
        together.call("slow", k)
        at_once([partial(together.call, "slow", k), partial(together.call, "slow", k)])
        cost[k] = seconds() - start

    together.run([partial(work, k) for k in range(2)])
    assert cost == {0: 2 + 2, 1: 1 + 2 + 2}
