"""What the ranks of ``test_sharded.py`` do. Rank 0 writes down what the tests then compare."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import torch

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import RunError, TrainingError
from coopt.core.rng import generator
from coopt.domains.scimini.wording import SCIMINI
from coopt.lm import ranks
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.engines.ranked import over_ranks
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import Trainer, TrainRow
from coopt.lm.training.checkpoint import TornCheckpointError, state_tensors
from coopt.lm.training.losses import Divergence
from coopt.lm.training.objectives import ByKind, Distil, PolicyGradient, teacher_advantage
from coopt.lm.training.sharded import ShardedTrainer
from coopt.lm.training.sharding import whole
from coopt.lm.training.surrogates import Sequences, Sure, Towards

STEPS, ROLLOUTS = 4, 14
SMALL = "loss.batch_tokens=96"  # several micro-batches a step, not the same number on every rank
CASES: dict[str, tuple[str, ...]] = {
    "full": (SMALL,),
    "lora": (SMALL, "model.weights=lora"),
    "packed": (SMALL, "loss.packed=true"),
    "one batch, recomputed": ("parallel.activation_checkpointing=true",),
    "offloaded": (SMALL, "parallel.cpu_offload=true"),
    "live": (SMALL, "teacher.kind=live"),
    "frozen": (SMALL, "teacher.kind=frozen", "model.weights=lora"),
    "trust region": (SMALL, "teacher.kind=trust_region"),
}
IDS = torch.tensor([[1, 5, 9, 40, 77, 12]])


def config(*settings: str) -> Config:
    return load_config(settings=["optimizer.warmup=0", "teacher.rate=0.1", "model.lora_rank=4", *settings])


def policy(settings: Config) -> Policy:
    loaded = load_policy(SCIMINI_BASE, dtype=settings.model.dtype, device="cpu")
    return make_trainable(loaded, settings.model.weights, settings.model.lora_rank, "test")


def rows(step: int) -> list[TrainRow]:
    """Rows of a step: many, then so few that a rank has none, then none at all, then many."""
    rng = random.Random(step)

    def words(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randrange(4, 500) for _ in range(rng.randrange(low, high)))

    made = []
    for _ in range((9, 1, 0, 9)[step % 4]):
        prompt = words(3, 12)
        made.append(TrainRow(prompt, prompt + words(3, 20), words(1, 9)))
    return made + made[:2]  # some twice


def losses(trainer: Trainer, first: int = 0, last: int = STEPS) -> list[float]:
    return [trainer.update(rows(step), ROLLOUTS).loss for step in range(first, last)]


def losses_by_peers(trainer: Trainer) -> list[float]:
    """Of rows that two frozen peers teach, in turn."""
    trainer.peers = {name: policy(config()) for name in "ab"}
    with torch.no_grad():
        for parameter in trainer.peers["b"].model.parameters():
            parameter.mul_(1.02)
    taught = [[r._replace(teacher="ab"[k % 2]) for k, r in enumerate(rows(step))] for step in range(STEPS)]
    return [trainer.update(of_step, ROLLOUTS).loss for of_step in taught]


KINDS = ByKind(
    {
        "plain": PolicyGradient(),
        "self": Sure(Divergence()),
        "whole": Sequences(0.2, 0.2),
        "peer": Towards(PolicyGradient()),
    }
)


def losses_by_kinds(trainer: Trainer) -> list[float]:
    """Of rows of four kinds, of which one reads the self-teacher, one a peer, and one whole rows."""
    trainer.peers = {"a": policy(config())}
    with torch.no_grad():
        for parameter in trainer.peers["a"].model.parameters():
            parameter.mul_(1.02)
    found = []
    for step in range(STEPS):
        made = [r._replace(kind=list(KINDS.of)[k % 4], given=-9.0, advantage=0.5) for k, r in enumerate(rows(step))]
        made = [r._replace(teacher="a", teacher_prompt=r.student_prompt) if r.kind == "peer" else r for r in made]
        said = trainer.measure([r for r in made if r.kind == "self"], teacher_advantage)
        found.append(trainer.update(made, ROLLOUTS).loss + sum(map(sum, said)) / 1000)
    return found


def sharded(*settings: str) -> ShardedTrainer:
    made = config(*settings)
    return ShardedTrainer(policy(made), made)


def everything(folder: str) -> None:
    """All checks of two ranks in one start of them."""
    path = Path(folder)
    found: dict[str, Any] = {"losses": {}}
    for name, settings in CASES.items():
        trainer = sharded(*settings)
        found["losses"][name] = losses(trainer)
        if name in ("full", "lora"):
            trainer.publish(path / name)
            found[f"{name} logits"] = trainer.serving().model(IDS).logits.tolist()
    found["peers"] = losses_by_peers(sharded(SMALL))
    found["kinds"] = losses_by_kinds(ShardedTrainer(policy(config(SMALL)), config(SMALL), KINDS))
    found["bfloat16"] = losses(sharded(SMALL, "model.dtype=bfloat16"))
    found["read"] = ranks.gather(_read())
    found["teacher"] = _teacher()
    found["stopped"] = ranks.gather(_stopped())
    found["resumed"] = _resumed(path)
    found["texts"] = _texts()
    found["errors"] = ranks.gather(_shared_error())
    if ranks.leads():
        store.write_json(path / "found.json", found)


def said(trainer: Trainer) -> list[list[float]]:
    """The log-probs of the first step's responses."""
    return trainer.logprobs([(r.student_prompt, r.response) for r in rows(0)])


def _read() -> dict[str, Any]:
    """What a trainer finds without gradients, and how much this rank reads for that; whether it holds afterwards what a
    checkpoint and a step without rows expect."""
    trainer = sharded(SMALL)
    losses(trainer, 0, 1)
    before, tokens = state_tensors(trainer), []

    def count(module: Any, args: Any, kwargs: Any) -> None:
        tokens.append(kwargs["input_ids"].numel())

    counting = trainer.decoder.register_forward_pre_hook(count, with_kwargs=True)
    found = said(trainer)
    counting.remove()
    after = state_tensors(trainer)
    kept = after.keys() == before.keys() and all(type(after[n]) is type(t) for n, t in before.items())
    return {"said": found, "tokens": sum(tokens), "kept": kept, "empty": trainer.update([], ROLLOUTS).loss}


def _teacher() -> dict[str, bool]:
    """The teacher's forward pass computes with the teacher's weights, and the student's are back after it."""
    trainer = sharded("teacher.rate=0.3")
    losses(trainer, 0, 2)
    expected = trainer.serving().model
    student = expected(IDS).logits
    shadows = {n: whole(s) for n, s in trainer.teacher.shadows.items()}
    expected.load_state_dict(shadows, strict=False)
    with trainer.teacher.active():
        seen = trainer.decoder(input_ids=IDS, use_cache=False).last_hidden_state
    wanted = expected.get_decoder()(input_ids=IDS, use_cache=False).last_hidden_state
    return {
        "seen": torch.equal(seen, wanted),
        "differs": not torch.equal(expected(IDS).logits, student),
        "back": torch.equal(trainer.serving().model(IDS).logits, student),
    }


def _stopped() -> tuple[str, bool]:
    """A loss that is not a number on the last rank only: what this rank is told, and whether its weights stayed."""

    def objective(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        bad = ranks.rank() == ranks.world() - 1
        return (student - teacher).square().sum(-1) * (float("nan") if bad else 1.0)

    settings = config(SMALL)
    trainer = ShardedTrainer(policy(settings), settings, Distil(objective))
    before = {n: p.detach().to_local().clone() for n, p in trainer.policy.trainable().items()}
    try:
        trainer.update(rows(0), ROLLOUTS)
    except TrainingError as error:
        kept = all(torch.equal(p.detach().to_local(), before[n]) for n, p in trainer.policy.trainable().items())
        return str(error), kept
    return "not stopped", False


def _resumed(path: Path) -> dict[str, Any]:
    """Losses of an uninterrupted run, and those after a checkpoint that was written behind the training."""
    found: dict[str, Any] = {}
    for weights in ("full", "lora"):
        through = sharded(SMALL, f"model.weights={weights}")
        losses(through, 0, 2)
        through.save(path / f"checkpoint {weights}", background=True)
        after = losses(through, 2)
        through.settle()
        again = sharded(SMALL, f"model.weights={weights}")
        again.load(path / f"checkpoint {weights}")
        found[weights] = after, losses(again, 2)
    weights_only = sharded(SMALL)
    weights_only.load(path / "checkpoint full", optimizer=False)
    found["without optimizer"] = weights_only.step, not weights_only.optimizer.state
    shard = path / "checkpoint lora/shard-00002-model-00001-of-00001.safetensors"
    if ranks.leads():
        shard.write_bytes(shard.read_bytes()[:-10])
    ranks.wait_for_all()
    try:
        again.load(path / "checkpoint lora")
    except TornCheckpointError:
        found["torn"] = ranks.gather("told")
    return found


def texts(engine: Any, tutee: Policy) -> list[list[str]]:
    """Samples of three prompts: more than one rank's share, not a multiple of the ranks."""
    engine.sync(tutee)
    prompts = [tutee.prompt_ids(SCIMINI, p) for p in ("period of coil?", "number of tin and mass of iron?", "what?")]
    return [[y.text for y in group] for group in engine.generate(prompts, 4, Sampling(1.0, 20), Draws(generator(7)))]


def _texts() -> dict[str, list[list[str]]]:
    served = load_policy(SCIMINI_BASE, device="cpu")
    plain = HFEngine(64)
    return {"ranks": texts(over_ranks(HFEngine(64)), served), "one": texts(plain, served)}


def _shared_error() -> str:
    """An error that only rank 0 meets."""

    def refuse() -> None:
        raise RunError("only rank 0 asked")

    try:
        ranks.from_first(refuse)
    except RunError as error:
        return str(error)
    return ""


def on_one_rank(folder: str) -> None:
    """What two ranks saved, read by one."""
    trainer = sharded(SMALL)
    trainer.load(Path(folder) / "checkpoint full")
    store.write_json(Path(folder) / "one.json", losses(trainer, 2))


def refuse() -> None:
    if ranks.rank() == 1:
        raise RunError("rank 1 has something to say")
    ranks.wait_for_all()


def be_killed() -> None:
    if ranks.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.wait_for_all()


def hang() -> None:
    if ranks.rank() == 1:
        time.sleep(60)
    ranks.wait_for_all()
