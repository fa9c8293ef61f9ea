"""Students in lockstep: the texts of students one after another, and their losses up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import TrainingError
from coopt.core.rng import generator
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.engines.lockstep import LockstepEngine
from coopt.lm.grouped import Rows, together_as_alone
from coopt.lm.lockstep import meeting
from coopt.lm.policy import Policy
from coopt.lm.shared import load_student, shared_base
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.lockstep import LockstepTrainer
from coopt.lm.training.losses import Divergence
from coopt.lm.training.objectives import ByKind, PolicyGradient, teacher_advantage
from coopt.lm.training.surrogates import ForeignSequences, Sure, Towards
from coopt.lm.training.trainer import LocalTrainer

STUDENTS = 3
Make = Callable[[Policy], tuple[LocalTrainer, Engine]]


def config_with(*settings: str) -> Config:
    shared_base.cache_clear()
    return load_config(settings=["model.weights=lora", "run.device=cpu", "optimizer.warmup=0", *settings])


def students(config: Config) -> list[Policy]:
    return [make_trainable(load_student(config, SCIMINI_BASE), "lora", 4, str(k)) for k in range(STUDENTS)]


def live(k: int, policy: Policy, make: Make, found: list[Any], steps: int = 3) -> None:
    """What a student does: other prompts, other rows and another number of them than its neighbours."""
    trainer, engine = make(policy)
    for step in range(steps - (k == 1)):
        engine.sync(policy)
        prompts = [[1, 5, 9, k + 3, 7][: 4 + k % 2], [1, 6, 20 + k]]
        groups = engine.generate(prompts, 3, Sampling(1.0, 12), Draws(generator(k, step)))
        rows = [
            TrainRow((1, 5, 9 + k), (1, 5, 9 + k, 30, 31), y.tokens) for group in groups[: 1 + k % 2] for y in group
        ]
        stats = trainer.update(rows, 6)
        found.append(([y.text for group in groups for y in group], stats.loss, stats.grad_norm))


def together(config: Config, policies: list[Policy], steps: int = 3) -> list[list[Any]]:
    meet, found = meeting(), [[] for _ in policies]  # type: ignore[var-annotated]

    def make(policy: Policy) -> tuple[LocalTrainer, Engine]:
        return LockstepTrainer(policy, config, together=meet), LockstepEngine(meet, 256)

    meet.run([partial(live, k, p, make, found[k], steps) for k, p in enumerate(policies)])
    return found


@pytest.mark.parametrize("layout", ["padded", "packed", "shared_prefixes"])
def test_students_write_and_learn_as_one_after_another(layout: str) -> None:
    steps = 10 if layout == "padded" else 2
    config = config_with(*([f"loss.{layout}=true"] if layout != "padded" else []))
    alone: list[list[Any]] = [[] for _ in range(STUDENTS)]
    for k, policy in enumerate(students(config)):
        live(k, policy, lambda p: (LocalTrainer(p, config), HFEngine(256)), alone[k], steps)
    for own, other in zip(alone, together(config, students(config), steps), strict=True):
        assert [texts for texts, _, _ in own] == [texts for texts, _, _ in other]
        assert [loss for _, loss, _ in other] == pytest.approx([loss for _, loss, _ in own], rel=1e-5, abs=1e-7)
        assert [norm for *_, norm in other] == pytest.approx([norm for *_, norm in own], rel=1e-3, abs=1e-6)


KINDS = ByKind(
    {
        "plain": PolicyGradient(),
        "self": Sure(Divergence()),
        "foreign": ForeignSequences(0.1),
        "peer": Towards(PolicyGradient()),
    }
)


def live_with_a_peer(k: int, policy: Policy, peer: Policy, make: Make, found: list[Any]) -> None:
    """A peer writes rows beside the student's own, and teaches; each student has other kinds of rows."""
    trainer, engine = make(policy)
    trainer.peers = {"peer": peer}
    for step in range(2 + k % 2):
        made = []
        for writer in (policy, peer):
            engine.sync(writer)
            groups = engine.generate([[1, 5, 9 + k]], 3, Sampling(1.0, 8), Draws(generator(k, step)))
            made += [TrainRow((1, 5, 9 + k), (1, 5, 9 + k, 30), y.tokens, advantage=0.5) for y in groups[0]]
        said = trainer.logprobs([(row.student_prompt, row.response) for row in made[3:]], "peer")
        rows = [r._replace(kind="foreign", given=sum(s) / len(s)) for r, s in zip(made[3:], said, strict=True)]
        rows += [r._replace(kind=("plain", "self", "peer")[(k + n) % 3]) for n, r in enumerate(made[: 1 + k])]
        rows = [r._replace(teacher="peer", teacher_prompt=r.student_prompt) if r.kind == "peer" else r for r in rows]
        sure = trainer.measure([r for r in rows if r.kind == "self"], teacher_advantage)
        stats = trainer.update(rows, 6)
        found.append([stats.loss, stats.grad_norm, *map(sum, said), *map(sum, sure)])


def test_rows_of_several_kinds_and_peers_are_learnt_as_one_after_another() -> None:
    config = config_with()
    alone: list[list[Any]] = [[] for _ in range(STUDENTS)]
    for k, policy in enumerate(students(config)):
        live_with_a_peer(
            k, policy, students(config)[k], lambda p: (LocalTrainer(p, config, KINDS), HFEngine(256)), alone[k]
        )
    meet, found = meeting(), [[] for _ in range(STUDENTS)]  # type: ignore[var-annotated]

    def make(policy: Policy) -> tuple[LocalTrainer, Engine]:
        return LockstepTrainer(policy, config, KINDS, together=meet), LockstepEngine(meet, 256)

    pairs = zip(students(config), students(config), strict=True)
    meet.run([partial(live_with_a_peer, k, p, peer, make, found[k]) for k, (p, peer) in enumerate(pairs)])
    for own, other in zip(alone, found, strict=True):
        assert len(own) == len(other)
        for one, together_ in zip(own, other, strict=True):
            assert together_ == pytest.approx(one, rel=1e-3, abs=1e-5)


def test_rows_are_computed_together_and_not_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many passes through the base as one student makes, not three times as many."""
    config = config_with()
    passes: list[int] = []
    base = shared_base(SCIMINI_BASE, "float32", "cpu").model
    before = students(config)
    model = together_as_alone(before)
    assert model is not None
    monkeypatch.setattr(torch.nn.functional, "embedding", _counted(torch.nn.functional.embedding, passes))
    one: list[Any] = []
    live(0, before[0], lambda p: (LocalTrainer(p, config), HFEngine(256)), one)
    alone, passes[:] = len(passes), []
    together(config, students(config))
    assert len(passes) < 1.5 * alone
    assert base is before[0].base


def _counted(function: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    def counting(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        return function(*arguments, **named)

    return counting


def test_a_student_that_is_not_finite_is_named_and_changes_nobody() -> None:
    config = config_with()
    policies = students(config)
    spoilt = next(p for n, p in policies[1].model.named_parameters() if "down_proj.lora_B" in n)
    spoilt.data.fill_(float("nan"))
    model = together_as_alone(policies)
    assert model is not None
    ids = torch.tensor([[5, 6, 7]] * 4)
    with model.serving(policies, [1, 2, 1]):
        hidden = model.model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    hidden[[0, 3]].sum().backward()
    assert hidden[[0, 3]].isfinite().all()
    assert not hidden[[1, 2]].isfinite().any()
    for policy in (policies[0], policies[2]):
        assert all(p.grad.isfinite().all() for p in policy.trainable().values() if p.grad is not None)
    with pytest.raises(TrainingError, match="loss is nan"):
        together(config, policies)


def test_lines_keep_their_owners() -> None:
    rows = Rows([2, 0, 1], torch.device("cpu"))
    flat = torch.arange(3.0)[:, None]
    assert rows.by_policy(flat)[:, :, 0].tolist() == [[0, 1], [2, 2]]
    assert rows.flat(rows.by_policy(flat), 3).equal(flat)
    rows.keep(torch.tensor([0, 0, 1, 2, 2]))
    assert rows.units == [3, 0, 2]
    rows.keep(torch.tensor([3, 4]))
    assert (rows.units, rows.present) == ([0, 0, 2], [2])
