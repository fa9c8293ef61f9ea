"""Rows and a mapping make questions; what is left out is counted by its reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from string import ascii_uppercase
from typing import Any

from coopt.core.errors import DataError
from coopt.core.names import domain_of_text
from coopt.domains.base import SPLITS, Item, Split
from coopt.domains.mapping.fields import MisfitError, need_text, text_of
from coopt.domains.mapping.lettered import cut_options
from coopt.domains.mapping.options import options_of
from coopt.domains.mapping.schema import RowMapping
from coopt.domains.mapping.splits import in_splits
from coopt.domains.numbers import last_number
from coopt.domains.rows import Row, Selection, content_hash, is_unicode, letter_prompt

FILE = "_file"
"""Stands for a row's file among its fields."""
_COMMA = re.compile(r"\d,(?!\d{3}(?!\d))\d")
_MOST_FAULTS = 0.1  # share of rows: above it the mapping does not fit


class UnwantedError(Exception):
    """A row that the mapping leaves out, which is no fault of it."""


def mapped(rows: Iterable[Row], mapping: RowMapping, what: str, *, strict: bool = True) -> Selection:
    """The rows' questions. A row that does not fit is left out and counted; more than one in ten such rows, or no
    question at all, is refused (unless not ``strict``). ``what`` names rows and mapping. Raises ``DataError``."""
    items: list[Item] = []
    left_out: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    first: dict[str, str] = {}
    count = 0
    for row in rows:
        count += 1
        try:
            items.append(_item(row, mapping))
        except (MisfitError, UnwantedError) as why:
            reason = str(why)
            left_out[reason] += 1
            faults[reason] += isinstance(why, MisfitError)
            first.setdefault(reason, row.where)
    kept = in_splits(items, mapping, left_out)
    if strict and (not kept or faults.total() > _MOST_FAULTS * count):
        reason, times = next(iter((+faults or left_out).most_common(1)), ("it has none", 0))
        raise DataError(
            f"{what}: {'no row is' if not kept else f'{faults.total():,} of {count:,} rows are not'} as the mapping"
            f" says. Most often ({times:,} rows, first {first.get(reason, 'in a split')}): {reason}. See coopt data"
            " check FILE --mapping NAME, or coopt data guess FILE."
        )
    return Selection(kept, left_out, first)


def _item(row: Row, mapping: RowMapping) -> Item:
    value = row.value
    if not isinstance(value, Mapping):
        raise MisfitError(f"the row is not a table of fields but a {type(value).__name__}")
    value = {**value, FILE: row.file}
    if not is_unicode(row.value):
        raise MisfitError("the text holds half a surrogate pair: it is not valid Unicode")
    _check_filter(value, mapping)
    split = _split(value, mapping)
    stem = need_text(value, mapping.question, "the question")
    if mapping.options.field and mapping.options.field == mapping.question:
        stem = cut_options(stem)[0]
    found = _lettered(value, mapping, stem) if mapping.answer.kind == "letter" else _free(value, mapping, stem)
    solution = text_of(value, mapping.solution) if mapping.solution else ""
    shared = text_of(value, mapping.cluster).strip() if mapping.cluster else ""
    return Item(
        **found, domain=_domain(value, mapping), stem=stem, solution=solution or None, split=split,
        clusters=(content_hash(shared or stem)[:16],),
        tolerance=mapping.answer.tolerance if mapping.answer.kind == "number" else 0.0,
    )  # fmt: skip


def _lettered(value: Mapping[str, Any], mapping: RowMapping, stem: str) -> dict[str, Any]:
    texts, right = options_of(value, mapping.options, mapping.answer, stem)
    options = tuple(zip(ascii_uppercase, texts, strict=False))
    key = options[right][0]
    return {
        "id": content_hash(stem, *texts)[:16],
        "options": options,
        "key": key,
        "prompt": letter_prompt(stem, options),
        "answer": key,
    }


def _free(value: Mapping[str, Any], mapping: RowMapping, stem: str) -> dict[str, Any]:
    own = mapping.answer
    answer = need_text(value, own.field or mapping.options.right, "the right answer").strip()
    if own.after:
        answer = answer.rpartition(own.after)[2].strip() if own.after in answer else ""
    if own.kind == "number":
        answer = _with_point(answer, own.decimal)
    if not answer or (own.kind == "number" and last_number(answer) is None):
        raise MisfitError(f"the right answer holds no {own.kind}" + f" after {own.after}" * bool(own.after))
    return {
        "id": content_hash(stem, answer)[:16],
        "options": (),
        "key": "",
        "prompt": f"{stem}\nPlease reason step by step.",
        "answer": answer,
    }


def _with_point(number: str, decimal: str) -> str:
    """A number as models are asked to write it. Raises ``MisfitError`` for 3,5 where commas stand between thousands."""
    if decimal == ",":
        return number.replace(".", "").replace(",", ".")
    if _COMMA.search(number):
        raise MisfitError("a comma in the right answer does not separate thousands: answer.decimal = ','?")
    return number


def _check_filter(value: Mapping[str, Any], mapping: RowMapping) -> None:
    for field, allowed in mapping.filter.items():
        found = text_of(value, field).strip()
        if found not in allowed:
            raise UnwantedError(f"{field} = {found[:40]!r} (the mapping's filter)")


def _split(value: Mapping[str, Any], mapping: RowMapping) -> Split | None:
    rule = mapping.split
    if not rule.field:
        return None
    found = text_of(value, rule.field).strip()
    for split in SPLITS:
        if any(fnmatchcase(found, pattern) for pattern in rule.values(split)):
            return split
    raise UnwantedError(f"{rule.field} = {found[:40]!r} is in no split of the mapping")


def _domain(value: Mapping[str, Any], mapping: RowMapping) -> str:
    rule = mapping.domain
    found = text_of(value, rule.field).strip() if rule.field else ""
    if rule.pattern and found:
        match = re.search(rule.pattern, found)
        found = (match[1] or "").strip() if match else ""
    name = (rule.map.get(found) or domain_of_text(found)) if found else rule.name
    if not name:
        raise MisfitError(f"no domain name can be made of field '{rule.field}': {found[:40]!r} (see domain.map)")
    return name
