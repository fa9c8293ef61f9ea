"""Who writes feedback: models (peers and critics), whoever hands over the worked solution, and the oracle control."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from coopt.core.errors import ConfigError, CooptError
from coopt.domains.base import Domain, Item, KnowsFacts
from coopt.domains.wording import Wording, fill
from coopt.graph.topology import REWRITES, Style


class Request(NamedTuple):
    """A text to be read by a tutor: a tutee's response to critique, or a message to judge. Equal requests get one
    answer. ``draw``: 0 asks for the likeliest answer, else it is the seed of one that is drawn."""

    item: Item
    response: str
    draw: int = 0


class TutorAwayError(CooptError):
    """A tutor behind an endpoint that does not answer."""

    exit_code = 1


class Tutor(Protocol):
    """Writes a raw message for each request; None where the request is too long to be read. Raises
    ``TutorAwayError``."""

    style: Style

    def critique(self, requests: Sequence[Request]) -> list[str | None]: ...

    def mistakes(self, requests: Sequence[Request]) -> list[str | None]:
        """What is wrong in each (wrong) response, told by whoever has the worked solution before it."""
        ...

    def rationale(self, requests: Sequence[Request]) -> list[str | None]:
        """A worked solution of each question, from the question alone; the responses are not read."""
        ...

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        """A raw judgement of each message about its item's question, to be read by ``read_score``; None where the
        message is too long to be read, or nobody judges."""
        ...

    def judge_rationale(self, requests: Sequence[Request]) -> list[str | None]:
        """The same of worked solutions."""
        ...

    def judge_rationale_given(self, requests: Sequence[Request]) -> list[str | None]:
        """The same with the right solution before it."""
        ...


class Message(NamedTuple):
    """What a speaker is told, as its user; ``draw`` as in ``Request``."""

    wording: Wording
    text: str
    draw: int = 0


class Speaker(Protocol):
    """A frozen model that answers: in this process (``coopt.methods.tutors.local``) or behind an endpoint."""

    def say(self, messages: Sequence[Message], max_tokens: int) -> list[str | None]:
        """An answer to each; None where a message is too long for the model, or is refused."""
        ...


class ModelTutor:
    """A language model as tutor: a critique of each distinct request, or with style ``step`` a rewritten attempt.

    ``informed``: for that it is given the worked solution, and says nothing where there is none. Critics are informed,
    peers never. ``max_tokens``: of what it writes; ``solution_tokens``: of a solution, if that is another number.
    """

    def __init__(
        self,
        speaker: Speaker,
        domains: Mapping[str, Domain],
        style: Style,
        max_tokens: int,
        informed: bool = False,
        solution_tokens: int | None = None,
    ) -> None:
        self.speaker = speaker
        self.domains = domains
        self.style: Style = style
        self.max_tokens = max_tokens
        self.informed = informed
        self.solution_tokens = solution_tokens or max_tokens

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        limit = self.solution_tokens if self.style == "step" else self.max_tokens
        if self.style == "step" and self.informed:
            return self._given(requests, {name: d.wording.step_given for name, d in self.domains.items()}, limit)
        return self._ask(requests, {n: getattr(d.wording, self.style) for n, d in self.domains.items()}, limit)

    def mistakes(self, requests: Sequence[Request]) -> list[str | None]:
        return self._given(requests, {n: d.wording.naive_given for n, d in self.domains.items()}, self.max_tokens)

    def rationale(self, requests: Sequence[Request]) -> list[str | None]:
        # A tutor is asked by one user message: what a solver is told as its system stands before the question.
        templates = {name: f"{d.wording.system}\n\n{{question}}".lstrip() for name, d in self.domains.items()}
        return self._ask([Request(r.item, "") for r in requests], templates, self.solution_tokens)

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        return self._ask(requests, {name: d.wording.judge for name, d in self.domains.items()}, self.max_tokens)

    def judge_rationale(self, requests: Sequence[Request]) -> list[str | None]:
        return self._ask(requests, {n: d.wording.judge_rationale for n, d in self.domains.items()}, self.max_tokens)

    def judge_rationale_given(self, requests: Sequence[Request]) -> list[str | None]:
        templates = {name: d.wording.judge_rationale_given for name, d in self.domains.items()}
        return self._ask(requests, templates, self.max_tokens)

    def _given(self, requests: Sequence[Request], templates: Mapping[str, str], limit: int) -> list[str | None]:
        """As ``_ask``, where there is a worked solution for the tutor to read; nothing is said where there is none."""
        said = iter(self._ask([r for r in requests if r.item.solution], templates, limit))
        return [next(said) if r.item.solution else "" for r in requests]

    def _ask(self, requests: Sequence[Request], templates: Mapping[str, str], limit: int) -> list[str | None]:
        """Answers of at most ``limit`` tokens. A template may hold {question}, {solution}, and {response} or {text}."""
        distinct = list(dict.fromkeys(requests))
        messages = []
        for item, text, draw in distinct:
            fields = {"question": item.prompt, "solution": item.solution or "", "response": text, "text": text}
            messages.append(Message(self.domains[item.domain].wording, fill(templates[item.domain], **fields), draw))
        answers = dict(zip(distinct, self.speaker.say(messages, limit), strict=True))
        return [answers[r] for r in requests]


# A range ("a score from 1 to 5", "score 1-5") is no score.
_SCORE = re.compile(r"(?:score|rating)\W*([1-5])(?![\d.]*\d)(?!\s*(?:to|-|–)\s*\d)", re.IGNORECASE)
_ALONE = re.compile(r"\W*([1-5])(?:\s*/\s*5)?\W*")


def read_score(text: str) -> float | None:
    """The last ``score N`` that a judgement states, or a number that stands alone; None otherwise."""
    found = _SCORE.findall(text)
    alone = _ALONE.fullmatch(text)
    return float(found[-1]) if found else float(alone[1]) if alone else None


class ReferenceTutor(ModelTutor):
    """Style ``reference``: the worked solution is handed over, and no model is asked; nothing where there is none."""

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        return [r.item.solution or "" for r in requests]


class OracleTutor:
    """The ``oracle`` control: true facts in the tutors' own format, from a domain that knows them; the worked solution
    where a whole solution is asked for."""

    def __init__(self, domains: Mapping[str, Domain], style: Style) -> None:
        for domain in domains.values():
            if not isinstance(domain, KnowsFacts):
                raise ConfigError(
                    f"method oracle needs domains that know their facts; '{domain.name}' from these rows does not."
                    " Use it with scimini (no --data)."
                )
        self.domains = domains
        self.style: Style = style

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        if self.style in REWRITES:
            return self.rationale(requests)
        return self._true_critiques(requests, self.style == "anchored")

    def mistakes(self, requests: Sequence[Request]) -> list[str | None]:
        return self._true_critiques(requests, anchored=False)

    def rationale(self, requests: Sequence[Request]) -> list[str | None]:
        return [r.item.solution for r in requests]

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        return [None] * len(requests)

    judge_rationale = judge_rationale_given = judge

    def _true_critiques(self, requests: Sequence[Request], anchored: bool) -> list[str | None]:
        texts: list[str | None] = []
        for item, response, _ in requests:
            domain = self.domains[item.domain]
            assert isinstance(domain, KnowsFacts)
            texts.append(domain.true_critique(item, response, anchored))
        return texts
