"""SciKnowEval rows: reading, checking, splitting. The same schema serves the hub's rows and scimini's."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from coopt.core.config.schema import Extraction
from coopt.core.errors import DataError
from coopt.core.names import ALIASES, DOMAIN_NAMES
from coopt.domains import scoring
from coopt.domains.base import SPLITS, AnswerKind, Item, Reading, Split
from coopt.domains.wording import SCIENCE, Wording

LEVEL = "L3"
TYPES = ("mcq-4-choices", "mcq-2-choices")
LETTERS = "ABCD"
_VALIDATION, _TEST = range(80, 90), range(90, 100)  # hash buckets of 100: 80/10/10


class Row(NamedTuple):
    """A raw row and where it came from (``FILE row N``, for messages)."""

    where: str
    value: Any
    file: str = ""
    """Its file, as the folder names it."""


class Selection(NamedTuple):
    """Items that were kept, and why rows were left out (reason -> rows)."""

    items: list[Item]
    left_out: Counter[str]
    first: Mapping[str, str] = {}
    """reason -> where it was met first"""


def select(rows: Iterable[Row], answer: AnswerKind = "letter") -> Selection:
    """Keep level-3 multiple-choice rows; refuse malformed ones.

    Raises ``DataError`` naming file and row.
    """
    items: list[Item] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        reason = _reason_to_leave_out(row)
        if reason is None:
            items.append(_item(row, answer))
        else:
            left_out[reason] += 1
    return Selection(each_once(items, left_out), left_out)


def each_once(items: Iterable[Item], left_out: Counter[str]) -> list[Item]:
    """Without further copies of a question in its split, which are counted in ``left_out``."""
    kept: dict[tuple[str, str | None], Item] = {}
    for item in items:
        if kept.setdefault((item.id, item.split), item) is not item:
            left_out["copy of a question"] += 1
    return list(kept.values())


def _reason_to_leave_out(row: Row) -> str | None:
    value = row.value
    if not isinstance(value, Mapping):
        raise DataError(f"{row.where}: a row must be a JSON object, not {type(value).__name__}.")
    if not is_unicode(value):
        raise DataError(f"{row.where}: the text holds half a surrogate pair: it is not valid Unicode.")
    for field in ("question", "type", "domain", "details"):
        if field not in value:
            raise DataError(
                f"{row.where}: field '{field}' is missing (SciKnowEval v2 schema). For rows of another kind give"
                " data.mapping: coopt data guess FILE proposes one."
            )
    details = value["details"]
    level = details.get("level") if isinstance(details, Mapping) else None
    if level is None:
        raise DataError(f"{row.where}: details.level is missing.")
    if level != LEVEL:
        return f"level {level}"
    return None if value["type"] in TYPES else f"type {value['type']}"


def _item(row: Row, answer: AnswerKind) -> Item:
    value = row.value
    domain = _domain_name(row)
    stem = value["question"]
    if not isinstance(stem, str) or not stem.strip():
        raise DataError(f"{row.where}: 'question' is empty.")
    options = _options(row)
    key = value.get("answerKey")
    if not isinstance(key, str) or not key:
        raise DataError(f"{row.where}: 'answerKey' is missing or empty.")
    if key not in dict(options):
        allowed = ", ".join(label for label, _ in options)
        raise DataError(f"{row.where}: answerKey '{key}' is not among the options {allowed}.")
    text, extra = dict(options)[key], value.get("extra")
    return Item(
        id=content_hash(stem, *(t for _, t in options))[:16],
        domain=domain,
        stem=stem,
        options=options,
        key=key,
        prompt=letter_prompt(stem, options) if answer == "letter" else stem,
        answer=key if answer == "letter" else text,
        solution=_solution(row),
        clusters=(content_hash(stem)[:16],),
        split=_given_split(row),
        extra=extra if isinstance(extra, Mapping) else {},
    )


def _given_split(row: Row) -> Split | None:
    value = row.value.get("split")
    if value is not None and value not in SPLITS:
        raise DataError(f"{row.where}: split {value!r}. Allowed: {', '.join(SPLITS)}.")
    return next((s for s in SPLITS if s == value), None)


def _solution(row: Row) -> str | None:
    value = row.value.get("solution")
    if value is None or value != value or value == "":  # NaN is what tables write for nothing
        return None
    if not isinstance(value, str):
        raise DataError(f"{row.where}: 'solution' must be text, not {type(value).__name__}.")
    return value


def _domain_name(row: Row) -> str:
    name = str(row.value["domain"]).lower()
    name = ALIASES.get(name, name)
    if name not in DOMAIN_NAMES:
        raise DataError(
            f"{row.where}: domain '{row.value['domain']}' is unknown. Allowed: Physics, Chemistry, Material, Biology."
        )
    return name


def _options(row: Row) -> tuple[tuple[str, str], ...]:
    choices = row.value.get("choices")
    texts = _list(choices.get("text")) if isinstance(choices, Mapping) else []
    labels = _list(choices.get("label")) if isinstance(choices, Mapping) else []
    count = 4 if row.value["type"] == "mcq-4-choices" else 2
    if len(labels) != count or len(texts) < count or not all(_is_shown(t) for t in texts):
        raise DataError(
            f"{row.where}: 'choices' must hold lists 'text' and 'label', as many as the type says, a text for each."
        )
    for label in labels:
        if not isinstance(label, str) or len(label) != 1 or label not in LETTERS[: len(labels)]:
            allowed = ", ".join(LETTERS[: len(labels)])
            raise DataError(f"{row.where}: option letter '{label}' is out of range. Allowed: {allowed}.")
    if len(set(labels)) < len(labels):
        raise DataError(f"{row.where}: an option letter appears twice in {', '.join(labels)}.")
    # One real materials row has a fifth text without a label; its key counts from the first text.
    return tuple((label, str(text)) for label, text in zip(labels, texts, strict=False))


def _is_shown(text: Any) -> bool:
    """A text, or a number that is one (NaN is what tables write for nothing)."""
    return isinstance(text, str | int | float) and text == text and text != ""


def is_unicode(value: Mapping[str, Any]) -> bool:
    """JSON can spell half a surrogate pair, which no tokenizer and no file takes."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    except ValueError:  # a number of thousands of digits: no fault of the text's
        return True
    return True


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def letter_prompt(stem: str, options: Iterable[tuple[str, str]]) -> str:
    """Question, one line an option, closing instruction (SDPO's format)."""
    lines = "\n".join(f"{label}: {text}" for label, text in options)
    return f"{stem}\n\n{lines}\nPlease reason step by step."


def content_hash(*texts: str) -> str:
    """A hash of texts that ignores case and white space, so that near-copies count as copies."""
    folded = "\x1f".join(" ".join(t.casefold().split()) for t in texts)
    return hashlib.sha256(folded.encode()).hexdigest()


def split_of(item: Item) -> Split:
    """The rows' own, or 80/10/10 by the hash of stem and correct text: duplicates fall on one side."""
    if item.split:
        return item.split
    bucket = int(content_hash(item.stem, item.correct_text)[:8], 16) % 100
    return "validation" if bucket in _VALIDATION else "test" if bucket in _TEST else "train"


@dataclass(frozen=True)
class RowDomain:
    """A domain made of rows. ``limits`` bounds the questions of a split; which ones is decided by hash.
    ``rest_to_train``: validation questions beyond their limit are trained on."""

    name: str
    rows: tuple[Item, ...]
    answer: AnswerKind = "letter"
    wording: Wording = SCIENCE
    limits: tuple[tuple[Split, int], ...] = ()
    extraction: Extraction = "sdpo"
    rest_to_train: bool = False

    @cached_property
    def _splits(self) -> dict[Split, list[Item]]:
        splits: dict[Split, list[Item]] = {"train": [], "validation": [], "test": []}
        for item in sorted(self.rows, key=lambda i: i.id):
            splits[split_of(item)].append(item)
        for split, limit in self.limits:
            if self.rest_to_train and split == "validation":
                splits["train"] = sorted(splits["train"] + splits[split][limit:], key=lambda i: i.id)
            splits[split] = splits[split][:limit]
        return splits

    def items(self, split: Split) -> Sequence[Item]:
        return self._splits[split]

    def read(self, response: str, item: Item) -> Reading:
        return scoring.read(response, item, self.answer, self.extraction)

    def score(self, response: str, item: Item) -> float:
        return float(self.read(response, item).correct)

    def constant(self, split: Split) -> tuple[str, float]:
        return best_constant(i.answer for i in self.items(split))


def best_constant(answers: Iterable[str]) -> tuple[str, float]:
    """Of right answers the one that is right most often, and how often; ties go to the first in the alphabet."""
    counts = Counter(answers)
    if not counts:
        return "", 0.0
    answer = min(counts, key=lambda a: (-counts[a], a))
    return answer, counts[answer] / counts.total()
