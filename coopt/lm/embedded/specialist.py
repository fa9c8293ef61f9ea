"""Specialists of the embedded world: the base, fine-tuned on the facts that a student is to know."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from coopt.core.rng import stable_hash
from coopt.domains.scimini.facts import Fact, all_facts, common_knowledge, facts_of
from coopt.domains.scimini.tasks import TaskMix, TaskSampler
from coopt.domains.scimini.traits import SHIPPED, Traits
from coopt.lm.embedded.learn import SPECIALIST, learn

MIX = TaskMix(solve=0.38, revise=0.25, critique=0.25, repair=0.05, explain=0.02, judge=0.05)
FAMILY_MIX = TaskMix(solve=0.33, revise=0.35, critique=0.22, repair=0.04, explain=0.01, judge=0.05)
"""In the family of worlds, where how much to trust a critique is to be learnt, too."""
CRITIC_MIX = TaskMix(
    solve=0.24, revise=0.08, critique=0.16, repair=0.05, explain=0.02, judge=0.08, align=0.11, critique_given=0.26
)
"""Of critics, which also learn to read an attempt beside the worked solution."""


def known_facts(native: Mapping[str, str], student: str, seed: int, own: float, foreign: tuple[float, float],
                domains: Sequence[str]) -> frozenset[Fact]:  # fmt: skip
    """The facts that a student knows: its share of each domain, which facts being drawn independently.

    ``own`` is the share of its native domain. Shares of foreign domains are stratified over the students of a
    seed: with N students, each falls in another N-th of the range ``foreign``, in random order. So every seed has
    stronger and weaker tutors, and a default run opens and closes gates.
    """
    ranks = sorted(native, key=lambda name: stable_hash(seed, name, "rank"))
    rng = random.Random(stable_hash(seed, student, "facts"))
    base, known = common_knowledge(), set[Fact]()
    for domain in domains:
        facts = list(facts_of(domain))
        place = (ranks.index(student) + rng.random()) / len(ranks)
        share = own if native[student] == domain else foreign[0] + (foreign[1] - foreign[0]) * place
        new = [f for f in facts if f not in base]
        known |= base.intersection(facts)
        missing = round(len(facts) * (1 - share))
        known.update(rng.sample(new, max(0, len(new) - missing)))
    return frozenset(known)


def generalist_facts(critic: str, seed: int, own: float, foreign: tuple[float, float],
                     domains: Sequence[str]) -> frozenset[Fact]:  # fmt: skip
    """The facts that a critic without a native domain knows: of every domain what a native specialist would."""
    return frozenset[Fact]().union(*(known_facts({critic: d}, critic, seed, own, foreign, [d]) for d in domains))


def teach(model: Any, tokenizer: Any, known: frozenset[Fact], domains: Sequence[str], steps: int,
          key: Sequence[object], report: Callable[[int, float], None], mix: TaskMix = MIX,
          traits: Traits = SHIPPED) -> None:  # fmt: skip
    """Fine-tune ``model`` on what it is to know, by lessons of ``mix``. Revision and honest guessing are drilled on
    every fact of the run's ``domains``, so that neither fades. ``key``: seed and student; its beliefs are its own."""
    everything = [f for f in all_facts() if f.domain in domains]
    rng, who = random.Random(stable_hash(*key, "lessons")), ":".join(map(str, key))
    sampler = TaskSampler(rng, known, everything, mix, traits=traits, who=who)
    learn(model, tokenizer, sampler.lesson, replace(SPECIALIST, steps=steps), report)
