"""Tables that say much in few bytes are read a little at a time, or refused in one line."""

from __future__ import annotations

import time
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coopt.core.errors import DataError
from coopt.core.outside import tables
from coopt.core.outside.files import UnreadableError
from coopt.core.outside.written_out import written_out
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


def test_a_cell_of_a_table_of_text_may_be_as_long_as_documented(tmp_path: Path) -> None:
    """Python's reader of CSV alone refuses 131,072 characters."""
    for count in (1 << 20, (1 << 20) + 1):
        (tmp_path / f"{count}.csv").write_text(f"question,answer\n{'x' * count},A\n")
    assert len(next(read_rows(str(tmp_path / f"{1 << 20}.csv"))).value["question"]) == 1 << 20
    with pytest.raises(DataError, match=r"line 2: a cell of more than 1 MB\."):
        next(read_rows(str(tmp_path / f"{(1 << 20) + 1}.csv")))


def saved_stream(folder: Path, batch: pa.RecordBatch, packed: str | None, times: int = 1) -> Path:
    (folder / "dataset_info.json").write_text("{}")
    with (
        pa.OSFile(str(folder / "data.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=packed)) as stream,
    ):
        for _ in range(times):
            stream.write_batch(batch)
    return folder / "data.arrow"


@pytest.mark.parametrize("packed", ["zstd", "lz4", None])
def test_a_batch_that_unpacks_to_too_much_is_refused_unread(
    packed: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = pa.array(["x" * 1_000_000] * 20)
    file = saved_stream(tmp_path, pa.record_batch({"a": texts, "b": pa.array(["y"] * 20)}), packed, times=3)
    assert [len(r.value["a"]) for r in read_rows(str(file))] == [1_000_000] * 60, "each batch alone is small enough"
    monkeypatch.setattr(tables, "LARGEST_BATCH", 19_000_000)
    monkeypatch.setattr(tables, "_sound", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match=r"19 MB in a batch when unpacked\. Most: 18 MB"):
        next(read_rows(str(file)))


def test_dictionaries_of_a_stream_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.array(["x" * 1_000_000, "y" * 1_000_000]).dictionary_encode()
    batch = pa.record_batch({"a": texts, "b": texts, "c": texts})
    file = saved_stream(tmp_path, batch, "zstd")
    assert len(next(read_rows(str(file))).value["c"]) == 1_000_000
    monkeypatch.setattr(tables, "LARGEST_BATCH", 5_000_000)
    with pytest.raises(DataError, match=r"5 MB in a batch"):
        next(read_rows(str(file)))


def test_a_stream_whose_heads_lie_is_one_line(tmp_path: Path) -> None:
    """Every byte of it, changed: it is read, or refused as what it is."""
    file = saved_stream(tmp_path, pa.record_batch({"a": pa.array(["xyz"] * 9)}), "zstd")
    whole = file.read_bytes()
    for k in range(len(whole)):
        file.write_bytes(whole[:k] + bytes([whole[k] ^ 0xFF]) + whole[k + 1 :])
        said = ""
        try:
            list(read_rows(str(file)))
        except DataError as error:
            said = str(error)
        assert "\n" not in said


def test_a_group_of_rows_that_unpacks_to_too_much_is_refused_by_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"a": ["x" * 6_000_000], "b": ["y" * 6_000_000]})
    pq.write_table(table, tmp_path / "rows.parquet", compression="zstd", use_dictionary=False)
    assert (tmp_path / "rows.parquet").stat().st_size < 10_000
    monkeypatch.setattr(tables, "LARGEST_BATCH", 10_000_000)
    monkeypatch.setattr(tables, "written_out", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match=r"11 MB in a group of rows when unpacked\. Most: 9 MB"):
        next(read_rows(str(tmp_path / "rows.parquet")))


def test_a_text_of_megabytes_is_refused_before_it_is_repeated(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.parquet", equal_rows(100, "x" * (3 << 20)))
    with pytest.raises(DataError, match="a cell of 3 MB"):
        next(read_rows(file))


@pytest.mark.parametrize("what", ["bytes", "map"])
def test_so_is_whatever_else_is_long(what: str, tmp_path: Path) -> None:
    """Bytes that are no text; texts in a table of keys."""
    one = b"x" * (3 << 20)
    column = (
        pa.array([one] * 9)
        if what == "bytes"
        else pa.array([[("k", one.decode())]] * 9, pa.map_(pa.string(), pa.string()))
    )
    with pytest.raises(DataError, match="a cell of 3 MB"):
        next(read_rows(write(tmp_path / "rows.parquet", pa.table({"a": column}))))


def test_a_list_that_is_long_and_says_little_is_refused_by_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = pa.ListArray.from_arrays(pa.array([0, 9_000_000], pa.int32()), np.zeros(9_000_000, np.int8))
    file = write(tmp_path / "rows.parquet", pa.table({"choices": zeros}))
    assert Path(file).stat().st_size < 2_000
    monkeypatch.setattr(tables, "written_out", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match=r"9,000,000 values in column choices\.list\.element\. Most: 8,000,000"):
        next(read_rows(file))


def test_a_table_of_many_columns_is_looked_at_once(tmp_path: Path) -> None:
    names = [f"c{k}" for k in range(100_000)]
    (tmp_path / "x.csv").write_text(",".join(names) + "\n" + ",".join(names) + "\n")
    (tmp_path / "y.csv").write_text(",".join([*names, "c7"]) + "\n")
    began = time.process_time()
    assert len(next(read_rows(str(tmp_path / "x.csv"))).value) == 100_000
    with pytest.raises(DataError, match="column 'c7' appears twice"):
        next(read_rows(str(tmp_path / "y.csv")))
    assert time.process_time() - began < 5


def test_a_column_of_several_kinds_is_looked_through() -> None:
    kinds = pa.array([0, 1], pa.int8())
    for text in ("x", "x" * (3 << 20)):
        column = pa.UnionArray.from_sparse(kinds, [pa.array([text, ""]), pa.array([1, 2])])
        batch = pa.record_batch([column], ["a"])
        if len(text) == 1:
            assert list(written_out(batch)) == [{"a": "x"}, {"a": 2}]
            continue
        with pytest.raises(UnreadableError, match="a cell of 3 MB"):
            list(written_out(batch))


def test_arrow_streams_are_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dataset_info.json").write_text("{}")
    table = pa.table({"a": list(range(600)), "b": [["x", "y"]] * 600})
    with pa.OSFile(str(tmp_path / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    assert [r.value for r in read_rows(str(tmp_path / "data.arrow"))] == table.to_pylist()
    monkeypatch.setattr(formats, "MOST_ROWS", 500)
    with pytest.raises(DataError, match="600 rows"):
        list(read_rows(str(tmp_path / "data.arrow")))
