"""Ways of reading an answer: 200 made responses with the right reading of each, and what is never read."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from coopt.core.config.load import load_config
from coopt.core.config.schema import Extraction
from coopt.core.errors import ConfigError
from coopt.domains.base import Item
from coopt.domains.lenient.letters import letter_of
from coopt.domains.load import load_domains
from coopt.domains.scoring import is_read_otherwise, read

WAYS: tuple[Extraction, ...] = ("sdpo", "strict", "lenient")
FIRST, *CASES = [json.loads(x) for x in (Path(__file__).parent / "responses.jsonl").read_text("utf-8").splitlines()]
OPTIONS = {name: tuple(zip("ABCDEFGHIJ", texts, strict=False)) for name, texts in FIRST["options"].items()}
GAS = OPTIONS["gas"]


def question(case: dict[str, Any], answer: str = "") -> Item:
    options = OPTIONS[case["options"]] if case["kind"] == "letter" else ()
    return Item(id="", domain="d", stem="", options=options, key="", prompt="", answer=answer)


def test_the_set_is_of_200_and_more() -> None:
    assert len(CASES) >= 200
    assert {c["kind"] for c in CASES} == {"letter", "number", "text"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['style']}: {c['response'][:40]!r}")
def test_each_way_reads_what_it_should(case: dict[str, Any], way: Extraction) -> None:
    found = read(case["response"], question(case), case["kind"], way)
    expected = case[way]
    assert found.read == (expected is not None), found
    if expected is None:
        return
    if case["kind"] != "number":
        assert found.answer == expected or " ".join(found.answer.split()) == expected
    # The right answer is right, and another one is wrong.
    for answer, correct in ((str(expected), True), ({"letter": "Z", "number": "77", "text": "?"}[case["kind"]], False)):
        assert read(case["response"], question(case, answer), case["kind"], way).correct is correct


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['style']}: {c['response'][:40]!r}")
def test_what_is_read_otherwise_is_what_differs(case: dict[str, Any]) -> None:
    item = question(case, str(case["lenient"]))
    a, b = (read(case["response"], item, case["kind"], way) for way in ("sdpo", "lenient"))
    differ = is_read_otherwise(case["response"], item, case["kind"], a, "sdpo")
    assert differ == is_read_otherwise(case["response"], item, case["kind"], b, "lenient")
    if case["kind"] == "letter":
        assert differ == (case["sdpo"] != case["lenient"])
    elif a.correct != b.correct:
        assert differ


WORDS = "the rate of this cell and its wall in light so that energy we see from data then where plants grow".split()
FILLERS = (
    "",
    "Let us see. ",
    "Plants need light, and they grow.\n",
    "We compare all options.\n\n",
    "**Step 1.** Recall. ",
)
LETTERS = ("{}", "({})", "**{}**", "**({})**", "[{}]", "{}.", "Ｂ")


def drawn(seed: int) -> tuple[random.Random, str]:
    rng = random.Random(f"extraction {seed}")
    return rng, rng.choice(FILLERS)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_denied_is_never_read(seed: int) -> None:
    rng, filler = drawn(seed)
    letter = rng.choice(LETTERS[:5]).format(rng.choice("ABCD"))
    said = rng.choice(
        [
            "not {}", "The answer is not {}.", "The final answer is **not** {}.", "The answer is never {}.",
            "I do not think that the answer is {}.", "It isn't true that the correct answer is {}.",
            "The correct option cannot be {}.", "The answer is neither {} nor another one.", "It is not \\boxed{{{}}}.",
            "Whether the answer is {} is open.", "Suppose the answer is {}.", "Answer: not {}", "{} is not correct.",
            "The answer {} is wrong.", "答案不是{}。", "不选{}", "I would not choose {}.", "The right answer isn't {}.",
        ]
    ).format(letter)  # fmt: skip
    assert letter_of(filler + said, GAS) is None, filler + said


@pytest.mark.parametrize("seed", range(60))
def test_no_letter_of_a_formula_is_read(seed: int) -> None:
    rng, filler = drawn(seed)
    a, b = rng.sample("ABCD", 2)
    body = rng.choice(
        [f"{a} = {b}", f"{a}_{b}", f"\\vec{{{a}}}", f"\\frac{{{a}}}{{{b}}}", f"{a}^2", f"{a} + {b}", f"\\{a}"]
    )
    formula = rng.choice(["${}$", "\\({}\\)", "\\[{}\\]", "$${}$$", "\\boxed{{{}}}", "$\\boxed{{{}}}$"]).format(body)
    said = rng.choice(["The answer is {}.", "Answer: {}", "{}", "So {} holds.", "I choose {}."]).format(formula)
    assert letter_of(filler + said, GAS) is None, filler + said


@pytest.mark.parametrize("seed", range(60))
def test_no_letter_of_an_options_text_is_read(seed: int) -> None:
    rng, filler = drawn(seed)
    word = rng.choice(WORDS)
    hidden = rng.choice(
        ["{w} A", "A {w}", "both {w} A and B", "A and B", "B-{w} C", "C {w} D", "A: {w}", "$A_{{{w}}}$"]
    )
    texts = ["first one", "second one", "third one", "fourth one"]
    place = rng.randrange(4)
    texts[place] = hidden.format(w=word)
    options = tuple(zip("ABCD", texts, strict=True))
    said = rng.choice(["The answer is {}.", "Answer: {}", "<answer>{}</answer>", "The correct answer is {}"])
    assert letter_of(filler + said.format(texts[place]), options) == "ABCD"[place], texts[place]
    assert letter_of(f"{filler}We speak of {texts[place]} today", options) is None


@pytest.mark.parametrize("seed", range(60))
def test_no_article_is_read(seed: int) -> None:
    rng, filler = drawn(seed)
    options = OPTIONS["ten"]
    words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(2, 6)))
    start = rng.choice(["The answer is a", "Answer: A", "A", "I", "Answer: I", "The correct answer is: I", "I choose a",
                        "The best option is a", "The final answer is: A", "So it is a", "Then I"])  # fmt: skip
    ending = rng.choice([".", "", ", I think.", "?", "!"])
    said = f"{filler}{start} {words}{ending}"
    assert letter_of(said, options) is None, said


@pytest.mark.parametrize("seed", range(60))
def test_the_last_statement_counts_however_it_is_written(seed: int) -> None:
    rng, filler = drawn(seed)
    first, last = rng.sample("ABCD", 2)
    ways = ("The answer is {}.", "Answer: **{}**", "\\boxed{{{}}}", "$\\boxed{{\\text{{{}}}}}$", "I choose ({}).",
            "<answer>{}</answer>", "({}) is the correct answer.", "final answer: {}", "答案：（{}）",
            "The correct option is {}")  # fmt: skip
    said = f"{filler}{rng.choice(ways).format(first)}\nNo, wait.\n{rng.choice(ways).format(last)}"
    assert letter_of(said, GAS) == last, said


@pytest.mark.parametrize("way", ["strict", "lenient"])
def test_the_embedded_world_keeps_its_own(way: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.extraction = \w+ is for rows"):
        load_domains(load_config(settings=[f"data.extraction={way}"]))


def test_a_run_without_the_setting_is_named_as_before() -> None:
    assert "extraction" not in load_config().model_dump(mode="json")["data"]
    assert load_config(settings=["data.extraction=strict"]).model_dump(mode="json")["data"]["extraction"] == "strict"


STUCK = ("<answer>" * 3000, "\\boxed{" * 3000, "$" * 5000, "The answer is " * 2000, "A or " * 3000, "**" * 5000,
         "(" * 8000, "\\text{" * 2000, "Answer: " + " " * 20000 + "B")  # fmt: skip


@pytest.mark.parametrize("text", STUCK, ids=lambda t: t[:10])
def test_hostile_texts_cost_little_time(text: str) -> None:
    start = time.process_time()
    for kind in ("letter", "number", "text"):
        read(text, question({"kind": kind, "options": "gas"}), kind, "lenient")  # type: ignore[arg-type]
    assert time.process_time() - start < 5
