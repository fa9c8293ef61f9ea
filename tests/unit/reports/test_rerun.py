"""Questions of an entry answered again: the same random numbers for some prompts as among all, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from coopt.core.errors import EntryError
from coopt.core.rng import generator
from coopt.domains.base import Domain
from coopt.driver.tasks.task import Score
from coopt.lm.engines.base import Draws, Engine, Generation, Sampling
from coopt.reports.leaderboard import rerun as module
from coopt.reports.leaderboard.add import add_run
from coopt.reports.leaderboard.answers import AnswersOf
from coopt.reports.leaderboard.check import Checked, check_entry
from coopt.reports.leaderboard.rerun import AmongAll, SomeItems, rerun
from coopt.runs.run import Run
from tests.unit.small_runs import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("rerun") / "small", seeds=2)


@pytest.fixture(scope="module")
def checked(run: Run) -> Checked:
    _, path = add_run(run, run.directory.with_name("entries"))
    return check_entry(path)


class _Drawing:
    """An engine whose texts are its random numbers."""

    def sync(self, policy: object) -> None: ...

    def rest(self) -> None: ...

    def forget(self) -> None: ...

    def generate(self, prompts: Any, samples: int, sampling: Any, draws: Draws) -> list[list[Generation]]:
        drawn = draws.uniforms(len(prompts), samples, 2)
        return [[Generation((), str(x), True) for x in row] for row in drawn]


def test_some_prompts_get_what_they_get_among_all() -> None:
    how = Sampling(1.0, 8)
    everything = _Drawing().generate([[1]] * 6, 3, how, Draws(generator("draws")))
    some = AmongAll(_Drawing(), [1, 4], 6).generate([[1]] * 2, 3, how, Draws(generator("draws")))
    assert some == [everything[1], everything[4]]


def test_some_items_are_those_of_the_domain(run: Run) -> None:
    domain = run.domains["physics"]
    some = SomeItems(domain, [3, 5])
    assert isinstance(some, Domain)
    assert some.items("test") == [domain.items("test")[3], domain.items("test")[5]]
    assert some.constant("test")[1] == 0.5


def _answering(checked: Checked, wrong: float) -> Callable[..., dict[str, Any]]:
    """In place of the students: what the entry says, with a share of it turned."""

    def answer(run: Run, task: Score, engine: Engine, domains: Mapping[str, SomeItems]) -> dict[str, Any]:
        ((name, domain),) = domains.items()
        number = checked.entry.seeds.index(task.seed)
        truth = checked.answers.correct[AnswersOf(task.method, task.student, name)][number][domain.places]
        turned = generator(str(task), name).random(truth.shape) < wrong
        return {"domains": {name: {"correct": (truth ^ turned).astype(int).tolist()}}}

    return answer


def test_every_student_answers_the_drawn_questions(checked: Checked, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "score_model", _answering(checked, 0))
    found = rerun(checked, run, 40, draw=1)
    assert found.answers == found.same == sum(grid.size for grid in checked.answers.correct.values())
    assert rerun(checked, run, 3, draw=1).answers == 3 * 2 * 4 * (1 + 2 * 2)  # questions, seeds, samples, who


def test_other_answers_are_refused(checked: Checked, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "score_model", _answering(checked, 0.02))
    assert rerun(checked, run, 20, draw=1).same < 800
    monkeypatch.setattr(module, "score_model", _answering(checked, 0.2))
    with pytest.raises(EntryError, match=r"of 800 answers given again \d+ agree with the entry"):
        rerun(checked, run, 20, draw=1)


def test_another_run_or_too_many_questions_are_refused(checked: Checked, run: Run, tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="the entry has 40 questions"):
        rerun(checked, run, 41, draw=1)
    with pytest.raises(EntryError, match=r"is not the run of small-opcod: gate.tau differs"):
        rerun(checked, write_run(tmp_path / "other", seeds=2, settings=["gate.tau=0.3"]), 3, draw=1)
    with pytest.raises(EntryError, match="lacks seeds of small-opcod"):
        rerun(checked, write_run(tmp_path / "one", seeds=1), 3, draw=1)
    forged = dataclasses.replace(checked, entry=checked.entry.model_copy(update={"data": {"physics": {}}}))
    with pytest.raises(EntryError, match="data are not the hashes of the run's questions"):
        rerun(forged, run, 3, draw=1)
