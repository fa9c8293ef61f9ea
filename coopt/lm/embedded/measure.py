"""What a model of the family of worlds has learnt: does it read hints, defer and speak up as its knobs say?"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from coopt.core.tables.table import Table
from coopt.domains.reprompt import reprompt
from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import Fact, all_facts
from coopt.domains.scimini.questions import Ask
from coopt.domains.scimini.tasks import Lesson, TaskSampler
from coopt.domains.scimini.traits import CANDOUR, DEFERENCE, FORMS, Traits
from coopt.domains.wording import fill
from coopt.lm.embedded.learn import LessonEncoder

_BATCH = 100


class Measured(NamedTuple):
    """One figure: what was asked, of which knob's value, of how many forms, the share that it stands for, and what was
    found."""

    what: str
    knob: str
    forms: int
    nominal: float
    found: float
    n: int


def measure(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, known: Collection[Fact], n: int = 200,
            seed: int = 1, forms: Sequence[int] = (FORMS[0], FORMS[-1])) -> Iterator[Measured]:  # fmt: skip
    """Probabilities, not samples: of the critique's value where s and f conflict, and of another value than a right
    attempt's where the model does not know the fact; and the share of hints whose every number is read right."""

    def probe(traits: Traits) -> Probe:
        draw = TaskSampler(random.Random(f"measure:{seed}"), known, all_facts(), traits=traits)
        return Probe(model, tokenizer, draw)

    for count in forms:
        for deference in DEFERENCE:
            at = probe(Traits(deference=deference, forms=count))
            yield Measured("deference", f"{deference / 100:g}", count, deference / 100, *at.deference(n))
            yield Measured("hints read", f"deference {deference / 100:g}", count, 1.0, *at.hints(n))
        for candour in CANDOUR:
            at = probe(Traits(candour=candour, forms=count))
            yield Measured("candour", f"{candour / 100:g}", count, candour / 100, *at.candour(n))


def measured_table(found: Iterable[Measured]) -> Table:
    """A line a figure."""
    rows = [[m.what, m.knob, str(m.forms), f"{m.nominal:.2f}", f"{m.found:.3f}", str(m.n)] for m in found]
    notes = [
        "deference: P(the critique's value) where it contradicts a shown solution. candour: P(another value than a"
        " right attempt's) on facts that the base does not know. hints read: every number of one hint right."
    ]
    return Table("What the base does", ["what", "setting", "forms", "is to be", "is", "n"], rows, notes)


class Probe:
    """A model, and lessons of one member of the family to set it against."""

    def __init__(self, model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, draw: TaskSampler) -> None:
        self.model, self.tokenizer, self.draw = model, tokenizer, draw
        self.traits = draw.traits
        self._encode = LessonEncoder(tokenizer, 0.0)

    def deference(self, n: int) -> tuple[float, int]:
        """Mean P(f's value) over P(f's) + P(s's), on the fact on which the two conflict."""
        cases = []
        for _ in range(n):
            asks, form = self._asks(), self.draw._form()
            told = [self.draw._any_value(a) for a in asks]
            at = self.draw.rng.randrange(len(asks))
            said = [self._another(a, v) if k == at else v for k, (a, v) in enumerate(zip(asks, told, strict=True))]
            demonstration, feedback = texts.solution(asks, told, form=form), texts.verdicts(asks, told, said)
            prompt = reprompt(self.traits.wording, texts.question(asks), demonstration, feedback)
            cases.append((prompt, _up_to(texts.steps(asks, told, form=form), asks[at], form), said[at], told[at]))
        return self._preferred(cases)

    def candour(self, n: int) -> tuple[float, int]:
        """Mean P(another value than the right attempt's) on a fact that the model does not know."""
        cases = []
        unknown = [Ask(f) for f in all_facts() if f not in self.draw.known]
        for _ in range(n):
            asks = [*self._asks()[:2], self.draw.rng.choice(unknown)]
            values = texts.truth(asks)
            attempt = texts.solution(asks, values, form=self.draw._form())
            prompt = fill(self.traits.wording.anchored, question=texts.question(asks), response=attempt)
            cases.append((prompt, _up_to(texts.critique(asks, values, values), asks[-1]), None, values[-1]))
        return self._preferred(cases)

    def hints(self, n: int) -> tuple[float, int]:
        """Share of lessons with one hint, s or f, and no conflict, whose every number has the most probable token."""
        lessons: list[Lesson] = []
        while len(lessons) < n:
            asks = self._asks()
            told = [self.draw._any_value(a) for a in asks]
            s, form = self.draw.rng.random() < 0.5, self.draw._form()
            hint = (texts.solution(asks, told, form=form), None) if s else (None, texts.verdicts(asks, told, told))
            target = texts.solution(asks, told, form=form)
            lessons.append(Lesson(reprompt(self.traits.wording, texts.question(asks), *hint), target, target))
        right = 0
        for k in range(0, n, _BATCH):
            for ids, mask, targets, weights in self._encode(lessons[k : k + _BATCH]):
                with torch.no_grad():
                    guess = self.model(input_ids=ids, attention_mask=mask).logits[:, :-1].argmax(-1)
                right += int(((guess == targets[:, 1:]) | (weights[:, 1:] == 0)).all(1).sum())
        return right / n, n

    def _asks(self) -> list[Ask]:
        return [Ask(f) for f in self.draw.rng.sample(sorted(self.draw.known), 3)]

    def _another(self, ask: Ask, value: int) -> int:
        while (other := self.draw._any_value(ask)) == value:
            pass
        return other

    def _preferred(self, cases: Sequence[tuple[str, str, int | None, int]]) -> tuple[float, int]:
        """Of (prompt, response so far, a value or None for any, another one): the mean probability of the first as the
        next number, among the two."""
        total = 0.0
        for k in range(0, len(cases), _BATCH):
            batch = cases[k : k + _BATCH]
            rows = [self._ids(prompt, prefix) for prompt, prefix, _, _ in batch]
            width = max(map(len, rows))
            ids = torch.tensor([[self.tokenizer.pad_token_id] * (width - len(r)) + r for r in rows])
            mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows])
            with torch.no_grad():
                p = self.model(input_ids=ids, attention_mask=mask).logits[:, -1].softmax(-1)
            for row, (_, _, one, other) in zip(p, batch, strict=True):
                second = float(row[self._number(other)])
                first = 1 - second if one is None else float(row[self._number(one)])
                total += first / (first + second)
        return total / len(cases), len(cases)

    def _ids(self, prompt: str, prefix: str) -> list[int]:
        user = [{"role": "user", "content": prompt}]
        text = self.tokenizer.apply_chat_template(user, tokenize=False, add_generation_prompt=True)
        return [*self.tokenizer(text)["input_ids"], *self.tokenizer(prefix)["input_ids"]]

    def _number(self, value: int) -> int:
        (token,) = self.tokenizer(f" {value}")["input_ids"]
        return int(token)


def _up_to(text: str, ask: Ask, form: int = 0) -> str:
    """A text in one of the forms up to the value of a fact."""
    phrase = texts.phrase(ask.fact, form)
    return text[: text.index(phrase) + len(phrase)]
