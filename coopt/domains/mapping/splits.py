"""Which questions are kept, each once and in one split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from coopt.core.errors import DataError
from coopt.domains.base import SPLITS, Item, Split
from coopt.domains.mapping.schema import RowMapping
from coopt.domains.rows import content_hash, each_once, split_of


def in_splits(items: Sequence[Item], mapping: RowMapping, left_out: Counter[str]) -> list[Item]:
    """The questions with their splits; copies are dropped and counted in ``left_out``."""
    items = _of_one_answer(items, left_out)
    if mapping.split.field:
        kept = each_once(_in_one_split(items, left_out), left_out)
        return kept if mapping.split.validation else [_or_validation(i) for i in kept]
    kept = sorted(each_once(items, left_out), key=lambda i: i.domain)
    return [i for _, own in groupby(kept, key=lambda i: i.domain) for i in _hashed(list(own))]


def as_given(items: Sequence[Item], where: str, left_out: Counter[str]) -> list[Item]:
    """The questions of rows that say their split themselves; a tenth of train is validation where none is. Raises
    ``DataError`` if some of them do not."""
    silent = sum(i.split is None for i in items)
    if silent:
        raise DataError(
            f"{where}: {silent} of {len(items)} rows do not say their split. Give every row a field 'split', or none."
        )
    kept = list(_in_one_split(items, left_out))
    return kept if any(i.split == "validation" for i in kept) else [_or_validation(i) for i in kept]


def _of_one_answer(items: Sequence[Item], left_out: Counter[str]) -> list[Item]:
    """Without questions that two rows answer differently: which one is right nobody knows. (Rows may also be an answer
    each, right or wrong: no mapping reads these.)"""
    answers: dict[str, set[str]] = defaultdict(set)
    asked = {id(i): content_hash(i.stem, *sorted(text for _, text in i.options)) for i in items}
    for item in items:
        answers[asked[id(item)]].add(content_hash(item.correct_text))
    kept = [i for i in items if len(answers[asked[id(i)]]) == 1]
    if len(kept) < len(items):
        left_out["another row has the same question and another answer"] += len(items) - len(kept)
    return kept


def question_of(item: Item) -> str:
    """Equal for the same question with the same answer, in whatever order its options stand."""
    return content_hash(item.stem, item.correct_text)


def _in_one_split(items: Sequence[Item], left_out: Counter[str]) -> Iterator[Item]:
    """A question that is tested is not trained on, nor validated."""
    seen: dict[str, set[str]] = {split: {question_of(i) for i in items if i.split == split} for split in SPLITS}
    for item in items:
        question = question_of(item)
        if item.split != "test" and question in seen["test"]:
            left_out[f"{item.split} question that is in test too"] += 1
        elif item.split == "train" and question in seen["validation"]:
            left_out["train question that is in validation too"] += 1
        else:
            yield item


def _or_validation(item: Item) -> Item:
    """A tenth of the training questions, where rows have no validation questions of their own."""
    chosen = item.split == "train" and int(question_of(item)[:8], 16) % 10 == 8
    return replace(item, split="validation") if chosen else item


def _hashed(items: list[Item]) -> list[Item]:
    """The questions of a domain split by hash; where that leaves a split empty, a tenth of them by rank."""
    if len({split_of(i) for i in items}) == len(SPLITS):
        return items
    order = sorted({question_of(i) for i in items})
    part = max(1, len(order) // 10)
    splits: dict[str, Split] = dict.fromkeys(order, "train")
    if len(order) >= len(SPLITS):
        splits.update(dict.fromkeys(order[-part:], "test"))
        splits.update(dict.fromkeys(order[-2 * part : -part], "validation"))
    return [replace(i, split=splits[question_of(i)]) for i in items]
