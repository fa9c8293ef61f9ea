"""The tables of ``coopt advantages``: by arm, and arms against the first one."""

from __future__ import annotations

from collections.abc import Sequence

from coopt.core.tables.cells import NONE
from coopt.core.tables.table import Table
from coopt.reports.advantages.summary import Estimate, contrast, mean, mean_difference, pairs
from coopt.reports.advantages.traces import GROUPS, NOTABLE, Group, Trace
from coopt.runs.measures.advantages import REGIONS

_A = "A = log p(teacher, with its context) - log p(student), nats, before the step's update."
_INTERVALS = "Means over rollouts; intervals: over questions, of these students."


def advantage_tables(traces: Sequence[Trace]) -> list[Table]:
    """Every table that has something to show, in reading order."""
    tables = [
        error_table(traces),
        right_table(traces),
        concentration_table(traces),
        paired_table(traces),
    ]
    return [t for t in tables if t.rows]


def methods_of(traces: Sequence[Trace]) -> list[str]:
    """Arms in the order in which they were asked for."""
    return list(dict.fromkeys(t.method for t in traces))


def label(traces: Sequence[Trace], method: str) -> str:
    """An arm's name; marked if its advantage is one number a rollout."""
    scalar = any(t.source == "reward" for t in traces if t.method == method)
    return f"{method} (one A a rollout)" if scalar else method


def error_table(traces: Sequence[Trace]) -> Table:
    """Wrong rollouts whose first error is known: does the advantage lie where they go wrong?"""
    rows = []
    for method in methods_of(traces):
        own = [t for t in traces if t.method == method and t.error is not None]
        if own:
            share, tokens = mean(own, "share_from"), mean(own, "tokens_from")
            rows.append(
                [
                    label(traces, method),
                    *_counts(share),
                    _number(mean(own, "size"), ".2f"),
                    _percent(share),
                    NONE if tokens.value is None else f"{100 * tokens.value:.1f}",
                    _number(contrast(own), ",.1f"),
                    _number(mean(own, "at_error"), "+.2f"),
                    _number(mean(own, "auc_from"), ".2f"),
                    _number(mean(own, "auc_first"), ".2f"),
                ]
            )
    columns = [
        "method",
        "rollouts",
        "questions",
        "mean abs A",
        "mass from the error on, %",
        "tokens there, %",
        "contrast",
    ]
    columns += ["A at the error", "AUC from the error on", "AUC of its token"]
    notes = [
        f"{_A} {_seeds(traces)} {_INTERVALS}",
        "mass: sum of |A|; if it were spread evenly, its share would be that of the tokens. contrast: mean |A| from the"
        " error on over mean |A| before it. AUC: of -A as a detector of wrong tokens, 0.5 is chance: all from the first"
        " error on (what the paper's picture means), or the error's token alone.",
    ]
    return Table("Wrong rollouts: advantage and the first error", columns, rows, notes)


def right_table(traces: Sequence[Trace]) -> Table:
    """What the teacher does to tokens that are right: before the first error, and on correct rollouts."""
    rows = []
    for method in methods_of(traces):
        for group in GROUPS:
            own = _of(traces, method, group)
            found = mean(own, "mean_right")
            if found.rollouts:
                words = "wrong, before the error" if group == "wrong" else "correct, all tokens"
                below = [_percent(mean(own, name)) for name in ("negative_right", "unlearned_right")]
                rows.append([label(traces, method), words, *_counts(found), _number(found, "+.3f"), *below])
    columns = ["method", "tokens", "rollouts", "questions", "mean A", "A below 0, %", f"below -{NOTABLE}, %"]
    note = (
        "Prefix damage: below 0 the teacher would make right tokens less probable. Rollouts without such tokens: none."
    )
    return Table("Right tokens: prefix damage", columns, rows, [note])


def concentration_table(traces: Sequence[Trace]) -> Table:
    """How concentrated |A| is, and in which region it lies."""
    rows = []
    for method in methods_of(traces):
        for group in GROUPS:
            own = _of(traces, method, group)
            if own:
                size = mean(own, "size")
                parts = [_percent(mean(own, name)) for name in ("effective", *REGIONS)]
                cells = [_number(size, ".2f"), _number(mean(own, "gini"), ".2f"), *parts]
                rows.append([label(traces, method), group, *_counts(size), *cells])
    columns = ["method", "group", "rollouts", "questions", "mean abs A", "Gini", "effective tokens, %"]
    note = "Gini and effective tokens are of |A|: one token with all of it gives 1 and 1/T. Regions: share of the mass."
    return Table("Concentration", [*columns, *(f"{r}, %" for r in REGIONS)], rows, [note])


def paired_table(traces: Sequence[Trace]) -> Table:
    """Every later arm less the first one, on responses that both have with the same text."""
    first, *others = methods_of(traces)
    rows = []
    for method in others:
        for group in GROUPS:
            found = pairs(traces, method, first, group)
            if found.equal:
                rows.append(
                    [
                        f"{method} - {first}",
                        group,
                        f"{len(found.equal)} of {found.both}",
                        _percent(mean_difference(found, "share_from"), "+.1f"),
                        _number(mean_difference(found, "auc_from"), "+.2f"),
                        _number(mean_difference(found, "mean_right"), "+.3f"),
                        _percent(mean_difference(found, "unlearned_right"), "+.1f"),
                        _number(mean_difference(found, "gini"), "+.2f"),
                        _number(mean_difference(found, "size"), "+.2f"),
                    ]
                )
    columns = [
        "methods",
        "group",
        "same text",
        "mass from the error on",
        "AUC from the error on",
        "mean A, right tokens",
    ]
    columns += [f"below -{NOTABLE} there", "Gini", "mean abs A"]
    note = (
        "Same seed, student, step, prompt, place in the batch and text; differences, shares in points. The first of"
        " --method is what the others are compared with."
    )
    return Table("Arms on the same responses", columns, rows, [note])


def _of(traces: Sequence[Trace], method: str, group: Group) -> list[Trace]:
    return [t for t in traces if t.method == method and t.group == group]


def _seeds(traces: Sequence[Trace]) -> str:
    seeds, rounds = sorted({t.seed for t in traces}), sorted({t.round for t in traces})
    return f"Seeds {', '.join(map(str, seeds))}; rounds {', '.join(map(str, rounds))}."


def _counts(found: Estimate) -> list[str]:
    return [str(found.rollouts), str(found.questions)]


def _percent(found: Estimate, form: str = ".1f") -> str:
    return _cell(found, form, 100)


def _number(found: Estimate, form: str) -> str:
    return _cell(found, form, 1)


def _cell(found: Estimate, form: str, scale: float) -> str:
    if found.value is None:
        return NONE
    if found.low is None or found.high is None:
        return f"{scale * found.value:{form}}"
    return f"{scale * found.value:{form}} [{scale * found.low:{form}}, {scale * found.high:{form}}]"
