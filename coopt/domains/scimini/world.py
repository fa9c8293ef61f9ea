"""The embedded world as domains: questions in SciKnowEval's schema, scored by text."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from coopt.core.rng import stable_hash
from coopt.domains.base import Item, Split
from coopt.domains.rows import Row, RowDomain, select
from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import DOMAINS, RELATION, fact_at, facts_of
from coopt.domains.scimini.questions import STEPS, Ask, draw_asks, family_of
from coopt.domains.scimini.reading import first_error, stated_values
from coopt.domains.scimini.wording import SCIMINI


@lru_cache(maxsize=len(DOMAINS))
def scimini_rows(domain: str, count: int) -> list[dict[str, Any]]:
    """``count`` distinct questions as SciKnowEval rows with worked solutions.

    A combination of facts is asked in one order only, and in one of its two domains if it lies between two:
    otherwise a near-copy of a training question could be a test question.
    """
    rng = random.Random(f"scimini:questions:{domain}")
    facts = {d: facts_of(d) for d in DOMAINS}
    rows: list[dict[str, Any]] = []
    seen: set[frozenset[str]] = set()
    while len(rows) < count:
        asks = draw_asks(rng, domain, facts)
        combination = frozenset(a.fact.phrase for a in asks)
        homes = sorted({a.fact.domain for a in asks})
        if combination in seen or homes[stable_hash(*sorted(combination)) % len(homes)] != domain:
            continue
        seen.add(combination)
        rows.append(_row(domain, asks, rng))
    return rows


def _row(domain: str, asks: list[Ask], rng: random.Random) -> dict[str, Any]:
    right = texts.answer(texts.results(asks, texts.truth(asks)))
    options = {right}
    while len(options) < 4:
        values = [
            a.fact.value if rng.random() < 0.5 else rng.choice(list(RELATION[a.fact.relation].values.values()))
            for a in asks
        ]
        options.add(texts.answer(texts.results(asks, values)))
    shown = sorted(options)
    rng.shuffle(shown)
    return {
        "question": texts.question(asks),
        "choices": {"text": shown, "label": list("ABCD")},
        "answerKey": "ABCD"[shown.index(right)],
        "type": "mcq-4-choices",
        "domain": {"materials": "Material"}.get(domain, domain.capitalize()),
        "details": {
            "level": "L3",
            "task": family_of(asks) or domain,
            "subtask": f"{len(asks)} facts" if len(asks) > 1 else "1 fact",
            "source": "scimini",
        },
        "prompt": {"default": ""},
        "answer": "",
        "solution": texts.solution(asks, texts.truth(asks)),
        "extra": {"asks": [[a.fact.relation, a.fact.entity, a.step is not None] for a in asks]},
    }


def asks_of(item: Item) -> list[Ask]:
    """What a question of the world asks for."""
    return [Ask(fact_at(relation, entity), STEPS[relation] if step else None)
            for relation, entity, step in item.extra["asks"]]  # fmt: skip


def _false_value(ask: Ask, salt: str) -> int:
    """A wrong value of the same quantity, the same one each time."""
    others = sorted(set(RELATION[ask.fact.relation].values.values()) - {ask.fact.value})
    return others[stable_hash(salt, ask.fact.phrase) % len(others)]


@dataclass(frozen=True)
class SciminiDomain(RowDomain):
    """A domain of the embedded world; knows the facts, so that the oracle can state them."""

    def true_critique(self, item: Item, response: str, anchored: bool) -> str:
        asks = asks_of(item)
        written = stated_values(asks, response)
        return (texts.critique if anchored else texts.verdicts)(asks, written, texts.truth(asks))

    def false_critique(self, item: Item, response: str, anchored: bool) -> str:
        asks = asks_of(item)
        values = [_false_value(a, item.id) for a in asks]
        return (texts.critique if anchored else texts.verdicts)(asks, stated_values(asks, response), values)

    def first_error(self, item: Item, response: str) -> int | None:
        return first_error(asks_of(item), response)


def scimini_domain(
    name: str, rows: int, limits: tuple[tuple[Split, int], ...] = (), among: tuple[str, ...] = DOMAINS
) -> SciminiDomain:
    """One domain of the embedded world. Answers are texts: no option is shown (docs/scimini.md).

    ``among``: the domains of the run; questions that need a fact of another domain are left out.
    """
    return _domain(name, rows, limits, frozenset(among))


@lru_cache(maxsize=16)
def _domain(name: str, rows: int, limits: tuple[tuple[Split, int], ...], among: frozenset[str]) -> SciminiDomain:
    raw = (Row(f"scimini {name} row {k}", row) for k, row in enumerate(scimini_rows(name, rows), start=1))
    items = [
        replace(item, clusters=tuple(f"{relation} of {subject}" for relation, subject, *_ in item.extra["asks"]))
        for item in select(raw, "text").items
        if all(RELATION[r].domain in among for r, *_ in item.extra["asks"])
    ]
    return SciminiDomain(name, tuple(items), "text", SCIMINI, limits)
