"""What stands under every table of the embedded world: its base model, and the best constant answer. Neither is what an
entry claims."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from coopt.core.outside.files import read_text
from coopt.core.outside.parse import parse_json
from coopt.reports.leaderboard.entry import Entry

BASE_SCORES = Path(__file__).with_name("base_scores.json")
"""hash of test questions -> scores of the shipped base on them, avg@8 of the seeds 0 to 4, and the domain's name."""

SHIPPED = "scimini"
"""The base whose scores they are."""
CONSTANT = "constant answer"


def floors_of(entry: Entry) -> dict[str, float]:
    """Mean scores over the domains of an entry's questions, by name; what is not known is left out, of rows all of it.
    The base's are measured beforehand. The constant answer's follow from the right answers of the entry, which were
    checked to be the embedded world's own."""
    if entry.world != "scimini":
        return {}
    found, known = {}, base_scores()
    hashes = [entry.data[d]["test"] for d in entry.domains]
    if entry.model == SHIPPED and all(h in known for h in hashes):
        found["base"] = float(np.mean([known[h] for h in hashes]))
    return found | {CONSTANT: entry.measures.overall.constant}


@cache
def base_scores() -> dict[str, float]:
    """hash of test questions -> mean score."""
    tree = parse_json(read_text(BASE_SCORES))
    return {key: float(np.mean(of["scores"])) for key, of in tree.items()}
