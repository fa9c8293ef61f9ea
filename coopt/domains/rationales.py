"""Worked solutions from a file: what ``model.specialise = rationales:FILE`` and ``data.solutions = FILE`` read.

A question's text may come back with other options and another right letter, as it often does in SciKnowEval, so a
solution belongs to an item's id, which is of both. One without serves if just one question of the domain has its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core.errors import DataError
from coopt.core.outside.files import MOST_OF_A_RUN, UnreadableError, from_home, read_text
from coopt.core.outside.parse import parse_row
from coopt.domains.base import Domain, Item
from coopt.domains.files import read_rows
from coopt.domains.formats import NEXT
from coopt.domains.scoring import OPEN

_AGAIN = "coopt data rationales writes them with each question's id (item)."
_MEND = "Restore the file, or take the line out: coopt data rationales --out FILE asks again what is missing."


class Solutions(NamedTuple):
    """The rows of a file."""

    file: str
    by_id: Mapping[str, str]
    """Item's id -> worked solution."""
    by_text: Mapping[str, str]
    """Question -> worked solution, of rows without an id."""
    several: frozenset[str]
    """Questions that several rows without an id solve in different ways."""

    def of(self, domain: Domain) -> dict[str, str]:
        """Item's id -> its worked solution. Raises ``DataError`` where it is open which question a row is for, and
        where one ends in another answer than its question's."""
        times = Counter(item.stem for item in domain.rows)
        asked = [item for item in domain.rows if item.stem in self.by_text and item.id not in self.by_id]
        open_ = [item for item in asked if times[item.stem] > 1 or item.stem in self.several]
        if open_:
            raise DataError(
                f"{self.file}: which solution is for which question? {len(open_)} questions of {domain.name} share"
                f" their text with another one or have several solutions, such as '{_start(open_[0].stem)}'. {_AGAIN}"
            )
        found = {item.id: self.by_id.get(item.id) or self.by_text[item.stem] for item in domain.rows if self.has(item)}
        wrong = [item for item in domain.rows if item.id in found and _ends_wrong(found[item.id], item, domain)]
        if wrong:
            raise DataError(
                f"{self.file}: {len(wrong)} of {len(found)} solutions of {domain.name} end in another answer than their"
                f" question's; the first is for '{_start(wrong[0].stem)}' (right: {wrong[0].answer}). {_AGAIN}"
            )
        return found

    def has(self, item: Item) -> bool:
        return item.id in self.by_id or item.stem in self.by_text


def read_rationales(file: str, named: str) -> Solutions:
    """The worked solutions of a file. ``named``: the setting that gave it, for messages. Raises ``DataError``."""
    path = from_home(file)
    if path.is_dir():
        raise DataError(f"setting {named}: {path} is a folder, not a file.")
    if not path.exists():
        raise DataError(
            f"setting {named}: no such file. Give JSON Lines with question and rationale (coopt data rationales), or"
            " leave the setting out."
        )
    by_id: dict[str, str] = {}
    by_text: dict[str, str] = {}
    several: set[str] = set()
    for where, row in _rows(file):
        question, rationale = _texts(row, where)
        if item := row.get("item"):
            by_id[str(item)] = rationale
        elif by_text.setdefault(question, rationale) != rationale:
            several.add(question)
    return Solutions(file, by_id, by_text, frozenset(several))


def solved_in(path: Path) -> set[str]:
    """The ids of the questions in a file that is to be continued; none where there is no file. Half a line at its end,
    whose writer was killed, does not count. Raises ``DataError``."""
    if not path.name.endswith(".jsonl"):
        raise DataError(f"{path}: worked solutions are written as JSON Lines. Give a name that ends in .jsonl.")
    try:
        lines = read_text(path, MOST_OF_A_RUN).split("\n")
    except FileNotFoundError:
        return set()
    except UnreadableError as error:
        raise DataError(f"{path}: {error}. Give another --out, or restore the file.") from None
    found = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse_row(line)
        except UnreadableError as error:
            if number == len(lines) and line.lstrip().startswith("{"):
                break
            raise DataError(f"{path} row {number}: {error}. {_MEND}") from None
        _texts(row, f"{path} row {number}")
        if item := row.get("item"):
            found.add(str(item))
    return found


def _rows(file: str) -> Iterator[tuple[str, Any]]:
    """Where each row stands, and the row."""
    try:
        for where, row, _ in read_rows(file):
            yield where, row
    except DataError as error:
        raise DataError(str(error).replace(NEXT, _MEND)) from None


def _texts(row: Any, where: str) -> tuple[str, str]:
    question, rationale = (row.get(k) for k in ("question", "rationale")) if isinstance(row, Mapping) else (None, None)
    if not (isinstance(question, str) and question and isinstance(rationale, str) and rationale):
        raise DataError(f"{where}: a rationale row needs 'question' and 'rationale', both texts. {_MEND}")
    return question, rationale


def _ends_wrong(solution: str, item: Item, domain: Domain) -> bool:
    """Whether it gives an answer, and not the item's. Without the answer's tag a text is a hint, and gives none."""
    found = domain.read(solution, item)
    return OPEN in solution and found.read and not found.correct


def _start(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
