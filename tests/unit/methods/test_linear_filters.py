"""What a tutor writes costs its filters as much as it is long, whatever it is: a text of four times the length four
times as much."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from coopt.domains.base import Item
from coopt.domains.thinking import without_thinking
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.base import read_score
from coopt.methods.tutors.revealing import leaks
from coopt.methods.tutors.sanitise import sanitise

ITEM = Item(
    id="1", domain="physics", stem="What is it?", options=(("A", "12.5 J/K"), ("B", "20.8 J/K")), key="A",
    prompt="What is it?", answer="A",
)  # fmt: skip

HOSTILE: dict[str, Callable[[int], str]] = {
    "blanks": lambda n: "the answer" + " " * n,
    "line ends": lambda n: "the answer" + "\n" * n,
    "wide blanks": lambda n: "the answer" + "\u00a0\u3000" * (n // 2),
    "asterisks": lambda n: "*" * n,
    "blanks and asterisks": lambda n: "the answer is" + " *" * (n // 2),
    "answers and line ends": lambda n: ("the answer" + "\n" * 40) * (n // 50),
    "thoughts": lambda n: "<think>" * (n // 7),
    "thought and blanks": lambda n: "<think></think>" + " " * n,
    "concepts": lambda n: "<concept>" * (n // 9),
    "answer tags": lambda n: "<answer>" * (n // 8),
    "control tokens": lambda n: "<|" * (n // 2),
    "boxes": lambda n: "\\boxed{\\text{" * (n // 13),
    "a box": lambda n: "\\boxed{A: " + "x" * n,
    "backslashes": lambda n: "\\" * n,
    "dollars": lambda n: "$" * n,
    "brackets": lambda n: "(" * n,
    "bold letters": lambda n: "**A:" * (n // 4),
    "letters": lambda n: "option B is " * (n // 12),
    "so": lambda n: "so it is (" * (n // 10),
    "the option's words": lambda n: "12.5 " * (n // 5),
    "words of choice": lambda n: "only correct pick answer is not go you it " * (n // 41),
    "quotations": lambda n: 'you said "so ' * (n // 14),
    "a quotation": lambda n: 'you said "' + "so " * (n // 3),
    "one left": lambda n: "only one all three leaves you " * (n // 30),
    "praise": lambda n: "yes, that is quite very " * (n // 24),
    "an option beside": lambda n: "the last, B, is " * (n // 16),
    "options": lambda n: "A, B and " * (n // 9),
    "negations": lambda n: "n't" * (n // 3),
    "tags": lambda n: "<key>" * (n // 5),
    "scores": lambda n: "score 1." + "1." * (n // 2),
    "score and marks": lambda n: "score" + "-" * n,
}


def filters(text: str) -> None:
    for kind in ("letter", "text"):
        filter_feedback(f"<concept>heat</concept>{text}", ITEM, kind)
        filter_feedback(text, ITEM, kind, "naive")
        filter_feedback(text, ITEM, kind, "step")
        sanitise(text, kind, "12.5 J/K", ITEM.stem)
        leaks(text, kind, "12.5 J/K", ITEM.stem, options=[shown for _, shown in ITEM.options])
    without_thinking(text)
    read_score(text)


def seconds(text: str) -> float:
    began = time.process_time()
    filters(text)
    return time.process_time() - began


@pytest.mark.parametrize("name", HOSTILE)
def test_four_times_the_text_is_four_times_the_work(name: str) -> None:
    """The square would be sixteen times. Three tries: whoever shares the processor's caches slows one and not the
    other."""
    short, long = map(HOSTILE[name], (16_000, 64_000))
    assert any(seconds(long) < min(6, 8 * max(seconds(short), 0.05)) for _ in range(3))


def test_a_long_run_is_filtered_as_a_short_one() -> None:
    for marks in (" ", "\n", "**", " \n"):
        assert sanitise(f"the answer is{marks * 40_000}B, since", "letter", "zz", "q") == sanitise(
            "the answer is B, since", "letter", "zz", "q"
        )
