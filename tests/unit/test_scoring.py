"""Extraction and scoring: the vectors of the specification (gold "B")."""

from __future__ import annotations

import pytest

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
