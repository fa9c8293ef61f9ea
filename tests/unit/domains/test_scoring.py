"""Extraction and scoring: the vectors of the specification (gold "B")."""

from __future__ import annotations

import pytest

from coopt.domains.numbers import last_number
from coopt.domains.scoring import is_correct


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("<reasoning>x</reasoning>\n<answer>\nB\n</answer>", True),
        ("<answer>B</answer>\n", True),
        ("<answer>B</answer> done", True),
        ("B", True),
        ("<answer>B", True),
        ("B</answer>", True),
        ("<answer>A</answer> wait <answer>B</answer>", True),
        ("<answer>b</answer>", False),
        ("<answer>(B)</answer>", False),
        ("<answer>B: 18</answer>", False),
        ("I pick B", False),
        ("", False),
    ],
)
def test_letter_vectors(response: str, score: bool) -> None:
    assert is_correct(response, "B", "letter") is score


def test_text_answers_fold_white_space_only() -> None:
    assert is_correct("x<answer> 79  50</answer>", "79 50", "text")
    assert not is_correct("x<answer> 79 51</answer>", "79 50", "text")
    assert not is_correct("x<answer> 50 79</answer>", "79 50", "text")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("72", 72), ("$1,234.50", 1234.5), ("40 %", 40), ("40\\%", 40), ("(−7)", -7), ("3-5", 5), ("1/2", 0.5),
        (r"\frac{1}{2}", 0.5), ("2.5 x 10^3 m", 2500), (r"2.5 \times 10^{-3}", 0.0025), ("9.8 m/s^2", 9.8),
        ("6 apples and 5 pears", 5), ("x = .5", 0.5), ("5.", 5), ("-$5", -5), ("1{,}000", 1000), ("5 m²", 5),
        ("H2O", None), ("none", None), ("1/0", None), ("9" * 5000, None), ("1e99999", None),
    ],
)  # fmt: skip
def test_the_last_number(text: str, number: float | None) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("so 12 <answer>\n1,234 apples\n</answer>", True),
        ("<answer>$1234.00</answer>", True),
        ("1234", True),
        ("1,234 %", True),
        ("There are 1234", False),  # no tag, and more than a number
        ("<answer>1235</answer>", False),
        ("<answer></answer> 1234", False),
        ("<answer>about -1234</answer>", False),
    ],
)
def test_numbers_are_compared_as_numbers(response: str, score: bool) -> None:
    assert is_correct(response, "1,234", "number") is score
    assert is_correct("<answer>102</answer>", "100", "number", tolerance=0.02)
    assert not is_correct("<answer>102.1</answer>", "100", "number", tolerance=0.02)
