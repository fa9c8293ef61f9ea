"""How fast this machine generates and trains: a probe of a second or two with the run's own base model. The embedded
students' speeds are in one proportion to the base's everywhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from coopt.core.config.schema import Config
from coopt.core.config.ways import way_of
from coopt.core.errors import ModelError
from coopt.domains.base import SPLITS, Domain

if TYPE_CHECKING:
    from coopt.lm.policy import Policy

_LARGE = 20_000_000  # parameters; a model over this is probed with a few short rows, its lengths are not measured


class Speed(NamedTuple):
    """Lengths in tokens, speeds in tokens per second of one worker.

    The response length of a large model is its limit, an upper bound; where students learn answers alone, an answer's.
    """

    prompt: float
    response: float
    generate: float
    train: float
    distinct: float
    """Share of rollouts that are distinct, which is what updates and critiques cost."""


REFERENCE = Speed(prompt=11.9, response=17.8, generate=45_000, train=9_500, distinct=0.35)
"""The embedded students on two idle cores, per worker: with it the plan of ``coopt bench`` is the 2 min 16 s that it
took (README)."""
_BASE = {"generate": 29_000, "train": 6_500, "distinct": 0.80}
"""What a probe finds there on the embedded base, which repeats itself less than its students."""


def probe_speed(config: Config, threads: int) -> Speed:
    """Generate and train for a moment with the base model, with as many threads as a worker has. In a process apart,
    because the driver itself needs none of the libraries that this takes."""
    from coopt.core.processes import apart

    probed: Speed = apart(threads, _probe, config)
    return of_students(probed, config.rounds.rollouts) if way_of(config) == "world" else probed


def of_students(base: Speed, rollouts: int) -> Speed:
    """Speeds of the embedded students where the embedded base has those of ``base``. One in ``rollouts`` is distinct
    at least."""
    generate, train, distinct = (getattr(base, k) * getattr(REFERENCE, k) / there for k, there in _BASE.items())
    return base._replace(generate=generate, train=train, distinct=max(distinct, 1 / rollouts))


def _probe(config: Config) -> Speed:
    import torch

    from coopt.core.rng import generator
    from coopt.domains.load import load_domains
    from coopt.lm.bases import base_directory
    from coopt.lm.engines.base import Draws, Sampling
    from coopt.lm.engines.hf import HFEngine
    from coopt.lm.policy import load_policy
    from coopt.lm.sft import right_answer
    from coopt.lm.training.adapters import make_trainable
    from coopt.lm.training.base import TrainRow
    from coopt.lm.training.trainer import LocalTrainer

    policy = load_policy(base_directory(config.model.path), dtype=config.model.dtype, device=config.run.device)
    _check_prompts_fit(policy, load_domains(config), config)
    domain = load_domains(config)[config.domains[0]]
    large = sum(p.numel() for p in policy.model.parameters()) > _LARGE
    longest = config.sampling.max_response_tokens
    prompt_count, samples, limit = (2, 2, 24) if large else (16, config.rounds.rollouts, longest)
    if large and way_of(config) == "answers":  # students write what they learn, and a prompt is most of the work
        longest = limit = len(right_answer(policy, domain, domain.items("train")[0]).response)
        prompt_count = 1
    items = domain.items("train")[:prompt_count]
    prompts = [policy.prompt_ids(domain.wording, i.prompt) for i in items]
    engine = HFEngine(config.sampling.batch_rows)
    engine.sync(policy)
    how = Sampling(config.sampling.temperature, min(limit, longest))
    start = time.perf_counter()
    groups = engine.generate(prompts, samples, how, Draws(generator("plan")))
    rolled = time.perf_counter() - start
    rollouts = [(p, y) for p, ys in zip(prompts, groups, strict=True) for y in ys]
    tokens = sum(len(y.tokens) for _, y in rollouts)
    distinct = {(tuple(p), y.tokens) for p, y in rollouts}
    trainer = LocalTrainer(make_trainable(policy, config.model.weights, config.model.lora_rank, "plan"), config)
    rows = [TrainRow(p, p + p, y) for p, y in sorted(distinct)[: 4 * prompt_count]]
    start = time.perf_counter()
    trainer.update(rows, len(rows))
    trained = time.perf_counter() - start
    read = sum(len(r.student_prompt) + len(r.response) for r in rows)
    del trainer, policy
    torch.cuda.empty_cache()
    return Speed(
        prompt=sum(map(len, prompts)) / len(prompts),
        response=longest if large else tokens / len(rollouts),
        generate=tokens / rolled,
        train=read / trained,
        distinct=len(distinct) / len(rollouts),
    )


def _check_prompts_fit(policy: Policy, domains: Mapping[str, Domain], config: Config) -> None:
    """Refuse rows that the base cannot read before anything is written; the longest in characters are tried."""
    room = policy.context_length - config.sampling.max_response_tokens
    for domain in domains.values():
        items = [i for split in SPLITS for i in domain.items(split)]
        for item in sorted(items, key=lambda i: -len(i.prompt))[:20]:
            tokens = len(policy.prompt_ids(domain.wording, item.prompt))
            if tokens > room:
                raise ModelError(
                    f"{domain.name} question {item.id} has {tokens} tokens; the model's context of"
                    f" {policy.context_length} leaves {room} after sampling.max_response_tokens ="
                    f" {config.sampling.max_response_tokens}. Lower that setting, or take another --preset (mini for"
                    " tiny models) or another --model."
                )
