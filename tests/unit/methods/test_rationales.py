"""Worked solutions for specialists: kept if they end in the answer, written as they come, never asked twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from coopt.core import store
from coopt.core.errors import DataError
from coopt.domains.base import Domain
from coopt.domains.rationales import read_rationales
from coopt.domains.rows import Row, RowDomain, select
from coopt.methods.rationales import CHUNK, RationaleCount, write_rationales
from coopt.methods.tutors.base import Message, TutorAwayError


def rows(n: int) -> dict[str, Domain]:
    made = [
        {
            "question": f"How heavy is weight {k}?",
            "choices": {"text": ["1 kg", "2 kg", "3 kg", "4 kg"], "label": list("ABCD")},
            "answerKey": "ABCD"[k % 4],
            "type": "mcq-4-choices",
            "domain": "Physics",
            "details": {"level": "L3"},
        }
        for k in range(n)
    ]
    items = select(Row(f"row {k}", row) for k, row in enumerate(made)).items
    return {"physics": RowDomain("physics", tuple(items))}


class Says:
    """Answers every request with the option that the prompt calls correct, or with A; goes away when told to."""

    def __init__(self, right: bool = True, away_after: int = 10**9) -> None:
        self.right, self.away_after = right, away_after
        self.asked: list[str] = []

    def say(self, messages: Sequence[Message], max_tokens: int) -> list[str | None]:
        if len(self.asked) >= self.away_after:
            raise TutorAwayError("gone")
        self.asked += [m.text for m in messages]
        letters = [
            text.split("Its correct answer is ")[1][0] if self.right else "A" for text in (m.text for m in messages)
        ]
        return [f"<reasoning>Because.</reasoning>\n<answer>\n{x}\n</answer> " for x in letters]


def test_solutions_that_end_in_the_answer_are_kept(tmp_path: Path) -> None:
    domains, path = rows(60), tmp_path / "why.jsonl"
    items = domains["physics"].items("train")
    (asked,) = write_rationales(domains, Says(right=False), path, questions=10**6, max_tokens=9)
    right = [i.id for i in items if i.key == "A"]
    assert 0 < len(right) < len(items)
    assert asked == RationaleCount("physics", len(items), 0, len(right), len(items) - len(right))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["item"] for line in lines] == right
    assert all(line["rationale"].endswith("</answer>") for line in lines)


def test_a_broken_run_goes_on(tmp_path: Path) -> None:
    domains, path = rows(3 * CHUNK), tmp_path / "why.jsonl"
    items = domains["physics"].items("train")
    with pytest.raises(TutorAwayError):
        write_rationales(domains, Says(away_after=CHUNK), path, questions=10**6, max_tokens=9)
    assert len(store.read_lines(path)) == CHUNK
    second = Says()
    (asked,) = write_rationales(domains, second, path, questions=10**6, max_tokens=9)
    assert (asked.before, asked.kept, len(second.asked)) == (CHUNK, len(items) - CHUNK, len(items) - CHUNK)
    assert {line["item"] for line in store.read_lines(path)} == {i.id for i in items}


def test_no_more_questions_than_wanted(tmp_path: Path) -> None:
    speaker = Says()
    write_rationales(rows(60), speaker, tmp_path / "why.jsonl", questions=5, max_tokens=9)
    assert len(speaker.asked) == 5
    assert all("(" in text and "Its correct answer is" in text for text in speaker.asked)


def test_a_file_without_its_last_line_end_loses_no_row(tmp_path: Path) -> None:
    """As an editor, or another program, leaves it: its last question is known and not asked again."""
    domains, path = rows(60), tmp_path / "why.jsonl"
    write_rationales(domains, Says(), path, questions=3, max_tokens=9)
    path.write_text(path.read_text().rstrip("\n"))
    (asked,) = write_rationales(domains, Says(), path, questions=6, max_tokens=9)
    assert (asked.before, asked.kept) == (3, 3)
    assert [line["item"] for line in store.read_lines(path)] == [i.id for i in domains["physics"].items("train")[:6]]


ROW = '{"item": "a", "question": "b", "rationale": "c"}\n'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f'{ROW}{{"item": "a", "quest\n{ROW}', "why.jsonl row 2: not JSON"),
        (f"{ROW}3\n", "why.jsonl row 2: a rationale row needs 'question' and 'rationale'"),
        ("[1]\n", "why.jsonl row 1: a rationale row needs 'question' and 'rationale'"),
        ('{"item": "a", "question": "b"}\n', "why.jsonl row 1: a rationale row needs"),
        (ROW.encode("utf-16"), "why.jsonl: the text is UTF-16"),
        (ROW.encode() + b"\xff", "why.jsonl: not UTF-8 text"),
        (None, "why.jsonl: is a folder"),
    ],
    ids=["torn in the middle", "a number", "a list", "no rationale", "UTF-16", "a byte", "a folder"],
)
def test_a_damaged_file_is_refused_as_it_is_with_what_to_do(
    content: str | bytes | None, says: str, tmp_path: Path
) -> None:
    """By whoever goes on with it and by whoever reads it; it is no output of a bench that could make it again."""
    path = tmp_path / "why.jsonl"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    speaker = Says()
    with pytest.raises(DataError) as found:
        write_rationales(rows(60), speaker, path, questions=3, max_tokens=9)
    assert says in str(found.value)
    assert "estore the file" in str(found.value)
    assert not speaker.asked
    if content is not None:
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
        with pytest.raises(DataError) as read:
            read_rationales(str(path), "data.solutions")
        assert says in str(read.value)
        assert "coopt data rationales --out FILE asks again what is missing." in str(read.value)
    for error in (found.value, read.value if content is not None else found.value):
        assert "coopt bench" not in str(error)


def test_half_a_line_of_a_killed_writer_is_asked_again(tmp_path: Path) -> None:
    domains, path = rows(60), tmp_path / "why.jsonl"
    write_rationales(domains, Says(), path, questions=3, max_tokens=9)
    whole = path.read_text()
    path.write_text(whole[:-30])
    (asked,) = write_rationales(domains, Says(), path, questions=3, max_tokens=9)
    assert (asked.before, asked.kept) == (2, 1)
    assert path.read_text() == whole


@pytest.mark.parametrize("name", ["why.csv", "why", "why.jsonl.gz"])
def test_solutions_are_written_where_they_can_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ends in \.jsonl\."):
        write_rationales(rows(60), Says(), tmp_path / name, questions=3, max_tokens=9)
    assert not (tmp_path / name).exists()
