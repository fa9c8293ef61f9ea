"""The record of a run's results: what ``results.json`` holds and every table is made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from coopt.core import store
from coopt.core.errors import DamagedError, RunError
from coopt.core.seals import REPAIR
from coopt.core.statistics.ranking import ranks_of
from coopt.runs.order import by_edge, by_node
from coopt.runs.shown import Shown

RATES = ("break", "break_control", "break_more", "fix", "fix_control", "fix_more")


def _has(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Refuses a table without these names."""

    def check(table: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in names if name not in table]:
            raise ValueError(f"{missing[0]} is missing")
        return table

    return check


class Record(BaseModel):
    """A strict, versionless part of the record."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ScoreCell(Record):
    """avg@k of one student on one domain, and its paired change against the initial student."""

    who: str
    """base, init or a method."""
    student: str
    domain: str
    native: bool
    score: float
    low: float
    high: float
    per_seed: list[float]
    questions: int
    samples: int
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    change_per_seed: list[float] = []
    verdict: str = ""
    p: float | None = None
    """Of no change, Holm-adjusted over the run's claims."""
    detectable: float | None = None
    """The smallest change that would be shown in four of five repeats, as the first of the run's claims."""
    majority: float | None = None
    """maj@k; None where the answers were not kept."""
    passed: float | None = None
    """pass@k"""
    best_by_validation: float | None = None
    """Test score of the round with the best validation score (the score above is the final round's)."""
    collapsed: list[str] = []
    """``seed S at step K`` where training was stopped."""


class ReadingCell(Record):
    """What became of answers before they were right or wrong: of one student's final test answers in a domain, or of
    its rollouts in a round. Shares of ``answers``."""

    who: str
    student: str
    domain: str = ""
    """Of test answers."""
    round: int | None = None
    """Of rollouts."""
    answers: int
    unparsed: float
    """No answer could be read."""
    unfinished: float
    """Cut off at the most tokens."""
    read_otherwise: float | None = None
    """``lenient`` reads another answer than the run does (in a run with lenient: sdpo does); None: not counted."""
    tokens: float
    """Mean length."""


class ConstantCell(Record):
    """The best constant answer on the test questions of a domain."""

    domain: str
    answer: str
    share: float
    questions: int


ParetoVerdict = Literal["yes", "no", "not settled"]


class ParetoCell(Record):
    """Pareto improvement of one student, or of all ("mutual")."""

    method: str
    student: str
    point: bool
    probability: float
    verdict: ParetoVerdict
    """``coopt.runs.measures.pareto.pareto_verdict``"""
    native_change: float | None = None
    share: float | None = None
    """Of "mutual": the share of students that improve (expected over draws)."""


class DominanceCell(Record):
    """Whether a method leaves one student, or all ("mutual"), better off than another method does."""

    method: str
    baseline: str
    student: str
    differences: list[float]
    """By domain, in the run's order."""
    point: bool
    probability: float
    verdict: ParetoVerdict


class RankCell(Record):
    """Mean gain (over domains) of the students that were k-th strongest at the start; rank 1 is the strongest."""

    method: str
    rank: int
    students: list[str]
    """Who it was, seed by seed."""
    gain: float
    low: float
    high: float
    per_seed: list[float]
    verdict: str
    p: float | None = None


class ConsensusCell(Record):
    """The probability that two random students answer a validation question differently, after a round."""

    method: str
    round: int
    distance: float
    low: float
    high: float


class HostileCell(Record):
    """What stood between a hostile tutor and a tutee, along one edge. Counts of messages, over rounds and seeds."""

    method: str
    edge: str
    kind: str
    rounds_open: int
    rounds: int
    messages: int
    kept: int
    """Passed anchor and sanitiser."""
    voted_down: int
    revealed: int
    """Gave the answer away as written."""
    leaked: int
    """Kept, and still gives it away."""


class ComparisonCell(Record):
    """One method against another on the mean of all domains, paired over questions."""

    method: str
    baseline: str
    student: str
    """A student, or "all": the mean over students."""
    difference: float
    low: float
    high: float
    per_seed: list[float]
    verdict: str
    p: float | None = None
    """Of no difference, Holm-adjusted over the run's claims."""
    p_alone: float | None = None
    """The same before the correction."""
    of_oracle: tuple[float, float, float] | None = None
    """Where the method lies between the baseline (0) and the oracle (1), with its interval; None where the
    oracle is not run or is not shown to beat the baseline."""


class StandingCell(Record):
    """Where a method (or init) stands among the others, on the mean of all students and domains."""

    who: str
    rank: int
    """By the score: 1 + the number of those with a larger one."""
    rank_first: int
    """The first place that is possible: 1 + the number of those that are shown to be better, in every seed too."""
    rank_last: int
    """The last one: all places lie from the first to here at once with 95 %."""
    score: float
    low: float
    high: float
    hypervolume: float
    """Share of the unit cube of scores (a side a domain) that some student dominates; reference point 0."""
    hypervolume_low: float
    hypervolume_high: float
    headroom: tuple[float, float, float] | None = None
    """Share of what students lacked at the start to the best start of each domain that they gained, with its
    interval."""


class GateCell(Record):
    """A gate decision."""

    seed: int
    method: str
    round: int
    edge: str
    open: bool
    domains: list[str] = []
    """Where it is open."""
    reason: str
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    flip: float


class FeedbackCell(Record):
    """What became of the feedback along an edge."""

    method: str
    edge: str
    messages: int
    outcomes: dict[str, int]
    revealed: int
    leaked: int
    unread: int
    voted_down: int = 0
    """Kept by the filter, rejected by the committee."""


class JudgeCell(Record):
    """What one judge made of one author's rationales."""

    judge: str
    readable: int
    """Scores that could be read."""
    mean_score: float | None
    above: int
    """Scores above the bound."""


class AuthorCell(Record):
    """The rationales of one author, by the mean score that each got."""

    author: str
    written: int
    accepted: int
    mean_score: float | None
    judges: list[JudgeCell]


class CommitteeCell(Record):
    """The peer review of a method, over seeds, students and steps."""

    method: str
    mistakes: int
    """Wrong rollouts."""
    training_items: int
    """Those that became training items."""
    authors: list[AuthorCell]


class RateCell(Record):
    """A rate over ``answers`` to ``questions``, with its interval; None if they are too few for it."""

    answers: int
    questions: int
    rate: float | None = None
    low: float | None = None
    high: float | None = None


Context = Literal["paper", "sf", "f"]
"""What the tutee had before it when it answered again (``coopt.methods.break_rate``)."""


class BreakCell(Record):
    """Break- and fix-rate of an edge, or of all edges with one gate state."""

    edge: str
    gate: str
    context: Context
    difficulty: str
    rates: Annotated[dict[str, RateCell], AfterValidator(_has(*RATES))]
    """break, break_control, break_more (the one minus the other), and the same of fix"""


class RegretCell(Record):
    """What a gate that reads so many validation questions is worth on the initial students, and loses against the best
    subset of edges: shares of right answers, a mean over edges, domains and ``seeds``."""

    gate: str
    questions: int
    worth: float
    regret: float
    flip: float
    """How often an edge is decided otherwise than on all questions."""
    seeds: int


Matching = Literal["none", "tutee", "tutee and domain"]


class MatchedCell(Record):
    """Break-rates of two kinds of edges on the same tutees: ``closed / open``, or the tutors' ``other / native``
    domains. ``ratio``: first over second, with its interval; None where either is zero, or has too few answers."""

    compared: str
    matched: Matching
    domain: Literal["all", "native", "other"]
    """Of the tutor: all of them, its native one, or the others."""
    context: Context
    strata: int
    """Tutees (and domains) that have both kinds; 1 where nothing is matched."""
    first: RateCell
    second: RateCell
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


class CostCell(Record):
    """Seconds of a training step and what they went into."""

    method: str
    feedback: str
    steps: int
    seconds_per_step: float
    shares: dict[str, float]
    generated_tokens_per_second: float
    trained_tokens_per_second: float
    distinct_share: float
    feedback_tokens_per_step: float = 0.0
    peak_memory_gib: float
    """Of one worker process."""


class Results(Shown, Record):
    """Everything that the tables show."""

    version: Literal[2] = 2
    """Of what the numbers mean: 2 has seeds and clusters of questions in every interval."""
    run: str
    topology: str
    domains: list[str]
    methods: list[str]
    seeds: list[int]
    native: dict[str, str]
    constants: list[ConstantCell]
    scores: list[ScoreCell]
    pareto: list[ParetoCell]
    dominance: list[DominanceCell] = []
    comparisons: list[ComparisonCell]
    standings: list[StandingCell] = []
    gates: list[GateCell]
    feedback: list[FeedbackCell]
    break_rates: list[BreakCell]
    matched: list[MatchedCell] = []
    regrets: list[RegretCell] = []
    costs: list[CostCell]
    ranks: list[RankCell] = []
    consensus: list[ConsensusCell] = []
    hostile: list[HostileCell] = []
    committees: list[CommitteeCell] = []
    readings: list[ReadingCell] = []
    unavailable: dict[str, str] = {}
    """seed/method/round/edge -> why an endpoint stayed away in that round (the journal has the step)."""
    no_own_correct: float | None
    """Share of the first step's prompts without a correct rollout."""
    smoke: bool = False
    """The whole pipeline in miniature: its scores mean nothing."""

    @model_validator(mode="before")
    @classmethod
    def _ranked_by_the_score(cls, tree: Any) -> Any:
        """Results were written in which ``rank`` was the first possible place."""
        cells = tree.get("standings") if isinstance(tree, dict) else None
        if not isinstance(cells, list) or not all(_is_before_first_places(c) for c in cells):
            return tree
        found = ranks_of([c["score"] for c in cells])
        told = [c | {"rank": rank, "rank_first": c["rank"]} for c, rank in zip(cells, found, strict=True)]
        return tree | {"standings": told}

    @model_validator(mode="after")
    def _in_the_graphs_order(self) -> Self:
        """Also of runs whose results were written in the order of the alphabet, in which s10 stands before s2."""
        node, edge = by_node(self.native), by_edge(self.native)
        for cells in (self.feedback, self.hostile):
            methods = list(dict.fromkeys(c.method for c in cells))
            cells.sort(key=lambda c, methods=methods: (methods.index(c.method), edge(c.edge)))  # type: ignore[misc]
        self.break_rates.sort(key=lambda c: edge(c.edge))
        for committee in self.committees:
            committee.authors.sort(key=lambda a: node(a.author))
            for author in committee.authors:
                author.judges.sort(key=lambda j: node(j.judge))
        return self


def _is_before_first_places(cell: Any) -> bool:
    known = isinstance(cell, dict) and "rank_first" not in cell and "rank" in cell
    return known and isinstance(cell.get("score"), int | float) and 0 <= cell["score"] <= 1


class UnfinishedError(RunError):
    """A run without results yet."""


def results_path(directory: str | Path) -> Path:
    return Path(directory) / "results.json"


class OldResultsError(RunError):
    """The results of an earlier coopt, whose numbers meant something else."""


def stored_results(directory: str | Path) -> Results:
    """The results of a finished run. Raises ``RunError``; of an earlier version's ``OldResultsError``."""
    path = results_path(directory)
    if not store.is_kept(path.parent / "config.json"):
        raise RunError(
            f"{directory}: no run here (config.json is missing). Runs are the folders that coopt bench names."
        )
    if not path.is_file():
        raise UnfinishedError(
            f"{directory}: the run has not finished, so it has no results. How far it is: coopt report {directory};"
            " its coopt bench command again resumes it."
        )
    tree = store.read_sealed(path)
    if isinstance(tree, dict) and tree.get("version") == 1:
        raise OldResultsError(
            f"{path}: of an earlier coopt, whose intervals left out seeds and clusters, and the answers to work them"
            " out anew are not here. Run its coopt bench command again."
        )
    try:
        return Results.model_validate(tree)
    except ValidationError:
        raise DamagedError(f"{path}: is not what was written. {REPAIR}", path) from None
