"""One round of opcod on the pair as text, from recorded rollouts and feedback.

``python -m tests.golden.trace`` prints it. The frozen text is opcod_pair.txt; read every line of a change.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.domains.base import Domain
from coopt.domains.load import load_domains
from coopt.graph.files import load_topology
from coopt.graph.gates.journaled import decide_edges
from coopt.graph.topology import Style
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines.base import Generation
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.objectives import teacher_advantage
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.rollouts import RolloutGroup
from coopt.methods.step import Step, Tutee
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import Request

HERE = Path(__file__).parent
NUMBERS = "    A "
"""How a line of numbers begins: compared to 1e-3, everything else to the letter."""


class Replay:
    """An engine that hands out recorded rollouts."""

    def __init__(self, policy: Policy, texts: Sequence[Sequence[str]]) -> None:
        self.policy = policy
        self.texts = texts
        self.prompts: list[str] = []

    def sync(self, policy: Policy) -> None:
        pass

    def generate(self, prompts: Sequence[Sequence[int]], *_: Any) -> list[list[Generation]]:
        tokenizer = self.policy.tokenizer
        self.prompts = [tokenizer.decode(list(p)) for p in prompts]
        end = tokenizer.eos_token_id
        return [
            [Generation((*tokenizer(t, add_special_tokens=False)["input_ids"], end), t, True) for t in group]
            for group in self.texts
        ]

    def rest(self) -> None:
        pass

    def forget(self) -> None:
        pass


class Recorded:
    """A tutor that says what was recorded."""

    style: Style = "anchored"

    def __init__(self, messages: Mapping[tuple[str, str], str]) -> None:
        self.messages = messages

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        return [self.messages[r.item.id, r.response] for r in requests]

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        return [None] * len(requests)


def trace() -> Iterator[str]:
    """The lines of the trace."""
    config = load_config(settings=["rounds.prompts=2", "rounds.rollouts=4", "rounds.rounds=1", "rounds.steps=1"])
    domains, record = load_domains(config), json.loads((HERE / "opcod_pair.json").read_text())
    base = load_policy(SCIMINI_BASE, device="cpu")
    topology = load_topology("pair", config.domains)
    method = OPCoD()
    gates = decide_edges(
        method.gates(topology, config.gate), topology, _scored(record["scores"], config),
        domains=config.domains, draws=100, seed=0, round_=1,
    )  # fmt: skip
    for student, of in record["scores"].items():
        yield f"score {student}: " + ", ".join(f"{d} {v}" for d, v in of.items())
    for edge, decision in gates.items():
        state = "open" if decision["open"] else "closed"
        yield f"gate {edge}: {state}, {decision['reason']}, gap {decision['gap']:.3f}"
    for student in topology.students:
        tutors = [t for t in topology.tutors_of(student) if gates[f"{t} -> {student}"]["open"]]
        yield from _tutee(student, tutors, record["students"][student], config, domains, base)


def _scored(scores: Mapping[str, Mapping[str, float]], config: Config) -> dict[str, Any]:
    """Validation results of 20 questions with these accuracies."""
    grids = {
        s: {d: [[float(k < round(20 * of[d]))] for k in range(20)] for d in config.domains} for s, of in scores.items()
    }
    return {s: {"domains": {d: {"correct": grid} for d, grid in of.items()}} for s, of in grids.items()}


def _tutee(
    student: str, tutors: Sequence[str], recorded: Any, config: Config, domains: Mapping[str, Domain], base: Policy
) -> Iterator[str]:
    """A tutee's one step."""
    items = [next(i for i in domains[p["domain"]].items("train") if i.id == p["item"]) for p in recorded]
    policy = copy.copy(base)
    policy.model = copy.deepcopy(base.model).requires_grad_(True)
    engine = Replay(policy, [[y["text"] for y in p["rollouts"]] for p in recorded])
    said = {t: {(p["item"], y["text"]): y[t] for p in recorded for y in p["rollouts"] if t in y} for t in tutors}
    tutee = Tutee(
        config=config,
        domains=domains,
        name=student,
        seed=0,
        round=1,
        trainer=LocalTrainer(policy, config),
        engine=engine,
        tutors={t: Recorded(said[t]) for t in tutors},
        open_tutors=[OpenTutor(t, 0, config.domains) for t in tutors],
    )
    step = Step(tutee, 0, items)
    learnt = OPCoD().learn(step)
    (rows,) = learnt.parts
    yield f"\n== tutee {student}, open tutors: {', '.join(tutors) or 'none'}"
    left = list(rows)
    for group, prompt in zip(learnt.groups, engine.prompts, strict=True):
        yield from _prompt(step, group, prompt, left)
    assert not left
    stats = tutee.trainer.update_in_parts([rows], learnt.examples)
    yield f"{len(rows)} of {learnt.examples} rollouts have a target"
    yield f"{NUMBERS}loss, gradient norm: {stats.loss:.4f} {stats.grad_norm:.4f}"


def _prompt(step: Step, group: RolloutGroup, prompt: str, left: list[Any]) -> Iterator[str]:
    policy, trainer, item = step.policy, step.tutee.trainer, group.item
    yield f"\n-- {item.domain} {item.id}: {item.stem} [{item.answer}]"
    yield f"  student reads {prompt!r}"
    for j, y in enumerate(group.rollouts, start=1):
        yield f"  rollout {j} {y.text!r}, reward {y.reward:g}"
        yield f"    s {y.demonstration!r}"
        for told in y.told:
            assert told.feedback is not None
            revealed = ", gave the answer away" if told.feedback.revealed else ""
            yield f"    {told.tutor} wrote {told.raw!r}: {told.feedback.outcome}{revealed}"
            yield f"    f {told.text!r}"
        if not left or left[0].response != y.tokens or step.prompt_ids(item) != left[0].student_prompt:
            yield "    no target"
            continue
        row = left.pop(0)
        yield f"    teacher reads {policy.tokenizer.decode(list(row.teacher_prompt))!r}"
        (advantages,) = trainer.measure([row], teacher_advantage)
        names = [policy.tokenizer.decode([t]).strip() or repr(policy.tokenizer.decode([t])) for t in row.response]
        parts = [f"{n} {a:+.3f}" for n, a in zip(names, advantages, strict=True)]
        yield f"{NUMBERS}{'  '.join(parts)}"


if __name__ == "__main__":
    print("\n".join(trace()))
