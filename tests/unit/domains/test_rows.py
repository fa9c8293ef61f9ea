"""Rows: filter, faults, splits. The rows here are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import DataError
from coopt.domains.base import SPLITS
from coopt.domains.files import read_rows
from coopt.domains.load import check_rows, load_domains
from coopt.domains.rows import Row, RowDomain, select, split_of


def row(question: str = "How many?", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "question": question,
        "choices": {"text": ["one", "two", "three", "four"], "label": list("ABCD")},
        "answerKey": "B",
        "type": "mcq-4-choices",
        "domain": "Physics",
        "details": {"level": "L3", "task": "t", "subtask": "s", "source": "x"},
        "prompt": {"default": ""},
        "answer": "",
    }
    return made | changes


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def test_prompt_format() -> None:
    (item,) = select([Row("f row 1", row())]).items
    assert item.prompt == "How many?\n\nA: one\nB: two\nC: three\nD: four\nPlease reason step by step."
    assert (item.answer, item.correct_text) == ("B", "two")


def test_other_levels_and_types_are_left_out_with_reasons() -> None:
    rows = [row(), row(details={"level": "L2"}), row(type="open-ended-qa"), row(type="true_or_false")]
    found = select(Row("f", r) for r in rows)
    assert len(found.items) == 1
    assert found.left_out == {"level L2": 1, "type open-ended-qa": 1, "type true_or_false": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answerKey": ""}, "'answerKey' is missing"),
        ({"answerKey": "E"}, "answerKey 'E' is not among the options A, B, C, D"),
        ({"choices": {"text": list("wxyz"), "label": list("ABCE")}}, "option letter 'E' is out of range"),
        ({"choices": {"text": ["one"], "label": list("ABCD")}}, "'choices' must hold"),
        ({"answerKey": ["A"]}, "'answerKey' is missing"),
        ({"choices": {"text": list("wxyz"), "label": list("AABC")}}, "appears twice"),
        ({"choices": {"text": ["x", None, "y", "z"], "label": list("ABCD")}}, "'choices' must hold"),
        ({"type": "mcq-2-choices"}, "'choices' must hold"),
        ({"question": "half \ud83d"}, "not valid Unicode"),
        ({"question": " "}, "'question' is empty"),
        ({"choices": {"text": ["x", float("nan"), "y", "z"], "label": list("ABCD")}}, "'choices' must hold"),
        ({"solution": ["a"]}, "'solution' must be text, not list"),
        ({"domain": "Astrology"}, "domain 'Astrology' is unknown"),
        ({"details": {}}, "details.level is missing"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "rows.jsonl", [row(), row(**changes)])
    with pytest.raises(DataError, match=rf"rows.jsonl row 2: .*{message}"):
        select(read_rows(str(path)))


def test_files_that_are_no_rows(tmp_path: Path) -> None:
    cases = {
        "empty.jsonl": ("", "holds no rows"),
        "broken.jsonl": ('{"a": \n', "row 1: not JSON"),
        "object.json": ("{}", "must hold a list"),
        "number.jsonl": ("7\n", "must be a JSON object"),
        "table.csv": ("a,b\n", "holds no rows"),
        "table.xlsx": ("a,b\n", "unknown file type"),
        "half.csv": ("a,b\n1,2,3\n", "line 2: more cells than the 2 columns"),
        "twice.csv": ("a,a\n1,2\n", "column 'a' appears twice"),
        "open.csv": ('a,b\n"1,2\n', "not a table"),
        "deep.jsonl": ("[" * 100_000, "inside one another, deeper than 100"),
        "huge.jsonl": ('{"a": ' + "9" * 5_000 + "}\n", "row 1: a number of more than 4,300 digits"),
        "fake.csv.gz": ("a,b\n", "not a complete gzip file"),
        "fake.parquet": ("not parquet", "not a readable Parquet file"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=message):
            select(read_rows(str(tmp_path / name)))
    with pytest.raises(DataError, match="no such file or folder"):
        list(read_rows(str(tmp_path / "nothing.jsonl")))


def test_json_jsonl_parquet_and_folders_read_alike(tmp_path: Path) -> None:
    rows = [row(f"How many {k}?") for k in range(5)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    write(tmp_path / "b.jsonl", rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    items = [select(read_rows(str(tmp_path / n))).items for n in ("a.json", "b.jsonl", "c.parquet")]
    assert items[0] == items[1] == items[2]
    found = select(read_rows(str(tmp_path)))
    assert (found.items, found.left_out) == (items[0], {"copy of a question": 10})


HOW: list[dict[str, Any]] = [
    {},
    {"use_dictionary": False},
    {"data_page_version": "2.0"},
    {"use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY"},  # DuckDB's, of version 2
]


@pytest.mark.parametrize("options", HOW, ids=str)
@pytest.mark.parametrize("size", [100, 700, 3000])
def test_lists_in_several_groups_of_rows(tmp_path: Path, size: int, options: dict[str, Any]) -> None:
    """As the hub exports tables: a thousand rows a group, options as lists. Dictionaries of texts differ by group, and
    give way to plain texts in the middle of a large one."""
    rows = [row(f"How many {k}?", choices=[f"{k} of {j}, {'and more ' * 20}" for j in range(4)]) for k in range(3000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "r.parquet", row_group_size=size, **options)
    found = [r.value for r in read_rows(str(tmp_path / "r.parquet"))]
    assert found == rows


def test_splits_are_disjoint_and_keep_duplicates_together() -> None:
    rows = [row(f"Question number {k}?") for k in range(400)]
    rows.append(row("question  NUMBER 7?", choices={"text": ["x", "two", "y", "z"], "label": list("ABCD")}))
    domain = RowDomain("physics", tuple(select(Row("f", r) for r in rows).items))
    sizes = {s: len(domain.items(s)) for s in ("train", "validation", "test")}  # type: ignore[arg-type]
    assert sum(sizes.values()) == 401
    assert 300 < sizes["train"] < 345
    twins = [i for i in domain.rows if i.stem.lower().split() == "question number 7?".split()]
    assert len(twins) == 2
    assert len({split_of(t) for t in twins}) == 1


def test_rows_may_say_their_split(tmp_path: Path) -> None:
    """As a paper's fixed files have it: 9:1, and validation cut from train. What is tested is not trained on."""
    rows = [row(f"Question number {k}?") | {"split": "test" if k % 10 == 0 else "train"} for k in range(400)]
    rows += [rows[0] | {"split": "train"}, rows[1]]
    own = {"source": str(write(tmp_path / "r.jsonl", rows)), "validation": 20}
    for rest, train in ((False, 317), (True, 340)):  # a tenth of train by hash: 43
        domain = load_domains(load_config(preset="real", domains="phys", data=own | {"rest_to_train": rest}))["physics"]
        ids = {s: {i.id for i in domain.items(s)} for s in SPLITS}
        assert (len(ids["test"]), len(ids["validation"])) == (40, 20)
        assert len(ids["train"]) == train
        assert not ids["train"] & ids["test"] | ids["train"] & ids["validation"]
    found = check_rows(own["source"], len, 50)
    assert found["left_out"] == {"train question that is in test too": 1, "copy of a question": 1}


def test_a_split_that_is_none_and_rows_without_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"f row 1: split 'dev'\. Allowed: train, validation, test\."):
        select([Row("f row 1", row() | {"split": "dev"})])
    path = write(tmp_path / "r.jsonl", [row("a?") | {"split": "train"}, row("b?")])
    with pytest.raises(DataError, match=r"1 of 2 rows do not say their split"):
        check_rows(str(path), len, 50)


def test_check_answers_counts_and_constants(tmp_path: Path) -> None:
    rows = [row(f"Q {k}?") for k in range(20)] + [row("Q", domain="Material", answerKey="C"), row(type="filling")]
    answer = check_rows(str(write(tmp_path / "r.jsonl", rows)), len, 50)
    assert answer["left_out"] == {"type filling": 1}
    physics = answer["domains"]["physics"]
    assert physics["rows"] == physics["train"] + physics["validation"] + physics["test"] == 20
    assert physics["constant_letter"] == {"letter": "B", "share": 1.0}
    assert physics["too_long"] == 20
    assert answer["domains"]["materials"]["constant_letter"]["letter"] == "C"


def test_line_ends_and_lists_of_options_as_others_write_them(tmp_path: Path) -> None:
    """CRLF, and options as a list whose labels are the letters."""
    rows = [row(f"How many {k}?") for k in range(3)]
    plain = write(tmp_path / "plain.jsonl", rows)
    (tmp_path / "crlf.jsonl").write_bytes(plain.read_bytes().replace(b"\n", b"\r\n"))
    (tmp_path / "open.jsonl").write_bytes(plain.read_bytes().rstrip(b"\n"))
    expected = select(read_rows(str(plain))).items
    assert len(expected) == 3
    for name in ("crlf", "open"):
        assert select(read_rows(str(tmp_path / f"{name}.jsonl"))).items == expected


@pytest.mark.parametrize("key", [float("nan"), None, 2, "", "E", ["B"]])
def test_a_key_that_is_no_options_letter_is_named(tmp_path: Path, key: object) -> None:
    with pytest.raises(DataError, match=r"r.jsonl row 1: ") as error:
        select(read_rows(str(write(tmp_path / "r.jsonl", [row(answerKey=key)]))))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_a_table_that_was_cut_is_one_line(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "r.parquet"
    pq.write_table(pa.Table.from_pylist([row(f"How many {k}?") for k in range(50)]), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=r"r.parquet: not a readable Parquet file") as error:
        select(read_rows(str(path)))
    assert "\n" not in str(error.value)


def test_folders_named_by_their_contents_are_folders(tmp_path: Path) -> None:
    """As other tools partition a table: ``split=train/part 1.parquet``."""
    rows = [row(f"How many {k}?") for k in range(4)]
    for k, one in enumerate(rows):
        folder = tmp_path / f"domain=Physics/split={'train' if k % 2 else 'test'}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([one]), folder / f"part {k}.parquet")
    assert {i.stem for i in select(read_rows(str(tmp_path))).items} == {r["question"] for r in rows}
