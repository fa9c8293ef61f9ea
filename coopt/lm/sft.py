"""Supervised fine-tuning on text: how a real base becomes a specialist (paper D.1: LoRA, cosine, 3 epochs)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn import functional as F

from coopt.core.config.schema import Config
from coopt.core.config.ways import RATIONALES, way_of
from coopt.core.errors import DataError, ModelError
from coopt.core.meter import Meter
from coopt.core.rng import generator
from coopt.core.temporary import importing_torch
from coopt.domains.base import Domain, Item
from coopt.domains.rationales import read_rationales
from coopt.domains.scoring import CLOSE, OPEN
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.make import make_engine
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.forward import hidden_states, logits32
from coopt.lm.training.recompute import recompute_activations

with importing_torch():
    from transformers import get_cosine_schedule_with_warmup

_WARMUP_SHARE = 0.1


class Example(NamedTuple):
    """A prompt and the response to imitate, as token ids."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]


def specialise_on_text(policy: Policy, config: Config, domain: Domain, key: Sequence[object], meter: Meter) -> Policy:
    """The policy fine-tuned on its native domain, by the way that ``model.specialise`` names.

    Raises ``ModelError`` if own_correct finds no correct answer to learn from.
    """
    way = way_of(config)
    items = list(domain.items("train"))[: config.specialise.questions]
    if way.startswith(RATIONALES):
        examples = _rationales(way.removeprefix(RATIONALES), policy, domain)
    elif way == "answers":
        examples = [right_answer(policy, domain, item) for item in items]
    else:
        meter.units = 2 * len(items) * config.rounds.rollouts
        examples = _own_correct(policy, config, domain, items, key, meter)
        if not examples:
            raise ModelError(
                f"specialise = own_correct: the base answers none of {len(items)} {domain.name} training questions."
                " Raise specialise.questions or sampling.max_response_tokens, or give rationales:FILE."
            )
    student = make_trainable(policy, "lora", config.model.lora_rank, *key, "specialise")
    if config.parallel.activation_checkpointing:
        recompute_activations(student)
    _fit(student, examples, config, key)
    return student


def right_answer(policy: Policy, domain: Domain, item: Item) -> Example:
    """A question's answer in the format that is scored, and nothing else."""
    response = policy.response_ids(f"{OPEN}\n{item.answer}\n{CLOSE}")
    return Example(tuple(policy.prompt_ids(domain.wording, item.prompt)), response)


def _own_correct(
    policy: Policy, config: Config, domain: Domain, items: Sequence[Item], key: Sequence[object], meter: Meter
) -> list[Example]:
    """The base's own correct answers (rejection sampling), each distinct one once.

    They are sampled after a worked example of the format and learnt after the plain prompt.
    """
    engine = make_engine(config, lambda rows, tokens: meter.add(rows, tokens))
    engine.sync(policy)
    prompts = [policy.prompt_ids(domain.wording, i.prompt) for i in items]
    shown = [policy.prompt_ids(domain.wording, i.prompt, example=True) for i in items]
    how = Sampling(config.specialise.temperature, config.sampling.max_response_tokens)
    groups = engine.generate(shown, config.rounds.rollouts, how, Draws(generator(*key, "own_correct")))
    engine.rest()  # its share of the GPU is for the fine-tuning now
    found = [
        Example(tuple(prompt), y.tokens)
        for item, prompt, ys in zip(items, prompts, groups, strict=True)
        for y in ys
        if y.finished and domain.score(y.text, item)
    ]
    return list(dict.fromkeys(found))


def _rationales(file: str, policy: Policy, domain: Domain) -> list[Example]:
    """The worked solutions of a file, as answers to their training questions."""
    solutions = read_rationales(file, f"model.specialise = '{RATIONALES}{file}'").of(domain)
    examples = [
        Example(tuple(policy.prompt_ids(domain.wording, item.prompt)), policy.response_ids(solutions[item.id]))
        for item in domain.items("train")
        if item.id in solutions
    ]
    if not examples:
        raise DataError(f"{file}: no rationale is for a {domain.name} training question (by its id, else its text).")
    return examples


def _fit(policy: Policy, examples: Sequence[Example], config: Config, key: Sequence[object]) -> None:
    """Next-token training on the responses; AdamW, 10 % warm-up, then cosine to zero (paper D.1)."""
    settings = config.specialise
    steps_per_epoch = math.ceil(len(examples) / settings.batch)
    total = steps_per_epoch * settings.epochs
    parameters = list(policy.trainable().values())
    optimizer = torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=0.0)
    # Rounded down: the first step of a warm-up has rate 0, and of one step nothing would be left.
    rate = get_cosine_schedule_with_warmup(optimizer, int(_WARMUP_SHARE * total), total)
    for step in range(total):
        epoch, place = divmod(step, steps_per_epoch)
        order = generator(*key, epoch, "sft").permutation(len(examples))
        batch = [examples[k] for k in order[place * settings.batch : (place + 1) * settings.batch]]
        optimizer.zero_grad(set_to_none=True)
        for example in batch:
            # Example by example: the mean over examples, whatever their lengths.
            _loss(policy, example).div(len(batch)).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        rate.step()


def _loss(policy: Policy, example: Example) -> torch.Tensor:
    lm = policy.causal_lm
    hidden = hidden_states(policy, [example])
    targets = torch.tensor(example.response, device=policy.device)
    return F.cross_entropy(logits32(lm, hidden), targets)
