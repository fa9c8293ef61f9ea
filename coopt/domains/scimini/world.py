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
from coopt.domains.scimini.traits import SHIPPED, Traits


@lru_cache(maxsize=2 * len(DOMAINS))
def scimini_rows(domain: str, count: int, forms: int = 1) -> list[dict[str, Any]]:
    """``count`` distinct questions as SciKnowEval rows with worked solutions, each in one of ``forms`` forms.

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
        rows.append(_row(domain, asks, rng, stable_hash("form", *sorted(combination)) % forms))
    return rows


def _row(domain: str, asks: list[Ask], rng: random.Random, form: int) -> dict[str, Any]:
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
        "solution": texts.solution(asks, texts.truth(asks), form=form),
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

    forms: int = 1
    """Forms of a right working (``texts.steps``)."""

    def true_critique(self, item: Item, response: str, anchored: bool) -> str:
        asks = asks_of(item)
        written = stated_values(asks, response)
        return (texts.critique if anchored else texts.verdicts)(asks, written, texts.truth(asks))

    def false_critique(self, item: Item, response: str, anchored: bool) -> str:
        asks = asks_of(item)
        values = [_false_value(a, item.id) for a in asks]
        return (texts.critique if anchored else texts.verdicts)(asks, stated_values(asks, response), values)

    def first_error(self, item: Item, response: str) -> int | None:
        return first_error(asks_of(item), response, self.forms)


def scimini_domain(
    name: str,
    rows: int,
    limits: tuple[tuple[Split, int], ...] = (),
    among: tuple[str, ...] = DOMAINS,
    traits: Traits = SHIPPED,
) -> SciminiDomain:
    """One domain of the embedded world. Answers are texts: no option is shown (docs/scimini.md).

    ``among``: the domains of the run; questions that need a fact of another domain are left out. ``traits``: which
    member of the family of worlds.
    """
    return _domain(name, rows, limits, frozenset(among), traits)


@lru_cache(maxsize=16)
def _domain(
    name: str, rows: int, limits: tuple[tuple[Split, int], ...], among: frozenset[str], traits: Traits
) -> SciminiDomain:
    items = tuple(
        item for item in _items(name, rows, traits.forms)
        if all(RELATION[r].domain in among for r, *_ in item.extra["asks"])
    )  # fmt: skip
    return SciminiDomain(name, items, "text", traits.wording, limits, forms=traits.forms)


@lru_cache(maxsize=4 * len(DOMAINS))
def _items(name: str, count: int, forms: int) -> tuple[Item, ...]:
    """The questions of all domains' runs: a suite or a table reads many runs, whose domains differ."""
    raw = (Row(f"scimini {name} row {k}", row) for k, row in enumerate(scimini_rows(name, count, forms), start=1))
    return tuple(
        replace(item, clusters=tuple(f"{relation} of {subject}" for relation, subject, *_ in item.extra["asks"]))
        for item in select(raw, "text").items
    )
