"""What a domain is: questions with answers, a scorer, and the words around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from coopt.core.config.schema import Extraction
from coopt.domains.wording import Wording

AnswerKind = Literal["letter", "text", "number"]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question. ``answer`` is what the scorer compares with: a letter, a text or a number."""

    id: str
    domain: str
    stem: str
    options: tuple[tuple[str, str], ...]
    """(label, text) pairs; none if the answer is free."""
    key: str
    """Label of the correct option; empty if the answer is free."""
    prompt: str
    """The user message: stem, options if letters are asked for, closing instruction."""
    answer: str
    solution: str | None = None
    split: Split | None = None
    """The split that its rows give it; None: coopt's own, by hash."""
    clusters: tuple[str, ...] = ()
    """What it shares with other questions: facts, a passage, the text. None: it is one of its own."""
    tolerance: float = 0.0
    """A number is right if it is off by at most this share of the right one."""
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def correct_text(self) -> str:
        return dict(self.options).get(self.key, self.answer)


class Reading(NamedTuple):
    """What a response answers."""

    answer: str
    """A letter, a number or a text, as answers are compared with one another; where nothing was read, some text that
    is no answer."""
    value: str
    """The same, comparable between ways of reading."""
    read: bool
    correct: bool


@runtime_checkable
class Domain(Protocol):
    """A domain of the benchmark. ``coopt.domains.rows.RowDomain`` serves any rows."""

    @property
    def name(self) -> str: ...

    @property
    def answer(self) -> AnswerKind: ...

    @property
    def extraction(self) -> Extraction: ...

    @property
    def wording(self) -> Wording: ...

    @property
    def rows(self) -> Sequence[Item]:
        """All questions, those beyond the configuration's limits too."""
        ...

    def items(self, split: Split) -> Sequence[Item]:
        """The questions of a split, in a fixed order; limits of the configuration applied."""
        ...

    def read(self, response: str, item: Item) -> Reading:
        """What the response answers, read as ``extraction`` says."""
        ...

    def score(self, response: str, item: Item) -> float:
        """1.0 if the response answers the item, else 0.0."""
        ...

    def constant(self, split: Split) -> tuple[str, float]:
        """The best constant answer of a split and the share of questions that it answers."""
        ...


@runtime_checkable
class KnowsFacts(Protocol):
    """A domain that knows which facts a question needs (for the ``oracle`` control and for hostile tutors)."""

    def true_critique(self, item: Item, response: str, anchored: bool) -> str:
        """A critique in the tutors' own format whose facts are all true."""
        ...

    def false_critique(self, item: Item, response: str, anchored: bool) -> str:
        """One whose facts are all false, in the same tone (a hostile tutor's)."""
        ...


@runtime_checkable
class KnowsErrors(Protocol):
    """A domain that knows where a response goes wrong (for analyses before and after the first error)."""

    def first_error(self, item: Item, response: str) -> int | None:
        """The character of a response at which it first goes wrong; None if it does not."""
        ...
