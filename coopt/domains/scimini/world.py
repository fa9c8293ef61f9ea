"""The embedded world as domains: questions in SciKnowEval's schema, scored by text."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from coopt.domains.base import Item, Split
from coopt.domains.rows import Row, RowDomain, select
from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import WORLD_SEED, Fact, fact_at, facts_of
from coopt.domains.scimini.wording import SCIMINI

_STATED = re.compile(r"(\w+) of (\w+) (\d+)")


def scimini_rows(domain: str, count: int, world_seed: int = WORLD_SEED) -> list[dict[str, Any]]:
    """``count`` distinct questions of two or three facts, as SciKnowEval rows with worked solutions."""
    rng = random.Random(f"scimini:{world_seed}:questions:{domain}")
    facts = facts_of(domain, world_seed)
    rows: list[dict[str, Any]] = []
    seen: set[frozenset[Fact]] = set()
    while len(rows) < count:
        chosen = rng.sample(facts, 3 if rng.random() < 0.5 else 2)
        if frozenset(chosen) in seen:  # one order of a combination only: another order is a near-copy
            continue
        seen.add(frozenset(chosen))
        rows.append(_row(domain, chosen, rng))
    return rows


def _row(domain: str, facts: list[Fact], rng: random.Random) -> dict[str, Any]:
    right = texts.answer([f.value for f in facts])
    options = {right}
    while len(options) < 4:
        options.add(texts.answer([f.value if rng.random() < 0.5 else rng.randrange(1, 130) for f in facts]))
    shown = sorted(options)
    rng.shuffle(shown)
    return {
        "question": texts.question(facts),
        "choices": {"text": shown, "label": list("ABCD")},
        "answerKey": "ABCD"[shown.index(right)],
        "type": "mcq-4-choices",
        "domain": {"materials": "Material"}.get(domain, domain.capitalize()),
        "details": {"level": "L3", "task": "recall", "subtask": f"{len(facts)} facts", "source": "scimini"},
        "prompt": {"default": ""},
        "answer": "",
        "solution": texts.solution(facts),
        "extra": {"facts": [[f.relation, f.entity] for f in facts]},
    }


@dataclass(frozen=True)
class SciminiDomain(RowDomain):
    """A domain of the embedded world; knows the facts, so that the oracle can state them."""

    def true_critique(self, item: Item, response: str, anchored: bool) -> str:
        facts = [fact for r, e in item.extra["facts"] if (fact := fact_at(r, e))]
        stated = {(r, e): int(v) for r, e, v in _STATED.findall(response)}
        written = [stated.get((f.relation, f.entity)) for f in facts]
        return texts.critique(facts, written) if anchored else texts.verdicts(facts, written)


@lru_cache(maxsize=16)
def scimini_domain(name: str, rows: int, limits: tuple[tuple[Split, int], ...] = ()) -> SciminiDomain:
    """One domain of the embedded world. Answers are texts: no option is shown (docs/scimini.md)."""
    raw = (Row(f"scimini {name} row {k}", row) for k, row in enumerate(scimini_rows(name, rows), start=1))
    return SciminiDomain(name, tuple(select(raw, "text").items), "text", SCIMINI, limits)
