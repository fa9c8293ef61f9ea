"""Which context changes which tokens: the contexts of the arms, and one made for this, on the same rollouts of a run.

    python benchmarks/advantage_contexts.py runs/NAME                # a run on scimini whose students are made
    python benchmarks/advantage_contexts.py runs/NAME --prompts 100 --html contexts.html

Nothing is trained: student and teacher are the initial student, so that contexts alone differ. ``reference_reordered``
is the worked solution with its facts in reverse order, the nearest that scimini comes to another derivation of the same
answer; so only questions with two or three facts are asked. The feedback alignment paper (2606.11173) says that such a
context presses on every token, and a step-aligned critique only where the reasoning fails.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from coopt.core.config.schema import Config
from coopt.core.quiet import quiet_libraries
from coopt.core.tables.table import render
from coopt.domains.base import Item
from coopt.domains.scimini import texts
from coopt.domains.scimini.world import asks_of
from coopt.driver.tasks.perform import Tutors
from coopt.lm.engines.make import make_engine
from coopt.lm.shared import load_student
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.advantages import advantage_records
from coopt.methods.algorithms.critic_reference import CriticReference
from coopt.methods.base import method, with_settings
from coopt.methods.rollouts import RolloutGroup
from coopt.methods.step import Step, Tutee
from coopt.methods.tutors.assign import OpenTutor
from coopt.reports.advantages.page import write_page
from coopt.reports.advantages.tables import advantage_tables
from coopt.reports.advantages.traces import Trace, trace_of
from coopt.runs.run import Run

ARMS = ("critic_reference", "reference_reordered", "critic_step", "sdpo", "always", "oracle")


@method
class ReferenceReordered(CriticReference):
    """The worked solution in another order; the answer stays as it was asked for."""

    name = "reference_reordered"
    description = "analysis only: the worked solution with its facts in reverse order"

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        return [reordered(group.item)] * len(group.rollouts)


def reordered(item: Item) -> str:
    asks = asks_of(item)
    working = texts.steps(asks[::-1], texts.truth(asks[::-1]))
    return f"{working}\n<answer> {texts.answer(texts.results(asks, texts.truth(asks)))}</answer>"


def questions(run: Run, count: int) -> list[Item]:
    """Training questions with several facts, the domains in turn."""
    several = [[i for i in d.items("train") if len(asks_of(i)) > 1] for d in run.domains.values()]
    return [item for items in zip(*several, strict=False) for item in items][:count]


def step_of(run: Run, config: Config, arm: str, student: str, items: Sequence[Item]) -> Step:
    """The first step of an arm whose gates are all open, on given questions."""
    made = run.trained(arm)
    config, seed = made.configure(config), run.seeds[0]
    graph, gates = run.tutoring(arm, run.topology)
    tutors = [OpenTutor(e.tutor, 0, config.domains, None, graph.style_of(e)) for e in gates if e.tutee == student]
    maker = Tutors(run, arm, seed)
    policy = load_student(config, run.weights(seed, arm, 0, student), device="cpu")
    policy = make_trainable(policy, config.model.weights, config.model.lora_rank, seed, student)
    tutee = Tutee(
        config=config,
        domains=run.domains,
        name=student,
        seed=seed,
        round=1,
        trainer=LocalTrainer(policy, config, made.objective(config)),
        engine=make_engine(config),
        tutors={t.name: maker.make(t, run.domains, hostile=False) for t in tutors},
        open_tutors=tutors,
    )
    return Step(tutee, 0, items)


def traces_of(run: Run, arm: str, student: str, items: Sequence[Item], rollouts: int) -> list[Trace]:
    settings = {"prompts": len(items), "rollouts": rollouts}
    config = with_settings(
        run.config, rounds=settings, record={"advantages_rollouts": len(items) * rollouts}, run={"device": "cpu"}
    )
    step = step_of(run, config, arm, student, items)
    records = advantage_records(step, run.trained(arm).learn(step))
    by_id = {i.id: i for i in items}
    where = {"seed": run.seeds[0], "method": arm, "round": 1, "tutee": student}
    return [trace_of(r, where, by_id[r["item"]], run.domains) for r in records]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--rollouts", type=int, default=4)
    parser.add_argument("--arms", default=",".join(ARMS), help="comma list; the others are compared with the first")
    parser.add_argument("--html", type=Path)
    given = parser.parse_args()
    quiet_libraries()
    run = Run.open(given.run)
    items = questions(run, given.prompts)
    traces = [
        trace
        for arm in given.arms.split(",")
        for student in run.topology.students
        for trace in traces_of(run, arm, student, items, given.rollouts)
    ]
    tables = advantage_tables(traces)
    print(render(tables, "md"))
    if given.html:
        write_page(given.html, str(given.run), traces, tables)


if __name__ == "__main__":
    main()
