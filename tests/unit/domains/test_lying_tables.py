"""Parquet whose footer says something else than its pages, and tables in which a few bytes stand for many rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coopt.core.errors import DataError
from coopt.core.outside import parquet, tables, written_out
from coopt.domains.files import read_rows

TRUTH = 20_001
VARIABLE = {"plain": [f"t{k % 7}" for k in range(TRUTH)], "lists": [["a", "b"]] * TRUTH}
FILE, COLUMN, PAGES, GROUP = range(4)
"""Where a footer says how many there are, in its order (``PAGES``: in the statistics of a column's encodings)."""


def number(value: int, width: int = 0) -> bytes:
    """As Thrift writes it, in ``width`` bytes if that is more than it takes."""
    left, found = (value << 1) ^ (value >> 63), []
    while left >= 0x80 or len(found) + 1 < width:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left])


def footer_says(file: Path, truth: int, lie: int, which: Sequence[int]) -> None:
    """Put ``lie`` in place of some of the numbers ``truth`` in a footer, in as many bytes."""
    data = file.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    parts = data[start:].split(number(truth))
    assert max(which) < len(parts) - 1
    said = [number(lie if k in which else truth, len(number(truth))) for k in range(len(parts) - 1)]
    file.write_bytes(data[:start] + b"".join(a + b for a, b in zip(parts, [*said, b""], strict=True)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.parquet"


@pytest.mark.parametrize("lie", [101, 60_001])
@pytest.mark.parametrize("which", [[FILE], [COLUMN], [GROUP], [FILE, GROUP], [FILE, COLUMN, PAGES, GROUP]])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_rows_that_a_footer_hides_or_invents_are_seen(lie: int, which: list[int], version: str, file: Path) -> None:
    table = pa.table({"question": VARIABLE["plain"]})
    pq.write_table(table, file, write_statistics=False, store_schema=False, data_page_version=version)
    assert sum(1 for _ in read_rows(str(file))) == TRUTH
    footer_says(file, TRUTH, lie, which)
    with pytest.raises(DataError, match=r"not a readable Parquet file .its footer says ") as found:
        list(read_rows(str(file)))
    assert f"{lie:,}" in str(found.value)


@pytest.mark.parametrize("lie", [101, 60_001])
def test_so_are_values_in_lists(lie: int, file: Path) -> None:
    table = pa.table({"choices": VARIABLE["lists"]})
    pq.write_table(table, file, write_statistics=False, store_schema=False)
    footer_says(file, 2 * TRUTH, lie, [0])
    with pytest.raises(DataError, match=rf"its footer says .*{lie:,} values in column choices\.list\.element"):
        list(read_rows(str(file)))


def test_sizes_are_those_of_the_pages(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow asks memory for what the pages say."""
    pq.write_table(pa.table({"a": ["x" * 1_000_000] * 9}), file, compression="zstd", use_dictionary=False)
    size = pq.read_metadata(file).row_group(0).column(0).total_uncompressed_size
    footer_says(file, size, 1000, [0, 1])
    assert pq.read_metadata(file).row_group(0).column(0).total_uncompressed_size == 1000
    monkeypatch.setattr(tables, "LARGEST_BATCH", 8 << 20)
    monkeypatch.setattr(tables, "written_out", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match=r"8 MB in a group of rows when unpacked\. Most: 8 MB"):
        next(read_rows(str(file)))


@pytest.mark.parametrize("how", [{}, {"use_dictionary": False}, {"data_page_version": "2.0"}, {"compression": "none"}])
def test_what_is_read_of_honest_files_is_what_they_hold(how: dict[str, object], file: Path) -> None:
    """Of several groups and pages, with nulls, structs, lists and maps, and of pages with statistics."""
    rows = [
        {
            "text": None if k % 5 == 0 else f"text {k % 13}",
            "choices": [] if k % 7 == 0 else [f"{k}", None],
            "inner": {"label": ["A", "B"], "n": k},
            "raw": bytes(4),
            "map": [("k", k)],
        }
        for k in range(5000)
    ]
    schema = pa.schema(
        {
            "text": pa.string(),
            "choices": pa.list_(pa.string()),
            "inner": pa.struct({"label": pa.list_(pa.string()), "n": pa.int64()}),
            "raw": pa.binary(4),
            "map": pa.map_(pa.string(), pa.int64()),
        }
    )
    table = pa.Table.from_pylist(rows, schema)
    pq.write_table(table, file, **({"row_group_size": 1500, "data_page_size": 2000, "compression": "zstd"} | how))
    assert [row.value for row in read_rows(str(file))] == rows


def test_a_file_of_no_rows_and_one_without_columns_are_no_lies(file: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.string())}), file)
    with pytest.raises(DataError, match="holds no rows"):
        list(read_rows(str(file)))


def test_texts_by_their_prefixes_are_read_but_not_in_lists(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may be as long as the page, whatever the page's length: so few at a time."""
    monkeypatch.setattr(tables, "LARGEST_BATCH", 1 << 20)
    texts = [f"{'x' * 90_000}{k}" for k in range(40)]
    how = {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}}
    pq.write_table(pa.table({"a": texts}), file, **how)
    sizes: list[int] = []
    whole = tables.written_out
    monkeypatch.setattr(tables, "written_out", lambda batch: sizes.append(batch.num_rows) or whole(batch))
    assert [row.value["a"] for row in read_rows(str(file))] == texts
    assert max(sizes) == (1 << 20) // 90_281
    how["column_encoding"] = {"a.list.element": "DELTA_BYTE_ARRAY"}
    pq.write_table(pa.table({"a": [[t] for t in texts]}), file, **how)
    with pytest.raises(DataError, match=r"DELTA_BYTE_ARRAY. in column a\.list\.element"):
        list(read_rows(str(file)))


def test_texts_of_one_length_are_counted_as_often_as_they_stand(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LARGEST_BATCH", 1 << 20)
    kind = pa.binary(100_000)
    how = {"compression": "zstd", "dictionary_pagesize_limit": 1 << 30}
    pq.write_table(pa.table({"a": pa.array([b"x" * 100_000] * 40, kind)}), file, **how)
    sizes: list[int] = []
    whole = tables.written_out
    monkeypatch.setattr(tables, "written_out", lambda batch: sizes.append(batch.num_rows) or whole(batch))
    assert len(list(read_rows(str(file)))) == 40
    assert max(sizes) == 10
    pq.write_table(pa.table({"a": pa.array([[b"x" * 100_000] * 40], pa.list_(kind))}), file, **how)
    with pytest.raises(DataError, match="3 MB in a group of rows when unpacked"):
        list(read_rows(str(file)))


def test_lists_of_all_columns_together_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = pa.ListArray.from_arrays(pa.array([0, 100_000], pa.int32()), np.zeros(100_000, np.int64))
    pq.write_table(pa.table({f"c{k}": zeros for k in range(12)}), file)
    assert file.stat().st_size < 20_000
    assert len(next(read_rows(str(file))).value["c1"]) == 100_000
    monkeypatch.setattr(tables, "LARGEST_BATCH", 9_000_000)
    with pytest.raises(DataError, match="9 MB in a group of rows when unpacked"):
        next(read_rows(str(file)))


@pytest.mark.parametrize("rows", [1, 4])
def test_one_long_text_in_many_places_is_written_out_as_often_as_fits(
    rows: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a dictionary it is held once; as a row of Python's it is not."""
    monkeypatch.setattr(written_out, "LARGEST_BATCH", 1_000_000)
    pq.write_table(pa.table({"a": [["x" * 100_000] * (36 // rows)] * rows}), file)
    if rows == 4:
        assert sum(len(row.value["a"]) for row in read_rows(str(file))) == 36
        return
    with pytest.raises(DataError, match="a row of 3 MB"):
        list(read_rows(str(file)))


def _saved(folder: Path, column: pa.Array) -> str:
    (folder / "dataset_info.json").write_text("{}")
    batch = pa.record_batch({"a": column})
    with pa.OSFile(str(folder / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return str(folder / "data.arrow")


def test_nothing_many_times_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's nulls take no bytes, so that no size tells of them."""
    monkeypatch.setattr(written_out, "MOST_VALUES", 1000)
    for column in (
        pa.ListArray.from_arrays(pa.array([0, 2000], pa.int32()), pa.nulls(2000)),
        pa.FixedSizeListArray.from_arrays(pa.nulls(2000), 2000),
    ):
        with pytest.raises(DataError, match=r"a row of 2,001 values\. Most: 1,000"):
            list(read_rows(_saved(tmp_path, column)))
    assert len(list(read_rows(_saved(tmp_path, pa.nulls(2000))))) == 2000


@pytest.mark.parametrize(
    "column",
    [
        pa.RunEndEncodedArray.from_arrays(pa.array([9], pa.int32()), pa.array(["x"])),
        pa.ListViewArray.from_arrays(pa.array([0] * 9, pa.int32()), pa.array([3] * 9, pa.int32()), pa.array([1, 2, 3])),
        pa.DictionaryArray.from_arrays(pa.array([0] * 9), pa.array([["x"] * 5])),
        pa.UnionArray.from_dense(pa.array([0] * 9, pa.int8()), pa.array([0] * 9, pa.int32()), [pa.array(["x"])]),
    ],
    ids=["runs", "views of lists", "a dictionary of lists", "a union"],
)
def test_kinds_whose_cells_may_all_be_one_are_not_read(column: pa.Array, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a column of type .*, which is not read"):
        list(read_rows(_saved(tmp_path, column)))


@pytest.mark.parametrize("other", [0xFF, 0x01, 0x10])
def test_a_byte_that_is_another_is_one_line_and_ends_no_process(other: int, file: Path) -> None:
    """Each byte of a file: it is read, or refused as what it is. Arrow alone aborts at some of them."""
    table = pa.table({"a": ["xyz"] * 9, "b": [[1]] * 9})
    pq.write_table(table, file, compression="zstd", store_schema=False, write_statistics=False)
    whole = file.read_bytes()
    for k in range(len(whole)):
        file.write_bytes(whole[:k] + bytes([whole[k] ^ other]) + whole[k + 1 :])
        said = ""
        try:
            list(read_rows(str(file)))
        except DataError as error:
            said = str(error)
        assert "\n" not in said


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view(), pa.large_string()])
def test_views_of_texts_are_as_long_as_they_say(
    kind: pa.DataType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = pa.array(["short", None, "x" * 1000], kind)[1:]
    assert [len(row.value["a"] or "") for row in read_rows(_saved(tmp_path, column))] == [0, 1000]
    monkeypatch.setattr(written_out, "LONGEST_CELL", 999)
    with pytest.raises(DataError, match="a cell of"):
        list(read_rows(_saved(tmp_path, column)))


def test_pages_are_counted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"a": VARIABLE["plain"]}), file, data_page_size=1, write_batch_size=100)
    assert sum(1 for _ in read_rows(str(file))) == TRUTH
    monkeypatch.setattr(parquet, "_MOST_PAGES", 100)
    with pytest.raises(DataError, match="more than 100 pages"):
        next(read_rows(str(file)))
