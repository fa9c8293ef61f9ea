"""Mappings: every shipped one on made-up rows of its schema, what is left out, and faults in one line."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, CooptError, DataError
from coopt.domains.base import SPLITS, Item
from coopt.domains.files import read_rows
from coopt.domains.load import check_rows, load_domains
from coopt.domains.mapping.guess import guess_mapping
from coopt.domains.mapping.items import mapped
from coopt.domains.mapping.schema import check_mapping, load_mapping, mapping_names
from coopt.domains.rows import Row, Selection, select, split_of
from tests.unit.domains.test_rows import row, write

WRONG = {"Incorrect Answer 1": "x", "Incorrect Answer 2": "y", "Incorrect Answer 3": "z"}
LIST = ["zero", "one", "two", "three"]
SHIPPED: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "plain": ({"question": "Q", "A": "zero", "B": "one", "C": "", "answer": "b", "domain": "Law"}, ("law", "B")),
    "sciknoweval": (row("Q", domain="Material"), ("materials", "B")),
    "mmlu": ({"question": "Q", "subject": "high_school_physics", "choices": LIST, "answer": 2},
             ("high_school_physics", "C")),
    "mmlu_pro": ({"question": "Q", "category": "computer science", "options": [f"o{k}" for k in range(10)],
                  "answer": "J", "answer_index": 9, "cot_content": ""}, ("computer_science", "J")),
    "arc": ({"question": "Q", "choices": {"text": LIST, "label": list("1234")}, "answerKey": "3"}, ("science", "C")),
    "gpqa": ({"Question": "Q", "Correct Answer": "right", **WRONG, "High-level domain": "Physics"},
             ("physics", "right")),
    "supergpqa": ({"question": "Q", "options": LIST, "answer": "two", "answer_letter": "C", "discipline": "Law"},
                  ("law", "C")),
    "medmcqa": ({"question": "Q", "opa": "w", "opb": "x", "opc": "y", "opd": "z", "cop": 3, "exp": None,
                 "subject_name": "Gynaecology & Obstetrics"}, ("gynaecology_obstetrics", "D")),
    "sciq": ({"question": "Q", "distractor1": "x", "distractor2": "y", "distractor3": "z", "correct_answer": "right",
              "support": "So."}, ("science", "right")),
    "gsm8k": ({"question": "Q", "answer": "First 3, then 4.\n#### 1,234"}, ("math", "1,234")),
}  # fmt: skip
MINE: dict[str, Any] = {
    "question": "q",
    "options": {"columns": list("ABC")},
    "answer": {"field": "key"},
    "domain": {"name": "law"},
}


def items(rows: list[Any], tree: dict[str, Any] | None = None) -> Selection:
    mapping = check_mapping(MINE | (tree or {}), "mine.toml")
    return mapped([Row(f"f row {k}", r, "f") for k, r in enumerate(rows, start=1)], mapping, "f", strict=False)


def mine(**changes: Any) -> dict[str, Any]:
    return {"q": "Why?", "A": "a", "B": "b", "C": "c", "key": "B"} | changes


def kept(found: Selection) -> Item:
    (item,) = found.items
    return item


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_mapping_reads_rows_of_its_schema(name: str, tmp_path: Path) -> None:
    value, (domain, answer) = SHIPPED[name]
    item = kept(mapped([Row("f row 1", value)], load_mapping(name), "f"))
    assert (item.stem, item.domain) == (value.get("question", value.get("Question")), domain)
    assert answer in (item.answer, item.correct_text)
    guess = guess_mapping(str(write(tmp_path / "rows.jsonl", [value])))
    assert guess.name == name
    (tmp_path / "mine.toml").write_text(guess.toml)
    own = load_mapping(str(tmp_path / "mine.toml"))
    assert own.source.path == str(tmp_path / "rows.jsonl")  # these rows, not the hub's
    assert own.model_dump(exclude={"source"}) == load_mapping(name).model_dump(exclude={"source"})


def test_all_shipped_mappings_are_tried_here() -> None:
    assert sorted(SHIPPED) == mapping_names()


def test_sciknoweval_rows_are_the_same_items_with_and_without_the_mapping() -> None:
    rows = [Row("f", row(f"Q {k}?", answerKey="ABCD"[k % 4])) for k in range(100)]
    rows.append(Row("f", row("fifth", choices={"text": list("vwxyz"), "label": list("ABCD")})))
    rows.append(Row("f", row("equal", choices={"text": list("xxyz"), "label": list("ABCD")})))
    rows.append(Row("f", row("other", details={"level": "L2"})))
    plain, own = select(rows).items, mapped(rows, load_mapping("sciknoweval"), "f").items
    assert plain == own
    assert len(plain) == 102


def test_the_right_answer_among_distractors_is_not_always_the_first() -> None:
    rows = [{"question": f"Q{k}", "correct_answer": "r", "distractor1": "x", "distractor2": "y", "distractor3": "z"}
            for k in range(60)]  # fmt: skip
    found = mapped([Row("f", r) for r in rows], load_mapping("sciq"), "f").items
    assert {i.key for i in found} == set("ABCD")
    assert all(i.correct_text == "r" for i in found)


@pytest.mark.parametrize(
    ("options", "value", "key", "given"),
    [
        ({"field": "o"}, {"a": "x", "b": "y"}, "B", "letter"),
        ({"field": "o"}, [{"text": "x", "label": "A"}, {"text": "y", "label": "B"}], "B", "letter"),
        ({"field": "o", "text": "body", "label": "id"}, [{"body": "x", "id": "1"}, {"body": "y", "id": "2"}], "2", "letter"),  # noqa: E501
        ({"field": "o"}, '["x", "y"]', "y", "text"),
        ({"field": "o"}, "['x', 'y']", "1", "index"),
        ({"field": "o"}, ["x", "y"], "(b).", "letter"),
        ({"field": "o"}, [1, 2], 1.0, "index"),
        ({"right": "key", "wrong": ["o"]}, ["x", "z"], "y", "text"),
    ],
)  # fmt: skip
def test_ways_to_give_options_and_key(options: dict[str, Any], value: Any, key: Any, given: str) -> None:
    tree = {"options": options, "answer": {"field": "key", "given": given}}
    assert kept(items([{"q": "Q", "o": value, "key": key}], tree)).correct_text in ("y", "2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"q": float("nan")}, r"the question is missing or empty \(field 'q'\)"),
        ({"q": ["x"]}, "field 'q' is not text but a list"),
        ({"q": 10**5000}, "a number of more digits than Python writes"),
        ({"B": float("nan")}, "an option is empty"),
        ({"B": "a"}, "two options are equal"),
        ({"B": {"x": 1}}, "option 'B' is not text but a dict"),
        ({"B": "", "C": None}, "1 options: 2 to 26"),
        ({"key": "D"}, "the right answer is not the letter of an option"),
        ({"key": None}, "the right answer is missing"),
        ({"key": "9" * 5000}, "the right answer is not the letter"),
        ({"q": "half \ud83d"}, "not valid Unicode"),
        ({"s": ["x"]}, "field 's' is not text but a list"),
    ],
)
def test_a_row_that_does_not_fit_is_left_out_with_a_reason(changes: dict[str, Any], reason: str) -> None:
    found = items([mine(**changes), mine(q="Fine?")], {"solution": "s"})
    assert len(found.items) == 1
    ((why, times),) = found.left_out.items()
    assert (times, found.first[why]) == (1, "f row 1")
    assert re.search(reason, why)
    with pytest.raises(DataError, match="1 of 2 rows are not as the mapping says"):
        mapped(
            [Row("f", mine(**changes)), Row("f", mine(q="Fine?"))], check_mapping(MINE | {"solution": "s"}, "m"), "f"
        )


def test_copies_are_dropped_and_a_tested_question_is_not_trained_on() -> None:
    assert items([mine(), mine(q="why?  ")]).left_out == {"copy of a question": 1}
    rule = {"split": {"field": "part", "train": ["train*"], "test": ["test"]}}
    rows = [mine(q=f"Q{k}", part="train-0") for k in range(50)] + [mine(q=f"Q{k}", part="test") for k in range(5)]
    rows.append(mine(part="dev"))
    rows.append(mine(q="Q1", A="c", C="a", part="train-1"))  # the same one, its options in another order
    found = items(rows, rule)
    assert found.left_out == {"train question that is in test too": 6, "part = 'dev' is in no split of the mapping": 1}
    sizes = [sum(split_of(i) == s for i in found.items) for s in SPLITS]
    assert sizes[2] == 5
    assert 0 < sizes[1] < 12


def test_few_rows_fill_every_split() -> None:
    found = items([mine(q=f"Q{k}") for k in range(4)])
    assert {split_of(i) for i in found.items} == set(SPLITS)


def test_templates_domains_and_filters() -> None:
    tree = {
        "question": "{p.text}\n\n{q}",
        "domain": {"field": "d", "name": "law", "map": {"CS": "computing"}},
        "filter": {"lang": ["en"]},
    }
    rows = [mine(p={"text": "P"}, d=d, lang="en") for d in ("CS", "Médecine", None, "???")] + [mine(lang="de")]
    found = items([r | {"q": f"Q{k}"} for k, r in enumerate(rows)], tree)
    assert [i.domain for i in sorted(found.items, key=lambda i: i.stem)] == ["computing", "medecine", "law"]
    assert kept(items([rows[0]], tree)).stem == "P\n\nWhy?"
    assert set(found.left_out.values()) == {1}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"qestion": "x"}, "unknown key 'qestion'. Did you mean 'question'"),
        ({"answer": {"feild": "x"}}, "answer unknown key 'feild'. Did you mean 'field'"),
        ({"answer": {"kind": "lettr"}}, "answer.kind: input should be 'letter', 'text' or 'number'"),
        ({"answer": {"kind": "number", "field": "k"}}, "shows no options"),
        ({"options": {}}, r"needs \[options\]"),
        ({"options": {"field": "x", "columns": ["A"]}}, "give one of field, columns"),
        ({"options": {"right": "x"}}, "right and wrong belong together"),
        ({"answer": {}}, "answer.field is missing"),
        ({"domain": {}}, "give name"),
        ({"domain": {"name": "My Law"}}, "use 'my_law'"),
        ({"split": {"field": "s"}}, "say which of its values are train and test"),
        ({"split": {"train": ["x"]}}, "say which field holds the split"),
        ({"answer": {"field": "k", "tolerance": 2}}, "less than or equal to 1"),
    ],
)
def test_a_faulty_mapping_is_one_line(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check_mapping(MINE | tree, "mine.toml")
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"mapping mmlu-pro'.*Did you mean 'mmlu_pro'|unknown mapping"):
        load_mapping("mmlu-pro")


def table(path: Path, rows: int = 60, mark: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        out = csv.writer(file, delimiter=mark, lineterminator="\r\n")
        out.writerow(["question", "A", "B", "C", "answer", "domain"])
        out.writerows([f"Which, {k}?", f"a{k}", f"b{k}", "", "AB"[k % 2], ("Law", "medicine")[k % 3 > 0]]
                      for k in range(rows))  # fmt: skip
    return path


def test_files_of_every_kind_read_alike(tmp_path: Path) -> None:
    plain = load_mapping("plain")
    first = mapped(read_rows(str(table(tmp_path / "a.csv"))), plain, "f").items
    assert len(first) == 60
    values = [r.value for r in read_rows(str(tmp_path / "a.csv"))]
    table(tmp_path / "b.tsv", mark="\t")
    table(tmp_path / "c.csv", mark=";")
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    (tmp_path / "e.json").write_text(json.dumps(values), encoding="utf-8-sig")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_info.json").write_text("{}")
    (tmp_path / "saved" / "state.json").write_text("{}")
    made = pa.Table.from_pylist(values)
    with pa.OSFile(str(tmp_path / "saved" / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, made.schema) as out:
        out.write_table(made)
    for name in ("b.tsv", "c.csv", "d.csv.gz", "e.json", "saved"):
        assert mapped(read_rows(str(tmp_path / name)), plain, "f").items == first, name
    (tmp_path / ".hidden").mkdir()
    table(tmp_path / ".hidden" / "x.csv")
    table(tmp_path / "._a.csv")
    assert mapped(read_rows(str(tmp_path)), plain, "f").left_out == {"copy of a question": 300}


def test_a_bench_gets_the_domains_that_rows_bring(tmp_path: Path) -> None:
    data = {"source": str(table(tmp_path / "a.csv")), "mapping": "plain"}
    config = load_config(preset="real", domains="law,medicine", data=data)
    domains = load_domains(config)
    assert [d.name for d in domains.values()] == ["law", "medicine"]
    assert all(d.items(s) for d in domains.values() for s in SPLITS)
    with pytest.raises(DataError, match=r"no train rows for 'medcine'. Did you mean 'medicine'\? .*: law, medicine"):
        load_domains(load_config(preset="real", domains="law,medcine", data=data))
    with pytest.raises(DataError, match=r"60 of 60|no row is.*the options are not a list"):
        load_domains(load_config(preset="real", domains="law", data=data | {"mapping": "mmlu"}))
    for domains_, own, message in (
        ("phys,chen", {}, "unknown domain 'chen'. Did you mean 'chem'"),
        ("phys,chem", {"mapping": "plain"}, "data.mapping is for rows"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_domains(load_config(domains=domains_, data=own))


def test_check_says_why_rows_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [mine(q=f"Q{k}") | {"question": f"Q{k}", "answer": "B"} for k in range(9)])
    with path.open("a") as file:
        file.write(json.dumps({"question": "Q", "A": "a", "B": "a", "answer": "A"}) + "\n")
    found = check_rows(str(path), len, 2048, "plain")
    assert found["left_out"] == {"two options are equal": 1}
    assert found["first"] == {"two options are equal": f"{path} row 10"}
    assert found["domains"]["general"]["rows"] == 9


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([{"problem": f"{k}+1", "answer": str(k + 1)} for k in range(5)], ("number", "")),
        ([{"query": f"{k}?", "target": f"word {k}"} for k in range(5)], ("text", "")),
        ([{"Question": f"{k}?", "option1": "a", "option2": "b", "correct": 1 + k % 2} for k in range(5)], ("letter", 1)),  # noqa: E501
        ([{"question": {"stem": f"{k}?", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]},
           "answerKey": "A"} for k in range(5)], ("letter", 0)),
        ([{"question": f"{k}?", "right": "a", "wrong 1": "b", "wrong 2": "c"} for k in range(5)], ("letter", 0)),
    ],
)  # fmt: skip
def test_guesses(tmp_path: Path, rows: list[dict[str, Any]], kind: tuple[str, Any]) -> None:
    found = guess_mapping(str(write(tmp_path / "r.jsonl", rows)))
    assert found.name == ""
    assert found.mapping.answer.kind == kind[0]
    assert found.mapping.answer.base == (kind[1] or 0)
    (tmp_path / "mine.toml").write_text(found.toml)
    assert load_mapping(str(tmp_path / "mine.toml")) == found.mapping


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1}], "no field is called question .* It has: a"),
        ([{"question": "Q", "b": 1}], "no field is called answer"),
        ([{"question": "Q", "choices": ["a", "b"], "answer": "z"}], "no mapping found that reads its rows"),
        ([7], "no field is called question .*no fields"),
    ],
)
def test_what_cannot_be_guessed_is_one_line(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(CooptError, match=message) as caught:
        guess_mapping(str(write(tmp_path / "r.jsonl", rows)))
    assert "\n" not in str(caught.value)
