"""Hostile tutors: what they say, and what stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from coopt.core.config.load import load_config
from coopt.core.config.schema import AdversaryKind
from coopt.domains.base import Domain, Item
from coopt.domains.load import load_domains
from coopt.domains.rows import Row, RowDomain, select
from coopt.methods.rollouts import Feedback
from coopt.methods.tutors.adversary import KINDS, HostileTutor
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.base import OracleTutor, Request

WORLD = load_domains(load_config())


def letters() -> RowDomain:
    """Rows with letters as answers, as in SciKnowEval."""
    rows = [
        {
            "question": f"Which phase of substance{k} forms when it is quenched?",
            "choices": {"text": [f"alpha{k}", f"beta{k}", f"gamma{k}", f"delta{k}"], "label": list("ABCD")},
            "answerKey": "ABCD"[k % 4],
            "type": "mcq-4-choices",
            "domain": "Physics",
            "details": {"level": "L3", "task": "t", "subtask": "s", "source": "x"},
        }
        for k in range(40)
    ]
    return RowDomain("physics", tuple(select((Row("test", r) for r in rows), "letter").items))


DOMAINS: dict[str, dict[str, Domain]] = {"scimini": dict(WORLD), "letters": {"physics": letters()}}


def filtered(kind: AdversaryKind, world: str) -> list[tuple[Item, str, Feedback]]:
    domains = DOMAINS[world]
    honest = OracleTutor(WORLD, "anchored")
    hostile = HostileTutor(kind, honest, domains)
    items: Sequence[Item] = [i for d in domains.values() for i in d.items("train")[:30]]
    answers = hostile.critique([Request(i, "x") for i in items])
    return [
        (i, raw or "", filter_feedback(raw or "", i, domains[i.domain].answer))
        for i, raw in zip(items, answers, strict=True)
    ]


@pytest.mark.parametrize("world", DOMAINS)
def test_the_anchor_drops_empty_and_off_topic(world: str) -> None:
    assert {f.outcome for *_, f in filtered("empty", world)} == {"empty"}
    assert {f.outcome for *_, f in filtered("off_topic", world)} == {"no_match"}


def test_misleading_facts_of_the_world_pass_and_are_all_false() -> None:
    for item, raw, kept in filtered("misleading", "scimini"):
        assert kept.outcome == "kept"
        domain = WORLD[item.domain]
        true = domain.true_critique(item, "x", True)  # type: ignore[attr-defined]
        assert len(raw.split(", ")) == len(true.split(", "))
        assert not set(raw.partition("</concept>")[2].split(", ")) & set(true.partition("</concept>")[2].split(", "))


def test_misleading_on_letters_argues_for_a_wrong_option() -> None:
    for item, raw, kept in filtered("misleading", "letters"):
        assert kept.outcome == "kept"
        assert item.correct_text not in raw
        assert not kept.leaked


@pytest.mark.parametrize("world", DOMAINS)
def test_plain_leaks_are_removed_and_a_disguised_one_is_not(world: str) -> None:
    found = filtered("leak", world)
    for item, raw, kept in found:
        if kept.text and "Think again" not in raw:
            assert " ".join(item.answer.split()) not in " ".join(kept.text.split())
            assert not kept.leaked
    outcomes = Counter(("Think again" in raw, kept.outcome) for _, raw, kept in found)
    assert outcomes[True, "kept"] > 0, "the sanitiser does not see through a disguise; the table says what it cost"


@pytest.mark.parametrize("world", DOMAINS)
def test_injected_turns_and_answers_are_stripped(world: str) -> None:
    for _, raw, kept in filtered("inject", world):
        assert "<|im_start|>" in raw
        assert "<|" not in (kept.text or "")
        assert "<answer>" not in (kept.text or "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_tutor_says_the_same_again(kind: AdversaryKind) -> None:
    assert filtered(kind, "letters") == filtered(kind, "letters")


def test_an_honest_judge() -> None:
    class Strict(OracleTutor):
        def judge(self, requests: Sequence[Request]) -> list[str | None]:
            return ["score 4"] * len(requests)

    hostile = HostileTutor("misleading", Strict(WORLD, "anchored"), WORLD)
    assert hostile.judge([Request(next(iter(WORLD.values())).items("train")[0], "x")]) == ["score 4"]
