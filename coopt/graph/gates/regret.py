"""Gates as decisions: what each loses against the best subset of edges, by how many validation questions it reads.

A subset of edges (and domains) is worth the sum of their benefits, which the break-rate probe measured: what feedback
adds to the share of a tutee's right answers, beyond the same without it. That edges add up is an assumption, as is that
what helps before training helps in it. The best subset is every edge with a benefit above zero. A gate decides on
scores (and probes) drawn anew with the errors that n questions would have.

Gate ``benefit`` is favoured: it decides on the very answers that its decision is judged by. And the best subset is the
maximum over estimates with noise, which is too high a mark: the regret of every other gate comes out too large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from coopt.core.arrays import Bools, Floats
from coopt.core.config.schema import GateConfig
from coopt.core.rng import generator
from coopt.core.statistics.design import Design
from coopt.graph.gates.evidence import Effects, Probed, Scored, lead_halves
from coopt.graph.gates.journaled import Deciding, drawn_scores, scores_of
from coopt.graph.topology import Edge, Topology

KINDS = ("cognizance", "per_domain", "domain_selective", "confident", "benefit", "always", "never")
"""The gates that are compared; ``random`` decides nothing."""
SIZES = (25, 50, 100, 200, 400)
_DRAWS = 200


class Regret(NamedTuple):
    """Of one gate that reads so many questions. ``regret`` and ``worth``: mean over draws, in shares of right answers,
    a mean over edges and domains. ``flip``: how often an edge is decided otherwise in some domain than on everything
    that there is."""

    kind: str
    questions: int
    worth: float
    regret: float
    flip: float


def regrets(
    gate: GateConfig,
    topology: Topology,
    results: Scored,
    benefit_ED: Floats,
    edges: Sequence[Edge],
    *,
    domains: tuple[str, ...],
    seed: int,
    designs: Mapping[str, Design],
    probed: Probed,
) -> list[Regret]:
    """Every kind of gate at every size up to what there is. ``gate``: its tau and scope are those of all kinds;
    ``benefit_ED``: NaN counts as nothing."""
    have = min(len(results[edges[0].tutee]["domains"][d]["correct"]) for d in domains)
    worth_ED = np.nan_to_num(benefit_ED)
    best = float(np.maximum(worth_ED, 0).mean())
    scores_ND = scores_of(results, topology, domains)
    drawn = drawn_scores(results, topology, domains, _DRAWS, (seed, "regret"), designs)
    halves_ED = lead_halves(results, edges, domains, designs)
    effects = Effects(probed, edges, domains)
    found = []
    for kind in KINDS:
        own = gate.model_copy(update={"kind": kind})
        deciding = Deciding(dict.fromkeys(edges, own), topology, domains, seed, 1, None)
        deciding.view = effects.seen_by(deciding.view._replace(lead_half_ED=halves_ED))
        whole_ED = deciding(scores_ND).open_ED
        for questions in sorted({n for n in SIZES if n < have} | {have}):
            wider = float(np.sqrt(have / questions))
            rng = generator(seed, "regret", questions)
            decided: list[Bools] = []
            for anew_ND in drawn:
                deciding.view = effects.seen_by(deciding.view._replace(lead_half_ED=wider * halves_ED), rng, wider)
                decided.append(deciding(np.clip(scores_ND + wider * (anew_ND - scores_ND), 0, 1)).open_ED)
            worth = float(np.mean([(worth_ED * open_ED).mean() for open_ED in decided]))
            flip = float(np.mean([(open_ED != whole_ED).any(axis=1).mean() for open_ED in decided]))
            found.append(Regret(kind, questions, worth, max(best - worth, 0.0), flip))
    return found
