"""The places of figures in a Markdown text, and the text with the right figures in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.figures.figure import FigureError
from coopt.core.errors import CooptError

_PLACE = re.compile(
    r"(?P<begin>(?<!`)<!--(?P<kind>[ft]) (?P<key>[^<\n]*?)-->)(?P<written>.*?)(?P<end><!--/(?P=kind)-->)", re.DOTALL
)
_MARK = re.compile(r"(?<!`)<!--/?[ft]\b")
"""A comment behind a backtick is text about comments."""
_FIRST_ON_LINE = re.compile(r"(?:^|\n)[ >]*(?:[-*+] |\d+\. )?[ ]*\Z")


class Place(NamedTuple):
    """Where a figure stands. ``line``: from 1; ``written``: what stands there; ``span``: of that, in the text."""

    line: int
    key: str
    written: str
    span: tuple[int, int]
    whole: bool
    """A table, on lines of its own."""


class Difference(NamedTuple):
    """A place that says something else than its archive."""

    line: int
    key: str
    written: str
    right: str

    def __str__(self) -> str:
        return f"{self.line}: {self.key}: written {_short(self.written)}, right {_short(self.right)}"


def places(text: str) -> Iterator[Place]:
    """In their order. Raises ``FigureError`` where comments do not belong together."""
    end = 0
    for found in _PLACE.finditer(text):
        line = _line(text, found.start())
        key, whole = " ".join(found["key"].split()), found["kind"] == "t"
        _check_between(text, end, found.start())
        if _MARK.search(found["written"]):
            raise FigureError(f"{line}: {key}: a place inside a place; is its end missing?")
        if not whole and ("\n" in found["written"] or _FIRST_ON_LINE.search(text, 0, found.start())):
            raise FigureError(f"{line}: {key}: a figure lies within a line; one that begins with a comment is HTML.")
        end = found.end()
        yield Place(line, key, found["written"], found.span("written"), whole)
    _check_between(text, end, len(text))


def filled(text: str, right: Callable[[str], str]) -> tuple[str, list[Difference]]:
    """The text with the right figures, and where it had others. ``right``: what a key says. Raises ``FigureError``."""
    parts, differences, end = [], [], 0
    for place in list(places(text)):  # what is wrong with a place is said before anything is worked out
        try:
            said = right(place.key)
        except CooptError as error:
            raise FigureError(f"{place.line}: {error}") from None
        if "\n" in said and not place.whole:
            raise FigureError(f"{place.line}: {place.key}: a table; it stands between <!--t KEY--> and <!--/t-->.")
        said = f"\n\n{said}\n\n" if place.whole else said
        if said != place.written:
            differences.append(Difference(place.line, place.key, place.written, said))
        parts += [text[end : place.span[0]], said]
        end = place.span[1]
    return "".join([*parts, text[end:]]), differences


def _check_between(text: str, start: int, end: int) -> None:
    found = _MARK.search(text, start, end)
    if found:
        raise FigureError(f"{_line(text, found.start())}: '{found[0]}' has no other end, or its key is not plain.")


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _short(text: str) -> str:
    """A figure as it is; of a table how long it is."""
    rows = text.strip().splitlines()
    return f"'{text}'" if "\n" not in text else f"a table of {len(rows)} lines"
