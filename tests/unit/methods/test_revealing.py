"""The detector of revealed answers, on 880 messages of our own, by six authors (docs/methods.md)."""

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
    ("half", "count", "found_of_them", "others"),
    [
        ("development", 50, 50, 0),
        ("held-out", 50, 50, 0),
        ("second author, 1", 20, 20, 0),
        ("second author, 2", 20, 20, 0),
        ("second development", 30, 30, 0),
        ("unseen", 40, 37, 0),
        ("fifth author", 60, 60, 0),
        ("third development", 110, 104, 0),
        ("sixth author", 60, 51, 4),  # unseen: no rule was made on it
    ],
)
def test_precision_and_recall(half: str, count: int, found_of_them: int, others: int) -> None:
    """``others``: how many that do not reveal may be said to."""
    messages = [m for m in REST if m["half"] == half]
    assert (sum(m["reveals"] for m in messages), len(messages)) == (count, 2 * count)
    said = [m for m in messages if found(m)]
    wrongly = [m["text"] for m in said if not m["reveals"]]
    assert len(wrongly) <= others, wrongly
    assert len(said) - len(wrongly) >= found_of_them


def test_a_wrong_option_is_named_by_its_words() -> None:
    options = ["acetic acid", "phenol"]
    question = "Which acid is the strongest?"
    for text in ("Phenol is the strongest.", "Go with phenol.", "Isn't it phenol?"):
        assert leaks(text, "letter", "acetic acid", question, options=options)
        assert not leaks(text, "letter", "acetic acid", question)
    for text in ("Phenol is not the strongest.", "You said phenol.", "Phenol has a ring."):
        assert not leaks(text, "letter", "acetic acid", question, options=options)


ACIDS = ["acetic acid", "phenol", "ammonium chloride", "formic acid"]


def says(text: str) -> bool:
    """Of an item whose right option's words the text does not hold."""
    return leaks(text, "letter", "zz", "Which acid is the strongest in water?", options=ACIDS)


@pytest.mark.parametrize(
    ("text", "reveals"),
    [
        ("Correct! You selected B.", True),  # what the tutee chose is confirmed
        ("Well done, your choice of C is spot on.", True),
        ("You're right to say A.", True),
        ("Great work choosing phenol.", True),
        ("Correct, you chose B, but for no good reason.", False),
        ("You're right to reject A.", False),
        ("Great work comparing A and B.", False),
        ("Acetic acid barely reacts, phenols hardly at all. That leaves two.", False),  # all but one are ruled out
        ("Acetic reacts little, phenols hardly at all and formic acid slowly. That leaves one.", True),
        ("Acetic, phenol and formic: cross all three off.", True),
        ("A is wrong. B is wrong. What does C do?", False),
        ("A is wrong. B is wrong. D is wrong.", True),
        ("None of the first three options is an acid.", True),
        ("None of the first two options is an acid.", False),
        ("Look at the second choice. It is by far the strongest.", True),  # a pronoun
        ("Look at the second choice. It is an acid with a ring.", False),
        ("You chose B. It is the only one with a ring.", False),
        ("Phenol has a ring, and this makes it the strongest acid.", True),
        ("It matches option A, not option D.", True),  # one is set against another
        ("You picked A, not D.", False),
        ("What dissociates fully is formic acid.", True),  # a cleft
        ("What dissociates most?", False),
        ("The last option, formic acid, is the strongest.", True),  # an apposition
        ("The last option, formic acid, is weak.", False),
        ("| B | \u274c |\n| C | \u2705 |", True),  # a table
        ("| B | \u274c |\n| C | \u274c |", False),
        ("Replace A with C.", True),
        ('You said "so it is B. That is all". Why?', False),
        ("B might be right.", False),
    ],
)
def test_every_kind_of_reveal_and_what_is_near_it(text: str, reveals: bool) -> None:
    assert says(text) is reveals


def test_the_right_option_is_known_by_its_words_in_other_forms() -> None:
    for option, held, other in (
        ("the mitochondrion", "It takes place in mitochondria.", "A mitosis."),
        (
            "its vertical velocity",
            "The velocity in the vertical direction vanishes.",
            "Its velocity changes; draw a vertical line.",
        ),
        ("momentum", "Add the momenta.", "At that moment, wait."),
        ("12.5 J/K", "You get 12.5 joules per kelvin.", "You get 112.5 or 12.57."),
        ("100 J", "It is 100 J.", "It is 100 % sure."),
    ):
        assert leaks(held, "letter", option, "Which?", options=[option, "zz"])
        assert not leaks(other, "letter", option, "Which?", options=[option, "zz"])
        assert not leaks(held, "letter", option, f"Which is it, {option}?", options=[option, "zz"])


def test_what_is_said_of_an_option_is_all_that_was_asked() -> None:
    question, options = "Which quantity is zero at the top?", ["mass", "acceleration", "speed", "zz"]
    for text in (
        "Acceleration is zero at the top.",
        "The acceleration vanishes at the highest point, that is, the peak.",
    ):
        assert leaks(text, "letter", "zz", question, options=options)
    for text in (
        "Acceleration is never zero at the top.",
        "You argued that the acceleration is zero at the top.",
        "Acceleration is not what is zero at the top.",
        "Acceleration is zero in free space.",
    ):
        assert not leaks(text, "letter", "zz", question, options=options)


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
