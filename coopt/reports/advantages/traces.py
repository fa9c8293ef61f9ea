"""The recorded rollouts of a run, each with what is known of its tokens: the first error, and the regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from coopt.core.errors import RunError
from coopt.core.statistics.design import Array
from coopt.domains.base import Domain, Item, KnowsErrors
from coopt.domains.scoring import CLOSE, OPEN
from coopt.methods.rollouts import SUCCESS
from coopt.runs.measures import advantages as index
from coopt.runs.run import Run

Group = Literal["wrong", "correct"]
GROUPS: tuple[Group, ...] = ("wrong", "correct")
NOTABLE = 0.1  # nats: a push that makes a token a tenth less probable
_TAGS = (OPEN, CLOSE, "<reasoning>", "</reasoning>")


@dataclass(frozen=True, eq=False)
class Trace:
    """One rollout. ``values``: A_t of its tokens, in nats. ``error``: the token of its first error, None if it has none
    or the domain does not know. ``source``: ``reward`` if the advantage is the rollout's, the same on every token."""

    seed: int
    method: str
    round: int
    tutee: str
    step: int
    rollout: int
    item: Item
    reward: float
    source: str
    teacher: str
    student_reads: str
    teacher_reads: str | None
    tokens: tuple[str, ...]
    values: Array
    error: int | None
    regions: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def group(self) -> Group:
        """``wrong``: an error in the answer or in the working (a right answer by luck is wrong here)."""
        return "wrong" if self.error is not None or self.reward < SUCCESS else "correct"

    @cached_property
    def indices(self) -> dict[str, float | None]:
        """Every index of ``runs.measures.advantages``; None where it has no meaning. Those about right tokens are over
        the ones before the first error, of a correct rollout over all."""
        values, error = self.values, self.error
        right = len(values) if self.group == "correct" else error
        found: dict[str, float | None] = {
            "size": float(abs(values).mean()),
            "mean_right": None if right is None else index.mean_before(values, right),
            "negative_right": None if right is None else index.negative_before(values, right),
            "unlearned_right": None if right is None else index.negative_before(values, right, beyond=NOTABLE),
            "gini": index.gini(values),
            "effective": index.effective_share(values),
            **index.region_shares(values, self.regions),
        }
        if error is not None:
            found |= {
                "share_from": index.share_from(values, error),
                "tokens_from": 1 - error / len(values),
                "size_before": index.size_before(values, error),
                "size_from": index.size_from(values, error),
                "at_error": float(values[error]),
                "auc_from": index.auc_from(values, error),
                "auc_first": index.auc_first(values, error),
            }
        return found

    @property
    def place(self) -> tuple[object, ...]:
        """What is the same for every method: whose, when, which prompt and which of its rollouts."""
        return self.seed, self.tutee, self.step, self.item.id, self.rollout


def read_traces(
    run: Run, methods: Sequence[str], rounds: Sequence[int] = (), students: Sequence[str] = ()
) -> list[Trace]:
    """What was recorded for ``methods``, in the rounds and of the students (empty: all). Raises ``RunError``."""
    items = {i.id: i for domain in run.domains.values() for i in domain.items("train")}
    traces = []
    for where in _places(run, methods, rounds, students):
        files = run.phase_files(where["seed"], where["method"], where["round"], where["tutee"])
        for line in files.read(files.advantages):
            if line["item"] not in items:
                raise RunError(f"{run.directory}: question {line['item']} is not in the run's data any more.")
            traces.append(trace_of(line, where, items[line["item"]], run.domains))
    if not traces:
        raise RunError(
            f"{run.directory}: no advantages of {', '.join(methods)} are recorded for that. Record some: coopt bench"
            " with record.advantages_every above 0 and a method that has a teacher or a reward."
        )
    return traces


def _places(
    run: Run, methods: Sequence[str], rounds: Sequence[int], students: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for method in methods:
        for seed in run.seeds:
            for round_ in rounds or range(1, run.rounds_of(method) + 1):
                for tutee in students or run.topology.students:
                    yield {"seed": seed, "method": method, "round": round_, "tutee": tutee}


def trace_of(line: Mapping[str, Any], where: Mapping[str, Any], item: Item, domains: Mapping[str, Domain]) -> Trace:
    """A record of ``coopt.methods.advantages`` with what its domain knows. ``where``: seed, method, round, tutee."""
    domain, tokens = domains[item.domain], tuple(line["tokens"])
    at = domain.first_error(item, "".join(tokens)) if isinstance(domain, KnowsErrors) else None
    return Trace(
        **where,
        step=line["step"],
        rollout=line["rollout"],
        item=item,
        reward=line["reward"],
        source=line["source"],
        teacher=line["teacher"],
        student_reads=line["student_reads"],
        teacher_reads=line["teacher_reads"],
        tokens=tokens,
        values=np.array(line["advantages"], dtype=float),
        error=None if at is None else token_at(tokens, at),
        regions=regions_of(tokens),
    )


def token_at(tokens: Sequence[str], character: int) -> int:
    """The token in which a character of the text lies; behind the text the first token that adds nothing to it (the
    end of the response), else, if the response was cut off, the last."""
    ends = list(accumulate(map(len, tokens)))
    inside = (k for k, end in enumerate(ends) if end > character)
    behind = (k for k, end in enumerate(ends) if end == character and not tokens[k])
    return next(inside, next(behind, len(tokens) - 1))


def regions_of(tokens: Sequence[str]) -> tuple[str, ...]:
    """Of each token ``answer`` (between the last answer tags), ``format`` (tags, white space, the end) or
    ``reasoning``. A token that reaches over a border belongs where its first visible character is."""
    text = "".join(tokens)
    marks = ["reasoning"] * len(text)
    start = text.rfind(OPEN)
    if start >= 0:
        inside, end = start + len(OPEN), text.find(CLOSE, start)
        end = len(text) if end < 0 else end
        marks[inside:end] = ["answer"] * (end - inside)
    for tag in _TAGS:
        found = text.find(tag)
        while found >= 0:
            marks[found : found + len(tag)] = ["format"] * len(tag)
            found = text.find(tag, found + 1)
    regions, offset = [], 0
    for token in tokens:
        visible = offset + len(token) - len(token.lstrip())
        offset += len(token)
        regions.append(marks[visible] if visible < offset else "format")
    return tuple(regions)
