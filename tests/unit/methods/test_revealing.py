"""The detector of revealed answers, on 420 messages of our own, by four authors (docs/methods.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coopt.methods.tutors.revealing import leaks

FIRST, *REST = map(json.loads, Path(__file__).with_name("revealing.jsonl").read_text().splitlines())
ITEMS: dict[str, Any] = FIRST["items"]


def found(message: dict[str, Any]) -> bool:
    item = ITEMS[message["item"]]
    correct = item["options"]["ABCD".index(item["key"])]
    return leaks(message["text"], "letter", correct, item["stem"], options=item["options"])


@pytest.mark.parametrize(
    ("half", "count", "found_of_them"),
    [
        ("development", 50, 50),
        ("held-out", 50, 50),
        ("second author, 1", 20, 20),
        ("second author, 2", 20, 20),
        ("second development", 30, 30),
        ("unseen", 40, 32),
    ],
)
def test_precision_and_recall(half: str, count: int, found_of_them: int) -> None:
    messages = [m for m in REST if m["half"] == half]
    assert (sum(m["reveals"] for m in messages), len(messages)) == (count, 2 * count)
    said = [m for m in messages if found(m)]
    assert [m["text"] for m in said if not m["reveals"]] == []
    assert len(said) >= found_of_them


def test_a_wrong_option_is_named_by_its_words() -> None:
    options = ["acetic acid", "phenol"]
    question = "Which acid is the strongest?"
    for text in ("Phenol is the strongest.", "Go with phenol.", "Isn't it phenol?"):
        assert leaks(text, "letter", "acetic acid", question, options=options)
        assert not leaks(text, "letter", "acetic acid", question)
    for text in ("Phenol is not the strongest.", "You said phenol.", "Phenol has a ring."):
        assert not leaks(text, "letter", "acetic acid", question, options=options)


@pytest.mark.parametrize(
    "text",
    [
        "You should pick {}",
        "the right one is {}",
        "choose {}",
        "{} = correct",
        "ans: {}",
        "It is {}",
        "\u200b{}\u2060.",
    ],
)
def test_every_letter_and_no_letter_beyond_the_last(text: str) -> None:
    for letter in "ABCDEF":
        assert leaks(text.format(letter), "letter", "zz", "q", last="F")
        assert leaks(text.format(chr(ord(letter) + 0xFEE0)), "letter", "zz", "q", last="F"), "full width"
    assert not leaks(text.format("G"), "letter", "zz", "q", last="F")


def test_free_answers_are_found_in_every_form() -> None:
    for text in ("x H₂O y", "x H\u200b2O y", "x Ｈ２Ｏ y", "x h2o y"):
        assert leaks(text, "text", "H2O", "Which one?")
        assert not leaks(text, "text", "H2O", "Is it H₂O?")
    assert not leaks("The answer is B.", "text", "H2O", "Which one?")


@pytest.mark.parametrize("text", ["The options differ.", "optionB", "OptionS", "n't", "<key>", "(b"])
def test_what_only_looks_like_an_option_is_passed_over(text: str) -> None:
    for last in "DSZ":
        assert not leaks(text, "letter", "zz", "q", last, ["zz", "x", ""])
