"""The family of worlds: what its lessons teach is what its knobs say; at the shipped ends nothing has changed."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, ModelError
from coopt.domains.load import load_domains
from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import all_facts, common_knowledge, facts_of
from coopt.domains.scimini.questions import STEPS, Ask
from coopt.domains.scimini.reading import first_error, stated_values
from coopt.domains.scimini.tasks import TaskSampler
from coopt.domains.scimini.traits import (
    CANDOUR,
    DEFERENCE,
    FORMS,
    SHIPPED,
    Traits,
    believed,
    confusion_set,
    drawn,
    traits_of,
)  # fmt: skip
from coopt.domains.scimini.wording import SCIMINI
from coopt.domains.scimini.world import asks_of
from coopt.graph.files import load_topology
from coopt.lm.bases import SCIMINI_BASE, base_directory
from coopt.lm.embedded.learn import LessonEncoder, inherit, new_model
from coopt.lm.embedded.measure import _up_to
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.policy import load_policy
from coopt.methods.students import check_students

UNKNOWN = [f for f in all_facts() if f not in common_knowledge()]


def sampler(traits: Traits, known: frozenset = common_knowledge(), who: str = "0:s1") -> TaskSampler:  # type: ignore[type-arg]
    return TaskSampler(random.Random(5), known, all_facts(), traits=traits, who=who)


@pytest.mark.parametrize("deference", DEFERENCE)
def test_a_critique_wins_over_a_right_working_as_often_as_deference_says(deference: int) -> None:
    draw, won, conflicts = sampler(Traits(deference=deference)), 0, 0
    asks = [Ask(f) for f in facts_of("physics")[:3]]
    for _ in range(2000):
        told = [draw._any_value(a) for a in asks]
        said = dict(zip(asks, draw._some_wrong(asks, told), strict=True))
        target = draw._deferring(asks, told, said)
        at = [k for k, a in enumerate(asks) if said[a] != told[k]]
        conflicts += len(at)
        won += sum(target[k] == said[asks[k]] for k in at)
        assert all(target[k] == told[k] for k in range(3) if k not in at)
    assert won / conflicts == pytest.approx(deference / 100, abs=0.03)
    assert won == (0 if deference == 0 else conflicts if deference == 100 else won)


@pytest.mark.parametrize("candour", CANDOUR)
def test_a_tutor_speaks_of_what_it_does_not_know_as_often_as_candour_says(candour: int) -> None:
    draw, spoke = sampler(Traits(candour=candour)), 0
    unknown, known = Ask(UNKNOWN[0]), Ask(next(iter(common_knowledge())))
    for _ in range(2000):
        said = draw._candid([unknown, known], [-1, known.fact.value], [7, 8])
        assert said[1] == known.fact.value, "what it knows it says"
        spoke += said[0] == -1
        assert draw._candid([unknown], [-1], [None]) == [-1], "where nothing is written there is nothing to confirm"
    assert spoke / 2000 == pytest.approx(candour / 100, abs=0.04)


def test_a_belief_is_one_false_value_of_each_students_own() -> None:
    draw = sampler(Traits(belief=0.5, confusion=4))
    ask = Ask(UNKNOWN[3])
    found = Counter(draw._guess(ask) for _ in range(4000))
    belief = believed(ask.fact, "0:s1", 4)
    assert belief != ask.fact.value
    assert set(found) == set(confusion_set(ask.fact, 4))
    assert found[belief] / 4000 == pytest.approx(0.5 + 0.5 / 4, abs=0.03)
    assert found[ask.fact.value] / 4000 == pytest.approx(0.5 / 4, abs=0.03)
    others = [believed(f, "0:s2", 4) for f in UNKNOWN]
    assert 0.2 < sum(believed(f, "0:s1", 4) == o for f, o in zip(UNKNOWN, others, strict=True)) / len(UNKNOWN) < 0.5
    assert all(o != f.value for f, o in zip(UNKNOWN, others, strict=True))


@pytest.mark.parametrize("forms", FORMS)
def test_a_right_working_has_that_many_forms_and_each_is_read(forms: int) -> None:
    asks = [Ask(facts_of("physics")[0], STEPS["melting"]), Ask(facts_of("chemistry")[1]), Ask(facts_of("physics")[40])]
    values = texts.truth(asks)
    written = [texts.solution(asks, values, form=k) for k in range(forms)]
    assert len(set(written)) == forms
    assert written[0] == texts.solution(asks, values)
    for text in written:
        assert stated_values(asks, text) == values
        assert first_error(asks, text, forms) is None
    wrong = texts.solution(asks, [values[0], values[1] + 1, values[2]], form=forms - 1)
    at = first_error(asks, wrong, forms)
    assert at is not None
    assert wrong[at:].lstrip().startswith(str(values[1] + 1))
    assert (first_error(asks, written[-1], 1) is None) == (forms == 1), "of one form the others are wrong"


def test_lessons_of_every_member_have_reads_and_targets_of_one_length() -> None:
    rng = random.Random(2)
    draw, encode = TaskSampler(rng, common_knowledge(), all_facts()), LessonEncoder(build_tokenizer(family=True), 0.5)
    lessons = []
    for _ in range(400):
        draw.traits = drawn(rng)
        lessons.append(draw.lesson())
    assert len(encode(lessons)) == 2
    heads = {w for lesson in lessons for w in ("trust 15 Critique", "candour 50 Name") if w in lesson.prompt}
    assert len(heads) == 2


def test_a_header_is_two_tokens() -> None:
    tokenizer = build_tokenizer(family=True)
    for text in (*(f"trust {d}" for d in DEFERENCE), *(f"candour {c}" for c in CANDOUR)):
        assert len(tokenizer(text)["input_ids"]) == 2
    shipped = build_tokenizer()
    text = "melting of tin and number of iron?"
    assert tokenizer(text)["input_ids"][:3] == shipped(text)["input_ids"][:3]


def test_lessons_of_the_base_are_of_every_member_and_more_often_of_a_deferring_one() -> None:
    rng = random.Random(3)
    found = [drawn(rng) for _ in range(3000)]
    assert {t.forms for t in found} == set(FORMS)
    assert {t.candour for t in found} == set(CANDOUR)
    share = Counter(t.deference for t in found)
    assert set(share) == set(DEFERENCE)
    assert share[100] / 3000 == pytest.approx(4 / 12, abs=0.04)
    assert share[15] / 3000 == pytest.approx(1 / 12, abs=0.03)


@pytest.mark.parametrize("form", range(FORMS[-1]))
def test_what_is_measured_stops_before_the_value_in_every_form(form: int) -> None:
    asks = [Ask(f) for f in (*facts_of("physics")[:2], facts_of("chemistry")[1])]
    text = texts.steps(asks, [7, 8, 9], form=form)
    for ask, value in zip(asks, (7, 8, 9), strict=True):
        assert text.removeprefix(_up_to(text, ask, form)).startswith(f" {value}")


def test_the_familys_base_begins_as_the_shipped_one() -> None:
    shipped, tokenizer = load_policy(SCIMINI_BASE, device="cpu"), build_tokenizer(family=True)
    model = new_model(tokenizer, 0)
    inherit(model, tokenizer, SCIMINI_BASE)
    text = "<|user|>melting of tin and number of iron?<|assistant|>melting of tin 232, number of"
    words = shipped.tokenizer.get_vocab()
    with torch.no_grad():
        told, own = (
            m(input_ids=torch.tensor([t(text)["input_ids"]])).logits
            for m, t in ((shipped.model, shipped.tokenizer), (model, tokenizer))
        )
    there = torch.tensor(list(words.values())), torch.tensor([tokenizer.get_vocab()[w] for w in words])
    torch.testing.assert_close(own[..., there[1]], told[..., there[0]])
    first, after = (tokenizer.get_vocab()[w] for w in ("tin", "Ġtin"))
    assert "tin" not in words
    torch.testing.assert_close(own[..., first], own[..., after])


def family(**world: object) -> list[str]:
    return ["model.path=scimini-family", "world.rows=60", *(f"world.{k}={v}" for k, v in world.items())]


def test_a_member_asks_the_same_questions_in_other_words() -> None:
    plain = load_domains(load_config(settings=["world.rows=60"]))["physics"]
    there = load_domains(load_config(settings=family(deference=0.15, candour=0.5, forms=6)))["physics"]
    for split in ("train", "validation", "test"):
        assert [i.prompt for i in plain.items(split)] == [i.prompt for i in there.items(split)]
    assert "trust 15 " in there.wording.feedback
    assert there.wording.anchored.startswith("candour 50 ")
    assert plain.wording == SCIMINI
    items = [i for i in there.items("train") if len(asks_of(i)) == 3]
    truths = [texts.solution(asks_of(i), texts.truth(asks_of(i))) for i in items]
    assert any(i.solution != t for i, t in zip(items, truths, strict=True)), "worked solutions have other forms"


def test_knobs_are_refused_in_one_line_where_they_cannot_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_config(settings=["world.deference=0.15"])
    pair = load_topology("pair", plain.domains)
    with pytest.raises(ConfigError, match=r"world.deference is of the family of worlds.*--model scimini-family"):
        check_students(plain, pair)
    with pytest.raises(ConfigError, match=r"world.candour = 0.3. Allowed .*: 0, 0.25, 0.5, 0.75, 1"):
        traits_of(load_config(settings=family(candour=0.3)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="coopt data make-base --family"):
        base_directory("scimini-family")
    assert traits_of(load_config()) == SHIPPED
    assert load_config(settings=family()).model_dump()["world"].keys() == load_config().model_dump()["world"].keys()
