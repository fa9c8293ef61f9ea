"""``coopt probe``: inference only, of every model alone and of every pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError, unknown
from coopt.core.statistics.design import Clusters
from coopt.domains.base import SPLITS, Domain, Item, Split
from coopt.domains.load import load_domains
from coopt.driver.probe.models import Probed, models_of
from coopt.driver.probe.points import ALL, EVERY, Counts, Measure, Point, point
from coopt.graph.topology import Edge
from coopt.lm.engines.base import Engine
from coopt.lm.engines.make import check_engine, make_engine
from coopt.methods.break_rate import first_answers, probe_tutee
from coopt.methods.probing.answers import confusion, overlaps
from coopt.methods.probing.candour import Attempt, contradicts
from coopt.methods.probing.cases import Contradiction, contradictions
from coopt.methods.probing.deference import CONTEXTS, Preference, preferences
from coopt.methods.rollouts import RolloutGroup
from coopt.runs.measures.break_rates import Designs, Grids, Tally, benefit, rates, stack
from coopt.runs.results import Context, RateCell

PARTS = ("deference", "candour", "answers", "rates")
"""What is probed: whom a self-teacher believes; whether a tutor speaks up; confusion and form; break, fix and net."""
_ASKED: tuple[Context, ...] = ("paper", "f")
_RIGHT_AT = 0.5
"""Share of right answers from which on a model is taken to know a question."""


class ProbeResult(NamedTuple):
    """``models``: label -> what it is. ``away``: edges whose tutor's endpoint stopped answering, and why."""

    models: Mapping[str, str]
    split: Split
    questions: Mapping[str, int]
    rollouts: int
    points: list[Point]
    away: Mapping[str, str] = {}


def probe_models(
    names: Sequence[str], config: Config, split: str = "validation", parts: Sequence[str] = PARTS
) -> ProbeResult:
    """Probe models on ``config.data.validation`` questions per domain. Raises a ``CooptError``."""
    splits = {s: s for s in SPLITS}
    if split not in splits:
        raise ConfigError(unknown("split", split, SPLITS))
    for part in parts:
        if part not in PARTS:
            raise ConfigError(unknown("part", part, PARTS))
    check_engine(config)
    models = models_of(names, config)
    domains = load_domains(config)
    items = {name: list(d.items(splits[split]))[: config.data.validation] for name, d in domains.items()}
    probe = _Probe(config, domains, items, make_engine(config))
    local = [m for m in models if m.endpoint is None]
    points: list[Point] = []
    for model in local:
        points += probe.alone(model, parts)
    if "rates" in parts:
        for tutee in local:
            tutors = [m for m in models if m is not tutee] or [tutee]
            points += probe.rates(tutee, tutors)
    return ProbeResult(
        models={m.label: m.shown for m in models},
        split=splits[split],
        questions={name: len(own) for name, own in items.items()},
        rollouts=config.rounds.rollouts,
        points=points,
        away=probe.away,
    )


@dataclass
class _Probe:
    """The questions that every model is asked."""

    config: Config
    domains: Mapping[str, Domain]
    items: Mapping[str, Sequence[Item]]
    engine: Engine
    away: dict[str, str] = field(default_factory=dict)
    _first: dict[str, dict[str, list[RolloutGroup]]] = field(default_factory=dict)

    @property
    def clusters(self) -> Mapping[str, Clusters]:
        return {i.id: i.clusters for own in self.items.values() for i in own}

    def alone(self, model: Probed, parts: Sequence[str]) -> Iterator[Point]:
        """What is asked of a model by itself."""
        if "answers" in parts:
            yield from self._answers(model)
        if "deference" in parts:
            yield from self._deference(model)
        if "candour" in parts:
            yield from self._candour(model)

    def first(self, model: Probed) -> Mapping[str, list[RolloutGroup]]:
        """Its own answers, sampled once."""
        if model.label not in self._first:
            key = (self.config.seed, model.label, "probe")
            self._first[model.label] = {
                name: first_answers(model.policy, self.engine, domain, self.items[name], self.config, (*key, name))
                for name, domain in self.domains.items()
            }
        return self._first[model.label]

    # -- a model by itself -------------------------------------------------------------------------

    def _points(self, measure: Measure, who: str, condition: str, counts: Mapping[str, Counts]) -> Iterator[Point]:
        """By domain; where there are several also over all of them."""
        parts = dict(counts)
        if len(parts) > 1:
            parts[ALL] = [c for own in counts.values() for c in own]
        for domain, own in parts.items():
            yield point(measure, who, domain, condition, own, self.clusters)

    def _answers(self, model: Probed) -> Iterator[Point]:
        groups = self.first(model)
        right = {d: [(g.item.id, sum(g.rewards), len(g.rollouts)) for g in own] for d, own in groups.items()}
        yield from self._points("right", model.label, "", right)
        mixed = {d: [(g.item.id, confusion(self.domains[d], g)) for g in own] for d, own in groups.items()}
        top = {d: [(q, c.most, c.wrong) for q, c in own if c.wrong > 1] for d, own in mixed.items()}
        yield from self._points("top_wrong", model.label, "", top)
        alike = {d: [(q, c.alike, c.pairs) for q, c in own] for d, own in mixed.items()}
        yield from self._points("wrong_alike", model.label, "", alike)
        forms = {d: [(g.item.id, sum(o), len(o)) for g in own if (o := overlaps(g))] for d, own in groups.items()}
        yield from self._points("forms", model.label, "", forms)

    def _deference(self, model: Probed) -> Iterator[Point]:
        cases = {name: list(self._cases(model, name)) for name in self.domains}
        for context in CONTEXTS:
            asked: dict[str, dict[str, list[Preference]]] = {}
            for name, domain in self.domains.items():
                found = preferences(model.policy, domain, [c for _, c in cases[name]], context, self.config.loss)
                for (wording, _), preference in zip(cases[name], found, strict=True):
                    if preference is not None:
                        for heading in (wording, EVERY):
                            asked.setdefault(heading, {d: [] for d in self.domains})[name].append(preference)
            for wording in (*(w for w in asked if w != EVERY), *((EVERY,) if len(asked) > 2 else ())):
                yield from self._preferences(model, f"{context}: {wording}", asked[wording])

    def _cases(self, model: Probed, name: str) -> Iterator[tuple[str, Contradiction]]:
        """wording, case: of every question, with a right answer of the model's own where it has one."""
        for group in self.first(model)[name]:
            own = next((y.shown for y in group.rollouts if y.correct), None)
            yield from contradictions(self.domains[name], group.item, self.items[name], own).items()

    def _preferences(self, model: Probed, condition: str, found: Mapping[str, list[Preference]]) -> Iterator[Point]:
        measured: tuple[tuple[Measure, dict[str, Counts]], ...] = (
            ("deference", {d: [(p.question, float(p.defers), 1) for p in own] for d, own in found.items()}),
            ("p_keeps", {d: [(p.question, p.keeps, 1) for p in own] for d, own in found.items()}),
            ("p_follows", {d: [(p.question, p.follows, 1) for p in own] for d, own in found.items()}),
        )
        for measure, counts in measured:
            yield from self._points(measure, model.label, condition, counts)

    def _candour(self, model: Probed) -> Iterator[Point]:
        tutor = model.tutor(self.engine, self.domains)
        counts: dict[str, dict[str, list[tuple[str, float, float]]]] = {}
        for name, domain in self.domains.items():
            groups = self.first(model)[name]
            knows = {g.item.id: sum(g.rewards) >= _RIGHT_AT * len(g.rollouts) for g in groups}
            cases = [next(iter(c.values()), None) for g in groups
                     for c in [contradictions(domain, g.item, self.items[name], None)]]  # fmt: skip
            for what in ("right", "wrong"):
                attempts = [Attempt(c.item, c.right if what == "right" else c.wrong) for c in cases if c]
                said = contradicts(model.policy, tutor, domain, attempts, self.config.loss)
                for attempt, no in zip(attempts, said, strict=True):
                    itself = "knows" if knows[attempt.item.id] else "does not know"
                    own = counts.setdefault(f"{what} attempt, {itself}", {d: [] for d in self.domains})
                    if no is not None:
                        own[name].append((attempt.item.id, float(no), 1))
        for condition in sorted(counts):
            yield from self._points("candour", model.label, condition, counts[condition])

    # -- pairs -------------------------------------------------------------------------------------

    def rates(self, tutee: Probed, tutors: Sequence[Probed]) -> Iterator[Point]:
        """Break, fix and net benefit of every edge into a model; of a single model by what it says itself."""
        edges = {Edge(t.label, tutee.label): t.tutor(self.engine, self.domains) for t in tutors}
        key = (self.config.seed, tutee.label, "probe")
        answered = probe_tutee(
            tutee.policy, self.engine, self.domains, edges, self.config, key, self.first(tutee)
        )  # fmt: skip
        found = answered["domains"]
        self.away |= answered["away"]
        for edge in map(str, edges):
            for context in _ASKED:
                tallies = {name: Tally.of(Grids.of(found[name], edge, context, 0)) for name in self.domains}
                if len(tallies) > 1:
                    tallies[ALL] = stack(list(tallies.values()))
                for name, own in tallies.items():
                    yield from self._of_edge(edge, name, context, own)

    def _of_edge(self, edge: str, domain: str, context: str, tally: Tally) -> Iterator[Point]:
        designs = Designs(self.clusters)
        cells = rates(tally, "all", 1, designs)
        named: dict[Measure, RateCell] = {
            "break": cells["break"],
            "break_control": cells["break_control"],
            "fix": cells["fix"],
            "fix_control": cells["fix_control"],
            "net": benefit(tally, designs, over_control=False),
            "net_of_f": benefit(tally, designs, over_control=True),
        }
        for measure, c in named.items():
            yield Point(
                measure=measure, who=edge, domain=domain, condition=context, n=c.answers, questions=c.questions,
                value=c.rate, low=c.low, high=c.high,
            )  # fmt: skip
