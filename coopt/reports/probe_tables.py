"""What a probe of models found, as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from coopt.core.tables.cells import NONE, percent, signed, span
from coopt.core.tables.table import Table
from coopt.driver.probe.points import ALL, EVERY, Point
from coopt.driver.probe.probe import ProbeResult
from coopt.methods.probing.deference import CONTEXTS
from coopt.reports.break_tables import CONTEXT_WORDS

_Key = tuple[str, str, str, str]
WITHOUT_F = ("s", "none")
"""Contexts of deference that are controls."""


def probe_tables(found: ProbeResult, *, whole: bool = True) -> list[Table]:
    """The tables that have something to show. Not ``whole``: over all domains where rows would be many."""
    cells: dict[_Key, Point] = {(p.measure, p.who, p.domain, p.condition): p for p in found.points}
    by_domain = sorted({p.domain for p in found.points}, key=[*found.questions, ALL].index)
    shown = by_domain if whole or ALL not in by_domain else [ALL]
    tables = (
        _deference(found, cells, shown, whole=whole),
        _candour(found, cells, by_domain),
        _answers(found, cells, by_domain),
        _rates(found, cells, by_domain),
        _prediction(found, cells, by_domain, whole=whole),
    )
    return [t for t in tables if t.rows]


def _deference(found: ProbeResult, cells: Mapping[_Key, Point], domains: Sequence[str], *, whole: bool) -> Table:
    """Not ``whole``: without f over all wordings, which differ by their wrong answers alone."""
    rows = []
    for who, domain, condition in _conditions(found, domains):
        context, _, wording = condition.partition(": ")
        over_all = ("deference", who, domain, f"{context}: {EVERY}") in cells
        if not whole and context in WITHOUT_F and over_all and wording != EVERY:
            continue
        own, keeps, follows = (cells[m, who, domain, condition] for m in ("deference", "p_keeps", "p_follows"))
        rows.append(
            [who, domain, CONTEXTS[context], wording, *_share(own), percent(follows.value)]
            + [percent(keeps.value)] * whole
        )
    note = (
        "prefers f: questions on which the answer that follows f is likelier than the one that keeps to s, which is"
        " right. P(f): its mean probability among the answers compared. s alone and neither: the same answers without"
        " f."
    )
    columns = ["model", "domain", "before it", "wording", "n", "prefers f", "95 %", "P(f)", *(["P(s)"] * whole)]
    return Table("Deference, percent", columns, rows, [_models(found), note])


def _conditions(found: ProbeResult, domains: Sequence[str]) -> list[tuple[str, str, str]]:
    """Model, domain and condition of each row."""
    own = [(p.who, p.domain, p.condition) for p in found.points if p.measure == "deference"]
    return [k for who in found.models for d in domains for k in dict.fromkeys(own) if k[:2] == (who, d)]


def _candour(found: ProbeResult, cells: Mapping[_Key, Point], domains: Sequence[str]) -> Table:
    rows = []
    for who in found.models:
        for domain in domains:
            for attempt in ("right", "wrong"):
                for itself in ("does not know", "knows"):
                    own = cells.get(("candour", who, domain, f"{attempt} attempt, {itself}"))
                    if own is not None and own.n:
                        rows.append([who, domain, attempt, "yes" if itself == "knows" else "no", *_share(own)])
    note = (
        "Share of attempts that the model, as a tutor, contradicts. It knows a question of which it gets at least half"
        " of its own answers right. Candour: right attempts at what it does not know."
    )
    columns = ["tutor", "domain", "attempt", "knows it", "n", "contradicts", "95 %"]
    return Table("Candour, percent", columns, rows, [note])


def _answers(found: ProbeResult, cells: Mapping[_Key, Point], domains: Sequence[str]) -> Table:
    rows = []
    for who in found.models:
        for domain in domains:
            own = [cells.get((m, who, domain, "")) for m in ("right", "top_wrong", "wrong_alike", "forms")]
            if own[0] is not None:
                rows.append([who, domain, *(_with_n(p) for p in own)])
    note = (
        "top wrong: share of a question's wrong answers that are its most frequent one; two agree: of pairs of its"
        " wrong answers, which few samples do not inflate. Form: words that a right working shares with the worked"
        " solution, in order. In brackets n."
    )
    columns = ["model", "domain", "right", "top wrong", "two agree", "form"]
    return Table("Answers, percent", columns, rows, [note])


def _rates(found: ProbeResult, cells: Mapping[_Key, Point], domains: Sequence[str]) -> Table:
    rows = []
    for edge, context, domain in _edges(found, domains):
        broke, mended = (cells[m, edge, domain, context] for m in ("break", "fix"))
        controls = (cells[m, edge, domain, context] for m in ("break_control", "fix_control"))
        rows.append(
            [edge, domain, CONTEXT_WORDS[context]]
            + [c for p, q in zip((broke, mended), controls, strict=True) for c in (*_share(p), percent(q.value))]
        )
    columns = ["tutor -> tutee", "domain", "context", "n correct", "break", "95 %", "without f",
               "n wrong", "fix", "95 %  ", "without f  "]  # fmt: skip
    note = "Right answers that break, and wrong ones that are fixed, when asked again; without f: the same rollouts."
    return Table("Break and fix, percent", columns, rows, [note])


def _prediction(found: ProbeResult, cells: Mapping[_Key, Point], domains: Sequence[str], *, whole: bool) -> Table:
    rows = []
    for edge, context, domain in _edges(found, domains):
        net, own = (cells[m, edge, domain, context] for m in ("net", "net_of_f"))
        rows.append(
            [edge, domain, CONTEXT_WORDS[context], _count(net), signed(net.value)]
            + [span(net.low, net.high, "+.1f")] * whole
            + [signed(own.value), span(own.low, own.high, "+.1f"), _says(own)]
        )
    note = (
        "net: fix x wrong - break x right, what the teacher gets right beyond the student. of f: net less that without"
        " f (with s alone), which is what an open edge can add to self-distillation. helps, harms: the interval of f's"
        " part is above or below zero. Nothing was trained."
    )
    columns = ["tutor -> tutee", "domain", "context", "n", "net", *(["95 %"] * whole), "of f", "95 %  ", "f"]
    away = [f"{edge}: {reason}" for edge, reason in found.away.items()]
    return Table("Prediction: net benefit of feedback, points", columns, rows, [note, *away])


def _edges(found: ProbeResult, domains: Sequence[str]) -> list[tuple[str, str, str]]:
    """Edge, context and domain of each row."""
    order: Callable[[str], int] = list(domains).index
    own = {(p.who, p.condition, p.domain) for p in found.points if p.measure == "net"}
    ends = list(dict.fromkeys(p.who for p in found.points if p.measure == "net"))
    contexts = list(CONTEXT_WORDS)
    return sorted(own, key=lambda k: (ends.index(k[0]), contexts.index(k[1]), order(k[2])))


def _says(own: Point) -> str:
    if own.low is None or own.high is None:
        return "too few"
    return "helps" if own.low > 0 else "harms" if own.high < 0 else "unsure"


def _share(p: Point) -> list[str]:
    return [_count(p), percent(p.value), span(p.low, p.high)]


def _count(p: Point) -> str:
    """Answers, and the questions that they are to where these are fewer."""
    return f"{p.n}" if p.n == p.questions else f"{p.n} ({p.questions})"


def _with_n(p: Point | None) -> str:
    if p is None or p.value is None:
        return NONE
    return f"{percent(p.value)} {span(p.low, p.high)} ({p.n})"


def _models(found: ProbeResult) -> str:
    asked = ", ".join(f"{n} of {d}" for d, n in found.questions.items())
    named = "; ".join(f"{label}: {name}" for label, name in found.models.items())
    return f"{named}. {found.split.capitalize()} questions: {asked}; {found.rollouts} answers each."
