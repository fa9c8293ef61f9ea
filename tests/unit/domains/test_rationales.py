"""Worked solutions belong to one question each, also where questions share their text and differ in their options."""

from __future__ import annotations

import json
from itertools import combinations, permutations
from pathlib import Path

import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import DataError
from coopt.domains.base import Domain, Item
from coopt.domains.load import load_domains
from coopt.domains.rationales import read_rationales
from coopt.methods.rationales import write_rationales
from tests.unit.methods.test_rationales import Says

WEIGHTS = ["1 kg", "2 kg", "3 kg", "4 kg", "5 kg"]


def raw(stem: str, options: tuple[str, ...], right: str) -> dict[str, object]:
    labels = list("ABCD")[: len(options)]
    return {
        "question": stem,
        "choices": {"text": list(options), "label": labels},
        "answerKey": labels[options.index(right)],
        "type": f"mcq-{len(options)}-choices",
        "domain": "Physics",
        "details": {"level": "L3"},
    }


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """One stem with every choice and order of four options; two stems asked twice; forty asked once."""
    orders = [o for chosen in combinations(WEIGHTS, 4) for o in list(permutations(chosen))[::3]]
    kinds = [raw("Which is right?", options, options[k % 4]) for k, options in enumerate(orders)]
    for stem in ("Which one floats?", "Which one sinks?"):
        kinds += [raw(stem, options, "1 kg") for options in (("1 kg", "2 kg"), ("2 kg", "1 kg"))]
    kinds += [raw(f"How heavy is weight {k}?", ("1 kg", "2 kg", "3 kg", "4 kg"), WEIGHTS[k % 4]) for k in range(40)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in kinds))
    return path


def domain(rows: Path, *settings: str) -> Domain:
    config = load_config(preset="real", domains="phys", settings=[f"data.source={rows}", *settings])
    return load_domains(config)["physics"]


def solutions(tmp_path: Path, *lines: dict[str, str]) -> Path:
    path = tmp_path / "why.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(item: Item, /, **more: str) -> dict[str, str]:
    return {"question": item.stem, "rationale": f"Because. <answer>{item.answer}</answer>"} | more


def test_every_question_is_taught_its_own_answer(rows: Path, tmp_path: Path) -> None:
    """Through ``coopt data rationales``'s file, for questions of one text with options of many kinds and orders."""
    path = tmp_path / "why.jsonl"
    asked = domain(rows)
    write_rationales({"physics": asked}, Says(), path, questions=10**6, max_tokens=9)
    shared = [i for i in asked.items("train") if i.stem == "Which is right?"]
    assert len({i.answer for i in shared}) == 4
    taught = {i.id: i for i in domain(rows, f"data.solutions={path}").items("train")}
    assert len(taught) == len(asked.items("train"))
    for item in asked.items("train"):
        assert asked.score(taught[item.id].solution or "", item) == 1.0
    assert read_rationales(str(path), "x").of(asked) == {i: item.solution for i, item in taught.items()}


def test_a_resumed_file_asks_every_question_that_it_lacks(rows: Path, tmp_path: Path) -> None:
    path = tmp_path / "why.jsonl"
    asked = {"physics": domain(rows)}
    write_rationales(asked, Says(), path, questions=5, max_tokens=9)
    write_rationales(asked, Says(), path, questions=10**6, max_tokens=9)
    assert len(path.read_text().splitlines()) == len(asked["physics"].items("train"))


def test_a_text_alone_serves_where_one_question_has_it(rows: Path, tmp_path: Path) -> None:
    asked = domain(rows)
    lone = [i for i in asked.rows if i.stem.startswith("How heavy")]
    found = read_rationales(str(solutions(tmp_path, *map(line, lone))), "x").of(asked)
    assert found == {i.id: line(i)["rationale"] for i in lone}


def test_a_text_of_several_questions_is_refused_and_counted(rows: Path, tmp_path: Path) -> None:
    asked = domain(rows)
    floats = [i for i in asked.rows if i.stem == "Which one floats?"]
    file = solutions(tmp_path, line(floats[0]))
    with pytest.raises(DataError, match=r"2 questions of physics share their text.*'Which one floats\?'.*\(item\)"):
        read_rationales(str(file), "x").of(asked)
    with pytest.raises(DataError, match="2 questions of physics"):
        domain(rows, f"data.solutions={file}")
    both = solutions(tmp_path, *(line(i, item=i.id) for i in floats))
    assert len(read_rationales(str(both), "x").of(asked)) == 2


def test_two_solutions_of_one_text_are_refused(rows: Path, tmp_path: Path) -> None:
    asked = domain(rows)
    (item,) = (i for i in asked.rows if i.stem == "How heavy is weight 3?")
    twice = solutions(tmp_path, line(item), line(item, rationale="Otherwise."))
    with pytest.raises(DataError, match=r"1 questions? of physics .* several solutions"):
        read_rationales(str(twice), "x").of(asked)
    assert read_rationales(str(solutions(tmp_path, line(item), line(item))), "x").of(asked)


@pytest.mark.parametrize("named", [True, False])
def test_a_solution_that_ends_in_another_answer_is_refused(rows: Path, tmp_path: Path, named: bool) -> None:
    asked = domain(rows)
    (item,) = (i for i in asked.rows if i.stem == "How heavy is weight 2?")
    wrong = next(label for label, _ in item.options if label != item.answer)
    more = {"item": item.id} if named else {}
    file = solutions(tmp_path, line(item, rationale=f"<answer>{wrong}</answer>", **more))
    with pytest.raises(DataError, match=r"1 of 1 solutions of physics end in another answer.*weight 2"):
        read_rationales(str(file), "x").of(asked)
    hint = solutions(tmp_path, line(item, rationale="Weigh it.", **more))
    assert read_rationales(str(hint), "x").of(asked) == {item.id: "Weigh it."}
