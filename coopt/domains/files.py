"""Rows from a file or from a folder of files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from coopt.core.errors import DataError
from coopt.core.outside.files import from_home
from coopt.domains.formats import ENDINGS, MOST_ROWS, ending_of, rows_of, too_many
from coopt.domains.hub import hub_rows
from coopt.domains.rows import Row

HUB_NAME = "hicai-zju/SciKnowEval"
_MOST_FILES = 100_000  # in a folder, of whatever kind
_KINDS = f"{', '.join(ENDINGS)} (text ones also as .gz)"
_OF_DATASETS = frozenset({"dataset_info.json", "dataset_dict.json", "state.json"})


def read_rows(source: str, columns: Sequence[str] = (), most: int | None = None) -> Iterator[Row]:
    """All rows of a file, of a folder (every file of a known kind in it but hidden ones), or of the hub's SciKnowEval.

    ``columns`` names those of a CSV whose first line is a row; ``most`` rows of a source are read, of each of its files
    alike. Raises ``DataError`` in one line that names the file, and the row where there is one.
    """
    if source.lower() == HUB_NAME.lower():
        yield from islice(hub_rows(HUB_NAME, splits=("test",)), most)
        return
    path = from_home(source)
    if not path.exists():
        raise DataError(
            f"--data {source}: no such file or folder. Give rows as {_KINDS}, a folder of them, 'scimini', or"
            f" '{HUB_NAME}'."
        )
    files = _in_folder(path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: the folder holds no {', '.join(ENDINGS)} file.")
    part = most and max(1, most // len(files))
    count = 0
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        for row in islice(_file_rows(file, name, columns), part):
            count += 1
            if count > MOST_ROWS:
                raise too_many(path, count)
            yield row


def _in_folder(path: Path) -> list[Path]:
    """Its files of a known kind. Of a folder that ``datasets`` saved only the rows."""
    found = []
    files = (Path(where) / name for where, _, names in os.walk(path) for name in names)
    listed = list(islice(files, _MOST_FILES + 1))
    if len(listed) > _MOST_FILES:
        raise DataError(f"{path}: more than {_MOST_FILES:,} files. Give the folder that holds the rows alone.")
    for file in sorted(listed):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        saved = file.name in _OF_DATASETS and any((file.parent / name).is_file() for name in _OF_DATASETS - {file.name})
        if file.is_file() and not hidden and not saved and file.name != "dataset_dict.json" and ending_of(file):
            found.append(file)
    return found


def _file_rows(file: Path, name: str, columns: Sequence[str]) -> Iterator[Row]:
    if not ending_of(file):
        raise DataError(f"{file}: unknown file type '{file.suffix}'. Allowed: {_KINDS}.")
    count = 0
    for count, value in enumerate(rows_of(file, columns), start=1):
        yield Row(f"{file} row {count}", value, name)
    if count == 0:
        raise DataError(f"{file}: the file holds no rows.")
