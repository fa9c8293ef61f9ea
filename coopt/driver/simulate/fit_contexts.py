"""What contexts do to rollouts, from the break-rate probes: shares, and two likelihoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from coopt.core.arrays import Floats
from coopt.driver.simulate.fit_items import Weights
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.observed import Probe

Counts = Floats
"""[cells, 2]: changed and asked."""


def fit_contexts(probes: Sequence[Probe], weights: Weights, model: ItemModel) -> dict[str, float]:
    """The constants of ``Contexts`` that these probes tell about; a share without a single case is left out."""
    used = [(p, weights[p.cluster]) for p in probes if weights.get(p.cluster, 0.0) > 0]
    found: dict[str, float] = {}
    for name, counts in _shares(used).items():
        changed, asked = counts.sum(axis=0) if len(counts) else (0.0, 0.0)
        if asked > 0:
            found[f"contexts.{name}"] = float(changed / asked)
    kept = [(w * share, w) for p, w in used for share in p.kept.values()]
    if kept:
        found["contexts.kept"] = float(np.sum([k for k, _ in kept]) / np.sum([w for _, w in kept]))
    fixed, known = _uptake_cells(used, model)
    if len(fixed):
        found["contexts.uptake"] = _likeliest(fixed, np.zeros(len(known)), known)
    broken, unknown = _harm_cells(used, model)
    if len(broken):
        noise = np.full(len(unknown), found.get("contexts.noise", 0.0))
        found["contexts.harm"] = _likeliest(broken, noise, unknown)
    return found


def _shares(used: Sequence[tuple[Probe, float]]) -> dict[str, Counts]:
    """(changed, asked) of the constants that are plain shares."""
    cells: dict[str, list[Floats]] = {k: [] for k in ("fix_own", "break_own", "fix_both", "break_both", "noise")}
    for p, w in used:
        cells["noise"].append(w * _changed(p.before, p.again, 1.0))
        cells["fix_own"].append(w * _changed(p.before, p.own, 0.0))
        cells["break_own"].append(w * _changed(p.before, p.own, 1.0))
        for both in p.both.values():
            cells["fix_both"].append(w * _changed(p.before, both, 0.0))
            cells["break_both"].append(w * _changed(p.before, both, 1.0))
    return {k: np.array(v) for k, v in cells.items()}


def _changed(before: Floats, after: Floats, start: float) -> Floats:
    """(changed, asked) of the answers that were ``start`` and were asked again; NaN: not asked."""
    asked = (before == start) & ~np.isnan(after)
    return np.array([(asked & (after != start)).sum(), asked.sum()], dtype=float)


def _uptake_cells(used: Sequence[tuple[Probe, float]], model: ItemModel) -> tuple[Counts, Floats]:
    """Wrong rollouts of prompts without a right one, mended by f; and the chance that the tutor knows them."""
    counts, known = [], []
    for p, w in used:
        hopeless = p.before.sum(axis=1) == 0
        for tutor, after in p.f.items():
            counts.append(w * _changed(p.before[hopeless], after[hopeless], 0.0))
            known.append(_at(model.known_without, model, p.tutor_scores[tutor], p.tutee_score))
    return np.array(counts).reshape(-1, 2), np.array(known)


def _harm_cells(used: Sequence[tuple[Probe, float]], model: ItemModel) -> tuple[Counts, Floats]:
    """Right rollouts broken by f without s; and the chance that the tutor does not know them."""
    counts, unknown = [], []
    for p, w in used:
        for tutor, after in p.f.items():
            counts.append(w * _changed(p.before, after, 1.0))
            unknown.append(1 - _at(model.known_if_right, model, p.tutor_scores[tutor], p.tutee_score))
    return np.array(counts).reshape(-1, 2), np.array(unknown)


def _at(lookup: object, model: ItemModel, tutor: float, tutee: float) -> float:
    ends = (model.competence(np.array([s])) for s in (tutor, tutee))
    return float(lookup(*ends)[0])  # type: ignore[operator]


def _likeliest(counts: Counts, base: Floats, chance: Floats) -> float:
    """The x in [0, 1] at which binomial counts with probability base + x chance are most likely."""
    changed, asked = counts.T

    def loss(x: float) -> float:
        p = np.clip(base + x * chance, 1e-6, 1 - 1e-6)
        return -float((changed * np.log(p) + (asked - changed) * np.log1p(-p)).sum())

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)
