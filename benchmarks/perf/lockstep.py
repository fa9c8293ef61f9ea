"""Eight students on one base in lockstep, against the same eight one after another in the same process.

CPU seconds of rollouts alone, and of whole SDPO steps: rollouts, teacher, student, optimizer. Prompts are a student's
own. The embedded base is so small that what Python does for each pass decides; of a base with four blocks of Qwen3-0.6B
it is the reading of the weights.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.perf.adapters import BLOCKS, tree_of
from benchmarks.perf.ratio import Ratio, in_turn
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.processes import set_up_torch
from coopt.core.rng import generator
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.engines.lockstep import LockstepEngine
from coopt.lm.lockstep import meeting
from coopt.lm.policy import Policy, save_policy
from coopt.lm.shared import load_student
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.lockstep import LockstepTrainer
from coopt.lm.training.trainer import LocalTrainer

STUDENTS, PROMPTS, SAMPLES, LENGTH, TOKENS = 8, 2, 4, 40, 16
Work = Callable[[int, LocalTrainer, Engine], None]


def measure(pairs: int) -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        made = _four_blocks(Path(folder) / "base")
        large = of(f"{BLOCKS} blocks of Qwen3-0.6B", made, pairs, kinds=("decoding",))  # its steps take minutes
        return [*of("embedded base", SCIMINI_BASE, pairs), *large]


def of(what: str, base: Path, pairs: int, kinds: Sequence[str] = ("decoding", "step")) -> list[Ratio]:
    """Both ratios of a base. Aim: decoding at twice the speed where weights dominate, the step never slower."""
    set_up_torch(1)
    config = load_config(settings=["model.weights=lora", f"model.path={base}", "run.device=cpu"])
    policies = [make_trainable(load_student(config, base), "lora", config.model.lora_rank, k) for k in range(STUDENTS)]
    text = torch.randint(10, 60, (STUDENTS, PROMPTS, LENGTH), generator=torch.Generator().manual_seed(0)).tolist()
    works: dict[str, Work] = {"decoding": partial(_write, text), "step": partial(_step, text)}
    size = f"{STUDENTS} students, {PROMPTS} x {SAMPLES} x {TOKENS} tokens each"
    found = []
    for kind in kinds:
        work = works[kind]
        ours, theirs = partial(_together, config, policies, work), partial(_alone, config, policies, work)
        found.append(
            Ratio(
                name=f"lockstep/{kind}/{what}", what=f"{kind} in lockstep, {what}, {size}",
                against="one after another", unit="CPU s", pairs=in_turn(ours, theirs, pairs),
                at_least=2 if kind == "decoding" else 1,
            )
        )  # fmt: skip
    return found


def _write(text: list[list[list[int]]], k: int, trainer: LocalTrainer, engine: Engine) -> None:
    engine.sync(trainer.policy)
    engine.generate(text[k], SAMPLES, Sampling(1.0, TOKENS), Draws(generator(k)))


def _step(text: list[list[list[int]]], k: int, trainer: LocalTrainer, engine: Engine) -> None:
    engine.sync(trainer.policy)
    written = engine.generate(text[k], SAMPLES, Sampling(1.0, TOKENS), Draws(generator(k)))
    rows = [TrainRow(tuple(p), (*p, *p[:20]), y.tokens) for p, ys in zip(text[k], written, strict=True) for y in ys]
    trainer.update(rows, len(rows))


def _alone(config: Config, policies: list[Policy], work: Work) -> float:
    trainers = [LocalTrainer(p, config) for p in policies]
    start = time.process_time()
    for k, trainer in enumerate(trainers):
        work(k, trainer, HFEngine(256))
    return time.process_time() - start


def _together(config: Config, policies: list[Policy], work: Work) -> float:
    meet = meeting()
    trainers: list[LocalTrainer] = [LockstepTrainer(p, config, together=meet) for p in policies]
    start = time.process_time()
    meet.run([partial(work, k, trainer, LockstepEngine(meet, 256)) for k, trainer in enumerate(trainers)])
    return time.process_time() - start


def _four_blocks(directory: Path) -> Path:
    tokenizer = build_tokenizer()
    tree = tree_of("Qwen3-0.6B") | {"vocab_size": len(tokenizer), "num_hidden_layers": BLOCKS}
    tokens = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    torch.manual_seed(0)
    save_policy(Policy(Qwen3ForCausalLM(Qwen3Config(**tree, **tokens)), tokenizer), directory)
    return directory
