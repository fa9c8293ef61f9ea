"""Rollouts of peers: drawn on the tutee's prompts from their weights at the round's start, and read as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, NamedTuple

from coopt.lm.training.base import TrainRow
from coopt.methods.rollouts import Rollout, RolloutGroup, all_rollouts
from coopt.methods.step import Learnt, Step

_LEAST = 1e-8  # of a capability
_EPSILON = 1e-6  # beside a standard deviation


class Source(NamedTuple):
    """What a peer answered, by the place of the prompt in the step. Prompts and tokens are those of its tokenizer."""

    peer: str
    groups: Mapping[int, RolloutGroup]


def draw_from_peers(step: Step) -> list[Source]:
    """n rollouts of each open tutor on the step's prompts of the domains in which it is open."""
    found = []
    for tutor in step.tutee.open_tutors:
        policy = step.tutee.trainer.peers[tutor.name]
        places = [k for k, item in enumerate(step.items) if item.domain in tutor.domains]
        if places:
            items = [step.items[k] for k in places]
            prompts = [policy.prompt_ids(step.domains[i.domain].wording, i.prompt) for i in items]
            groups = step.draw(policy, items, prompts, step.config.rounds.rollouts, "rollout", tutor.name)
            found.append(Source(tutor.name, dict(zip(places, groups, strict=True))))
    return found


def read_foreign(step: Step, source: Source) -> dict[int, list[TrainRow | None]]:
    """A peer's rollouts as the tutee reads them, by place: its text in the tutee's own tokens after the tutee's own
    prompt, with an end token where the peer wrote one, and as ``given`` the mean log-probability that the peer gave its
    own tokens. So a ratio of the two is one of means, each over its reader's tokens: it needs no common tokenizer. None
    for what is too long."""
    every = all_rollouts(source.groups.values())
    said = step.reader.logprobs([(y.prompt, y.tokens) for y in every], source.peer)
    rows = iter([_row(step, y, fmean(own)) for y, own in zip(every, said, strict=True)])
    return {place: [next(rows) for _ in group.rollouts] for place, group in source.groups.items()}


def _row(step: Step, y: Rollout, mean: float) -> TrainRow | None:
    prompt, ids = step.prompt_ids(y.item), step.policy.response_ids(y.text)
    response = ids if y.generation.finished else ids[:-1]
    if not response or not step.fits(prompt, response):
        return None
    return TrainRow(prompt, prompt, response, given=mean)


def capabilities(own: Sequence[RolloutGroup], sources: Sequence[Source]) -> dict[str, list[float]]:
    """peer -> mean rewards of the tutee and of the peer, on the prompts that both answered."""
    return {
        s.peer: [
            fmean(r for k in s.groups for r in own[k].rewards),
            fmean(r for group in s.groups.values() for r in group.rewards),
        ]
        for s in sources
    }


def capability_ratio(peer: str, steps: Sequence[Mapping[str, Any]], bound: float) -> float:
    """omega(tutee, peer): the ratio of their mean ``capability`` in these records, within 1 / bound and bound."""
    pairs = [s["capability"][peer] for s in steps if peer in s.get("capability", {})]
    ours, theirs = (max(_LEAST, fmean(side)) for side in zip(*pairs, strict=True))
    return min(max(ours / theirs, 1 / bound), bound)


def shared_advantages(
    own: Sequence[float], theirs: Sequence[Sequence[float]], ratios: Sequence[float]
) -> tuple[list[float], list[list[float]]]:
    """HACPO's advantages of a prompt's rollouts, own and each peer's: r less a baseline in which a peer's rewards count
    ``ratios`` times, over the sample deviation of all rewards as they are (2603.02604 Eq. 5 to 7, and its code's
    guards)."""
    every = [*own, *(r for rewards in theirs for r in rewards)]
    if min(every) == max(every):
        return [0.0] * len(own), [[0.0] * len(rewards) for rewards in theirs]
    weighed = sum(ratio * sum(rewards) for ratio, rewards in zip(ratios, theirs, strict=True))
    baseline = (sum(own) + weighed) / len(every)
    if baseline > 1:  # no rollout could be better
        baseline = fmean(own)
    spread = stdev(every) + _EPSILON
    return [(r - baseline) / spread for r in own], [[(r - baseline) / spread for r in rewards] for rewards in theirs]


class SharedPrompt(NamedTuple):
    """A prompt's rollouts with their advantages."""

    own: list[tuple[Rollout, float]]
    foreign: list[TrainRow]
    """Their advantages hold omega(peer, tutee)."""


class SharedRollouts(NamedTuple):
    """A step's own and foreign rollouts."""

    groups: list[RolloutGroup]
    sources: list[Source]
    prompts: list[SharedPrompt]
    capability: Mapping[str, list[float]]
    too_long: int

    @property
    def own_examples(self) -> int:
        return len(all_rollouts(self.groups))

    @property
    def examples(self) -> int:
        """Own and foreign rollouts, trained on or not."""
        return self.own_examples + len(self._foreign)

    @property
    def _foreign(self) -> list[Rollout]:
        return [y for s in self.sources for y in all_rollouts(s.groups.values())]

    def learnt(self, parts: Sequence[Sequence[TrainRow]]) -> Learnt:
        """What a method that trains on ``parts`` has learnt."""
        return Learnt(
            parts,
            [
                replace(group, notes={**group.notes, "foreign": _written_beside(self.sources, k)})
                for k, group in enumerate(self.groups)
            ],
            examples=self.examples,
            too_long=self.too_long,
            more_tokens=sum(len(y.tokens) for y in self._foreign),
            counts={"capability": dict(self.capability)},
        )


def share_rollouts(step: Step, window: int, bound: float) -> SharedRollouts:
    """The step's rollouts and its peers', with advantages. ``window``: steps, this one among them, over which
    capabilities are compared; ``bound``: of their ratio."""
    groups, sources = step.roll_out(), draw_from_peers(step)
    capability = capabilities(groups, sources)
    steps = [*step.past[len(step.past) - min(window - 1, len(step.past)) :], {"capability": capability}]
    ratios = {s.peer: capability_ratio(s.peer, steps, bound) for s in sources}
    read = {s.peer: read_foreign(step, s) for s in sources}
    prompts = []
    for place, group in enumerate(groups):
        here = [s for s in sources if place in s.groups]
        rewards = [s.groups[place].rewards for s in here]
        own, theirs = shared_advantages(group.rewards, rewards, [ratios[s.peer] for s in here])
        foreign = [
            row._replace(advantage=a / ratios[s.peer])  # omega(peer, tutee) is the inverse, within the same bounds
            for s, worth in zip(here, theirs, strict=True)
            for row, a in zip(read[s.peer][place], worth, strict=True)
            if row is not None
        ]
        prompts.append(SharedPrompt(list(zip(group.rollouts, own, strict=True)), foreign))
    too_long = sum(row is None for rows in read.values() for made in rows.values() for row in made)
    return SharedRollouts(groups, sources, prompts, capability, too_long)


def _written_beside(sources: Sequence[Source], place: int) -> list[dict[str, Any]]:
    """The peers' answers to a prompt, as they are kept."""
    groups = [(s.peer, s.groups[place]) for s in sources if place in s.groups]
    return [{"peer": peer, "text": y.text, "reward": y.reward} for peer, group in groups for y in group.rollouts]
