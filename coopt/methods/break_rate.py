"""The break-rate probe (paper Appendix E): does a tutor's feedback turn right answers wrong?

The initial students answer validation questions n times at training temperature. Every edge's tutor critiques
every answer, whatever its gate says, and the tutee answers again in six contexts: nothing (``again``), s only, f
only, s and f, and the paper's, "f and the previous correct rollout if it exists" (``paper``), beside its control
(``paper_control``: the same without f). s is that of training; the paper's is the earliest correct rollout, be it the
one that is asked again. Controls are there because sampling again breaks answers too. All texts are kept beside the
grids, for reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coopt.core.config.schema import Config
from coopt.core.rng import generator, stable_hash
from coopt.domains.base import Domain, Item
from coopt.domains.reprompt import reprompt
from coopt.graph.topology import REWRITES, Edge
from coopt.lm.engines.base import Draws, Engine, Generation, Sampling
from coopt.lm.policy import Policy
from coopt.methods.rollouts import Feedback, RolloutGroup, earliest_correct, rewarded
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.base import Request, Tutor, TutorAwayError

Grid = list[list[Any]]
"""[questions][n]"""


class _Answer(NamedTuple):
    """An answer in some context."""

    text: str
    reward: float


class _Said(NamedTuple):
    """What a tutor wrote on an answer, and what the filter made of it."""

    raw: str
    feedback: Feedback


def probe_tutee(
    tutee: Policy,
    engine: Engine,
    domains: Mapping[str, Domain],
    tutors: Mapping[Edge, Tutor],
    config: Config,
    key: Sequence[object],
    first: Mapping[str, Sequence[RolloutGroup]] | None = None,
) -> dict[str, Any]:
    """All answers of one tutee before and after, as 0/1 grids; None where a context does not exist. ``first``: its
    answers before, by domain, where they are there already (``first_answers``).

    ``{"domains": {name: {"items", "before", "again", "s", "paper_control", "edges": {edge: {"f", "sf", "paper",
    "kept"}}}}, "away", "texts"}``;
    ``away``: edges whose tutor stopped answering, and why; ``texts``: one record a question (``_Probe.texts``).
    """
    answer: dict[str, Any] = {"version": 1, "domains": {}, "away": {}, "texts": []}
    for name, domain in domains.items():
        probe = _Probe(tutee, engine, domain, config, (*key, name), answer["away"])
        groups = first[name] if first else probe.before(domain.items("validation"))
        answer["domains"][name] = probe.run(groups, tutors)
        answer["texts"] += probe.texts
    return answer


def first_answers(
    tutee: Policy, engine: Engine, domain: Domain, items: Sequence[Item], config: Config, key: Sequence[object]
) -> list[RolloutGroup]:
    """n answers to each question at training temperature."""
    return _Probe(tutee, engine, domain, config, key, {}).before(items)


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
        self.texts: list[dict[str, Any]] = []
        """One record a question, shaped like those of a training step (``records``), with what the tutee answered
        again: ``again``, ``s`` and ``paper_control`` beside each rollout, ``f``, ``sf`` and ``paper`` beside each
        message."""

    def run(self, groups: Sequence[RolloutGroup], tutors: Mapping[Edge, Tutor]) -> dict[str, Any]:
        demos = [earliest_correct(g, self.config.rounds.exclude_self) for g in groups]
        nothing: Grid = [[None] * len(g.rollouts) for g in groups]
        everywhere: Grid = [[""] * len(g.rollouts) for g in groups]
        again = self._again(groups, nothing, nothing, everywhere)
        own = self._again(groups, demos, nothing, demos)
        itself = _earliest_themselves(groups)
        control = _first(self._again(groups, itself, nothing, itself), own, again)
        self.texts = [_record(*parts) for parts in zip(groups, again, own, control, strict=True)]
        result: dict[str, Any] = {
            "items": [g.item.id for g in groups],
            "before": [[int(r) for r in g.rewards] for g in groups],
            "again": _right(again),
            "s": _right(own),
            "paper_control": _right(control),
            "edges": {},
        }
        for edge, tutor in tutors.items():
            said = self._feedback(groups, edge, tutor)
            feedback = [[m.feedback.text if m else None for m in row] for row in said]
            rewrite = tutor.style in REWRITES  # a whole solution takes the place of s
            alone: tuple[Grid, Grid] = (feedback, nothing) if rewrite else (nothing, feedback)
            f = self._again(groups, *alone, feedback)
            with_s: list[Grid] = []
            for s in (demos, itself):
                shown: tuple[Grid, Grid] = alone if rewrite else (s, feedback)
                with_s.append(self._again(groups, *shown, _both(s, feedback)))
            sf, selves = with_s
            paper = _first(selves, sf, f)
            result["edges"][str(edge)] = {
                "f": _right(f),
                "sf": _right(sf),
                "paper": _right(paper),
                "kept": sum(f is not None for row in feedback for f in row),
            }
            for record, *rows in zip(self.texts, said, f, sf, paper, strict=True):
                for rollout, *parts in zip(record["rollouts"], *rows, strict=True):
                    rollout["messages"] += _message(edge.tutor, *parts)
        return result

    def before(self, items: Sequence[Item]) -> list[RolloutGroup]:
        self.engine.sync(self.tutee)
        prompts = [self.tutee.prompt_ids(self.domain.wording, i.prompt) for i in items]
        draws = Draws(generator(*self.key, "before"))
        answers = self.engine.generate(prompts, self.config.rounds.rollouts, self.how, draws)
        return [
            RolloutGroup(i, tuple(rewarded(self.domain, i, prompt, y) for y in ys))
            for i, prompt, ys in zip(items, prompts, answers, strict=True)
        ]

    def _feedback(self, groups: Sequence[RolloutGroup], edge: Edge, tutor: Tutor) -> Grid:
        """What the tutor says (``_Said``) of every answer."""
        drawn = bool(self.config.sampling.feedback_temperature)
        requests = [
            Request(y.item, y.shown, stable_hash(*self.key, edge, y.item.id, j, "critique") if drawn else 0)
            for g in groups
            for j, y in enumerate(g.rollouts)
        ]
        kind = self.domain.answer
        said: list[str | None] = [None] * len(requests)  # an edge without a tutor has no answers
        try:
            if str(edge) not in self.away:
                said = tutor.critique(requests)
        except TutorAwayError as error:
            if self.config.critics.when_unavailable == "stop":
                raise
            self.away[str(edge)] = str(error)
        filtered = [
            None if raw is None else _Said(raw, filter_feedback(raw, request.item, kind, tutor.style))
            for request, raw in zip(requests, said, strict=True)
        ]
        width = self.config.rounds.rollouts
        return [filtered[k : k + width] for k in range(0, len(filtered), width)]

    def _again(self, groups: Sequence[RolloutGroup], demos: Grid, feedback: Grid, where: Grid) -> Grid:
        """Answer again (``_Answer``) with context (s, f) wherever ``where`` is not None."""
        wording, room = self.domain.wording, self.tutee.context_length - self.how.max_tokens
        order = self.config.feedback.order
        places, prompts = [], []
        for p, group in enumerate(groups):
            for j in range(len(group.rollouts)):
                if where[p][j] is not None:
                    text = reprompt(wording, group.item.prompt, demos[p][j], feedback[p][j], order=order)
                    ids = self.tutee.prompt_ids(wording, text)
                    if len(ids) <= room:
                        places.append((p, j))
                        prompts.append(ids)
        self.engine.sync(self.tutee)
        # The same stream for every context: where the same answers are asked again, a difference is the context's.
        draws = Draws(generator(*self.key, "after"))
        answers: list[list[Generation]] = self.engine.generate(prompts, 1, self.how, draws) if prompts else []
        grid: Grid = [[None] * len(g.rollouts) for g in groups]
        for (p, j), generations in zip(places, answers, strict=True):
            text = generations[0].text
            grid[p][j] = _Answer(text, self.domain.score(text, groups[p].item))
        return grid


def _earliest_themselves(groups: Sequence[RolloutGroup]) -> Grid:
    """The rollouts that are the earliest correct one of their question, whatever training's ``exclude_self`` says."""
    earliest = [earliest_correct(g, exclude_self=False) for g in groups]
    first = [next((j for j, y in enumerate(g.rollouts) if y.correct), None) for g in groups]
    return [[demo if j == k else None for j, demo in enumerate(row)] for row, k in zip(earliest, first, strict=True)]


def _both(demos: Grid, feedback: Grid) -> Grid:
    """Where there is an s and an f."""
    return [[s and f for s, f in zip(*rows, strict=True)] for rows in zip(demos, feedback, strict=True)]


def _first(*grids: Grid) -> Grid:
    """In each place what the first of the grids has that has something there."""
    return [
        [next((x for x in places if x is not None), None) for places in zip(*rows, strict=True)]
        for rows in zip(*grids, strict=True)
    ]


def _right(answers: Grid) -> Grid:
    """The grid as 0/1."""
    return [[None if a is None else int(a.reward) for a in row] for row in answers]


def _record(group: RolloutGroup, *answers: Sequence[_Answer | None]) -> dict[str, Any]:
    """``answers``: again, with s, and the paper's control."""
    return {
        "item": group.item.id,
        "domain": group.item.domain,
        "rollouts": [
            {"text": y.text, "reward": y.reward, "again": _text(a), "s": _text(s), "paper_control": _text(p)}
            | {"messages": []}
            for y, a, s, p in zip(group.rollouts, *answers, strict=True)
        ],
    }


def _message(tutor: str, said: _Said | None, *answers: _Answer | None) -> list[dict[str, Any]]:
    """Nothing where the tutor was not there or could not read the request. ``answers``: with f, with s and f, in the
    paper's context."""
    if said is None:
        return []
    after = dict(zip(("f", "sf", "paper"), map(_text, answers), strict=True))
    return [{"tutor": tutor, "raw": said.raw, "outcome": said.feedback.outcome, "kept": said.feedback.text} | after]


def _text(answer: _Answer | None) -> dict[str, Any] | None:
    return None if answer is None else answer._asdict()
