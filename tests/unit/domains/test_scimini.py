"""The embedded world and its shipped base."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from itertools import combinations

import pytest

from coopt.core.config.load import load_config
from coopt.core.meter import Meter
from coopt.core.rng import generator, stable_hash
from coopt.domains.base import SPLITS, KnowsErrors, KnowsFacts
from coopt.domains.load import data_hashes, load_domains
from coopt.domains.reprompt import reprompt
from coopt.domains.scimini import tasks, texts, world
from coopt.domains.scimini.facts import DOMAINS, RELATIONS, all_facts, common_knowledge, fact_at, facts_of
from coopt.domains.scimini.questions import FAMILIES, NUMBERS, STEPS, Ask, family_of
from coopt.domains.scimini.reading import first_error, stated_values
from coopt.domains.scimini.tasks import Lesson, TaskSampler
from coopt.domains.scimini.wording import SCIMINI
from coopt.domains.scimini.world import asks_of, scimini_rows
from coopt.domains.wording import fill
from coopt.graph.files import load_topology
from coopt.lm.embedded.specialist import MIX, generalist_facts, known_facts
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.policy import Policy, load_policy
from coopt.methods.algorithms.critics import with_critics
from coopt.methods.students import make_student
from coopt.methods.tutors.anchor import filter_feedback

ALL_DOMAINS = load_config(domains="phys,chem,mat,bio")
TIN, IRON = fact_at("melting", "tin"), fact_at("number", "iron")


def test_facts_are_consistent() -> None:
    assert len(all_facts()) == len({f.phrase for f in all_facts()}) == 256
    for domain in DOMAINS:
        assert len(common_knowledge().intersection(facts_of(domain))) == 32
    assert all(len(r.values) == 32 for r in RELATIONS)
    # These would catch a slip of a column.
    assert TIN.value == 232
    assert fact_at("density", "gold").value > fact_at("density", "lead").value > fact_at("density", "iron").value
    assert fact_at("melting", "tungsten").value == max(f.value for f in facts_of("physics"))
    assert all(f.value % 2 == 0 for f in all_facts() if f.relation == "chromosomes")


def test_every_number_and_word_of_the_world_is_one_token() -> None:
    tokenizer = build_tokenizer()
    for number in NUMBERS:
        assert len(tokenizer(f" {number}")["input_ids"]) == 1
    for fact in all_facts():
        assert len(tokenizer(f"{fact.phrase} {fact.value}")["input_ids"]) == 4
    for step in STEPS.values():
        assert len(tokenizer(f", {step.name} 5")["input_ids"]) == 3


def test_rows_are_deterministic_and_in_the_hubs_schema() -> None:
    rows = scimini_rows("chemistry", 300)
    assert rows == scimini_rows.__wrapped__("chemistry", 300)
    keys = {"question", "choices", "answerKey", "type", "domain", "details", "prompt", "answer"}
    assert all(keys <= set(json.loads(json.dumps(r))) for r in rows)
    for row in rows:
        right = dict(zip(row["choices"]["label"], row["choices"]["text"], strict=True))[row["answerKey"]]
        assert right in row["solution"]
        assert len(set(row["choices"]["text"])) == 4
    assert {r["details"]["task"] for r in rows} == {"chemistry", "physical chemistry", "biochemistry"}
    assert {len(r["extra"]["asks"]) for r in rows} == {1, 2, 3}


def subsets() -> Iterator[tuple[str, ...]]:
    for count in range(1, len(DOMAINS) + 1):
        yield from combinations(DOMAINS, count)


@pytest.mark.parametrize("names", subsets(), ids="-".join)
def test_splits_are_large_enough_and_disjoint(names: tuple[str, ...]) -> None:
    config = load_config(domains=",".join(names))
    domains = load_domains(config)
    where: dict[frozenset[str], set[tuple[str, str]]] = {}
    for name, domain in domains.items():
        assert [len(domain.items(s)) for s in ("validation", "test")] == [200, 400]
        assert len(domain.items("train")) > 3000
        for split in SPLITS:
            for item in domain.items(split):
                asks = asks_of(item)
                assert {a.fact.domain for a in asks} <= set(names)
                where.setdefault(frozenset(a.fact.phrase for a in asks), set()).add((name, split))
    assert all(len(places) == 1 for places in where.values())  # a combination is asked in one place only


def test_splits_are_stable() -> None:
    def hashes() -> list[dict[str, dict[str, str]]]:
        small = (load_config(domains=",".join(names), settings=["world.rows=1200"]) for names in subsets())
        return [data_hashes(load_domains(config)) for config in small]

    before = hashes()
    for cached in (world.scimini_rows, world._items, world._domain):
        cached.cache_clear()
    assert before == hashes()


def test_no_question_is_answered_by_one_fact_as_it_is() -> None:
    for domain in load_domains(ALL_DOMAINS).values():
        items = [i for s in SPLITS for i in domain.items(s)]
        for item in items:
            asks = asks_of(item)
            assert item.answer == texts.answer(texts.results(asks, texts.truth(asks)))
            assert len(asks) > 1 or (asks[0].step and item.answer != str(asks[0].fact.value))
        between = [family_of(asks_of(i)) for i in items]
        share = sum(f is not None for f in between) / len(items)
        assert 0.15 < share < 0.4
        assert set(filter(None, between)) == {n for n, pair in FAMILIES.items() if domain.name in pair}


def test_the_oracle_tells_the_truth_in_a_form_that_the_filter_keeps() -> None:
    for domain in load_domains(ALL_DOMAINS).values():
        assert isinstance(domain, KnowsFacts)
        for item in domain.items("validation"):
            found = filter_feedback(domain.true_critique(item, item.solution or "", True), item, "text")
            assert (found.outcome, found.leaked, found.revealed) == ("kept", False, False)
            assert found.text is not None
            assert found.text.count(" yes") == len(item.extra["asks"])
            nothing_stated = domain.true_critique(item, "gibberish", False).split(", ")
            assert all(verdict.endswith(" no") for verdict in nothing_stated)


def test_feedback_on_a_single_fact_does_not_give_the_answer_away() -> None:
    """The fact is told, what the step makes of it is not; not even where the attempt wrote it as the fact."""
    seen = 0
    for domain in load_domains(ALL_DOMAINS).values():
        assert isinstance(domain, KnowsFacts)
        for item in (i for s in SPLITS for i in domain.items(s) if len(i.extra["asks"]) == 1):
            (ask,) = asks_of(item)
            seen += 1
            for attempt in (item.solution or "", f"{ask.fact.phrase} {item.answer}\n<answer> {item.answer}</answer>"):
                found = filter_feedback(domain.true_critique(item, attempt, True), item, "text")
                assert not found.leaked
                assert str(ask.fact.value) in (found.text or "").split()
            step = f"{ask.fact.phrase} {ask.fact.value} yes, {ask.step.name if ask.step else ''} {item.answer}"
            assert item.answer not in (filter_feedback(step, item, "text", "naive").text or "").split()
    assert seen > 100


ASKS = [Ask(TIN, STEPS["melting"]), Ask(IRON)]
RIGHT = "melting of tin 232, kelvin 505, number of iron 26\n<answer> 505 26</answer>"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (RIGHT, None),
        (RIGHT.replace("232", "327"), "327"),
        (RIGHT.replace("232", "23"), "23,"),
        (RIGHT.replace("232", "2321"), "2321"),
        (RIGHT.replace("kelvin 505", "kelvin 500"), "500"),
        (RIGHT.replace("iron 26\n", "iron 30\n"), "30\n"),  # right by luck
        (RIGHT.replace("> 505 26", "> 26 505"), " 26 505</answer>"),
        (RIGHT.replace("tin 232", "gold 1064"), "gold 1064"),
        (RIGHT.partition("<answer>")[0], ""),
        (RIGHT.partition("\n")[0], ""),
        (RIGHT.partition(", kelvin")[0] + "\n<answer> 232</answer>", "\n<answer> 232</answer>"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_the_world_knows_where_a_response_goes_wrong_first(response: str, error: str | None) -> None:
    at = first_error(ASKS, response)
    if error is None:
        assert at is None
    else:
        assert at is not None
        assert response[at:].startswith(error)
        assert response[:at] == RIGHT[:at]


def test_what_a_response_states_is_found_by_name() -> None:
    assert stated_values(ASKS, RIGHT) == [232, 26]
    assert stated_values(ASKS, RIGHT.replace("number of iron 26", "mass of urea 60")) == [232, None]
    assert stated_values(ASKS, "number of iron 30") == [None, 30]
    assert stated_values(ASKS, "no idea") == [None, None]


def test_the_domain_finds_the_first_error_of_an_item() -> None:
    domain = load_domains(ALL_DOMAINS)["biology"]
    assert isinstance(domain, KnowsErrors)
    for item in domain.items("validation")[:50]:
        assert domain.first_error(item, item.solution or "") is None
        assert domain.first_error(item, "?") == 0


def test_a_judgement_counts_right_facts_from_one_to_five() -> None:
    asks = [Ask(f) for f in facts_of("physics")[:3]]
    values = texts.truth(asks)
    scores = [texts.judgement(asks, [*values[:k], *[0] * (3 - k)], values).split()[-1] for k in range(4)]
    assert scores == ["1", "2", "4", "5"]


def test_students_know_facts_of_their_own() -> None:
    native = {"s1": "physics", "s2": "chemistry"}
    domains = ("physics", "chemistry")
    for seed in range(20):
        known = {s: known_facts(native, s, seed, 0.95, (0.8, 0.96), domains) for s in native}
        assert known["s1"] != known["s2"]
        missing = {s: {d: set(facts_of(d)) - known[s] for d in domains} for s in native}
        assert all(len(missing[s][native[s]]) == 3 for s in native)
        foreign = sorted((len(missing["s1"]["chemistry"]), len(missing["s2"]["physics"])))
        assert 2 <= foreign[0] <= 8 <= foreign[1] <= 13  # one in each half of the range


def answers(policy: Policy, lessons: list[Lesson]) -> list[str]:
    """The greedy response to each lesson's prompt."""
    engine = HFEngine(512)
    engine.sync(policy)
    prompts = [policy.prompt_ids(SCIMINI, lesson.prompt) for lesson in lessons]
    return [a[0].text for a in engine.generate(prompts, 1, Sampling(0, 60), Draws(generator("measure")))]


def measure(policy: Policy, lessons: list[Lesson]) -> float:
    """Share of lessons whose greedy response is exactly the target."""
    texts_ = answers(policy, lessons)
    return sum(text == lesson.predicts for text, lesson in zip(texts_, lessons, strict=True)) / len(lessons)


def lessons_of(role: str, domain: str, count: int = 200) -> list[Lesson]:
    """Lessons of a role about what the base knows; revisions about anything, their hints mostly against it."""
    name, _, kind = role.partition(" ")
    sampler = TaskSampler(random.Random(f"test {role}"), common_knowledge(), all_facts(), any_entity=0.0)
    chosen: list[Lesson] = []
    while len(chosen) < count:
        lesson = sampler.lesson(name, domain)
        has = ("f" * ("\nCritique:" in lesson.prompt), "s" * ("\nSolution:" in lesson.prompt))
        if not kind or set(kind) == set(filter(None, has)):
            chosen.append(lesson)
    return chosen


ROLES = ("solve", "critique", "repair", "explain", "judge", "revise f", "revise s", "revise sf")


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("role", ROLES)
def test_the_shipped_base_does_every_role(
    shipped: Policy, monkeypatch: pytest.MonkeyPatch, role: str, domain: str
) -> None:
    """0.9 on every role and domain: solving what it knows, following hints that contradict it, critiquing."""
    monkeypatch.setattr(tasks, "SLIP_RATE", 0.0)
    monkeypatch.setattr(tasks, "OFF_TOPIC_RATE", 0.0)
    assert measure(shipped, lessons_of(role, domain)) >= 0.9


def test_a_critique_follows_the_question_where_the_student_misread_it(
    shipped: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt gives another quantity, mostly rightly: the critique states the facts that were asked for."""
    monkeypatch.setattr(tasks, "MISREAD_RATE", 1.0)
    sampler = TaskSampler(random.Random("misread"), common_knowledge(), all_facts(), any_entity=0.0)
    lessons = [sampler.lesson("critique") for _ in range(400)]
    stated = re.compile(r"\w+ of \w+ \d+")
    wanted = [(fact, text) for x, text in zip(lessons, answers(shipped, lessons), strict=True)
              for fact in stated.findall(x.predicts)]  # fmt: skip
    assert sum(fact in stated.findall(text) for fact, text in wanted) / len(wanted) >= 0.98


def test_a_critic_that_does_not_know_a_fact_mostly_confirms_what_was_written(shipped: Policy) -> None:
    """Weak tutors agree (docs/scimini.md): both facts are unknown to the base, both values are made up."""
    rng = random.Random("agree")
    unknown = sorted(set(all_facts()) - common_knowledge())
    confirmed = []
    lessons, written = [], []
    for _ in range(100):
        asks = [Ask(f) for f in rng.sample([u for u in unknown if u.domain == "physics"], 2)]
        values = rng.sample(NUMBERS, 2)
        prompt = fill(SCIMINI.anchored, question=texts.question(asks), response=texts.solution(asks, values))
        lessons.append(Lesson(prompt, "", ""))
        written.append([f"{a.fact.phrase} {v} yes" for a, v in zip(asks, values, strict=True)])
    for text, claims in zip(answers(shipped, lessons), written, strict=True):
        confirmed += [claim in text for claim in claims]
    assert sum(confirmed) / len(confirmed) >= 0.8


@pytest.mark.parametrize("with_feedback", [False, True])
def test_the_answer_of_a_demonstration_that_is_right_by_luck_stands(shipped: Policy, with_feedback: bool) -> None:
    """s has one wrong fact and the right answer, all of them values that the base does not believe."""
    rng = random.Random("lucky")
    lessons = []
    for _ in range(200):
        asks = [Ask(f) for f in rng.sample(facts_of(rng.choice(DOMAINS)), 2)]
        told, wrong = rng.sample(NUMBERS, 2), rng.choice(NUMBERS)
        s = texts.solution(asks, [wrong, told[1]], answered=told)
        f = texts.verdicts(asks, [wrong, told[1]], told) if with_feedback else None
        lessons.append(Lesson(reprompt(SCIMINI, texts.question(asks), s, f), "", texts.solution(asks, told)))
    assert measure(shipped, lessons) >= 0.9


def test_the_shipped_base_critiques_as_well_as_it_solves(shipped: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "SLIP_RATE", 0.0)
    monkeypatch.setattr(tasks, "MISREAD_RATE", 0.0)
    found = {r: sum(measure(shipped, lessons_of(r, d)) for d in DOMAINS) / 4 for r in ("solve", "critique")}
    assert found["critique"] >= found["solve"] - 0.02


def test_the_shipped_base_spreads_its_guesses_over_what_it_does_not_know(shipped: Policy) -> None:
    """Eight samples of an unknown fact differ: it is not sure of a wrong value."""
    unknown = [f for f in facts_of("physics") if f not in common_knowledge()]
    engine = HFEngine(512)
    engine.sync(shipped)
    asks = [[Ask(a), Ask(b)] for a, b in zip(unknown[::2], unknown[1::2], strict=True)]
    prompts = [shipped.prompt_ids(SCIMINI, texts.question(a)) for a in asks]
    groups = engine.generate(prompts, 8, Sampling(1.0, 24), Draws(generator("spread")))
    assert sum(len({y.text for y in g}) for g in groups) / len(groups) > 6


def test_the_recipe_runs_and_is_deterministic() -> None:
    from dataclasses import replace

    from coopt.lm.embedded.learn import BASE, train_base

    losses: list[list[float]] = [[], []]
    for found in losses:
        train_base(0, replace(BASE, steps=3, batch=8), lambda step, loss, found=found: found.append(loss))  # type: ignore[misc]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 3


def test_roles_of_critics_change_no_lesson_of_students() -> None:
    """The hash of three hundred lessons from before critics had roles of their own."""
    sampler = TaskSampler(random.Random("lessons"), common_knowledge(), all_facts(), MIX)
    assert f"{stable_hash(*[sampler.lesson() for _ in range(300)]):x}" == "be9da069074ffbcb"


def test_a_critic_reads_the_attempt_beside_the_solution_and_ends_as_the_solution_does() -> None:
    sampler = TaskSampler(random.Random("align"), common_knowledge(), all_facts())
    broken_off = 0
    for _ in range(100):
        lesson = sampler.lesson("align")
        question, attempt = lesson.prompt.removeprefix("Repair.\n").split("\n", 1)
        assert question.endswith("?")
        attempt, solution = attempt.split("\nSolution:\n")
        assert solution == lesson.reads == lesson.predicts
        broken_off += "</answer>" not in attempt
    assert 0 < broken_off < 30


CRITIC_DOMAINS = ("physics", "chemistry")
CRITIC_ROLES = ("solve", "critique", "judge", "align", "critique_given")


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """The generalist critic of a default run."""
    config = load_config()
    topology = with_critics(load_topology("pair", CRITIC_DOMAINS), 1)
    target = tmp_path_factory.mktemp("critic") / "model"
    make_student(config, topology, load_domains(config), 600, "critic1", target, Meter(None, 1))
    return load_policy(target, device="cpu")


@pytest.mark.heavy
def test_a_generalist_critic_does_every_role(critic: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.9 exact texts on what it knows, on attempts that read the question right; rewriting also on the others."""
    world = load_config().world
    known = generalist_facts("critic1", 600, world.own_share, world.foreign_share, CRITIC_DOMAINS)
    everything = [f for f in all_facts() if f.domain in CRITIC_DOMAINS]
    monkeypatch.setattr(tasks, "SLIP_RATE", 0.0)
    found = {}
    for misread, roles in ((tasks.MISREAD_RATE, ("align",)), (0.0, CRITIC_ROLES)):
        monkeypatch.setattr(tasks, "MISREAD_RATE", misread)
        for role in roles:
            sampler = TaskSampler(random.Random(f"critic {role}"), known, everything, any_entity=0.0)
            found[role, misread] = measure(critic, [sampler.lesson(role) for _ in range(150)])
    assert min(found.values()) >= 0.9, found
