"""Rollouts, critiques and answers of several students in one batch, each row with its own student's adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from coopt.core.rendezvous import Rendezvous
from coopt.lm.engines.hf import Answers, Asked, HFEngine, decode, write
from coopt.lm.grouped import Grouped, together_as_alone

GENERATE = "generate"


class LockstepEngine(HFEngine):
    """As ``HFEngine``, of a thread that meets others: texts are the same, because every row has its own random numbers
    and its own adapter."""

    def __init__(
        self, together: Rendezvous, batch_rows: int, on_batch: Callable[[int, int], None] | None = None
    ) -> None:
        super().__init__(batch_rows, on_batch)
        self.together = together

    def _answer(self, asked: Asked) -> Answers:
        # Only what is drawn alike, and by adapters of one base, is one batch.
        apart = asked.policy.base or asked.policy.model, asked.samples, asked.sampling
        answers: Answers = self.together.call(GENERATE, asked, apart=apart)
        return answers


def generate_together(calls: Sequence[Asked]) -> list[Answers]:
    """The answers to calls that have base, samples and sampling in common."""
    model = together_as_alone([c.policy for c in calls])
    return [write(c) for c in calls] if model is None else _write_grouped(model, calls)


def _write_grouped(model: Grouped, calls: Sequence[Asked]) -> list[Answers]:
    samples, sampling, per_batch = calls[0].samples, calls[0].sampling, calls[0].per_batch
    answers: list[Answers] = [[[] for _ in c.prompts] for c in calls]
    lengths = {(n, k): len(p) for n, c in enumerate(calls) for k, p in enumerate(c.prompts)}
    by_length = sorted(lengths, key=lambda place: (lengths[place], place))  # little padding
    for start in range(0, len(by_length), per_batch):
        chosen = sorted(by_length[start : start + per_batch])  # a student's lines are neighbours
        prompts = [calls[n].prompts[k] for n, k in chosen]
        drawn = torch.cat([torch.from_numpy(calls[n].uniforms[k]) for n, k in chosen])
        first, units = calls[0].policy, [sum(n == own for own, _ in chosen) for n in range(len(calls))]
        with first.autocast(), torch.inference_mode(), model.serving([c.policy for c in calls], units) as lines:
            line = torch.arange(len(prompts)).repeat_interleave(samples)
            rows = decode(first, prompts, line, sampling, drawn, model=model.model, owners=lines)
        for place, (n, k) in enumerate(chosen):
            answers[n][k] = rows[place * samples : (place + 1) * samples]
            calls[n].engine.on_batch(samples, sum(len(r.tokens) for r in answers[n][k]))
    return answers
