"""The tables of a run, from its ``Results``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.statistics.ranking import Rank
from coopt.core.statistics.verdicts import MARGIN
from coopt.core.tables.cells import NONE, domain_of, percent, places, probability, signed, span, yes
from coopt.core.tables.table import Table
from coopt.methods.rollouts import OUTCOMES
from coopt.reports.comparison import FEW_SEEDS, INTERVALS, PARETO_RULE
from coopt.reports.graph_tables import decisions
from coopt.reports.verdicts import reasons, worded
from coopt.runs.measures.cost import PARTS
from coopt.runs.measures.probes import ALL_EDGES
from coopt.runs.results import FeedbackCell, GateCell, Results, ScoreCell

_COUNTS = ("messages", "revealed", "leaked", "unread", "voted_down")


def score_table(results: Results) -> Table:
    """Scores in percent with intervals; changes against the initial student."""
    several = len(results.seeds) > 1
    rows = [
        [
            "constant answer",
            NONE,
            c.domain,
            percent(c.share),
            *[NONE] * (6 if several else 5),
        ]
        for c in results.constants
    ]
    for cell in results.scores:
        per_seed = [" ".join(signed(x) for x in cell.change_per_seed) or NONE] if several else []
        rows.append(
            [
                cell.who,
                cell.student if cell.who != "base" else NONE,
                domain_of(cell.domain, cell.native),
                percent(cell.score),
                span(cell.low, cell.high),
                signed(cell.change),
                span(cell.change_low, cell.change_high, "+.1f"),
                *per_seed,
                verdict_words(cell),
                percent(cell.best_by_validation),
            ]
        )
    columns = ["method", "student", "domain", "avg@k", "95 %", "change", "95 %  "]
    columns += ["per seed"] if several else []
    return Table(
        "Test scores, percent", [*columns, "verdict", "best-val"], rows, [*_score_notes(results), *reasons(rows)]
    )


def samples_table(results: Results) -> Table:
    """What the k answers to a question are worth together."""
    rows = [
        [
            c.who,
            c.student if c.who != "base" else NONE,
            c.domain,
            percent(c.score),
            percent(c.majority),
            percent(c.passed),
        ]
        for c in results.scores
        if c.passed is not None
    ]
    note = "maj@k: the most frequent answer is right (of several as frequent, the share that is); pass@k: any is."
    columns = ["method", "student", "domain", "avg@k", "maj@k", "pass@k"]
    return Table("Majority vote and pass@k, percent", columns, rows, [note])


def verdict_words(cell: ScoreCell) -> str:
    """The verdict, marked where training was stopped (:func:`collapsed_note` says when)."""
    words = worded(cell.verdict, cell.change_low, cell.change_high, cell.p)
    return f"{words}; collapsed" if cell.collapsed else words


def collapsed_note(cells: Sequence[ScoreCell], arm: str = "") -> list[str]:
    """Who collapsed and when, in one line; none where nobody did."""
    fallen = dict.fromkeys((c.who, c.student, tuple(c.collapsed)) for c in cells if c.collapsed)
    said = "; ".join(f"{arm}{who} {student}: {', '.join(when)}" for who, student, when in fallen)
    return [f"Collapsed, so training stopped: {said}."] if said else []


def _score_notes(results: Results) -> list[str]:
    cell = results.scores[0]
    sizes = ", ".join(f"{c.questions} {c.domain}" for c in results.constants)
    seeds = ", ".join(map(str, results.seeds))
    notes = [
        f"n = {sizes} questions, avg@{cell.samples}; seeds {seeds}. {INTERVALS} Scores are of the final weights;"
        " best-val is the round chosen on validation. Verdicts: p below 0.05 (Holm over all that the run's"
        " tables claim), in every seed.",
    ]
    notes += collapsed_note(results.scores)
    seen = [c.detectable for c in results.scores if c.detectable is not None]
    if seen:
        notes.append(
            "Minimum detectable change (80 % power, as the first of the run's claims):"
            f" {percent(median(seen))} points in the median cell, {percent(max(seen))} in the noisiest."
        )
    if len(results.seeds) < LEAST_SEEDS:
        notes.append(FEW_SEEDS)
    return notes


def pareto_table(results: Results) -> Table:
    """Pareto improvement over the initial student, per student and mutual."""
    rows = [
        [c.method, c.student, yes(c.point), percent(c.probability, 0), c.verdict, signed(c.native_change)]
        for c in results.pareto
    ]
    shares = [c for c in results.pareto if c.share is not None and len(results.native) > 2]
    rows += [
        [c.method, "share of students", _share(results, c.method), percent(c.share, 0), NONE, NONE] for c in shares
    ]
    columns = ["method", "student", "Pareto improvement", "probability, %", "verdict", "native change"]
    note = (
        "Pareto improvement: no domain lower, one higher (paper, Definition A.2), on the scores as they are, and its"
        f" probability given their noise. Verdict: {PARETO_RULE}"
    )
    return Table("Pareto verdicts", columns, rows, [note])


def dominance_table(results: Results) -> Table:
    """Which method leaves a student better off than which other, in every domain."""
    rows = [
        [
            f"{c.method} over {c.baseline}",
            c.student,
            *(map(signed, c.differences) if c.differences else [NONE] * len(results.domains)),
            yes(c.point),
            percent(c.probability, 0),
            c.verdict,
        ]
        for c in results.dominance
    ]
    note = (
        "dominates: no domain lower, one higher (paper, Definition A.1), on the scores as they are, and its probability"
        " given their noise. Verdict: yes: the mean of the domains is shown to be better, and in each one that less"
        " than a point is lost; no: the mean is shown to be worse; mutual: of every student."
    )
    columns = ["methods", "student", *results.domains, "dominates", "probability, %", "verdict"]
    return Table("Pareto dominance between methods, percent", columns, rows, [note])


def _share(results: Results, method: str) -> str:
    own = [c.point for c in results.pareto if c.method == method and c.student != "mutual"]
    return f"{sum(own)} of {len(own)}"


def comparison_table(results: Results) -> Table:
    """Methods against the first one and those that they are set against, and where they lie towards the oracle."""
    oracle = any(c.of_oracle for c in results.comparisons)
    rows = [
        [
            f"{c.method} - {c.baseline}",
            c.student,
            signed(c.difference),
            span(c.low, c.high, "+.1f"),
            " ".join(signed(x) for x in c.per_seed),
            probability(c.p),
            worded(c.verdict, c.low, c.high, c.p),
            *(
                [f"{percent(c.of_oracle[0], 0)} {span(*c.of_oracle[1:], '.0f')}" if c.of_oracle else NONE]
                if oracle
                else []
            ),
        ]
        for c in results.comparisons
    ]
    columns = ["methods", "student", "difference", "95 %", "per seed", "p (Holm)", "verdict"]
    note = (
        "of oracle: where a method lies between the one it is compared with (0) and feedback that states the true"
        " facts (100)."
    )
    equivalent = any(c.verdict == "equivalent" for c in results.comparisons)
    notes = [note] * oracle + [f"equivalent: shown to differ by less than {percent(MARGIN, 0)} point."] * equivalent
    return Table(
        "Methods compared, mean of all domains, percent",
        [*columns, "of oracle"] if oracle else columns,
        rows,
        notes + reasons(rows),
    )


def standings_table(results: Results) -> Table:
    """Ranks of the methods."""
    rows = [
        [
            *places(Rank(c.rank, c.rank_first, c.rank_last)),
            c.who,
            percent(c.score),
            span(c.low, c.high),
            f"{percent(c.headroom[0], 0)} {span(*c.headroom[1:], '.0f')}" if c.headroom else NONE,
            f"{percent(c.hypervolume)} {span(c.hypervolume_low, c.hypervolume_high)}",
        ]
        for c in sorted(results.standings, key=lambda c: -c.score)
    ]
    note = (
        "Mean of all students and domains. rank: by score; place: all true places lie in these at once with 95 %"
        " (pairs, Holm, in every seed)."
        " headroom: share of the initial gap to the best start of each domain that was closed; over 100: surpassed."
        " hypervolume: share of the unit cube of scores that some student dominates."
    )
    columns = ["rank", "place, 95 %", "method", "score", "95 %", "headroom, %", "hypervolume, %"]
    return Table("Methods ranked", columns, rows if len(rows) > 2 else [], [note])


def gate_table(results: Results) -> Table:
    """Gate decisions per round and edge, with the noise that they read."""
    rows = [
        [
            str(g.seed),
            g.method,
            str(g.round),
            g.edge,
            _state(g, results),
            g.reason,
            NONE if g.gap is None else f"{g.gap:.3f}",
            NONE if g.gap_low is None or g.gap_high is None else f"[{g.gap_low:.3f}, {g.gap_high:.3f}]",
            f"{g.flip:.2f}",
        ]
        for g in decisions(results)
    ]
    columns = ["seed", "method", "round", "tutor -> tutee", "gate", "reason", "gap", "95 %", "P(flip)"]
    note = "P(flip): how often the gate would decide otherwise of these students on other validation questions."
    return Table("Gate decisions", columns, rows, [note], keys=4)


def regret_table(results: Results) -> Table:
    """What each gate loses against the best subset of edges, by validation questions."""
    rows = [
        [c.gate, str(c.questions), f"{100 * c.worth:.2f}", f"{100 * c.regret:.2f}", f"{c.flip:.2f}"]
        for c in results.regrets
    ]
    columns = ["gate", "questions", "worth", "regret", "P(flip)"]
    note = (
        "worth: points of right answers that what the gate opens adds, a mean over edges and domains; regret: how much"
        " more the best subset of edges adds. By the break-rate probe of the initial students (f beyond its control),"
        " as if edges added up. questions: that the gate reads, per domain. P(flip): how often an edge is decided"
        " otherwise than on all of them. Gate benefit decides on the very answers that judge it, and the best subset is"
        " the maximum over the same noisy estimates: so benefit is favoured, and the regret of the others is too large."
    )
    return Table("Gates as decisions", columns, rows, [note])


def _state(gate: GateCell, results: Results) -> str:
    if not gate.open:
        return "closed"
    everywhere = not gate.domains or len(gate.domains) == len(results.domains)
    return "open" if everywhere else f"open: {', '.join(gate.domains)}"


def feedback_table(results: Results) -> Table:
    """What the anchor and the sanitiser did with the tutors' messages."""
    rows = []
    committee = any(c.voted_down for c in results.feedback)
    for c in _with_totals(results.feedback):
        asked = max(1, c.messages)
        kept = max(1, c.outcomes["kept"])
        rows.append(
            [
                c.method,
                c.edge,
                str(c.messages),
                *(percent(c.outcomes[o] / asked) for o in OUTCOMES),
                str(c.unread),
                *([percent(c.voted_down / kept)] if committee else []),
                percent(c.revealed / asked),
                percent(c.leaked / kept),
            ]
        )
    voted = ["voted down"] if committee else []
    columns = ["method", "tutor -> tutee", "messages", *OUTCOMES, "unread", *voted, "revealed", "leak rate"]
    note = (
        "Percent of messages. revealed: the raw message gave the answer away (the sanitiser removes it; fair and"
        " rewritten attempts are meant to hold it); leak rate: kept messages that still do. unread: too long for the"
        " tutor, or it did not answer (a count)."
        + (" voted down: kept messages that the committee rejected." if committee else "")
    )
    away = [f"Unavailable: {where}: {why}" for where, why in results.unavailable.items()]
    return Table("Feedback outcomes", columns, rows, [note, *away])


def _with_totals(cells: Sequence[FeedbackCell]) -> Iterator[FeedbackCell]:
    """Before the edges of a method, where there are several, what they come to."""
    for method in dict.fromkeys(c.method for c in cells):
        own = [c for c in cells if c.method == method]
        if len(own) > 1:
            counts = {k: sum(getattr(c, k) for c in own) for k in _COUNTS}
            outcomes = {o: sum(c.outcomes[o] for c in own) for o in OUTCOMES}
            yield FeedbackCell(method=method, edge=ALL_EDGES, outcomes=outcomes, **counts)
        yield from own


def cost_table(results: Results) -> Table:
    """Seconds per step with feedback on and off, and what they went into."""
    rows = [
        [
            c.method,
            c.feedback,
            str(c.steps),
            f"{c.seconds_per_step:.2f}",
            *(percent(c.shares[p], 0) for p in (*PARTS, "other")),
            f"{c.generated_tokens_per_second:,.0f}" if c.generated_tokens_per_second else NONE,
            f"{c.trained_tokens_per_second:,.0f}",
            percent(c.distinct_share, 0),
            f"{c.feedback_tokens_per_step:,.0f}",
            f"{c.peak_memory_gib:.1f}",
        ]
        for c in results.costs
    ]
    parts = [f"{p}, %" for p in (*PARTS, "other")]
    columns = [
        "method",
        "feedback",
        "steps",
        "s/step",
        *parts,
        "gen tok/s",
        "train tok/s",
        "distinct, %",
        "f tok/step",
        "GiB",
    ]
    notes = [
        "The first step of a phase is not timed. distinct: rows left when identical ones are computed once."
        " GiB: peak memory of one worker."
    ]
    if results.no_own_correct is not None:
        notes.append(f"Prompts of the first steps without a correct rollout: {percent(results.no_own_correct)} %.")
    return Table("Cost of a training step", columns, rows, notes)
