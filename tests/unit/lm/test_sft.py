"""Specialists made by fine-tuning on text."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.meter import Meter
from coopt.domains.base import AnswerKind, Item
from coopt.domains.load import load_domains
from coopt.domains.rows import RowDomain
from coopt.lm import sft
from coopt.lm.engines.base import Generation
from coopt.lm.engines.hf import HFEngine
from coopt.lm.policy import Policy
from coopt.lm.sft import right_answer, specialise_on_text
from coopt.lm.training.forward import hidden_states, logits32

QUESTION = Item(id="q", domain="law", stem="q", options=(), key="", prompt="What is it?", answer="")


@pytest.mark.parametrize(
    ("kind", "answer"), [("letter", "B"), ("letter", "J"), ("text", "carbon dioxide"), ("number", "-1,200.5")]
)
def test_the_right_answer_alone_is_scored_as_right_and_ends(shipped: Policy, kind: AnswerKind, answer: str) -> None:
    item = replace(QUESTION, answer=answer, options=tuple((label, label) for label in "ABCDEFGHIJ"))
    domain = RowDomain("law", (item,), kind)
    made = right_answer(shipped, domain, item)
    assert list(made.prompt) == shipped.prompt_ids(domain.wording, item.prompt)
    assert made.response[-1] in shipped.stop_ids()
    assert "<think>" not in shipped.decode(made.response)
    assert domain.score(f"<answer>\n{answer}\n</answer>", item) == 1.0


def test_specialists_made_of_answers_learn_those_of_their_own_training_questions(shipped: Policy) -> None:
    """Of the first ``specialise.questions`` of the native domain; nothing is sampled."""
    few = ["specialise.questions=6", "specialise.epochs=6", "specialise.batch=2", "specialise.lr=0.01"]
    config = load_config(smoke=True, settings=["model.specialise=answers", "world.rows=200", *few])
    domain = load_domains(config)["physics"]
    made = specialise_on_text(replace(shipped, model=copy.deepcopy(shipped.model)), config, domain, (0, "s1"),
                              Meter(None, 1))  # fmt: skip
    items = list(domain.items("train"))[:6]
    assert sum(_loss(made, domain, i) for i in items) < 0.5 * sum(_loss(shipped, domain, i) for i in items)


def _loss(policy: Policy, domain: RowDomain, item: Item) -> float:
    example = right_answer(policy, domain, item)
    logits = logits32(policy.causal_lm, hidden_states(policy, [example])).detach().log_softmax(-1)
    return -float(logits[range(len(example.response)), list(example.response)].mean())


def test_a_single_step_of_training_is_not_a_warm_up(shipped: Policy) -> None:
    few = ["specialise.questions=2", "specialise.epochs=1", "specialise.batch=2", "specialise.lr=0.01"]
    config = load_config(smoke=True, settings=["model.specialise=answers", "world.rows=200", *few])
    domain = load_domains(config)["physics"]
    made = specialise_on_text(
        replace(shipped, model=copy.deepcopy(shipped.model)), config, domain, (0,), Meter(None, 1)
    )
    item = domain.items("train")[0]
    assert _loss(made, domain, item) < _loss(shipped, domain, item)


def test_an_engine_that_wrote_the_examples_sleeps_while_they_are_learnt(
    shipped: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Awake it would hold its share of a GPU."""
    config = load_config(smoke=True, settings=["model.specialise=own_correct", "world.rows=200"])
    domain, done = load_domains(config)["physics"], list[str]()
    right = right_answer(shipped, domain, domain.items("train")[0])

    class Engine(HFEngine):
        def generate(self, prompts: Any, samples: int, *_: Any) -> list[list[Generation]]:
            done.append("written")
            text = shipped.decode(right.response)
            return [[Generation(right.response, text, True, ())] * samples for _ in prompts]

        def rest(self) -> None:
            done.append("asleep")

    monkeypatch.setattr(sft, "make_engine", lambda config, on_batch: Engine(1))
    monkeypatch.setattr(sft, "_fit", lambda *_: done.append("learnt"))
    made = replace(shipped, model=copy.deepcopy(shipped.model))
    specialise_on_text(made, config, domain, (0, "s1"), Meter(None, 1))
    assert done == ["written", "asleep", "learnt"]


@pytest.mark.parametrize("asked", ["true", "false"])
def test_blocks_are_recomputed_where_the_run_asks_for_it(
    shipped: Policy, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    """Else a specialist's long answers need more of a GPU than its training later does."""
    few = ["specialise.questions=2", "specialise.epochs=1", "model.specialise=answers", "world.rows=200"]
    config = load_config(smoke=True, settings=[*few, f"parallel.activation_checkpointing={asked}"])
    domain, passes, read = load_domains(config)["physics"], list[int](), sft._loss

    def counted(policy: Policy, example: sft.Example) -> torch.Tensor:
        before = len(passes)
        counting = policy.causal_lm.model.layers[0].mlp.register_forward_pre_hook(lambda *_: passes.append(1))
        read(policy, example).backward()
        counting.remove()
        per_example.append(len(passes) - before)
        return torch.zeros((), requires_grad=True)

    per_example: list[int] = []
    monkeypatch.setattr(sft, "_loss", counted)
    own = replace(shipped, model=copy.deepcopy(shipped.model))
    specialise_on_text(own, config, domain, (0, "s1"), Meter(None, 1))
    assert set(per_example) == {2 if asked == "true" else 1}
