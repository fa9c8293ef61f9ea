"""The self-teacher's weights: an exponential moving average of the student, a frozen copy, or the student.

With ``trust_region`` the shadows are a frozen copy, and the trainer mixes its logits with the student's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch

from coopt.lm.policy import Policy

Kind = Literal["ema", "live", "frozen", "trust_region"]


class Teacher:
    """Shadow copies of the trained parameters; the untrained ones are shared with the student.

    ``live`` keeps no shadows: its weights are the student's at every step.
    """

    def __init__(self, policy: Policy, kind: Kind, rate: float) -> None:
        self.policy = policy
        self.kind = kind
        self.rate = rate
        self.shadows: dict[str, torch.Tensor] = {}
        if kind != "live":
            # Frozen parameters (the base under an adapter) are the same in teacher and student: no copy.
            self.shadows = {n: p.detach().clone() for n, p in policy.trainable().items()}

    @torch.no_grad()
    def update(self) -> None:
        """theta_T <- (1 - rate) theta_T + rate theta_S, once per step (only ``ema``)."""
        if self.kind == "ema":
            for name, parameter in self.policy.trainable().items():
                self.shadows[name].lerp_(parameter.detach(), self.rate)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within the block the policy's module computes with the teacher's weights, without gradients."""
        parameters = self.policy.trainable()
        # Pointers are exchanged, nothing is copied: a second module would cost the untrained weights again.
        students = {n: parameters[n].data for n in self.shadows}
        with torch.no_grad():
            for name, shadow in self.shadows.items():
                parameters[name].data = shadow
            try:
                yield
            finally:
                for name, data in students.items():
                    parameters[name].data = data

    def head(self, head: torch.nn.Module) -> dict[str, torch.Tensor]:
        """The teacher's weights of the output head, by their names in ``head`` (tied or not)."""
        by_parameter = {id(p): n for n, p in self.policy.trainable().items()}
        return {
            name: self.shadows[by_parameter[id(p)]]
            for name, p in head.named_parameters()
            if by_parameter.get(id(p)) in self.shadows
        }

    def state(self) -> Mapping[str, Any]:
        return self.shadows

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        for name, shadow in self.shadows.items():
            shadow.copy_(state[name])
