"""Worked solutions from a file: what ``model.specialise = rationales:FILE`` and ``data.solutions = FILE`` read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from coopt.core.errors import DataError
from coopt.domains.files import read_rows


def read_rationales(file: str, named: str) -> dict[str, str]:
    """question -> worked solution. ``named``: the setting that gave the file, for messages. Raises ``DataError``."""
    if not Path(file).expanduser().is_file():
        raise DataError(
            f"setting {named}: no such file. Give JSON Lines with question and rationale (coopt data rationales), or"
            " leave the setting out."
        )
    found: dict[str, str] = {}
    for where, row, _ in read_rows(file):
        given = [row.get("question"), row.get("rationale")] if isinstance(row, Mapping) else []
        if not given or not all(isinstance(text, str) and text for text in given):
            raise DataError(f"{where}: a rationale row needs 'question' and 'rationale', both texts.")
        found[row["question"]] = row["rationale"]
    return found
