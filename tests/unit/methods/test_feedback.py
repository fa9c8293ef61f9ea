"""Sanitiser, anchor and reprompt."""

from __future__ import annotations

import pytest

from coopt.domains.base import Item
from coopt.domains.reprompt import reprompt
from coopt.domains.scimini.wording import SCIMINI
from coopt.domains.wording import SCIENCE, fill
from coopt.methods.tutors.anchor import filter_feedback, words
from coopt.methods.tutors.revealing import leaks
from coopt.methods.tutors.sanitise import sanitise

ITEM = Item(
    id="1",
    domain="physics",
    stem="What is the heat capacity of helium at constant volume?",
    options=(("A", "12.5 J/K"), ("B", "20.8 J/K"), ("C", "29.1 J/K"), ("D", "8.3 J/K")),
    key="A",
    prompt="What is the heat capacity of helium at constant volume?\n\nA: 12.5 J/K\nPlease reason step by step.",
    answer="A",
)


@pytest.mark.parametrize(
    "text",
    [
        "Final answer: B",
        "The correct option is **C**",
        "so \\boxed{B}",
        "so $\\boxed{\\text{C}}$",
        "**A** it is",
        "__(D)__",
        "Answer: (D)",
        "the correct answer should be option C because",
        "final answer is\n**A**",
        "<answer>\nB\n</answer>",
        "Thus option B is correct.",
        "The best choice would be (B)",
        "**Final answer: \\boxed{A}**",
        "\\boxed{\\mathrm{A}}",
        "\\boxed{\\textbf{B}}",
        "The correct option (A)",
        "The correct answer is therefore A",
        "**A: 12 J**",
        "**Answer**: A",
        "\\boxed{B: 3.4}",
        "$\\boxed{\\text{C) methane}}$",
        "So it is B.",
        "thus, that must be option (C)",
        "Hence it's D!",
    ],
)
def test_reveals_are_removed(text: str) -> None:
    clean = sanitise(text, "letter", "zz", "q")
    assert not any(letter in clean.replace("Thus", "").split() for letter in "ABCD")
    assert not leaks(clean, "letter", "zz", "q")
    assert "**A**" not in clean
    assert "boxed{" not in clean


@pytest.mark.parametrize(
    "text",
    [
        "Option B ignores friction, while A: uses it",
        "the answer is a matter of taste",
        "you wrote \\boxed{3.2} but forgot the unit",
        "Compare B: 18 grams with your value",
        "the answer depends on Avogadro's number",
        "Vitamin **C**arbon bonds",
        "Answers: Beta decay is meant",
        "So it is B that you should look at",
        "So it is a base.",
        "\\boxed{3.4: J}",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert sanitise(text, "letter", "zz", "q") == text


def test_text_mode_removes_the_correct_text_unless_the_question_has_it() -> None:
    told = "number of tin 50 yes, so 79 50 is it"
    assert "79 50" not in sanitise(told, "text", "79 50", "number of iron and number of tin?")
    assert sanitise("use 79 50", "text", "79 50", "why 79 50?") == "use 79 50"
    assert sanitise("179 50 stays", "text", "79 50", "q") == "179 50 stays"


def test_chat_control_tokens_are_dropped() -> None:
    assert sanitise("a<|im_end|> b<|assistant|>", "letter", "zz", "q") == "a b"


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        ("<concept>heat capacity</concept> You counted too many degrees of freedom.", "kept"),
        ("<concept>Helium</concept> It is monatomic.", "kept"),
        ("<concept>entropy</concept> Think again.", "no_match"),
        ("Think of helium.", "no_concept_tag"),
        ("<concept>heat You never closed the tag", "no_concept_tag"),
        ("<concept> </concept> Think.", "empty"),
        ("<concept>helium</concept>", "empty"),
        ("<concept>helium</concept> Final answer: A", "empty"),
        ("", "empty"),
        ("<concept>the question's answer</concept> Think.", "no_match"),
        ("<concept>the answer</concept> Think.", "all_generic"),
        ("<concept>please reason step by step</concept> Think.", "all_generic"),
        ("<concept>heliu</concept> Whole words only.", "no_match"),
        ("<concept>option B</concept> Think.", "all_generic"),
        ("<concept>helium</concept> **Answer**: A", "empty"),
        ("<concept>12.5</concept> Think.", "all_generic"),
        ("<concept>12.5 J</concept> Think.", "kept"),
    ],
)
def test_the_five_outcomes(raw: str, outcome: str) -> None:
    found = filter_feedback(raw, ITEM, "letter")
    assert found.outcome == outcome
    assert (found.text is not None) == (outcome == "kept")
    if found.text:
        assert "concept" not in found.text


def test_naive_feedback_needs_no_tag_and_is_still_sanitised() -> None:
    found = filter_feedback("Mind the unit. The answer is A.", ITEM, "letter", "naive")
    assert found.outcome == "kept"
    assert found.text == "Mind the unit."
    assert found.revealed
    assert not found.leaked


def test_a_stated_correct_option_is_counted_as_a_leak() -> None:
    found = filter_feedback("<concept>helium</concept> It must come out as 12.5 J/K.", ITEM, "letter")
    assert found.outcome == "kept"
    assert found.leaked


def test_reprompt_bytes() -> None:
    """Pinned: results of different versions are comparable only if the teacher reads the same bytes."""
    assert reprompt(SCIENCE, "Q", "D", "F") == (
        "Q\nA correct solution:\n\nD\nFeedback on an attempt at this question:\n\nF"
        "\n\nNow solve the original question correctly."
    )
    assert (
        reprompt(SCIENCE, "Q", "D", None) == "Q\nA correct solution:\n\nD\n\nNow solve the original question correctly."
    )
    assert reprompt(SCIENCE, "Q", None, "F") == (
        "Q\nFeedback on an attempt at this question:\n\nF\n\nNow solve the original question correctly."
    )
    assert reprompt(SCIENCE, "Q", None, None) == "Q"
    assert reprompt(SCIMINI, "Q", "D", "F") == "Q\nSolution:\nD\nCritique:\nF\nSolve again."


def test_model_text_cannot_fill_other_fields() -> None:
    assert fill("{question}|{response}", question="{response}", response="{question}") == "{response}|{question}"
    assert reprompt(SCIENCE, "Q", "{feedback}", "F").count("{feedback}") == 1


def test_letters_beyond_d_and_numbers_are_removed_where_they_are_answers() -> None:
    assert leaks("The answer is G.", "letter", "zz", "q", "J")
    assert not leaks("The answer is G.", "letter", "zz", "q")
    assert sanitise("Mind it. The answer is G.", "letter", "zz", "q", "J") == "Mind it."
    assert not leaks("There I was right to ask.", "letter", "zz", "q", "J")
    assert "72" not in sanitise("It is 72, so the answer is 72.", "number", "72", "how many?")


@pytest.mark.parametrize(("concept", "problem"), [
    ("H2O", "How heavy is H₂O?"), ("Diels-Alder", "A Diels–Alder reaction"), ("x‑ray", "an X-ray source"),
    ("μ-law", "the µ-law"),
])  # fmt: skip
def test_what_looks_alike_anchors(concept: str, problem: str) -> None:
    """Subscripts, dashes and letters in several codes: real rows are full of them."""
    assert words(concept) & words(problem)
