"""What the break-rate probe puts before a tutee, in each of its contexts (paper Appendix E)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from coopt.core.config.load import load_config
from coopt.domains.scimini.world import scimini_domain
from coopt.graph.topology import Edge
from coopt.lm.engines.base import Draws, Engine, Generation, Sampling
from coopt.lm.policy import Policy
from coopt.methods.break_rate import probe_tutee
from coopt.methods.tutors.base import Request, Tutor

EDGE = Edge("a", "b")
# By question: which of the three rollouts are right.
FIRST = ((0, 0, 0), (0, 1, 0), (1, 0, 1))


class _Tutee:
    """Its prompts are their text."""

    context_length = 100_000

    def prompt_ids(self, wording: Any, text: str) -> list[int]:
        return list(text.encode())


class _Tutor:
    style = "naive"

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        return [f"Think of {k}." for k, _ in enumerate(requests)]


class _Engine:
    """Answers the first time by ``FIRST`` (a number marks each answer), then always wrong; keeps what it was asked."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items
        self.asked: list[list[str]] = []

    def sync(self, policy: Policy) -> None:
        pass

    def generate(self, prompts: list[list[int]], n: int, how: Sampling, draws: Draws) -> list[list[Generation]]:
        self.asked.append([bytes(p).decode() for p in prompts])
        first = len(self.asked) == 1
        answers = [
            [self._answer(q, j) if first else f"again <answer>Z{q}</answer>" for j in range(n)]
            for q in range(len(prompts))
        ]
        return [[Generation((1,), text, finished=True) for text in row] for row in answers]

    def _answer(self, q: int, j: int) -> str:
        return f"rollout {q}{j}: <answer>{self.items[q].answer if FIRST[q][j] else 'Z'}</answer>"


@pytest.fixture(name="probed")
def _probed() -> tuple[_Engine, dict[str, Any]]:
    config = load_config(settings=["rounds.rollouts=3"])
    domain = scimini_domain("physics", 300, (("validation", 3),))
    engine = _Engine(list(domain.items("validation")))
    found = probe_tutee(
        cast("Policy", _Tutee()), cast("Engine", engine), {"physics": domain}, {EDGE: cast("Tutor", _Tutor())}, config,
        (0, "b"),
    )  # fmt: skip
    return engine, found["domains"]["physics"]


def test_the_papers_context_has_the_earliest_right_rollout_itself_included(
    probed: tuple[_Engine, dict[str, Any]],
) -> None:
    """A lone success is its own s; a question without a success is asked with f alone; in training's s + f a rollout is
    never its own."""
    engine, found = probed
    cells = found["edges"][str(EDGE)]
    assert [[x is not None for x in row] for row in cells["f"]] == [[True] * 3] * 3
    assert [[x is not None for x in row] for row in cells["sf"]] == [[False] * 3, [True, False, True], [True] * 3]
    assert [[x is not None for x in row] for row in cells["paper"]] == [[True] * 3] * 3
    assert [[x is not None for x in row] for row in found["paper_control"]] == [[True] * 3] * 3
    _, again, s, itself, f, sf, itself_f = engine.asked
    assert (len(again), len(s), len(itself), len(f), len(sf), len(itself_f)) == (9, 5, 2, 9, 5, 2)
    for prompt, own in zip(itself_f, ("rollout 11", "rollout 20"), strict=True):
        assert own in prompt
        assert "Think of" in prompt
    assert ["Think of" in p for p in itself] == [False, False]
    assert "rollout 22" in s[2], "the first of its question is shown the other success"
    assert all("rollout 20" in p for p in s[3:])
    assert not any("rollout" in p for p in f)
