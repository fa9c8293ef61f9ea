"""SDFT, self-distillation fine-tuning (arXiv 2601.19897): a demonstration in the teacher's prompt, on own rollouts.

Signal: the worked solution, which the self-teacher reads as an example; no reward. Teacher: an exponential average of
the student (rate 0.01 a step). Objective: L = (1/N) sum_i (1/|K_i|) sum_{t in K_i} KL(teacher || student), K_i the
rollout without its first ``skip`` tokens. Set against ``critic_reference`` (the same with a frozen teacher), ``opsd``,
``sft_union``. On a graph: every student alone.

Direction: Eq. 1 prints KL(student || teacher); its first author says that every result was made with
KL(teacher || student), the default here (repository's issue 5). Skip: the published code leaves out three tokens; 0
here, because three may be all of a short answer.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from coopt.methods.algorithms.privileged import Privileged, PrivilegedOptions, TeacherKind
from coopt.methods.base import method
from coopt.methods.step import Learnt, Step


class SDFTOptions(PrivilegedOptions):
    """Settings of SDFT."""

    teacher: TeacherKind = "ema"
    """ema: the paper's best; frozen it calls acceptable, live unstable."""
    rate: float = Field(0.01, ge=0, le=1)
    """Of an ema teacher (the paper's grid: 0.01, 0.02, 0.05)."""
    skip: int = Field(0, ge=0)
    """Tokens at a response's beginning that have no loss; the published code: 3."""


@method
class SDFT(Privileged):
    """The skipped tokens stand at the end of both prompts: what is left is a response of its own, whose mean it is."""

    name = "sdft"
    description = "self-distillation fine-tuning: a moving teacher with the worked solution in its prompt, no reward"
    against = ("critic_reference", "sft_union")
    Options = SDFTOptions

    def learn(self, step: Step) -> Learnt:
        learnt, skip = super().learn(step), self.options.skip
        rows = [
            row._replace(
                student_prompt=row.student_prompt + row.response[:skip],
                teacher_prompt=row.teacher_prompt + row.response[:skip],
                response=row.response[skip:],
                logprobs=row.logprobs[skip:],
            )
            for part in learnt.parts
            for row in part
            if len(row.response) > skip
        ]
        return replace(learnt, parts=[rows])
