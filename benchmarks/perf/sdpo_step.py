"""One SDPO step on the CPU against TRL's ``SDPOTrainer``: same model, prompts, lengths, batch, loss and threads.

After ``make peers``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
import torch

from benchmarks.perf.ratio import Ratio, in_turn
from benchmarks.perf.trl_step import TRLStep
from benchmarks.perf.untrained import NAME, PROMPTS, Words, write_model
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.phase_files import PhaseFiles
from coopt.core.quiet import quiet_libraries
from coopt.lm.engines.hf import HFEngine
from coopt.lm.policy import load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.algorithms.sdpo import SDPO
from coopt.methods.phase import Phase, train_step
from coopt.methods.step import Tutee

ROLLOUTS, NEW_TOKENS = 8, 32
ROWS = PROMPTS * ROLLOUTS
BATCH_TOKENS = 4096
"""coopt's micro-batches, about as large as those that are fastest for TRL."""
MICRO_BATCHES = (1, 4, 12)
"""What is tried for TRL; the fastest is measured."""


def settings(device: str = "cpu") -> Config:
    return load_config(settings=[
        f"run.device={device}",
        f"rounds.prompts={PROMPTS}", f"rounds.rollouts={ROLLOUTS}", f"sampling.max_response_tokens={NEW_TOKENS}",
        "loss.top_k=0", "loss.alpha=0.5", f"loss.batch_tokens={BATCH_TOKENS}", "teacher.kind=ema", "optimizer.warmup=0",
        "loss.shared_prefixes=true",
    ])  # fmt: skip


class CooptStep:
    """coopt's own step on the model in ``directory``; ``records``: of all steps so far."""

    def __init__(self, directory: Path, config: Config) -> None:
        method = SDPO()
        policy = make_trainable(load_policy(directory, device=config.run.device), "full", 0, "bench")
        tutee = Tutee(
            config=config,
            domains={NAME: Words()},
            name="s1",
            seed=0,
            round=1,
            trainer=LocalTrainer(policy, config, method.objective(config)),
            engine=HFEngine(config.sampling.batch_rows),
            tutors={},
            trained_on=(NAME,),
        )
        self.phase = Phase(tutee, method, PhaseFiles(directory / "coopt"))
        self.records: list[dict[str, Any]] = []

    def __call__(self) -> float:
        """Seconds of one more step."""
        record, _ = train_step(self.phase, len(self.records))
        self.records.append(record)
        if record["distinct_rows"] < record["active_rows"]:
            raise AssertionError("two rollouts are the same, and coopt would compute them once")
        return float(record["seconds"]["total"])


def measure(pairs: int) -> list[Ratio]:
    quiet_libraries()
    cores = psutil.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        directory = write_model(Path(folder))
        # One thread too: it is what presets take, and with it no thread waits for another.
        return [_ratio(directory, threads, pairs, aimed=threads == cores) for threads in dict.fromkeys((cores, 1))]


def _ratio(directory: Path, threads: int, pairs: int, aimed: bool) -> Ratio:
    torch.set_num_threads(threads)
    config = settings()
    theirs, tried = fastest(directory, config)
    ours = CooptStep(directory, config)
    found = in_turn(ours, theirs, pairs)
    return Ratio(
        name=f"sdpo_step/{threads}-threads",
        what=f"SDPO step, {PROMPTS} x {ROLLOUTS} x {NEW_TOKENS} tokens, threads: {threads}",
        against="TRL SDPOTrainer",
        unit="s",
        pairs=found,
        at_least=5 if aimed else None,
        counts_times=True,
        notes=[
            f"TRL: {theirs.micro_batches} micro-batches, the fastest ({tried}); dynamic cache, float32, as coopt."
            f" coopt: micro-batches of up to {BATCH_TOKENS} tokens.",
            *_notes(ours.records[-pairs:], theirs),
            "No two of coopt's rows were the same, so its merging computed nothing once for two (a check)."
            " It reads a prompt once for all its rollouts, in decoding and in the update; TRL reads it for each.",
        ],
    )


def fastest(directory: Path, config: Config) -> tuple[TRLStep, str]:
    """TRL's trainer with the number of micro-batches that is fastest here, and the seconds of each: its second step,
    because the first sets up."""
    trainers = [TRLStep(directory, config, n) for n in MICRO_BATCHES]
    times = [(trainer(), trainer())[1] for trainer in trainers]
    tried = ", ".join(f"{n}: {t:.2f} s" for n, t in zip(MICRO_BATCHES, times, strict=True))
    return trainers[times.index(min(times))], tried


def _notes(records: list[dict[str, Any]], theirs: TRLStep) -> list[str]:
    """Where the time goes, and whether both sides had the same work."""

    def mean(part: str) -> float:
        return fmean(r["seconds"][part] for r in records)

    tokens = fmean(r["tokens"]["rollout"] for r in records)
    active = fmean(r["active_rows"] for r in records)
    step, rollout = theirs.clock.step, theirs.clock.rollout
    return [
        f"coopt: rollout {mean('rollout'):.2f} s ({tokens / mean('rollout'):,.0f} tokens/s), teacher"
        f" {mean('teacher'):.2f} s, student with optimizer {mean('student'):.2f} s.",
        f"TRL, last step: rollout with rewards and reprompts {rollout:.2f} s"
        f" ({ROWS * theirs.clock.length / rollout:,.0f} tokens/s), the rest {step - rollout:.2f} s.",
        f"Mean length of a rollout: coopt {tokens / ROWS:.1f}, TRL {theirs.clock.length:.1f}. With a demonstration:"
        f" coopt {active / ROWS:.1%}, TRL {theirs.clock.active:.1%}.",
    ]
