"""Tables that say much in few bytes are read a little at a time, or refused in one line."""

from __future__ import annotations

import tracemalloc
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coopt.core.errors import DataError
from coopt.domains import formats
from coopt.domains.files import read_rows


def write(path: Path, table: pa.Table) -> str:
    pq.write_table(table, path, compression="zstd")
    return str(path)


def equal_rows(count: int, text: str, lists: bool = False) -> pa.Table:
    one = pa.array([text]).dictionary_encode().dictionary
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), one)
    column = pa.array([[text]] * count) if lists else texts.cast(pa.large_string() if len(text) > 9999 else pa.string())
    return pa.table({"question": column})


def test_millions_of_equal_rows_are_refused_by_their_number(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.parquet", pa.table({"a": pa.nulls(20_000_000, pa.int8())}))
    with pytest.raises(DataError, match=r"20,000,000 rows\. Most: 1,000,000"):
        next(read_rows(file))


def test_rows_are_counted_over_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coopt.domains.files.MOST_ROWS", 5)
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"a": 1}\n' * 3)
    with pytest.raises(DataError, match="6 rows"):
        list(read_rows(str(tmp_path)))


@pytest.mark.parametrize("lists", [False, True])
def test_rows_are_written_out_a_few_at_a_time(lists: bool, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.parquet", equal_rows(20_000, "x" * 5_000, lists))
    assert Path(file).stat().st_size < 200_000
    tracemalloc.start()
    first = list(islice(read_rows(file), 3))
    before = pa.total_allocated_bytes()
    total = sum(1 for _ in read_rows(file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 20_000
    assert first[0].value["question"] == (["x" * 5_000] if lists else "x" * 5_000)
    assert peak < 20_000_000, "all rows together are 100 MB"
    assert pa.total_allocated_bytes() - before < 20_000_000


def test_a_text_of_megabytes_is_refused_before_it_is_repeated(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.parquet", equal_rows(100, "x" * (3 << 20)))
    with pytest.raises(DataError, match="a cell of 3 MB"):
        next(read_rows(file))


def test_arrow_streams_are_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dataset_info.json").write_text("{}")
    table = pa.table({"a": list(range(600)), "b": [["x", "y"]] * 600})
    with pa.OSFile(str(tmp_path / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    assert [r.value for r in read_rows(str(tmp_path / "data.arrow"))] == table.to_pylist()
    monkeypatch.setattr(formats, "MOST_ROWS", 500)
    with pytest.raises(DataError, match="600 rows"):
        list(read_rows(str(tmp_path / "data.arrow")))
