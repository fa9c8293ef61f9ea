"""Answers as they are kept."""

from __future__ import annotations

from coopt.methods.scoring import _short


def test_long_answers_are_the_same_only_if_their_text_is() -> None:
    """Two students that ramble alike at first have not given the same answer."""
    beginning = "so " * 60
    one, other = _short(beginning + "it is tin"), _short(beginning + "it is iron")
    assert one != other
    assert one == _short(f"  {beginning}\nit is  tin ")
    assert len(one) == 100
    assert _short("  42 \n K ") == "42 K"
