"""The detector of revealed answers, on 200 messages of our own: half to make it on, half that was looked at once."""

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
    return leaks(message["text"], "letter", item["options"]["ABCD".index(item["key"])], item["stem"])


@pytest.mark.parametrize("half", ["development", "held-out"])
def test_precision_and_recall(half: str) -> None:
    messages = [m for m in REST if m["half"] == half]
    reveal = [m for m in messages if m["reveals"]]
    assert (len(reveal), len(messages)) == (50, 100)
    said = [m for m in messages if found(m)]
    right = sum(m["reveals"] for m in said)
    assert right >= 0.95 * len(said), "precision"
    assert right >= 0.95 * len(reveal), "recall"


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
