"""A row's options in their order, and which of them is right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from string import ascii_uppercase
from typing import Any, NamedTuple

from coopt.core.outside.files import UnreadableError
from coopt.core.outside.parse import parse_literal, parse_row
from coopt.domains.mapping.fields import MisfitError, as_text, look_up, need_text
from coopt.domains.mapping.lettered import cut_options
from coopt.domains.mapping.schema import Answer, Options
from coopt.domains.rows import content_hash

_AROUND = " \t\r\n.:()[]"
_WHOLE = re.compile(r"(\d{1,4})(?:\.0*)?")


class Found(NamedTuple):
    """``labels``: what the row calls its options, empty where it only lists them."""

    texts: list[str]
    labels: list[str]


def options_of(row: Mapping[str, Any], options: Options, answer: Answer, stem: str) -> tuple[list[str], int]:
    """The options' texts and the place of the right one. Raises ``MisfitError``."""
    if options.right:
        right = need_text(row, options.right, "the right answer")
        texts = [right, *_wrong(row, options)]
        _check(texts, options)
        texts.sort(key=lambda text: content_hash(stem, text))
        return texts, texts.index(right)
    found = _columns(row, options) if options.columns else _listed(row, options)
    _check(found.texts, options)
    return found.texts, _key(need_text(row, answer.field, "the right answer").strip(), found, answer)


def _wrong(row: Mapping[str, Any], options: Options) -> list[str]:
    if len(options.wrong) == 1:
        value = _unpacked(look_up(row, options.wrong[0]))
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [as_text(v, "an option") for v in value]
    return _ended([as_text(look_up(row, f), f"option '{f}'") for f in options.wrong])


def _columns(row: Mapping[str, Any], options: Options) -> Found:
    texts = _ended([as_text(look_up(row, c), f"option '{c}'") for c in options.columns])
    return Found(texts, list(options.columns[: len(texts)]))


def _ended(texts: list[str]) -> list[str]:
    """Without empty ones at the end: a row may have fewer options than there are columns."""
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _listed(row: Mapping[str, Any], options: Options) -> Found:
    value = _unpacked(look_up(row, options.field))
    if isinstance(value, str):
        value = cut_options(value)[1] or value
    if isinstance(value, Mapping):
        texts, labels = _unpacked(value.get(options.text)), _unpacked(value.get(options.label))
        if isinstance(texts, list) and isinstance(labels, list):  # texts beyond the labels are no options
            pairs = list(zip(texts, labels, strict=False))
            value = [{options.text: t, options.label: k} for t, k in pairs]
        else:
            value = [{options.text: t, options.label: k} for k, t in value.items() if t is not None]
    if not isinstance(value, list):
        raise MisfitError(f"the options are not a list (field '{options.field}')")
    if value and all(isinstance(v, Mapping) for v in value):
        labels = [as_text(look_up(v, options.label), "an option's label") for v in value]
        return Found([as_text(look_up(v, options.text), "an option") for v in value], labels)
    return Found([as_text(v, "an option") for v in value], [])


def _unpacked(value: Any) -> Any:
    """A list or table that a CSV cell holds as text; arrays as lists."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        for read in (parse_row, parse_literal):
            with suppress(UnreadableError):
                return read(value.strip())
    return list(value) if isinstance(value, tuple) else value


def _check(texts: list[str], options: Options) -> None:
    if not 2 <= len(texts) <= len(ascii_uppercase):
        raise MisfitError(f"{len(texts)} options: 2 to {len(ascii_uppercase)} can be shown")
    if not all(texts):
        raise MisfitError("an option is empty")
    if options.duplicates == "drop" and len({" ".join(t.split()) for t in texts}) < len(texts):
        raise MisfitError("two options are equal")


def _key(given: str, found: Found, answer: Answer) -> int:
    """The place of the right option."""
    count = len(found.texts)
    if answer.given == "text":
        same = [k for k, text in enumerate(found.texts) if text.split() == given.split()]
        if len(same) != 1:
            raise MisfitError("the right answer is none of the options")
        return same[0]
    if answer.given == "index":
        number = _WHOLE.fullmatch(given)
        place = int(number[1]) - answer.base if number else -1
    else:
        letter = given.strip(_AROUND)
        names = found.labels if letter in found.labels else list(ascii_uppercase[:count])
        letter = letter if letter in names else letter.upper()
        place = names.index(letter) if letter in names else -1
    if not 0 <= place < count:
        raise MisfitError(f"the right answer is not the {answer.given} of an option")
    return place
