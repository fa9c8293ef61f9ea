"""What a method is: one row of the benchmark. docs/methods.md says how to add one.

Most methods train (``Trained``): such a method says on which graph it works, behind which gates its tutors speak, and
what a training step's rollouts become: rows for the trainer, and the objective that is minimised on them. A new one is
a class with ``objective`` and ``learn``; the other hooks have the answer that most methods give. Methods that only
average weights (``Average``) have none of these hooks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from coopt.core.config.schema import Config, GateConfig
from coopt.core.config.section import Section
from coopt.domains.base import Domain
from coopt.domains.load import check_solutions
from coopt.graph.cost import messages_a_rollout
from coopt.graph.topology import Edge, Topology
from coopt.methods.step import Learnt, Step, Tutee

if TYPE_CHECKING:  # its module imports torch, which the command line does without
    from coopt.lm.training.objectives import Objective

Starts = Mapping[str, Mapping[str, float]]
"""student -> domain -> validation accuracy of its start"""


class Method(ABC):
    """One row of the benchmark. ``options``: the method's own settings (``--set options.NAME.KEY=VALUE``), of the class
    ``Options``."""

    name: ClassVar[str]
    description: ClassVar[str]
    adversaries: ClassVar[bool] = False
    """Whether the run's hostile nodes are hostile here."""
    against: ClassVar[tuple[str, ...]] = ()
    """Methods of the run, beside its first, that it is compared with."""
    Options: ClassVar[type[Section]] = Section

    def __init__(self, options: Any = None) -> None:
        self.options: Any = options if options is not None else self.Options()
        self.in_run({})

    def in_run(self, options: Mapping[str, Mapping[str, Any]]) -> None:  # noqa: B027 (most need nothing)
        """The options of all methods of its run. Raises ``ConfigError``."""

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:  # noqa: B027 (most need nothing)
        """Refuse a run that has not what the method needs. Raises ``ConfigError``."""


class Average(Method):
    """Every student becomes the mean of the weights of all students; nothing is trained."""

    @property
    @abstractmethod
    def of(self) -> str:
        """Whose students are averaged: ``init``, or a method, as they are after its last round."""


class Trained(Method):
    """Students learn from what becomes of each step's rollouts."""

    informed: ClassVar[bool] = False
    """Whether it needs worked solutions of training questions, or the true facts. ``Run.is_informed`` also counts what
    its tutors hand over."""
    rolls_out: ClassVar[bool] = True
    """Whether students answer the prompts; without, the method learns from the data alone."""
    tokens_of: str = ""
    """The method at whose tokens it stops (``Tutee.budget``); empty: at none."""
    frozen_tutors: ClassVar[bool] = False
    """Whether tutors stay the initial students in every round."""
    reads_peers: ClassVar[bool] = False
    """Whether the weights of open tutors, as they are at the round's start, are the trainer's peers: to write rollouts,
    or to teach by their logits."""

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        if self.informed:
            check_solutions(domains, f"method {self.name}")

    def configure(self, config: Config) -> Config:
        """The run's settings as this method trains with them."""
        return config

    def responses(self, config: Config, tutors: int) -> float:
        """Responses that are drawn for each prompt, with ``tutors`` tutors, for the plan."""
        return config.rounds.rollouts if self.rolls_out else 0

    def most_responses(self, config: Config, tutors: int) -> float:
        """The most of them, revisions and peers' among them, for the bound on an entry's tokens."""
        return max(config.rounds.rollouts, self.responses(config, tutors))

    def messages(self, config: Config, tutors: int) -> float:
        """Texts that ``tutors`` tutors should write about a rollout, for the plan."""
        return messages_a_rollout(tutors, config.feedback.assign)

    def graph(self, topology: Topology) -> Topology:
        """The graph on which it works: the run's, perhaps with critics of its own."""
        return topology

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        """The tutor edges that this method uses in a round, each with its gate; ``ORACLE`` may stand as a tutor, and a
        student as its own. ``default``: the run's gate."""
        return {}

    def logit_teachers(self, starts: Starts) -> Mapping[str, str]:
        """domain -> the student whose frozen start gives its logits as the teacher there; empty: none does."""
        return {}

    def outside_teachers(self) -> Mapping[str, str]:
        """name -> a model (as ``model.path`` names it) that is no student's and teaches by its logits."""
        return {}

    def trains_on(self, tutee: Tutee) -> Sequence[str]:
        """The domains whose training questions a tutee gets in its round."""
        return tutee.trained_on or tutee.config.domains

    @abstractmethod
    def objective(self, config: Config) -> Objective:
        """What is minimised on the rows."""

    @abstractmethod
    def learn(self, step: Step) -> Learnt:
        """What a step trains on, and what is to be written down of it."""


METHODS: dict[str, type[Method]] = {}
_Class = TypeVar("_Class", bound=type[Method])


def method(cls: _Class) -> _Class:
    """Class decorator: enter a method under its name."""
    METHODS[cls.name] = cls
    return cls


def with_settings(config: Config, **sections: Mapping[str, Any]) -> Config:
    """``config`` with settings changed, section by section: ``with_settings(config, teacher={"kind": "live"})``."""
    return config.model_copy(
        update={name: getattr(config, name).model_copy(update=dict(changed)) for name, changed in sections.items()}
    )
