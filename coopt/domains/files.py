"""Rows from JSON, JSON Lines or Parquet files, from a folder of them, or from the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coopt.core.errors import DataError
from coopt.domains.rows import Row

HUB_NAME = "hicai-zju/SciKnowEval"
_SUFFIXES = (".json", ".jsonl", ".parquet")


def read_rows(source: str) -> Iterator[Row]:
    """All rows of a file, a folder (every .json, .jsonl and .parquet in it) or the hub's dataset.

    Raises ``DataError`` in one line that names the file, and the row where there is one.
    """
    if source.lower() == HUB_NAME.lower():
        yield from _hub_rows()
        return
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(
            f"--data {source}: no such file or folder. Give SciKnowEval rows as .json, .jsonl or .parquet,"
            f" a folder of them, 'scimini', or '{HUB_NAME}'."
        )
    files = sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: the folder holds no {', '.join(_SUFFIXES)} file.")
    for file in files:
        yield from _file_rows(file)


def _file_rows(file: Path) -> Iterator[Row]:
    if file.suffix not in _SUFFIXES:
        raise DataError(f"{file}: unknown file type '{file.suffix}'. Allowed: {', '.join(_SUFFIXES)}.")
    count = 0
    reader = {".json": _json, ".jsonl": _json_lines, ".parquet": _parquet}[file.suffix]
    for count, value in enumerate(reader(file), start=1):
        yield Row(f"{file} row {count}", value)
    if count == 0:
        raise DataError(f"{file}: the file holds no rows.")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read as UTF-8 text ({error}).") from None


def _json(file: Path) -> Iterator[Any]:
    text = _text(file)
    if not text.strip():
        return
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{file} line {error.lineno}: not JSON ({error.msg}).") from None
    if not isinstance(value, list):
        raise DataError(f"{file}: a .json file must hold a list of rows; for one row a line use .jsonl.")
    yield from value


def _json_lines(file: Path) -> Iterator[Any]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{file} row {number}: not JSON ({error.msg}).") from None


def _parquet(file: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{file}: not a Parquet file ({str(error).splitlines()[0]}).") from None
    yield from table.to_pylist()


def _hub_rows() -> Iterator[Row]:
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError(f"--data {HUB_NAME} needs the extra 'hub': pip install 'coopt[hub]'.") from None
    try:
        dataset = load_dataset(HUB_NAME, split="test")
    except Exception as error:  # the library raises many kinds when a hub cannot be reached
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"--data {HUB_NAME}: the hub cannot be read ({reason}). Give local rows instead.") from None
    for number, value in enumerate(dataset, start=1):
        yield Row(f"{HUB_NAME} row {number}", value)
