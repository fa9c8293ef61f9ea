"""Rows as people keep them: tables without names, options inside a text, commas in numbers, files of many kinds."""

from __future__ import annotations

import csv
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coopt.core.errors import DataError
from coopt.domains.base import SPLITS
from coopt.domains.files import read_rows
from coopt.domains.load import check_rows
from coopt.domains.mapping.guess import guess_mapping
from coopt.domains.mapping.items import mapped
from coopt.domains.mapping.lettered import cut_options
from coopt.domains.mapping.schema import load_mapping
from coopt.domains.rows import split_of
from coopt.domains.scoring import is_correct
from tests.unit.domains.test_mapping import items, kept, mine
from tests.unit.domains.test_rows import write


def headless(path: Path, keys: str = "ABCD", rows: int = 12) -> Path:
    """A CSV whose first line is a row already, and one with two equal options."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerows(
            [f'{path.stem} "{k}", why?', "yes, yes", "no\nno", f"{k}", "none", keys[k % 4]] for k in range(rows)
        )
    return path


@pytest.mark.parametrize(("keys", "given", "base"), [("ABCD", "letter", 0), ("0123", "index", 0), ("1234", "index", 1)])
def test_a_table_without_names(tmp_path: Path, keys: str, given: str, base: int) -> None:
    path = headless(tmp_path / "law.csv", keys)
    found = guess_mapping(str(path))
    assert found.mapping.source.columns == ("question", "A", "B", "C", "D", "answer")
    assert (found.mapping.answer.given, found.mapping.answer.base) == (given, base)
    (tmp_path / "mine.toml").write_text(found.toml)
    answer = check_rows(str(tmp_path / "mine.toml"), len, 999)  # the guess says where its rows are
    assert answer["left_out"] == {}
    assert answer["domains"]["law"]["rows"] == 12


def test_domains_named_by_files(tmp_path: Path) -> None:
    for part in ("dev", "test"):
        for name in ("college_law", "civil law"):
            headless(tmp_path / "set" / part / f"{name}_{part}.csv")
    (tmp_path / "set" / "README.md").write_text("What this is.")
    found = guess_mapping(str(tmp_path / "set"))
    rows = mapped(read_rows(str(tmp_path / "set"), found.mapping.source.columns), found.mapping, "f").items
    assert {i.domain for i in rows} == {"college_law", "civil_law"}


def test_splits_named_by_files(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        write(tmp_path / f"{part}-00000-of-00001.jsonl",
              [{"question": f"{part} {k}?", "choices": ["x", "y"], "key": "AB"[k % 2]} for k in range(9)])  # fmt: skip
    found = guess_mapping(str(tmp_path)).mapping
    rows = mapped(read_rows(str(tmp_path)), found, "f").items
    assert {s: sum(split_of(i) == s for i in rows) for s in SPLITS} == dict.fromkeys(SPLITS, 9)
    assert all(i.stem.startswith(split_of(i)) for i in rows)


def test_shards_of_one_data_set_are_one_domain(tmp_path: Path) -> None:
    for k in range(3):
        headless(tmp_path / f"part-{k}.csv")
    assert guess_mapping(str(tmp_path)).mapping.domain.field == ""


@pytest.mark.parametrize(
    ("text", "stem", "options"),
    [
        ("Why?\n\nA) one\nB) two\n\nC) three", "Why?", ["one", "two", "three"]),
        ("Why?\nChoices:\n(A) one\n(B) two", "Why?", ["one", "two"]),
        ("a ) 3 , b ) 2.5 , c ) none", "", ["3", "2.5", "none"]),
        ("Which of (a) and (b)?\nA. both of (a)\nB. none", "Which of (a) and (b)?", ["both of (a)", "none"]),
        ("Why?\nA. one\nB. two\n\nAnswer with a letter.", "Why?", ["one", "two"]),
        ("Plan A: it rains", "Plan A: it rains", []),
        ("A. one\nC. three", "A. one\nC. three", []),
    ],
)
def test_options_inside_a_text(text: str, stem: str, options: list[str]) -> None:
    assert cut_options(text) == (stem, options)


def test_questions_that_hold_their_options(tmp_path: Path) -> None:
    rows = [{"problem": f"{k}?\nA. a{k}\nB. b{k}", "answer": "(B)"} for k in range(9)]
    found = guess_mapping(str(write(tmp_path / "r.jsonl", rows)))
    assert (found.mapping.answer.kind, found.mapping.options.field) == ("letter", "problem")
    item = mapped(found.rows, found.mapping, "f").items[0]
    assert item.prompt == "0?\n\nA: a0\nB: b0\nPlease reason step by step."
    assert item.answer == "B"
    assert kept(items([mine(o="(A) x (B) y")], {"options": {"field": "o"}})).correct_text == "y"


def test_twenty_six_options_and_not_one_more() -> None:
    def given(count: int) -> list[str]:
        return [f"o{k}" for k in range(count)]

    tree = {"options": {"field": "o"}}
    assert kept(items([mine(o=given(26), key="z")], tree)).options[-1] == ("Z", "o25")
    found = items([mine(o=given(27)), mine(o=[["nested"], ["list"]])], tree)
    assert set(found.left_out) == {"27 options: 2 to 26 can be shown", "an option is not text but a list"}
    assert len(ascii_uppercase) == 26


@pytest.mark.parametrize(
    ("written", "decimal", "read"),
    [
        ("3,5", ",", "3.5"),
        ("1.234,5", ",", "1234.5"),
        ("-2", ",", "-2"),
        ("1,234.5", ".", "1,234.5"),
        ("3.5", ".", "3.5"),
    ],
)
def test_decimal_commas(written: str, decimal: Any, read: str) -> None:
    tree = {"options": {}, "answer": {"kind": "number", "field": "key", "decimal": decimal}}
    item = kept(items([mine(key=written)], tree))
    assert item.answer == read
    assert is_correct(f"<answer>{read}</answer>", item.answer, "number")


def test_decimal_commas_are_guessed_and_never_misread(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("question;answer\n" + "".join(f"{k} durch 2?;{k // 2},{5 * (k % 2)}\n" for k in range(9)))
    found = guess_mapping(str(path)).mapping
    assert (found.answer.kind, found.answer.decimal) == ("number", ",")
    plain = {"options": {}, "answer": {"kind": "number", "field": "key"}}
    assert list(items([mine(key="3,5")], plain).left_out) == [
        "a comma in the right answer does not separate thousands: answer.decimal = ','?"
    ]


def test_a_unit_behind_a_number_is_no_part_of_it(tmp_path: Path) -> None:
    rows = [{"body": f"{k} apples, one is eaten.", "question": "How many?", "answer": f"{k - 1} (apples)"}
            for k in range(1, 9)]  # fmt: skip
    found = guess_mapping(str(write(tmp_path / "r.jsonl", rows)))
    assert (found.mapping.question, found.mapping.answer.kind) == ("{body}\n\n{question}", "number")


def test_rows_that_contradict_one_another_are_left_out(tmp_path: Path) -> None:
    why = "another row has the same question and another answer"
    found = items([mine(), mine(key="C"), mine(q="Fine?")])
    assert (len(found.items), found.left_out) == (1, {why: 2})
    rows = [{"question": f"{k // 2}?", "answer": f"a{k}", "label": k % 2} for k in range(40)]  # a candidate each
    with pytest.raises(DataError, match=f"no mapping found that reads its rows; nearest: {why}"):
        guess_mapping(str(write(tmp_path / "r.jsonl", rows)))


def test_utf_16_is_named(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl"):
        (tmp_path / name).write_text("question,answer\nWhy?,so\n", encoding="utf-16")
        with pytest.raises(DataError, match=rf"{name}: the text is UTF-16. Save it as UTF-8") as caught:
            list(read_rows(str(tmp_path / name)))
        assert "\n" not in str(caught.value)


def test_parquet_with_dictionary_columns(tmp_path: Path) -> None:
    texts = pa.array(["B", "A", "B"]).dictionary_encode()
    rows = pa.table({"question": ["x", "y", "z"], "A": texts, "B": ["b", "c", "d"], "answer": texts})
    pq.write_table(rows, tmp_path / "r.parquet")
    found = mapped(read_rows(str(tmp_path)), load_mapping("plain"), "f").items
    assert [i.answer for i in sorted(found, key=lambda i: i.stem)] == ["B", "A", "B"]
