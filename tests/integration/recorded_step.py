"""One training step of coopt on recorded rollouts: what ``test_trl.py`` sets against TRL."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import torch

from coopt.core.config.load import load_config
from coopt.domains.base import Item
from coopt.domains.load import load_domains
from coopt.domains.scimini.wording import SCIMINI
from coopt.graph.topology import Style
from coopt.lm.engines.base import Draws, Generation, Sampling
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import StepStats, TrainRow
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.registry import make_method
from coopt.methods.rollouts import heard
from coopt.methods.step import Step, Tutee
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import Request

WORDING = replace(SCIMINI, system="Solve.")
CORRECT = ((1, 3), (), (2,), (0, 1, 2, 3))
"""The correct ones of each prompt's four rollouts: the second prompt has no demonstration, nor has the one success of
the third."""


class Recording:
    """An engine that gives rollouts from one token on, with and without thought and end token, correct where they are
    to be. ``foreign``: with log-probs, as if another model had drawn them."""

    def __init__(self, policy: Policy, items: Sequence[Item], foreign: bool) -> None:
        self.policy, self.items, self.foreign = policy, items, foreign

    def sync(self, policy: Policy) -> None:
        pass

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, draws: Draws
    ) -> list[list[Generation]]:
        return [
            [self._rollout(item, j, j in correct, draws.rng) for j in range(samples)]
            for item, correct in zip(self.items, CORRECT, strict=True)
        ]

    def _rollout(self, item: Item, j: int, correct: bool, rng: np.random.Generator) -> Generation:
        words = rng.integers(256, 700, size=(5 * j) % 7).tolist()
        tokens = [*self._ids("<think>x"), *words, *self._ids("</think>")] if j == 1 else [*self._ids("x"), *words]
        if correct:
            tokens += self._ids(item.solution or "")
        if j % 2:
            tokens.append(self.policy.tokenizer.eos_token_id)
        logprobs = tuple((-rng.uniform(2, 9, size=len(tokens))).tolist()) if self.foreign else ()
        return Generation(tuple(tokens), self.policy.decode(tokens), bool(j % 2), logprobs)

    def _ids(self, text: str) -> list[int]:
        return list(self.policy.tokenizer(text, add_special_tokens=False)["input_ids"])


class Tutor:
    """Says something about every second attempt."""

    style: Style = "anchored"

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        return [
            f"<concept>{r.item.stem.split()[2]}</concept>look at {len(r.response)}" if k % 2 else None
            for k, r in enumerate(requests)
        ]

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        raise AssertionError


class RecordedStep:
    """What a method makes of the recorded rollouts, and what the trainer makes of that.

    ``gradients`` (by parameter) and ``logprobs`` (of each row's tokens): one an update, after which the weights are
    ``moved`` as TRL's are.
    """

    def __init__(self, policy: Policy, name: str, *settings: str, foreign: bool = False) -> None:
        config = load_config(settings=[
            "world.rows=40", "rounds.prompts=4", "rounds.rollouts=4", "teacher.rate=0.05", "optimizer.warmup=0",
            "optimizer.clip=1e9", *settings,
        ])  # fmt: skip
        method = make_method(name, config.options)
        config = method.configure(config)
        policy = make_trainable(copy.deepcopy(policy), "full", 8, "t")
        self.trainer = LocalTrainer(policy, config, method.objective(config))
        self.trainer.optimizer.step = self._move  # type: ignore[method-assign]
        self.gradients: list[dict[str, torch.Tensor]] = []
        self.logprobs: list[list[list[float]]] = []
        domains = {n: replace(d, wording=WORDING) for n, d in load_domains(config).items()}  # type: ignore[type-var]
        items = domains["physics"].items("train")[:2] + domains["chemistry"].items("train")[:2]
        tutee = Tutee(
            config=config,
            domains=domains,
            name="s1",
            seed=0,
            round=1,
            trainer=self.trainer,
            engine=Recording(policy, items, foreign),  # type: ignore[arg-type]
            tutors={"t": Tutor()},
            open_tutors=[OpenTutor("t", 0, config.domains)] if name == "opcod" else (),
        )
        self.learnt = method.learn(Step(tutee, 0, items))

    def rows(self) -> list[TrainRow]:
        return [row for part in self.learnt.parts for row in part]

    def update(self, times: int = 1) -> StepStats:
        """One training step, each part of the rows ``times`` times."""
        parts = [*self.learnt.parts] * times
        return self.trainer.update_in_parts(parts, self.learnt.examples // len(self.learnt.parts))

    def recorded(self, trl: ModuleType) -> Any:
        """The rollouts for TRL."""
        groups = self.learnt.groups
        return trl.Recorded(
            messages=[
                [{"role": "system", "content": WORDING.system}, {"role": "user", "content": g.item.prompt}]
                for g in groups
            ],
            completions=[[y.tokens for y in g.rollouts] for g in groups],
            rewards=[g.rewards for g in groups],
            feedback=[[heard(y.told) for y in g.rollouts] for g in groups],
            logprobs=[[y.generation.logprobs for y in g.rollouts] for g in groups],
        )

    def _move(self, *closure: Any) -> None:
        weights = self.trainer.policy.trainable()
        self.gradients.append({n: p.grad.clone() for n, p in weights.items()})
        self.logprobs.append(self.trainer.logprobs([(r.student_prompt, r.response) for r in self.rows()]))
        with torch.no_grad():
            for name, parameter in weights.items():
                parameter.copy_(moved(name, parameter))


def moved(name: str, weights: torch.Tensor) -> torch.Tensor:
    """Where the weights go in place of an optimizer's step."""
    random = torch.Generator().manual_seed(sum(name.encode()))
    return weights + 0.03 * torch.randn(weights.shape, dtype=weights.dtype, generator=random)
