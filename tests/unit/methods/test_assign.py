"""Several open tutors: who reads what, and what a committee lets pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from coopt.core.config.load import load_config
from coopt.core.config.schema import Rule
from coopt.domains.base import Item
from coopt.domains.load import load_domains
from coopt.methods.rollouts import Feedback, Told, heard
from coopt.methods.tutors.assign import OpenTutor, assign
from coopt.methods.tutors.base import Request, read_score
from coopt.methods.tutors.committee import vote

DOMAINS = ("physics", "chemistry")
ITEMS = [i for d in load_domains(load_config()).values() for i in d.items("train")[:20]]
KEY = (0, "s1", 3)


def tutors(*gaps: float | None) -> list[OpenTutor]:
    return [OpenTutor(name, 0, DOMAINS, gap) for name, gap in zip("abcdefg", gaps, strict=False)]


def asked(rule: Rule, able: Sequence[OpenTutor], items: Sequence[Item] = ITEMS) -> Counter[str]:
    return Counter(name for row in assign(rule, items, 8, able, KEY) for who in row for name in who)


@pytest.mark.parametrize("degree", [1, 2, 3, 7])
def test_spread_asks_as_much_whatever_the_degree(degree: int) -> None:
    found = asked("spread", tutors(*[0.1] * degree))
    assert sum(found.values()) == 8 * len(ITEMS)
    assert len(found) == degree
    assert max(found.values()) - min(found.values()) <= len(ITEMS)


def test_best_asks_the_smallest_gap_and_a_critic_has_none() -> None:
    assert set(asked("best", tutors(0.2, 0.05, 0.1))) == {"b"}
    assert set(asked("best", tutors(0.2, None, 0.1))) == {"b"}
    assert set(asked("best", tutors(0.1, 0.1))) == {"a"}


def test_sample_weighs_by_the_gap_and_draws_the_same_again() -> None:
    able = tutors(0.0, 1.0)
    found = asked("sample", able)
    assert found["a"] / sum(found.values()) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.08)
    assert assign("sample", ITEMS, 8, able, KEY) == assign("sample", ITEMS, 8, able, KEY)
    assert assign("sample", ITEMS, 8, able, KEY) != assign("sample", ITEMS, 8, able, (0, "s1", 4))


def test_all_asks_everybody() -> None:
    assert asked("all", tutors(0.1, 0.2, 0.3)) == {name: 8 * len(ITEMS) for name in "abc"}


@pytest.mark.parametrize("rule", ["spread", "best", "sample", "all", "committee"])
def test_a_tutor_speaks_only_where_its_edge_is_open(rule: Rule) -> None:
    able = [OpenTutor("a", 0, ("physics",)), OpenTutor("b", 0, ("chemistry",))]
    for item, row in zip(ITEMS, assign(rule, ITEMS, 4, able, KEY), strict=True):
        assert row == [("a" if item.domain == "physics" else "b",)] * 4
    assert assign(rule, ITEMS[:1], 4, [], KEY) == [[()] * 4]


# -- the committee -------------------------------------------------------------------------------------


class Judge:
    def __init__(self, score: float | None) -> None:
        self.score = score
        self.read: list[str] = []

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        self.read += [r.response for r in requests]
        return ["no idea" if self.score is None else f"score {self.score:g}"] * len(requests)


def said(tutor: str, text: str | None) -> Told:
    return Told(tutor, text or "", Feedback("kept" if text else "empty", text, False, False), False)


def judged(
    messages: Sequence[Sequence[Told]], able: dict[str, Judge], reviewers: dict[str, list[str]] | None = None
) -> list[tuple[Told, ...]]:
    """The messages on each of one question's texts."""
    by_name = reviewers or {name: list(able) for name in able}
    tutors = [OpenTutor(n, 0, DOMAINS, reviewers=tuple(by_name[n])) for n in able]
    (row,) = vote([(ITEMS[0], messages)], tutors, lambda name, requests: able[name].judge(requests), 3.0)
    return row


def test_a_message_passes_if_the_others_mean_exceeds_the_bound() -> None:
    messages = [(said("a", "good"),), (said("b", "bad"),)]
    able = {"a": Judge(1), "b": Judge(5), "c": Judge(3)}
    (first,), (second,) = judged(messages, able)
    assert (first.score, first.voted_down, first.text) == (4, False, "good")  # b and c: (5 + 3) / 2
    assert (second.score, second.voted_down, second.text) == (2, True, None)  # a and c: (1 + 3) / 2
    assert heard([first, second]) == "good"
    assert able["a"].read == ["bad"], "nobody judges itself"
    assert first.judgements == (("b", "score 5"), ("c", "score 3"))


def test_exactly_the_bound_does_not_pass() -> None:
    (only,), nothing = judged([(said("a", "x"),), ()], {"a": Judge(5), "b": Judge(3)})
    assert not nothing
    assert only.voted_down


def test_only_reviewers_judge_and_what_nobody_judges_passes() -> None:
    able = {"a": Judge(5), "b": Judge(1), "c": Judge(5)}
    row = judged([(said("a", "x"),), ()], able, {"a": ["c"], "b": [], "c": []})
    assert (row[0][0].score, row[0][0].voted_down) == (5, False)
    row = judged([(said("b", "x"),), ()], able, {"a": ["c"], "b": [], "c": []})
    assert (row[0][0].score, row[0][0].text) == (None, "x")


def test_unreadable_scores_and_dropped_messages_do_not_count() -> None:
    row = judged([(said("a", "x"),), (said("a", None),)], {"a": Judge(5), "b": Judge(None)})
    assert (row[0][0].score, row[0][0].text) == (None, "x")
    assert row[1][0].score is None


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("melting of tin 232 yes, score 4", 4),
        ("Score: 5", 5),
        ("rating = 2, no: score 3.", 3),
        ("4", 4),
        (" [5/5] ", 5),
        ("score 7", None),
        ("score 45", None),
        ("score 4.5", None),
        ("score 1 to 5: it is 4", None),
        ("Score 2 (on a score 1-5 scale)", 2),
        ("number of lithium 3 yes", None),
        ("", None),
    ],
)
def test_reading_a_score(text: str, score: float | None) -> None:
    assert read_score(text) == score
