"""FAIR: who is asked what, what is accepted, what is learnt."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from coopt.core.config.load import load_config
from coopt.domains.load import load_domains
from coopt.domains.wording import SCIENCE, fill
from coopt.graph.files import load_topology
from coopt.graph.topology import Style
from coopt.lm.policy import Policy
from coopt.methods.algorithms.fair import FAIR, FAIROptions
from coopt.methods.phase import Phase, train_step
from coopt.methods.step import Step
from coopt.methods.tutors.adversary import HostileTutor
from coopt.methods.tutors.base import Message, ModelTutor, OracleTutor, Request, TutorAwayError
from coopt.reports.committee import acceptance_table
from coopt.runs.measures.acceptance import committee_cells
from tests.unit.kept_gradients import keep_gradients
from tests.unit.small_phases import small_phase

DOMAINS = ("physics", "chemistry")


class Critic:
    """Writes what it is told to; judges by the text. ``given``: the score it gives to each author's rationale."""

    style: Style = "anchored"

    def __init__(self, name: str, given: Mapping[str, str]) -> None:
        self.name = name
        self.given = given
        self.asked: dict[str, list[Request]] = {"mistakes": [], "rationale": [], "judge": []}

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        raise AssertionError("nobody asks for a plain critique")

    def mistakes(self, requests: Sequence[Request]) -> list[str | None]:
        self.asked["mistakes"] += requests
        return [f"melting of tin {10 + len(self.name)} not {len(r.response)}" for r in requests]

    def rationale(self, requests: Sequence[Request]) -> list[str | None]:
        self.asked["rationale"] += requests
        return [f"number of iron by {self.name}" for _ in requests]

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        raise AssertionError("a rationale is no message about an attempt")

    def judge_rationale(self, requests: Sequence[Request]) -> list[str | None]:
        raise AssertionError("judges see the solution")

    def judge_rationale_given(self, requests: Sequence[Request]) -> list[str | None]:
        self.asked["judge"] += requests
        return [self.given[r.response.rpartition(" ")[2]] for r in requests]


def committee(*scores: Mapping[str, str]) -> dict[str, Critic]:
    """Critics ``a``, ``bb``, ... by what each gives to the others."""
    names = ["a", "bb", "ccc"][: len(scores)]
    return {name: Critic(name, given) for name, given in zip(names, scores, strict=True)}


ALL_GOOD = ({"bb": "score 5", "ccc": "score 5"}, {"a": "score 4", "ccc": "score 4"}, {"a": "5", "bb": "5"})


def phase(policy: Policy, tmp_path: Path, critics: Mapping[str, Any], *settings: str, alpha: float = 0.3) -> Phase:
    config = load_config(settings=["rounds.prompts=3", "rounds.rollouts=2", "optimizer.warmup=0", *settings])
    return small_phase(policy, tmp_path, FAIR(FAIROptions(alpha=alpha)), config, critics, reviewed=True)


def mean_nll(policy: Policy, model: Any, prompt: Sequence[int], text: str) -> torch.Tensor:
    target = [*policy.tokenizer(text, add_special_tokens=False)["input_ids"], policy.tokenizer.eos_token_id]
    logits = model(torch.tensor([[*prompt, *target]])).logits[0, len(prompt) - 1 : -1]
    return cross_entropy(logits, torch.tensor(target))


@pytest.mark.usefixtures("exact_norms")
@pytest.mark.parametrize(
    "settings", [(), ("loss.batch_tokens=64",), ("loss.packed=true",), ("loss.shared_prefixes=true",)]
)
def test_loss_and_gradient_match_the_definition(untrained: Policy, tmp_path: Path, settings: tuple[str, ...]) -> None:
    """Item by item in float64, from what was written down: no padding and no neighbour in a batch has a say."""
    made = phase(untrained, tmp_path, committee(*ALL_GOOD), *settings, "optimizer.clip=1e9")
    kept = keep_gradients(made.tutee.trainer)
    model = copy.deepcopy(untrained.model)
    record, groups = train_step(made, 0)
    items = {i.id: i for i in made.order.batch(0, 3)}
    losses = []
    for group in groups:
        item = items[group["item"]]
        wording = made.tutee.domains[item.domain].wording
        for chosen in group["training_items"]:
            rollout = group["rollouts"][chosen["rollout"]]
            assert rollout["reward"] == 0
            feedback = next(m["raw"] for m in rollout["messages"] if m["tutor"] == chosen["feedback"])
            rationale = next(r["raw"] for r in group["rationales"] if r["tutor"] == chosen["rationale"])
            read = fill(wording.naive_given, question=item.prompt, response=rollout["text"], solution=item.solution)
            losses.append(
                0.3 * mean_nll(untrained, model, untrained.prompt_ids(wording, read), feedback)
                + 0.7 * mean_nll(untrained, model, untrained.prompt_ids(wording, item.prompt), rationale)
            )
    assert len(losses) == record["examples"] == record["committee"]["training_items"] == 6
    expected = torch.stack(losses).mean()
    expected.backward()
    assert record["loss"] == pytest.approx(expected.item(), rel=1e-9)
    assert (record["active_rows"], record["no_target"], record["rollouts"]) == (12, 0, 6)
    for name, parameter in model.named_parameters():
        assert torch.allclose(kept[name], parameter.grad, rtol=1e-7, atol=1e-12), name


def test_who_is_asked_what(untrained: Policy, tmp_path: Path) -> None:
    """Every critic: each mistake, one rationale a question, the rationales of the others and never its own."""
    critics = committee(*ALL_GOOD)
    _, groups = train_step(phase(untrained, tmp_path, critics), 0)
    wrong = [(g["item"], y["text"]) for g in groups for y in g["rollouts"] if not y["reward"]]
    for name, critic in critics.items():
        assert [(r.item.id, r.response) for r in critic.asked["mistakes"]] == wrong
        assert [(r.item.id, r.response) for r in critic.asked["rationale"]] == [(g["item"], "") for g in groups]
        others = [f"number of iron by {n}" for n in critics if n != name]
        assert [r.response for r in critic.asked["judge"]] == others * len(groups)


def learned(made: Phase) -> tuple[dict[str, Any], set[str]]:
    """The record of a step, and whose rationales were learnt."""
    record, groups = train_step(made, 0)
    return record, {x["rationale"] for g in groups for x in g["training_items"]}


@pytest.mark.parametrize(
    ("scores", "accepted"),
    [
        (({"bb": "score 5", "ccc": "1"}, {"a": "score 2", "ccc": "1"}, {"a": "score 4", "bb": "2"}), {"bb"}),
        (
            ({"bb": "hm", "ccc": "hm"}, {"a": "hm", "ccc": "4"}, {"a": "hm", "bb": "hm"}),
            {"ccc"},
        ),  # of the readable ones
        (({"bb": "score 4"}, {"a": "score 3"}), {"bb"}),  # two critics: one judge each
    ],
)
def test_only_accepted_rationales_are_learnt(
    untrained: Policy, tmp_path: Path, scores: tuple[Mapping[str, str], ...], accepted: set[str]
) -> None:
    """The mean of the readable scores exceeds 3: 2 and 4 do not, 5 and 2 do."""
    record, authors = learned(phase(untrained, tmp_path, committee(*scores)))
    assert authors == accepted
    assert record["examples"] == 6
    assert record["loss"] > 0


@pytest.mark.parametrize(
    "scores",
    [
        ({"bb": "score 3", "ccc": "3"}, {"a": "3", "ccc": "3"}, {"a": "3", "bb": "3"}),
        ({"bb": "fine", "ccc": "fine"}, {"a": "so so", "ccc": ""}, {"a": "", "bb": "7"}),
        ({},),
    ],
    ids=["voted down", "unreadable", "a lone critic"],
)
def test_items_without_an_accepted_rationale_are_left_out(
    untrained: Policy, tmp_path: Path, scores: tuple[Mapping[str, str], ...]
) -> None:
    made = phase(untrained, tmp_path, committee(*scores))
    before = {n: p.detach().clone() for n, p in made.tutee.trainer.policy.trainable().items()}
    record, authors = learned(made)
    assert (record["loss"], record["examples"], record["active_rows"], authors) == (0, 0, 0, set())
    assert record["committee"]["mistakes"] == 6
    assert all(torch.equal(p, before[n]) for n, p in made.tutee.trainer.policy.trainable().items())


def test_without_mistakes_nobody_is_asked_and_nothing_is_changed(untrained: Policy, tmp_path: Path) -> None:
    class Easy:
        def __init__(self, domain: Any) -> None:
            self.domain = domain

        def __getattr__(self, name: str) -> Any:
            return getattr(self.domain, name)

        def score(self, response: str, item: Any) -> float:
            return 1.0

    critics = committee(*ALL_GOOD)
    made = phase(untrained, tmp_path, critics)
    made.tutee.domains = {name: Easy(d) for name, d in made.tutee.domains.items()}  # type: ignore[dict-item]
    before = {n: p.detach().clone() for n, p in made.tutee.trainer.policy.trainable().items()}
    record, groups = train_step(made, 0)
    assert (record["loss"], record["correct"], record["committee"]["mistakes"]) == (0, 6, 0)
    assert all(not asked for c in critics.values() for asked in c.asked.values())
    assert [g["rationales"] for g in groups] == [[], [], []]
    assert all(torch.equal(p, before[n]) for n, p in made.tutee.trainer.policy.trainable().items())


def test_draws_hang_on_seed_student_and_step_alone(untrained: Policy, tmp_path: Path) -> None:
    def drawn(seed: int, number: int) -> list[Any]:
        made = phase(untrained, tmp_path, committee(*ALL_GOOD), "rounds.rollouts=6")
        made.tutee.seed = seed
        step = Step(made.tutee, number, made.order.batch(0, 3))  # the same questions
        return [group.notes["training_items"] for group in FAIR().learn(step).groups]

    np.random.seed(1)
    torch.manual_seed(1)
    first = drawn(0, 0)
    assert drawn(0, 0) == first
    assert drawn(0, 1) != first
    assert drawn(1, 0) != first
    chosen = [(x["feedback"], x["rationale"]) for training_items in first for x in training_items]
    assert len(set(chosen)) > 3, "feedback and rationale are drawn apart"


def test_a_critic_that_stays_away_is_missed_by_nobody(untrained: Policy, tmp_path: Path) -> None:
    class Away(Critic):
        def mistakes(self, requests: Sequence[Request]) -> list[str | None]:
            raise TutorAwayError("nobody at home")

    critics = committee(*ALL_GOOD) | {"ccc": Away("ccc", {})}
    record, authors = learned(phase(untrained, tmp_path, critics))
    assert authors == {"a", "bb"}
    assert record["away"] == {"ccc": "nobody at home"}
    assert record["examples"] == 6


def test_one_of_the_two_losses_alone(untrained: Policy, tmp_path: Path) -> None:
    for alpha in (0.0, 1.0):
        record, _ = train_step(phase(untrained, tmp_path, committee(*ALL_GOOD), alpha=alpha), 0)
        assert (record["examples"], record["active_rows"]) == (6, 6)


def test_an_item_too_long_for_the_student_is_left_out_and_counted(untrained: Policy, tmp_path: Path) -> None:
    class Verbose(Critic):
        def mistakes(self, requests: Sequence[Request]) -> list[str | None]:
            return ["melting " * 600 for _ in requests]

    critics = {"a": Verbose("a", ALL_GOOD[0]), "bb": Verbose("bb", ALL_GOOD[1])}
    record, authors = learned(phase(untrained, tmp_path, critics))
    assert (authors, record["examples"], record["too_long"]) == (set(), 0, 6)


def test_the_table_of_acceptance(untrained: Policy, tmp_path: Path) -> None:
    scores = ({"bb": "score 5", "ccc": "1"}, {"a": "hm", "ccc": "1"}, {"a": "4", "bb": "2"})
    record, _ = train_step(phase(untrained, tmp_path, committee(*scores)), 0)
    (cell,) = committee_cells([{**record, "method": "fair"}, {"method": "sdpo"}])
    assert (cell.mistakes, cell.training_items) == (6, 6)
    assert [(a.author, a.written, a.accepted, a.mean_score) for a in cell.authors] == [
        ("a", 3, 3, 4), ("bb", 3, 3, 3.5), ("ccc", 3, 0, 1),
    ]  # fmt: skip
    assert [(j.judge, j.readable, j.mean_score, j.above) for j in cell.authors[0].judges] == [
        ("bb", 0, None, 0), ("ccc", 3, 4, 3),
    ]  # fmt: skip
    table = acceptance_table(type("Shown", (), {"committees": [cell], "native": {}})())  # type: ignore[arg-type]
    assert table.columns == ["method", "author", "rationales", "mean score", "accepted, %", "by a, %", "by bb, %",
                             "by ccc, %"]  # fmt: skip
    assert list(table.rows[0]) == ["fair", "a", "3", "4.00", "100.0", "–", "–", "100.0 (4.00)"]
    assert list(table.rows[2]) == ["fair", "ccc", "3", "1.00", "0.0", "0.0 (1.00)", "0.0 (1.00)", "–"]
    assert "of 6 wrong rollouts 100.0 % became training items" in table.notes[-1]
    assert len(table.rows) == 3


# -- the graph -----------------------------------------------------------------------------------------


def test_a_committee_of_the_run_is_taken_as_it_is() -> None:
    own = load_topology("fair_committee", DOMAINS)
    found = FAIR().graph(own)
    assert (found.edges, found.reviews, found.critics) == (own.edges, own.reviews, ["c1", "c2", "c3"])


@pytest.mark.parametrize("name", ["pair", "critic", "random_matching"])
def test_elsewhere_three_critics_are_added(name: str) -> None:
    found = FAIR().graph(load_topology(name, DOMAINS))
    added = ["critic1", "critic2", "critic3"]
    assert {e.tutor for e in found.edges} == set(added)
    assert len(found.edges) == 3 * len(found.students)
    assert found.reviews == {(a, b) for a in added for b in added if a != b}
    assert found.in_round(1, 0).edges == found.edges
    gates = FAIR().gates(found, load_config().gate)
    assert {g.kind for g in gates.values()} == {"always"}


# -- what tutors are told --------------------------------------------------------------------------------


class Recorder:
    """A speaker that keeps what it is asked."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    def say(self, messages: Sequence[Message], max_tokens: int) -> list[str | None]:
        self.said += [(m.text, max_tokens) for m in messages]
        return ["score 4"] * len(messages)


def test_the_hint_is_for_those_who_explain_and_never_for_solvers_and_judges_of_messages() -> None:
    domains = load_domains(load_config())
    item = domains["physics"].items("train")[0]
    solution = item.solution or ""

    def told(role: Callable[[ModelTutor, Sequence[Request]], Any]) -> tuple[str, int]:
        speaker = Recorder()
        role(ModelTutor(speaker, domains, "anchored", 40, solution_tokens=90), [Request(item, "try")] * 2)
        (said,) = speaker.said  # equal requests are one
        return said

    explained, limit = told(ModelTutor.mistakes)
    assert (solution in explained, "try" in explained, limit) == (True, True, 40)
    assert told(ModelTutor.rationale) == (item.prompt, 90)
    judged, limit = told(ModelTutor.judge)
    assert (solution in judged, "try" in judged, limit) == (False, True, 40)


def test_of_real_rows_a_solver_is_told_the_format_and_a_critic_the_solution() -> None:
    item = load_domains(load_config())["physics"].items("train")[0]
    real = {"physics": type("Real", (), {"wording": SCIENCE})()}
    speaker = Recorder()
    tutor = ModelTutor(speaker, real, "anchored", 40)  # type: ignore[arg-type]
    tutor.rationale([Request(item, "")])
    tutor.mistakes([Request(item, "try")])
    tutor.judge_rationale([Request(item, "why")])
    tutor.judge_rationale_given([Request(item, "why")])
    solved, explained, judged, given = (text for text, _ in speaker.said)
    assert solved == f"{SCIENCE.system}\n\n{item.prompt}"
    assert all(text in explained for text in (item.prompt, "try", item.solution or "-"))
    assert ((item.solution or "-") in judged, (item.solution or "-") in given) == (False, True)
    assert all("tutor" not in text and "attempt" not in text for text in (judged, given)), "it is no feedback"


def test_hostile_critics_and_the_oracle_play_every_part() -> None:
    domains = load_domains(load_config())
    item = domains["physics"].items("train")[0]
    requests = [Request(item, "try")]
    oracle = OracleTutor(domains, "anchored")
    assert oracle.rationale(requests) == [item.solution]
    (explained,) = oracle.mistakes(requests)
    assert explained
    assert "<concept>" not in explained
    hostile = HostileTutor("misleading", oracle, domains)
    assert hostile.mistakes(requests) != oracle.mistakes(requests)
    assert hostile.rationale(requests) != oracle.rationale(requests)
    assert HostileTutor("empty", oracle, domains).rationale(requests) == [""]
