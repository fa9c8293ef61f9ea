"""Phases and rollouts to look at one step of a method."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from coopt.core.config.schema import Config
from coopt.core.phase_files import PhaseFiles
from coopt.domains.base import Item
from coopt.domains.load import load_domains
from coopt.lm.engines.base import Generation
from coopt.lm.engines.hf import HFEngine
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.base import Method, Trained
from coopt.methods.phase import Phase
from coopt.methods.rollouts import Rollout, RolloutGroup
from coopt.methods.step import Learnt, Step, Tutee
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import Tutor


def small_phase(
    policy: Policy,
    folder: Path,
    method: Method,
    config: Config,
    tutors: Mapping[str, Tutor] | None = None,
    *,
    seed: int = 0,
    reviewed: bool = False,
) -> Phase:
    """The first round of ``s1``, a copy of ``policy``, written into ``folder``. Every tutor's edge is open in every
    domain of the run; ``reviewed``: each is reviewed by the others."""
    assert isinstance(method, Trained)
    tutors = tutors or {}
    student = make_trainable(copy.deepcopy(policy), "full", 8, "t")
    tutee = Tutee(
        config=config,
        domains=load_domains(config),
        name="s1",
        seed=seed,
        round=1,
        trainer=LocalTrainer(student, config, method.objective(config)),
        engine=HFEngine(64),
        tutors=tutors,
        open_tutors=[
            OpenTutor(name, 0, config.domains, reviewers=tuple(n for n in tutors if n != name) if reviewed else ())
            for name in tutors
        ],
    )
    return Phase(tutee, method, PhaseFiles(folder / "s1"))


def answered(
    item: Item, rewards: Sequence[float], texts: Sequence[str] = (), prompt: tuple[int, ...] = ()
) -> RolloutGroup:
    """One-token rollouts with these rewards; without ``texts`` they are y0, y1, and so on."""
    written = texts or [f"y{k}" for k in range(len(rewards))]
    return RolloutGroup(
        item,
        tuple(
            Rollout(item, prompt, Generation((k,), text, True), reward)
            for k, (text, reward) in enumerate(zip(written, rewards, strict=True))
        ),
    )


def learnt_from(method: Trained, step: Step, groups: Sequence[RolloutGroup]) -> Learnt:
    """What a method makes of a step in which these rollouts were drawn."""
    drawn: Any = list(groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "roll_out", lambda: drawn)
        return method.learn(step)
