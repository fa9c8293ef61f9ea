"""Rows in every format, with and without a mapping; worked solutions."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from coopt.core.config.load import load_config
from coopt.domains.files import read_rows
from coopt.domains.load import load_domains
from coopt.domains.mapping.guess import guess_mapping, shown
from coopt.domains.mapping.items import mapped
from coopt.domains.mapping.schema import load_mapping
from coopt.domains.rationales import read_rationales
from coopt.domains.rows import Selection, select
from tests.fuzz.mutate import bytes_mutated, json_of, mutated, text_mutated
from tests.fuzz.rule import BrokenError, refused


def _sciknow(k: int) -> dict[str, Any]:
    return {
        "question": f"How many {k}?", "choices": {"text": ["one", "two", "three", f"{k}"], "label": list("ABCD")},
        "answerKey": "ABCD"[k % 4], "type": "mcq-4-choices", "domain": "Physics", "details": {"level": "L3"},
        "solution": "because",
    }  # fmt: skip


def _plain(k: int) -> dict[str, Any]:
    return {
        "question": f"Which {k}?",
        "A": "one",
        "B": "two",
        "C": f"{k}x",
        "answer": "ABC"[k % 3],
        "domain": "physics",
    }


def _write(rows: list[Any], ending: str, random: Random) -> bytes:
    if ending == ".jsonl":
        return "".join(json_of(r) + "\n" for r in rows).encode(errors="replace")
    if ending == ".json":
        return json_of(rows).encode(errors="replace")
    if ending in (".csv", ".tsv"):
        table, columns = io.StringIO(), list(dict.fromkeys(k for r in rows if isinstance(r, dict) for k in r))
        writer = csv.writer(table, delimiter="\t" if ending == ".tsv" else ",")
        writer.writerows([columns, *([r.get(c) for c in columns] for r in rows if isinstance(r, dict))])
        return table.getvalue().encode(errors="replace")
    try:
        made = pa.Table.from_pylist([r for r in rows if isinstance(r, dict)])
        if ending == ".parquet":
            sink = io.BytesIO()
            parquet.write_table(made, sink)
            return sink.getvalue()
        arrow = io.BytesIO()
        with pa.ipc.new_stream(arrow, made.schema) as stream:
            stream.write_table(made)
        return arrow.getvalue()
    except (pa.ArrowException, UnicodeError, OverflowError):  # no such table
        return b""


def _file(folder: Path, rows: list[Any], random: Random) -> tuple[Path, list[Any] | None]:
    """A file with the rows mutated; the rows if they are in it as they are."""
    changed = mutated(rows, random) if random.random() < 0.8 else rows
    changed = changed if isinstance(changed, list) else [changed]
    ending = random.choice((".jsonl", ".jsonl", ".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow"))
    content, told = _write(changed, ending, random), changed if ending in (".jsonl", ".json") else None
    if random.random() < 0.3:
        plain = ending in (".parquet", ".arrow") or random.random() < 0.3
        content = bytes_mutated(content, random) if plain else text_mutated(content.decode(), random)
        told = None
    path = folder / f"rows{ending}"
    if ending not in (".parquet", ".arrow") and random.random() < 0.1:
        path, content = path.with_name(path.name + ".gz"), gzip.compress(content)
        content = bytes_mutated(content, random) if random.random() < 0.5 else content
        told = None
    if ending == ".arrow":
        (folder / "dataset_info.json").write_text("{}")
    path.write_bytes(content)
    return path, told


def _check(found: Selection, rows: list[Any] | None) -> None:
    """Every row became a question, or is counted; a question's words are the row's."""
    if rows is None:
        return
    if len(found.items) + sum(found.left_out.values()) != len(rows):
        raise BrokenError(f"{len(found.items)} questions, {found.left_out}, of {len(rows)} rows")
    texts = {
        str(r["question"]) for r in rows if isinstance(r, dict) and isinstance(r.get("question"), str | int | float)
    }
    strange = [i.stem for i in found.items if i.stem not in texts and i.stem.strip() not in {t.strip() for t in texts}]
    if strange:
        raise BrokenError(f"questions of no row: {strange!r:.300}")
    for item in found.items:
        if "nan" in (text for _, text in item.options):
            raise BrokenError("an option of nothing")


def plain(random: Random, folder: Path) -> bool:
    path, told = _file(folder, [_sciknow(k) for k in range(6)], random)
    return refused(lambda: _check(select(read_rows(str(path))), told))


def with_mapping(random: Random, folder: Path) -> bool:
    path, told = _file(folder, [_plain(k) for k in range(12)], random)
    mapping = load_mapping("plain")
    strict = random.random() < 0.5
    return refused(lambda: _check(mapped(read_rows(str(path)), mapping, "rows", strict=strict), told))


def guessed(random: Random, folder: Path) -> bool:
    path, _ = _file(folder, [random.choice((_plain, _sciknow))(k) for k in range(12)], random)
    return refused(lambda: list(shown(str(path), guess_mapping(str(path)))))


def whole(random: Random, folder: Path) -> bool:
    """As a run reads them, all the way to the domains."""
    path, _ = _file(folder, [_plain(k) for k in range(60)], random)
    settings = ["data.mapping=plain", "data.rest_to_train=true"][: random.choice((1, 2))]

    def read() -> None:
        config = load_config(
            preset="real", data={"source": str(path)}, domains="physics", settings=settings, topology="solo"
        )
        load_domains(config)

    return refused(read)


def rationales(random: Random, folder: Path) -> bool:
    rows = [{"question": f"Q {k}", "rationale": f"R {k}", "item": f"i{k}", "domain": "physics"} for k in range(4)]
    path, told = _file(folder, rows, random)

    def read() -> None:
        found = read_rationales(str(path), "data.solutions")
        for row in told or ():
            if row.get("item") and str(row["item"]) not in found.by_id:
                raise BrokenError(f"lost: {row!r:.200}")

    return refused(read)


def targets() -> Iterator[tuple[str, int, Callable[[Random, Path], bool]]]:
    """Name, weight, and what does one case."""
    yield "rows", 5, plain
    yield "rows.mapping", 4, with_mapping
    yield "rows.guess", 1, guessed
    yield "rows.run", 2, whole
    yield "rationales", 2, rationales
