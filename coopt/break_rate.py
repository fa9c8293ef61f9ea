"""The break-rate probe (paper Appendix E): does a tutor's feedback turn right answers wrong?

The initial students answer validation questions n times at training temperature. Every edge's tutor critiques
every answer, whatever its gate says, and the tutee answers again in four contexts: nothing (``again``), s
only, f only, s and f. The first two are the controls: sampling again breaks answers too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coopt.config.schema import Config
from coopt.domains.base import Domain, Item
from coopt.engine.base import Engine, Generation, Sampling
from coopt.feedback.anchor import filter_feedback
from coopt.feedback.reprompt import reprompt
from coopt.feedback.tutors import Request, Tutor, TutorAwayError
from coopt.graph.topology import REWRITES, Edge
from coopt.methods.base import RolloutGroup, earliest_correct
from coopt.models.policy import Policy
from coopt.rng import generator

Grid = list[list[Any]]
"""[questions][n]"""


def probe_tutee(
    tutee: Policy,
    engine: Engine,
    domains: Mapping[str, Domain],
    tutors: Mapping[Edge, Tutor],
    config: Config,
    key: Sequence[object],
) -> dict[str, Any]:
    """All answers of one tutee before and after, as 0/1 grids; None where a context does not exist.

    ``{"domains": {name: {"items", "before", "again", "s", "edges": {edge: {"f", "sf", "kept"}}}}, "away"}``; ``away``:
    edges whose tutor stopped answering, and why.
    """
    answer: dict[str, Any] = {"version": 1, "domains": {}, "away": {}}
    for name, domain in domains.items():
        answer["domains"][name] = _Probe(tutee, engine, domain, config, (*key, name), answer["away"]).run(tutors)
    return answer


class _Probe:
    """One tutee on one domain."""

    def __init__(
        self,
        tutee: Policy,
        engine: Engine,
        domain: Domain,
        config: Config,
        key: Sequence[object],
        away: dict[str, str],
    ) -> None:
        self.tutee = tutee
        self.engine = engine
        self.domain = domain
        self.config = config
        self.key = key
        self.away = away
        self.how = Sampling(config.sampling.temperature, config.sampling.max_response_tokens)

    def run(self, tutors: Mapping[Edge, Tutor]) -> dict[str, Any]:
        items = list(self.domain.items("validation"))
        groups = self._answers(items)
        demos = [earliest_correct(g, self.config.rounds.exclude_self) for g in groups]
        nothing: Grid = [[None] * len(g.rollouts) for g in groups]
        everywhere: Grid = [[""] * len(g.rollouts) for g in groups]
        result: dict[str, Any] = {
            "items": [i.id for i in items],
            "before": [[int(r) for r in g.rewards] for g in groups],
            "again": self._again(groups, nothing, nothing, everywhere),
            "s": self._again(groups, demos, nothing, demos),
            "edges": {},
        }
        for edge, tutor in tutors.items():
            feedback = self._feedback(groups, edge, tutor)
            both = [[s and f for s, f in zip(*rows, strict=True)] for rows in zip(demos, feedback, strict=True)]
            rewrite = tutor.style in REWRITES  # a whole solution takes the place of s
            alone: tuple[Grid, Grid] = (feedback, nothing) if rewrite else (nothing, feedback)
            with_s: tuple[Grid, Grid] = alone if rewrite else (demos, feedback)
            result["edges"][str(edge)] = {
                "f": self._again(groups, *alone, feedback),
                "sf": self._again(groups, *with_s, both),
                "kept": sum(f is not None for row in feedback for f in row),
            }
        return result

    def _answers(self, items: Sequence[Item]) -> list[RolloutGroup]:
        self.engine.sync(self.tutee)
        prompts = [self.tutee.prompt_ids(self.domain.wording, i.prompt) for i in items]
        rng = generator(*self.key, "before")
        rollouts = self.engine.generate(prompts, self.config.rounds.rollouts, self.how, rng)
        return [
            RolloutGroup(i, ys, [self.domain.score(y.text, i) for y in ys])
            for i, ys in zip(items, rollouts, strict=True)
        ]

    def _feedback(self, groups: Sequence[RolloutGroup], edge: Edge, tutor: Tutor) -> Grid:
        requests = [Request(g.item, y.text) for g in groups for y in g.rollouts]
        kind = self.domain.answer
        said: list[str | None] = [None] * len(requests)  # an edge without a tutor has no answers
        try:
            if str(edge) not in self.away:
                said = tutor.critique(requests)
        except TutorAwayError as error:
            if self.config.critics.when_unavailable == "stop":
                raise
            self.away[str(edge)] = str(error)
        texts = [
            None if raw is None else filter_feedback(raw, request.item, kind, tutor.style).text
            for request, raw in zip(requests, said, strict=True)
        ]
        width = self.config.rounds.rollouts
        return [texts[k : k + width] for k in range(0, len(texts), width)]

    def _again(self, groups: Sequence[RolloutGroup], demos: Grid, feedback: Grid, where: Grid) -> Grid:
        """Answer again with context (s, f) wherever ``where`` is not None."""
        wording, room = self.domain.wording, self.tutee.context_length - self.how.max_tokens
        places, prompts = [], []
        for p, group in enumerate(groups):
            for j in range(len(group.rollouts)):
                if where[p][j] is not None:
                    text = reprompt(wording, group.item.prompt, demos[p][j], feedback[p][j])
                    ids = self.tutee.prompt_ids(wording, text)
                    if len(ids) <= room:
                        places.append((p, j))
                        prompts.append(ids)
        self.engine.sync(self.tutee)
        rng = generator(*self.key, "after")
        answers: list[list[Generation]] = self.engine.generate(prompts, 1, self.how, rng) if prompts else []
        grid: Grid = [[None] * len(g.rollouts) for g in groups]
        for (p, j), generations in zip(places, answers, strict=True):
            grid[p][j] = int(self.domain.score(generations[0].text, groups[p].item))
        return grid
