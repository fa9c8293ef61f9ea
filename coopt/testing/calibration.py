"""Do intervals cover and do claims hold? Simulated outcomes with known truth, through the functions that make tables.

    make calibrate            # 2,000 simulations each: forty minutes of two cores
    make calibrate SHORT=1    # 300: five minutes

Exit code 1 if a figure is outside its bounds by more than its Monte-Carlo error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from coopt.core.names import INIT
from coopt.core.rng import generator
from coopt.core.statistics.crossed import LEAST_SEEDS, ratio
from coopt.core.statistics.design import make_design
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.ranking import pairs_of, ranks
from coopt.core.statistics.rate_ratio import Events, rate_ratio
from coopt.core.statistics.verdicts import MARGIN, change, change_apart, corrected_by_key, or_equivalent
from coopt.core.tables.screen import output, show
from coopt.core.tables.table import Table
from coopt.runs.measures.claims import Claims, claims_of
from coopt.runs.measures.pareto import mutual_verdict, pareto_verdict
from coopt.testing.outcomes import Questions, Simulated, answered

COVERS, CLAIMS = (93.0, 97.0), (0.0, 5.0)
"""Bounds of a 95 % interval's coverage, and of a false claim's probability, in percent."""


class Case(NamedTuple):
    """Something whose probability is to lie within ``bounds`` (percent); ``happens`` plays it once."""

    what: str
    where: str
    bounds: tuple[float, float]
    happens: Callable[..., bool]
    given: tuple[Any, ...]
    """Its arguments after the random generator."""
    in_tests: bool = False
    """Also in the short form that runs with the tests."""
    known: tuple[float, float] | None = None
    """A limit of the method: where the figure may lie outside its bounds, as docs/statistics.md says."""


class Figure(NamedTuple):
    """``percent``: how often it happened in ``plays``; ``error``: half the width of that share's 95 % interval."""

    case: Case
    plays: int
    percent: float
    error: float

    @property
    def holds(self) -> bool:
        return self._within(self.case.bounds)

    @property
    def is_known(self) -> bool:
        return self.case.known is not None and self._within(self.case.known)

    def _within(self, bounds: tuple[float, float]) -> bool:
        low, high = bounds
        return low - self.error <= self.percent <= high + self.error


def measure(case: Case, plays: int) -> Figure:
    """Play a case so many times; the same plays every time."""
    hits = sum(case.happens(generator("calibrate", case.what, case.where, k), *case.given) for k in range(plays))
    share = hits / plays
    # Wilson's standard error: not zero where it never happened.
    error = 1.96 * np.sqrt(max(share * (1 - share), 1 / plays) / plays)
    return Figure(case, plays, 100 * share, 100 * float(error))


# -- intervals -------------------------------------------------------------------------------------------


def _one(rng: np.random.Generator, gain: float, **given: object) -> Simulated:
    return Simulated({("m", "s", "d"): gain}, rng, **given)  # type: ignore[arg-type]


def _change_covers(rng: np.random.Generator, n: int, seeds: int, tau: float, level: float, facts: int = 0) -> bool:
    run = _one(rng, 0.05, seeds=seeds, tau=tau, level=level, questions=Questions(n, facts, max(n // 4, 4)))
    found = run.change("m", "s", "d")
    return found.low <= 0.05 <= found.high


def _score_covers(rng: np.random.Generator, n: int, seeds: int, level: float, samples: int) -> bool:
    run = _one(rng, 0.0, seeds=seeds, tau=0.0, level=level, samples=samples, questions=Questions(n))
    low, high = proportion_interval(run.score(INIT, "s", "d"))
    return low <= level <= high


def _rate_covers(rng: np.random.Generator, rate: float, seeds: int, tau: float) -> bool:
    """Break-rates: 200 questions of eight answers, of which the right ones are asked again. Seeds differ by ``tau`` of
    the rate, questions as a beta distribution has them."""
    asked = answered(np.full(seeds, 0.6), rng.standard_normal(200), 8, rng) * 8
    of_question = rng.beta(_BETA * rate, _BETA * (1 - rate), size=200)
    factors = 1 + tau * rng.uniform(-1, 1, seeds) * min(1.0, (1 - rate) / rate)
    broken = rng.binomial(asked.astype(int), np.minimum(of_question * factors[:, None], 1.0))
    found = ratio(broken.astype(float), asked, make_design([[()] * 200]))
    if found is None:
        return False
    low, high = proportion_interval(found.spread)
    return low <= rate <= high


def _rate_ratio_covers(rng: np.random.Generator, rate: float, times: float, seeds: int) -> bool:
    """Break-rates of two kinds of edges on the same tutees' right answers to 200 questions, the first ``times`` the
    second. What breaks easily does so under both. No interval claims nothing."""
    asked = np.maximum(answered(np.full(seeds, 0.6), rng.standard_normal(200), 8, rng) * 8, 1).astype(int)
    of_question = rng.beta(_BETA * rate, _BETA * (1 - rate), size=200)
    first, second = (
        Events(rng.binomial(asked, p).astype(float), asked.astype(float)) for p in (of_question, of_question / times)
    )
    found = rate_ratio(first, second, make_design([[()] * 200]))
    return found is None or found.low is None or found.high is None or found.low <= times <= found.high


_BETA = 3.0  # how alike questions are in what breaks them


def _of_seeds(seeds: int) -> tuple[float, float] | None:
    """Of three seeds two degrees of freedom are left for what differs between them: intervals are a little too wide."""
    return (93.0, 99.0) if seeds == LEAST_SEEDS else None


def intervals() -> Iterator[Case]:
    """Coverage of 95 % intervals."""
    for n, seeds, tau in product((20, 30, 90, 400), (1, 2, 3, 5), (0.0, 0.03)):
        if seeds < LEAST_SEEDS and tau:
            continue  # they claim nothing of others
        where = f"n {n}, {seeds} seed{'s' * (seeds > 1)}, tau {100 * tau:.0f}"
        short = n in (90, 400) and seeds in (3, 5)
        yield Case("change", where, COVERS, _change_covers, (n, seeds, tau, 0.7), short, known=_of_seeds(seeds))
    for level, seeds, facts in product((0.5, 0.9), (1, 3), (1, 2)):
        where = f"n 400, {seeds} seed{'s' * (seeds > 1)}, tau {3 * (seeds > 1)}, {facts} of 100 facts, from {level:.0%}"
        arguments = (400, seeds, 0.03 * (seeds > 1), level, facts)
        yield Case("change, shared facts", where, COVERS, _change_covers, arguments, known=_of_seeds(seeds))
    for n, level, samples in product((20, 30, 90, 400), (0.5, 0.9, 0.98), (1, 8)):
        # Few questions near the bound have few outcomes: no interval of them covers 95 % everywhere.
        known = (88.0, 100.0) if level * n > n - 10 or n < 90 else None
        where = f"n {n}, at {level:.0%}, avg@{samples}"
        yield Case("score", where, COVERS, _score_covers, (n, 1, level, samples), known=known)
    for rate, (seeds, tau) in product((0.003, 0.02, 0.1, 0.4), ((1, 0.0), (3, 0.0), (3, 0.3))):
        known = (82.0, 100.0) if rate < 0.05 else None  # a question or two hold most of what broke
        where = f"{rate:.1%} of 200 questions, {seeds} seed{'s' * (seeds > 1)}, {tau:.0%} of it between seeds"
        yield Case("break-rate", where, COVERS, _rate_covers, (rate, seeds, tau), known=known)
    for rate, times, seeds in product((0.01, 0.03, 0.1), (1.0, 2.0), (1, 3)):
        where = f"{rate:.0%} of 200 questions, {times:g} times as many, {seeds} seed{'s' * (seeds > 1)}"
        yield Case("ratio of break-rates", where, COVERS, _rate_ratio_covers, (rate, times, seeds))


# -- claims ----------------------------------------------------------------------------------------------

METHODS, STUDENTS, DOMAINS = ("m1", "m2"), ("s1", "s2"), ("a", "b")


def _run(rng: np.random.Generator, native: float, foreign: float, seeds: int, tau: float, n: int) -> Simulated:
    """Two methods on the pair, each with these true changes."""
    home = dict(zip(STUDENTS, DOMAINS, strict=True))
    gains = {(m, s, d): native if home[s] == d else foreign for m, s, d in product(METHODS, STUDENTS, DOMAINS)}
    return Simulated(gains, rng, seeds=seeds, tau=tau, questions=Questions(n))


def _claims(run: Simulated) -> Claims:
    return claims_of(run, [("m2", "m1")])


def _pareto(run: Simulated, method: str) -> str:
    found = _claims(run).changes
    own = [[found[method, s, d] for d in run.domains] for s in run.students]
    return mutual_verdict([pareto_verdict(cells) for cells in own])


def _any_claim(rng: np.random.Generator, seeds: int, tau: float, n: int) -> bool:
    """Of a run in which nothing happens: a gain or a loss, a better method, a rank apart."""
    found = _claims(_run(rng, 0.0, 0.0, seeds, tau, n))
    every = (v for part in (found.changes, found.comparisons, found.pairs) for v in part.values())
    return any(c.verdict in ("improves", "worse") for c in every)


def _false_pareto(rng: np.random.Generator, loss: float, seeds: int, tau: float, n: int) -> bool:
    return _pareto(_run(rng, 0.08, -loss, seeds, tau, n), "m1") == "yes"


def _false_equivalence(rng: np.random.Generator, seeds: int, tau: float) -> bool:
    """Two methods that truly differ by the margin."""
    run = Simulated({("m1", "s", "d"): 0.05, ("m2", "s", "d"): 0.05 + MARGIN}, rng, seeds=seeds, tau=tau)
    return or_equivalent({0: run.between("m2", "m1", ["s"])}, MARGIN)[0].verdict == "equivalent"


def _sparse_equivalence(rng: np.random.Generator, n: int, seeds: int, facts: int) -> bool:
    """A loss of the margin that few questions bear: all of them, or those of a fact, are lost whole."""
    questions = Questions(n, facts)
    clusters, _ = questions.draw(rng)
    own = [tuple(c) or (f"question {k}",) for k, c in enumerate(clusters)]
    lost = {unit for unit in sorted({u for units in own for u in units}) if rng.random() < MARGIN}
    flags = [not lost.isdisjoint(units) for units in own]
    values = -np.tile(np.array(flags, dtype=float), (seeds, 1))
    return or_equivalent({0: change(values, make_design([clusters]))}, MARGIN)[0].verdict == "equivalent"


def _equals_ranked_apart(rng: np.random.Generator, seeds: int, tau: float, common: bool) -> bool:
    """Two entries of the same method: with the same seeds, or with others, on the same questions."""
    questions = Questions()
    clusters, hard_2Q = questions.draw(rng)
    design = make_design([clusters])

    def gain() -> np.ndarray:
        end = 0.75 + tau * rng.standard_normal(seeds)
        before, after = (answered(x, h, 8, rng) for x, h in zip((np.full(seeds, 0.7), end), hard_2Q, strict=True))
        return after - before

    found = change(gain() - gain(), design) if common else change_apart(gain(), gain(), design)
    return max(r.first for r in ranks({"a": found.value, "b": 0.0}, {("a", "b"): found}).values()) > 1


def _places_hold(rng: np.random.Generator, step: float, seeds: int, tau: float) -> bool:
    """Five methods, each better than the last by a step: do all places hold at once?"""
    names = [f"m{k}" for k in range(5)]
    run = Simulated({(m, "s", "d"): 0.05 - k * step for k, m in enumerate(names)}, rng, seeds=seeds, tau=tau)
    values = {m: run.mean(m, ["s"]).value for m in names}
    found = ranks(values, corrected_by_key({(a, b): run.between(a, b, ["s"]) for a, b in pairs_of(names)}))
    return all(found[m].first <= k + 1 <= found[m].last for k, m in enumerate(names))


def claims() -> Iterator[Case]:
    """False claims of whole runs."""
    for seeds, tau, n in product((1, 3, 5), (0.0, 0.03), (90, 400)):
        if seeds == 1 and tau:
            continue
        a = (seeds, tau, n)
        where = f"n {n}, {seeds} seed{'s' * (seeds > 1)}, tau {100 * tau:.0f}"
        yield Case("nothing happens: any claim", where, CLAIMS, _any_claim, a, n == 400)
        for loss in (0.01, 0.02):
            title = f"+8 native, -{100 * loss:.0f} foreign: mutual Pareto yes"
            yield Case(title, where, CLAIMS, _false_pareto, (loss, *a), n == 400 and seeds == 3)
    for seeds, tau in ((1, 0.0), (3, 0.03), (5, 0.03)):
        where = f"n 400, {seeds} seed{'s' * (seeds > 1)}, tau {100 * tau:.0f}"
        a2 = (seeds, tau)
        yield Case("a point apart: equivalent", where, CLAIMS, _false_equivalence, a2)
        for step in (0.0005, 0.003, 0.01):
            title = f"five methods {100 * step:.2g} apart: all places hold"
            yield Case(title, where, (95.0, 100.0), _places_hold, (step, *a2))
    for n, seeds, facts in product((50, 90, 400), (1, 3), (0, 1)):
        where = f"n {n}, {seeds} seed{'s' * (seeds > 1)}, {'by 100 facts' if facts else 'by questions'}"
        yield Case("a point lost in few: equivalent", where, CLAIMS, _sparse_equivalence, (n, seeds, facts), n == 90)
    for tau, common in product((0.0, 0.03), (True, False)):
        where = f"n 400, 3 seeds, {'the same' if common else 'others'}, tau {100 * tau:.0f}"
        yield Case("equal entries ranked apart", where, CLAIMS, _equals_ranked_apart, (3, tau, common))


# -- the table -------------------------------------------------------------------------------------------


def figure_table(found: Sequence[Figure]) -> Table:
    """What was measured, in percent."""
    rows = [
        [f.case.what, f.case.where, f"{f.percent:.1f}", f"{f.error:.1f}", "{:.0f}–{:.0f}".format(*f.case.bounds),
         "" if f.holds else "known limit" if f.is_known else "outside"]
        for f in found
    ]  # fmt: skip
    notes = [
        f"{found[0].plays} simulations each; ±: 95 % of their own noise. Questions: logit-normal difficulty (standard"
        " deviation 3), answered 8 times, before and after correlated 0.9. tau: what the true change differs by between"
        " seeds, in points."
    ]
    return Table("Coverage and false claims, percent", ["what", "where", "found", "±", "should be", ""], rows, notes)


def all_cases() -> list[Case]:
    return [*intervals(), *claims()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m coopt.testing.calibration")
    parser.add_argument("--short", action="store_true", help="300 simulations each: five minutes")
    parser.add_argument("--plays", type=int, default=2000, help="simulations of each figure")
    parser.add_argument("--markdown", action="store_true", help="the table as in docs/statistics.md")
    given = parser.parse_args()
    from rich.console import Console
    from rich.progress import track

    plays = 300 if given.short else given.plays
    with ProcessPoolExecutor() as pool:
        cases = all_cases()
        playing = pool.map(partial(measure, plays=plays), cases)
        found = list(track(playing, "simulating", total=len(cases), console=Console(stderr=True)))
    table = figure_table(found)
    if given.markdown:
        from coopt.core.tables.table import render

        print(render([table], "md"))
    else:
        show([table], output())
    outside = [f for f in found if not f.holds and not f.is_known]
    known = sum(f.is_known and not f.holds for f in found)
    print(f"{len(found)} figures: {known} at a known limit, {len(outside)} outside", file=sys.stderr)
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
