"""Some questions of an entry answered again, by the run's own students."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coopt.core.config.load import check as check_config
from coopt.core.config.schema import Extraction
from coopt.core.errors import EntryError
from coopt.core.names import BASE, INIT
from coopt.core.rng import generator
from coopt.domains.base import AnswerKind, Domain, Item, Reading, Split
from coopt.domains.load import data_hashes
from coopt.domains.rows import best_constant
from coopt.domains.wording import Wording
from coopt.driver.tasks.inputs import check_inputs
from coopt.driver.tasks.perform import score_model
from coopt.driver.tasks.task import Score
from coopt.lm.engines.base import Draws, Engine, Generation, Sampling
from coopt.lm.engines.make import check_engine, make_engine
from coopt.reports.leaderboard.add import different_bench
from coopt.reports.leaderboard.answers import AnswersOf
from coopt.reports.leaderboard.check import Checked
from coopt.runs.run import Run

if TYPE_CHECKING:
    from coopt.lm.policy import Policy

LEAST_SAME = 0.95
"""Share of answers that must be right or wrong as before: on other hardware a near-tie may turn."""


class Rerun(NamedTuple):
    """Of ``answers``, how many were right or wrong as the entry says."""

    answers: int
    same: int


def rerun(checked: Checked, run: Run, questions: int, draw: int) -> Rerun:
    """Let base, initial and trained students of every seed answer some of the entry's questions again, with the random
    numbers of the run. ``draw`` decides which ones. Raises ``EntryError`` if the run is not the entry's, or too few
    answers are the same."""
    _check_run(checked, run)
    chosen = _choose(checked, questions, draw)
    engine, answers, same = make_engine(run.config), 0, 0
    for place, number, seed in _students(checked):
        if place.domain in chosen:
            rows = chosen[place.domain]
            found = _answer(run, engine, place, seed, rows)
            before = checked.answers.correct[place][number][rows]
            answers, same = answers + before.size, same + int((found == before).sum())
    if same < LEAST_SAME * answers:
        raise EntryError(
            f"{checked.path}: of {answers:,} answers given again {same:,} agree with the entry, fewer than"
            f" {LEAST_SAME:.0%} (--draw {draw} asks the same questions)."
        )
    return Rerun(answers, same)


def _check_run(checked: Checked, run: Run) -> None:
    entry = checked.entry
    differs = different_bench(check_config(entry.config), run.config)
    if differs:
        raise EntryError(f"{run.directory}: is not the run of {entry.name}: {differs} differs.")
    if entry.method not in run.config.methods or not set(entry.seeds) <= set(run.seeds):
        raise EntryError(f"{run.directory}: lacks seeds of {entry.name}, or its method.")
    if data_hashes(run.domains) != entry.data:
        raise EntryError(f"{checked.path}: data are not the hashes of the run's questions.")
    check_engine(run.config)


def _choose(checked: Checked, questions: int, draw: int) -> dict[str, list[int]]:
    """domain -> places of its chosen questions, in order."""
    all_places = [(d, k) for d, asked in checked.answers.questions.items() for k in range(len(asked))]
    if not 1 <= questions <= len(all_places):
        raise EntryError(f"--rerun {questions}: the entry has {len(all_places)} questions. Give a number up to that.")
    order = generator("rerun", draw).choice(len(all_places), questions, replace=False)
    chosen = sorted(all_places[k] for k in order)
    return {d: [k for _, k in group] for d, group in groupby(chosen, key=lambda pair: pair[0])}


def _students(checked: Checked) -> Iterator[tuple[AnswersOf, int, int]]:
    """(whose answers, the seed's number, the seed)"""
    for place in checked.answers.correct:
        for number, seed in enumerate(checked.entry.seeds):
            yield place, number, seed


def _answer(run: Run, engine: Engine, place: AnswersOf, seed: int, rows: list[int]) -> np.ndarray:
    """Booleans [rows, samples]."""
    round_ = 0 if place.who in (BASE, INIT) else run.rounds_of(place.who)
    task, domain = Score(seed, place.who, round_, place.student, "test"), run.domains[place.domain]
    check_inputs(task, run)
    among = AmongAll(engine, rows, len(domain.items("test")))
    found = score_model(run, task, among, {place.domain: SomeItems(domain, rows)})
    return np.array(found["domains"][place.domain]["correct"], dtype=bool)


@dataclass(frozen=True)
class SomeItems:
    """A domain with some of its questions, by their places in a split."""

    domain: Domain
    places: Sequence[int]

    @property
    def rows(self) -> Sequence[Item]:
        return self.domain.rows

    @property
    def name(self) -> str:
        return self.domain.name

    @property
    def answer(self) -> AnswerKind:
        return self.domain.answer

    @property
    def extraction(self) -> Extraction:
        return self.domain.extraction

    @property
    def wording(self) -> Wording:
        return self.domain.wording

    def items(self, split: Split) -> Sequence[Item]:
        everything = self.domain.items(split)
        return [everything[k] for k in self.places]

    def read(self, response: str, item: Item) -> Reading:
        return self.domain.read(response, item)

    def score(self, response: str, item: Item) -> float:
        return self.domain.score(response, item)

    def constant(self, split: Split) -> tuple[str, float]:
        return best_constant(i.answer for i in self.items(split))


@dataclass(frozen=True)
class AmongAll:
    """An engine that answers some prompts with the random numbers that they have among all of them."""

    engine: Engine
    rows: Sequence[int]
    total: int

    def sync(self, policy: Policy) -> None:
        self.engine.sync(policy)

    def rest(self) -> None:
        self.engine.rest()

    def forget(self) -> None:
        self.engine.forget()

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, draws: Draws
    ) -> list[list[Generation]]:
        return self.engine.generate(prompts, samples, sampling, draws.of(self.rows, self.total))
