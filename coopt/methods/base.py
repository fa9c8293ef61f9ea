"""What a method is: one row of the benchmark. docs/methods.md says how to add one.

A method says on which graph it works, behind which gates its tutors speak, and what a training step's rollouts become:
rows for the trainer, and the objective that is minimised on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

from coopt.core.config.section import Section
from coopt.domains.base import Domain, Item
from coopt.domains.load import check_solutions
from coopt.domains.thinking import without_thinking
from coopt.graph.cost import messages_a_rollout
from coopt.graph.topology import Edge, Topology
from coopt.lm.engines.base import Generation
from coopt.methods.tutors.anchor import Feedback

if TYPE_CHECKING:
    from coopt.core.config.schema import Config, GateConfig
    from coopt.lm.training.base import TrainRow
    from coopt.lm.training.objectives import Objective
    from coopt.methods.step import Step


class RolloutGroup(NamedTuple):
    """The n rollouts of one prompt with their rewards."""

    item: Item
    rollouts: list[Generation]
    rewards: list[float]


class Context(NamedTuple):
    """What the self-teacher of one rollout sees beyond the question: c = (s, f), or a reference to derive anew."""

    demonstration: str | None
    feedback: str | None
    reference: str | None = None


class Told(NamedTuple):
    """What one tutor said on one rollout. ``unread``: the request was too long for the tutor, or it was away.
    ``score``: the committee's mean, 1 to 5; ``voted_down``: it did not pass, and is not handed on; ``judgements``:
    what each judge, by name, wrote about it; ``rewrite``: it is a whole solution and no feedback."""

    tutor: str
    raw: str
    feedback: Feedback | None
    unread: bool
    score: float | None = None
    voted_down: bool = False
    judgements: tuple[tuple[str, str], ...] = ()
    rewrite: bool = False

    @property
    def text(self) -> str | None:
        """What is handed on."""
        return self.feedback.text if self.feedback and not self.voted_down else None


Messages = list[list[tuple[Told, ...]]]
"""For each prompt and rollout what its tutors said."""


def heard(messages: Sequence[Told]) -> str | None:
    """f of a rollout: its tutors' kept texts, one after another; None where there is none."""
    return "\n".join(m.text for m in messages if m.text is not None and not m.rewrite) or None


def rewritten(messages: Sequence[Told]) -> str | None:
    """The first solution that a tutor handed over for a rollout; None where there is none."""
    return next((m.text for m in messages if m.text is not None and m.rewrite), None)


Starts = Mapping[str, Mapping[str, float]]
"""student -> domain -> validation accuracy of its start"""


class Method(Protocol):
    """One row of the benchmark."""

    name: ClassVar[str]
    description: ClassVar[str]
    adversaries: ClassVar[bool]
    """Whether the run's hostile nodes are hostile here."""
    against: ClassVar[tuple[str, ...]]
    """Methods of the run, beside its first, that it is compared with."""
    informed: ClassVar[bool]
    """Whether it needs worked solutions of training questions, or the true facts. ``Run.is_informed`` also counts what
    its tutors hand over."""

    def configure(self, config: Config) -> Config:
        """The run's settings as this method trains with them."""
        ...

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        """Refuse a run that has not what the method needs. Raises ``ConfigError``."""
        ...

    def rounds(self, config: Config) -> int:
        """How many rounds it trains."""
        ...

    def rollouts(self, config: Config) -> int:
        """Rollouts of a prompt in a step, for the plan; 0: it learns from the data alone."""
        ...

    def messages(self, config: Config, tutors: int) -> float:
        """Texts that ``tutors`` tutors should write about a rollout, for the plan."""
        ...

    def graph(self, topology: Topology) -> Topology:
        """The graph on which it works: the run's, perhaps with critics of its own."""
        ...

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        """The tutor edges that this method uses in a round, each with its gate; ``ORACLE`` may stand as a tutor, and a
        student as its own. ``default``: the run's gate."""
        ...

    def tutor_round(self, newest: int) -> int:
        """After which round a tutor's weights are taken; ``newest``: as the run's schedule has it."""
        ...

    def logit_teachers(self, starts: Starts) -> Mapping[str, str]:
        """domain -> the student whose frozen start gives its logits as the teacher there; empty: none does."""
        ...

    def averages(self) -> str:
        """Whose students' weights every student becomes the mean of: ``init`` or a method; then nothing is trained.
        Empty: it trains."""
        ...

    def objective(self, config: Config) -> Objective:
        """What is minimised on the rows."""
        ...

    def learn(self, step: Step) -> list[list[TrainRow]]:
        """What a step trains on: rows, in one part for each optimizer update."""
        ...


class Trained(ABC):
    """What most methods share: the run's settings, rounds and graph, no tutors. ``options``: the method's own settings
    (``--set options.NAME.KEY=VALUE``), of the class ``Options``."""

    name: ClassVar[str]
    description: ClassVar[str]
    adversaries: ClassVar[bool] = False
    against: ClassVar[tuple[str, ...]] = ()
    informed: ClassVar[bool] = False
    Options: ClassVar[type[Section]] = Section

    def __init__(self, options: Any = None) -> None:
        self.options: Any = options if options is not None else self.Options()

    def configure(self, config: Config) -> Config:
        return config

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        if self.informed:
            check_solutions(domains, f"method {self.name}")

    def rounds(self, config: Config) -> int:
        return config.rounds.rounds

    def rollouts(self, config: Config) -> int:
        return config.rounds.rollouts

    def messages(self, config: Config, tutors: int) -> float:
        return messages_a_rollout(tutors, config.feedback.assign)

    def graph(self, topology: Topology) -> Topology:
        return topology

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        return {}

    def tutor_round(self, newest: int) -> int:
        return newest

    def logit_teachers(self, starts: Starts) -> Mapping[str, str]:
        return {}

    def averages(self) -> str:
        return ""

    @abstractmethod
    def objective(self, config: Config) -> Objective: ...

    @abstractmethod
    def learn(self, step: Step) -> list[list[TrainRow]]: ...


METHODS: dict[str, type[Trained]] = {}
_Class = TypeVar("_Class", bound=type[Trained])


def method(cls: _Class) -> _Class:
    """Class decorator: enter a method under its name."""
    METHODS[cls.name] = cls
    return cls


ORACLE = "oracle"
SUCCESS = 0.5  # a reward at or above this is a correct rollout (SDPO's shipped threshold)


def earliest_correct(group: RolloutGroup, exclude_self: bool) -> list[str | None]:
    """For each rollout the earliest correct rollout of its prompt, other than itself if ``exclude_self``; without what
    it thought."""
    correct = [j for j, reward in enumerate(group.rewards) if reward >= SUCCESS]
    chosen: list[str | None] = []
    for j in range(len(group.rollouts)):
        candidates = [c for c in correct if not (exclude_self and c == j)]
        chosen.append(without_thinking(group.rollouts[candidates[0]].text) if candidates else None)
    return chosen


def with_settings(config: Config, **sections: Mapping[str, Any]) -> Config:
    """``config`` with settings changed, section by section: ``with_settings(config, teacher={"kind": "live"})``."""
    return config.model_copy(
        update={name: getattr(config, name).model_copy(update=dict(changed)) for name, changed in sections.items()}
    )
