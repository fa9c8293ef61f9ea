"""What is asked of a model before training: contradictions, preferences, candour, and how answers look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from coopt.core.config.load import load_config
from coopt.domains.base import Item
from coopt.domains.rows import RowDomain
from coopt.domains.scimini.world import SciminiDomain, scimini_domain
from coopt.domains.wording import NUMBER
from coopt.lm.engines.base import Generation
from coopt.lm.engines.canary import token_logprobs
from coopt.lm.likelihood import log_likelihoods
from coopt.lm.policy import Policy
from coopt.methods.probing import candour, deference
from coopt.methods.probing.answers import Confusion, confusion, overlaps
from coopt.methods.probing.candour import Attempt, contradicts
from coopt.methods.probing.cases import WORDINGS, Contradiction, contradictions
from coopt.methods.probing.deference import CONTEXTS, preferences
from coopt.methods.rollouts import RolloutGroup, rewarded
from coopt.methods.tutors.base import Request, Tutor

OPTIONS = (("A", "iron"), ("B", "tin"), ("C", "lead"))
LOSS = load_config().loss


def letters(id_: str = "q", answer: str = "B") -> Item:
    return Item(id=id_, domain="d", stem="Which?", options=OPTIONS, key=answer, prompt="Which?", answer=answer)


def number(id_: str, answer: str) -> Item:
    return Item(id=id_, domain="d", stem="How many?", options=(), key="", prompt="How many?", answer=answer)


def facts() -> tuple[SciminiDomain, Sequence[Item]]:
    domain = scimini_domain("physics", 60)
    return domain, domain.rows


def group(domain: Any, item: Item, *texts: str) -> RolloutGroup:
    ys = [rewarded(domain, item, (1,), Generation((1,), text, finished=True)) for text in texts]
    return RolloutGroup(item, tuple(ys))


# -- contradictions --------------------------------------------------------------------------------


def test_a_contradiction_of_letters_names_a_wrong_option_in_every_wording() -> None:
    domain, item = RowDomain("d", (letters(),)), letters()
    found = contradictions(domain, item, [item], None)
    assert set(found) == set(WORDINGS)
    for case in found.values():
        responses = [case.right, case.wrong, *case.others]
        assert sorted(domain.read(r, item).answer for r in responses) == ["A", "B", "C"], "each option once"
        assert domain.score(case.right, item) == 1
        wrong = dict(OPTIONS)[domain.read(case.wrong, item).answer]
        assert wrong in case.feedback
        assert "{" not in case.feedback
    assert len({case.wrong for case in found.values()}) == 1, "wordings differ in their words alone"


def test_s_is_the_models_own_then_the_worked_solution_then_the_bare_answer() -> None:
    item = letters()
    solved = Item(**{f: getattr(item, f) for f in item.__dataclass_fields__} | {"solution": "worked"})
    domain = RowDomain("d", (item,))
    shown = [next(iter(contradictions(domain, i, [i], own).values())).s
             for i, own in ((solved, "own"), (solved, None), (item, None))]  # fmt: skip
    assert shown[:2] == ["own", "worked"]
    assert domain.score(shown[2], item) == 1


def test_free_answers_take_another_questions_and_none_where_all_are_alike() -> None:
    items = [number("1", "4"), number("2", "5"), number("3", "4.0")]
    domain = RowDomain("d", tuple(items), "number", NUMBER)
    case = contradictions(domain, items[0], items, None)["doubt"]
    assert domain.read(case.wrong, items[0]).answer == "5"
    assert contradictions(domain, items[0], [items[0], items[2]], None) == {}


def test_facts_are_contradicted_in_the_tutors_own_form() -> None:
    domain, items = facts()
    for item in items[:20]:
        found = contradictions(domain, item, items, "own")
        one, every = found["one fact"], found["all facts"]
        assert domain.score(one.right, item) == domain.score(every.right, item) == 1
        assert one.right == one.s
        assert one.feedback.count(" not ") == 1
        assert every.feedback.count(" not ") == len(item.extra["asks"])
        for case in (one, every):
            assert case.wrong != case.right
            assert case.wrong.count(",") == case.right.count(","), "the same working with other numbers"


# -- preferences -----------------------------------------------------------------------------------


def test_likelihoods_are_those_of_each_row_alone(untrained: Policy) -> None:
    rows = [((1, 5, 9), (40, 41)), ((1, 7), (60,)), ((1, 5, 9), (42, 43)), ((1, 7), (60,))]
    found = log_likelihoods(untrained, rows, LOSS.model_copy(update={"batch_tokens": 64, "chunk_logits": 1}))
    alone = [token_logprobs(untrained, [*p, *r])[-len(r) :].sum() for p, r in rows]
    assert found == pytest.approx(alone, abs=1e-4)
    assert len(set(np.round(alone, 3))) == 3


class _Reader:
    """Its prompts and responses are their text; it can be told a context length."""

    context_length = 10_000

    def prompt_ids(self, wording: Any, text: str, system: bool = True) -> list[int]:
        return list(text.encode())

    def response_ids(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode())


def read_by(monkeypatch: pytest.MonkeyPatch, module: Any, judge: Any) -> None:
    """Likelihoods by ``judge(prompt, response)`` on the texts."""

    def likelihoods(policy: Any, rows: Any, loss: Any) -> list[float]:
        return [judge(bytes(p).decode(), bytes(r).decode()) for p, r in rows]

    monkeypatch.setattr(module, "log_likelihoods", likelihoods)


def case_of() -> Contradiction:
    item = letters()
    return contradictions(RowDomain("d", (item,)), item, [item], "my own way\n<answer>\nB\n</answer>")["correction"]


@pytest.mark.parametrize("context", list(CONTEXTS))
def test_contexts_hold_what_they_are_called_in_that_order(monkeypatch: pytest.MonkeyPatch, context: str) -> None:
    case, prompts = case_of(), []
    read_by(monkeypatch, deference, lambda p, r: prompts.append(p) or 0.0)
    preferences(cast(Policy, _Reader()), RowDomain("d", (case.item,)), [case], context, LOSS)
    blocks = {"s": case.s, "f": case.feedback}
    there = sorted((name for name in blocks if blocks[name] in prompts[0]), key=lambda n: prompts[0].index(blocks[n]))
    assert "_".join(there) == ("" if context == "none" else context)


def test_a_preference_is_among_all_options(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of()
    odds = {case.right: 2.0, case.wrong: 5.0} | dict.fromkeys(case.others, 3.0)
    read_by(monkeypatch, deference, lambda p, r: float(np.log(odds[r])) - 700)
    (found,) = preferences(cast(Policy, _Reader()), RowDomain("d", (case.item,)), [case], "s_f", LOSS)
    assert found is not None
    assert (found.keeps, found.follows) == (pytest.approx(0.2), pytest.approx(0.5))
    assert found.defers


def test_what_does_not_fit_the_model_is_left_out_and_the_others_keep_their_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = case_of()
    long = Contradiction(item=case.item, s=case.s * 1000, feedback=case.feedback, right=case.right, wrong=case.wrong)
    read_by(monkeypatch, deference, lambda p, r: 1.0 if r == case.wrong else 0.0)
    found = preferences(cast(Policy, _Reader()), RowDomain("d", (case.item,)), [long, case], "s_f", LOSS)
    assert found[0] is None
    assert found[1] is not None
    assert found[1].defers


# -- candour ---------------------------------------------------------------------------------------


class _Critic:
    """Says what it is told to say."""

    style = "anchored"

    def __init__(self, *messages: str | None) -> None:
        self.messages = list(messages)

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        return self.messages


def test_a_critique_that_states_another_value_contradicts() -> None:
    domain, items = facts()
    item = items[0]
    case = contradictions(domain, item, items, None)["one fact"]
    agrees = domain.true_critique(item, case.right, anchored=True)
    critic = cast(Tutor, _Critic(agrees, case.feedback, "yes of course", None))
    said = contradicts(cast(Policy, None), critic, domain, [Attempt(item, case.right)] * 4, LOSS)
    assert said == [False, True, None, None]


def test_elsewhere_no_is_set_against_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [letters("1"), letters("2")]
    domain = RowDomain("d", tuple(items))
    attempts = [Attempt(items[0], "sure"), Attempt(items[1], "doubtful"), Attempt(items[1], "long " * 5000)]
    read_by(monkeypatch, candour, lambda p, r: -1.0 if r == ("No" if "doubtful" in p else "yes") else -5.0)
    said = contradicts(cast(Policy, _Reader()), cast(Tutor, _Critic()), domain, attempts, LOSS)
    assert said == [False, True, None]


# -- answers ---------------------------------------------------------------------------------------


def test_confusion_counts_wrong_answers_that_could_be_read() -> None:
    item = letters()
    domain = RowDomain("d", (item,))
    said = [f"<answer>{x}</answer>" for x in "AACB"]
    assert confusion(domain, group(domain, item, *said, "I do not know")) == Confusion(3, 2, 3, 1)
    assert confusion(domain, group(domain, item, said[3])) == Confusion(0, 0, 0, 0)


def test_form_is_the_workings_words_in_order_and_of_right_answers_alone() -> None:
    domain, items = facts()
    item = items[0]
    assert item.solution is not None
    same = group(domain, item, item.solution)
    assert overlaps(same) == [1.0]
    steps, _, answer = item.solution.partition("\n")
    turned = group(domain, item, " ".join(reversed(steps.split())) + "\n" + answer)
    assert 0 < overlaps(turned)[0] < 1
    assert overlaps(group(domain, item, "wrong <answer> 1</answer>")) == []
    assert overlaps(group(RowDomain("d", (letters(),)), letters(), "x <answer>B</answer>")) == []
