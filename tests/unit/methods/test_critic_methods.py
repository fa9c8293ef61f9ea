"""Methods whose tutors are frozen critics, and self-distillation on the reference solution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, DataError
from coopt.domains.base import Item
from coopt.domains.load import check_solutions, load_domains
from coopt.domains.reprompt import reprompt
from coopt.domains.wording import SCIENCE
from coopt.driver.checks import check_run
from coopt.driver.folder import file_hashes
from coopt.graph.files import load_topology
from coopt.graph.topology import Edge, EdgeSettings, Style
from coopt.lm.policy import Policy
from coopt.lm.training.objectives import Distil
from coopt.methods.algorithms.critics import with_critics
from coopt.methods.algorithms.grpo import GRPO
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.phase import Phase
from coopt.methods.registry import make_method
from coopt.methods.rollouts import Told, heard, rewritten
from coopt.methods.step import Step
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.base import Message, ModelTutor, OracleTutor, ReferenceTutor, Request
from tests.unit.small_phases import answered, learnt_from, small_phase

DOMAINS = ("physics", "chemistry")


def test_critics_are_added_where_the_graph_has_none() -> None:
    found = with_critics(load_topology("ring", DOMAINS, 3), 2, "naive")
    assert found.critics == ["critic1", "critic2"]
    assert found.edges == [Edge(c, s) for c in found.critics for s in found.students]
    assert found.reviews == {("critic1", "critic2"), ("critic2", "critic1")}
    assert set(found.settings.values()) == {EdgeSettings("", "naive")}
    assert with_critics(load_topology("one_peer_exponential", DOMAINS, 4), 1).varies == ""


def test_the_runs_own_critics_are_taken_as_they_are() -> None:
    own = load_topology("fair_committee", DOMAINS)
    found = with_critics(own, 1)
    assert (found.edges, found.reviews, found.nodes) == (own.edges, own.reviews, own.nodes)


@pytest.mark.parametrize("name", ["critic1", "Critic1"])
def test_a_students_name_is_not_taken_and_its_edges_go(name: str, tmp_path: Path) -> None:
    """Also not in another case, in which it is the same folder on some systems."""
    file = tmp_path / "mine.toml"
    file.write_text(
        f"nodes = [{{id='{name}'}}, {{id='critic2', role='critic'}}, {{id='s'}}]\n"
        f"edges = [{{tutor='s', tutee='{name}'}}]\n"
    )
    found = with_critics(load_topology(str(file), DOMAINS), 1)
    assert found.edges == [Edge("critic3", name), Edge("critic3", "s")]


def test_critic_step_takes_no_peer_and_no_gate() -> None:
    pair, method = load_topology("pair", DOMAINS), make_method("critic_step")
    graph = method.graph(pair)
    gates = method.gates(graph, load_config().gate)
    assert {str(e): g.kind for e, g in gates.items()} == {"critic1 -> s1": "always", "critic1 -> s2": "always"}
    assert {graph.style_of(e) for e in gates} == {"step"}
    own = method.graph(load_topology("critic", DOMAINS))
    assert (own.critics, own.style_of(Edge("critic", "s1"))) == (["critic"], "step")


# -- what the teacher reads ------------------------------------------------------------------------------


class Rewrites:
    """A tutor that hands the same solution over, whatever the attempt."""

    style: Style = "step"

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        return ["tin 7\n<answer> 7</answer>"] * len(requests)

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        return [None] * len(requests)


def phase(policy: Policy, tmp_path: Path, name: str, **options: object) -> Phase:
    """A phase of a method, with a tutor for methods that take one."""
    method = make_method(name, {name: options})
    config = method.configure(load_config(settings=["rounds.prompts=2", "rounds.rollouts=2"]))
    tutors = {"critic1": Rewrites()} if name in ("critic_step", "opcod") else {}
    return small_phase(policy, tmp_path, method, config, tutors)


def learned(made: Phase) -> tuple[list[Item], list[str]]:
    """A step on two prompts with two rollouts each, one of them right: the prompts, and what the teacher reads."""
    items = list(made.order.batch(0, 2))
    step = Step(made.tutee, 0, items)
    groups = [answered(i, [1.0, 0.0], ["right", "wrong"], step.prompt_ids(i)) for i in items]
    (rows,) = learnt_from(made.method, step, groups).parts
    texts = [step.policy.decode(row.teacher_prompt) for row in rows]
    assert [row.student_prompt for row in rows] == [step.prompt_ids(i) for i in items for _ in range(2)]
    return items, texts


@pytest.mark.parametrize("name", ["critic_reference", "opsd"])
def test_every_rollout_has_the_worked_solution_as_its_only_context(shipped: Policy, tmp_path: Path, name: str) -> None:
    items, texts = learned(phase(shipped, tmp_path, name))
    expected = [f"{i.prompt}\nSolution:\n{i.solution}\nSolve again." for i in items for _ in range(2)]
    assert [t.removeprefix("<|user|>").removesuffix("<|assistant|>") for t in texts] == expected


def test_every_rollout_has_the_critics_rewriting_as_its_only_context(shipped: Policy, tmp_path: Path) -> None:
    items, texts = learned(phase(shipped, tmp_path, "critic_step"))
    expected = [f"{i.prompt}\nSolution:\ntin 7\n<answer> 7</answer>\nSolve again." for i in items for _ in range(2)]
    assert [t.removeprefix("<|user|>").removesuffix("<|assistant|>") for t in texts] == expected


def test_a_rewriting_takes_the_place_of_the_own_demonstration_and_is_no_feedback() -> None:
    critique = Told("a", "x", filter_feedback("mind tin", ITEM, "text", "naive"), False)
    solution = Told("b", "y", filter_feedback("tin 7", ITEM, "text", "step"), False, rewrite=True)
    assert (heard([critique, solution]), rewritten([critique, solution])) == ("mind tin", "tin 7")
    assert OPCoD().context("own", [critique, solution]) == ("tin 7", "mind tin", None)
    assert OPCoD().context("own", [critique]) == ("own", "mind tin", None)
    assert OPCoD().context("own", [solution._replace(voted_down=True)]) == ("own", None, None)


def test_a_reference_to_be_derived_anew_has_its_own_words() -> None:
    text = reprompt(SCIENCE, "Q?", None, None, "Because.")
    assert text == (
        "Q?\nA reference solution:\n\nBecause.\n\nMake sure that you understand why it is right. Do not copy it: work"
        " the question out anew, in your own steps.\n\nNow solve the original question correctly."
    )


# -- settings and objectives -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["critic_reference", "critic_step", "opsd"])
def test_divergence_and_teacher_are_the_methods_own(name: str) -> None:
    run = load_config(settings=["loss.alpha=1", "loss.top_k=7", "teacher.kind=live"])
    config = make_method(name).configure(run)
    alpha = 0.5 if name == "opsd" else 0.0
    assert (config.loss.alpha, config.loss.top_k, config.teacher.kind) == (alpha, 0, "frozen")
    chosen = make_method(name, {name: {"alpha": 0.25, "top_k": 9, "teacher": "ema", "rate": 0.01}}).configure(run)
    assert (chosen.loss.alpha, chosen.loss.top_k) == (0.25, 9)
    assert (chosen.teacher.kind, chosen.teacher.rate) == ("ema", 0.01)


def test_forward_kl_is_over_the_full_vocabulary() -> None:
    method = make_method("critic_step")
    objective = method.objective(method.configure(load_config()))
    assert isinstance(objective, Distil)
    student, teacher = torch.randn(2, 3, 2000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = (teacher.softmax(-1) * (teacher.log_softmax(-1) - student.log_softmax(-1))).sum(-1)
    assert torch.allclose(objective.divergence(student, teacher), expected, atol=1e-12)


def test_opsd_clips_what_an_entry_adds() -> None:
    method = make_method("opsd", {"opsd": {"alpha": 0.0, "entry_clip": 0.05}})
    objective = method.objective(method.configure(load_config()))
    assert isinstance(objective, Distil)
    student, teacher = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[5.0, 0.0, 0.0]])
    assert objective.divergence(student, teacher).item() < 0.05


def test_the_binary_arm_divides_by_the_groups_deviation() -> None:
    method = make_method("critic_binary")
    assert isinstance(method, GRPO)
    rewards = [1.0, 0.0, 0.0, 0.0]
    spread = 0.5  # of the sample (n - 1)
    assert method.advantages(rewards) == pytest.approx([0.75 / spread] + [-0.25 / spread] * 3, rel=1e-3)
    assert method.advantages([1.0] * 4) == [0.0] * 4


# -- styles ----------------------------------------------------------------------------------------------

CONFIG = load_config()
ITEM = load_domains(CONFIG)["physics"].items("train")[0]


class Speaker:
    """Says one thing and keeps what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[str] = []

    def say(self, messages: Sequence[Message], max_tokens: int) -> list[str | None]:
        self.asked += [m.text for m in messages]
        return [self.text] * len(messages)


@pytest.mark.parametrize("style", ["step", "reference"])
def test_a_whole_solution_passes_the_filter_with_its_answer(style: Style) -> None:
    assert ITEM.solution
    found = filter_feedback(ITEM.solution, ITEM, "text", style)
    assert (found.outcome, found.text, found.leaked) == ("kept", ITEM.solution, True)
    assert filter_feedback(" \n", ITEM, "text", style).outcome == "empty"


def test_a_critic_is_given_the_worked_solution_and_a_peer_is_not() -> None:
    assert ITEM.solution
    domains, without = load_domains(CONFIG), replace(ITEM, solution=None)
    requests = [Request(ITEM, "attempt"), Request(without, "attempt"), Request(ITEM, "attempt")]
    critic, peer = Speaker("a"), Speaker("b")
    assert ModelTutor(critic, domains, "step", 9, informed=True).critique(requests) == ["a", "", "a"]
    assert critic.asked == [f"Repair.\n{ITEM.prompt}\nattempt\nSolution:\n{ITEM.solution}"]
    assert ModelTutor(peer, domains, "step", 9).critique(requests) == ["b", "b", "b"]
    assert set(peer.asked) == {f"Repair.\n{ITEM.prompt}\nattempt"}


def test_the_reference_is_handed_over_without_a_model() -> None:
    domains, speaker = load_domains(CONFIG), Speaker("score 4")
    tutor = ReferenceTutor(speaker, domains, "reference", 9)
    assert tutor.critique([Request(ITEM, "x"), Request(replace(ITEM, solution=None), "x")]) == [ITEM.solution, ""]
    assert not speaker.asked
    assert tutor.judge([Request(ITEM, "x")]) == ["score 4"]
    assert OracleTutor(domains, "step").critique([Request(ITEM, "x")]) == [ITEM.solution]


# -- worked solutions of the data ------------------------------------------------------------------------


def solved(tmp_path: Path, *rows: dict[str, str]) -> Path:
    path = tmp_path / "why.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_file_gives_questions_their_solutions(tmp_path: Path) -> None:
    file = solved(tmp_path, {"question": ITEM.stem, "rationale": "Another way."})
    config = load_config(settings=[f"data.solutions={file}"])
    items = load_domains(config)["physics"].items("train")
    assert items[0] == replace(ITEM, solution="Another way.")
    assert items[1:] == load_domains(CONFIG)["physics"].items("train")[1:]
    assert str(file) in file_hashes(config), "another file is another run"


def test_faults_of_that_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"setting data.solutions = 'no.jsonl': no such file"):
        load_domains(load_config(settings=["data.solutions=no.jsonl"]))
    file = solved(tmp_path, {"question": "Q"})
    with pytest.raises(DataError, match="row 1: a rationale row needs 'question' and 'rationale'"):
        load_domains(load_config(settings=[f"data.solutions={file}"]))


@pytest.mark.parametrize(
    ("methods", "setting", "who"),
    [
        ("critic_reference", "seed=0", "method critic_reference needs"),
        ("critic_step", "seed=0", "method critic_step needs"),
        ("opsd", "seed=0", "method opsd needs"),
        ("opcod", "feedback.style=reference", "method opcod: edge s1 -> s2 of style reference needs"),
    ],
)
def test_what_needs_solutions_is_refused_without_any(
    monkeypatch: pytest.MonkeyPatch, methods: str, setting: str, who: str
) -> None:
    bare = {
        name: replace(domain, rows=tuple(replace(i, solution=None) for i in domain.rows))  # type: ignore[type-var, attr-defined]
        for name, domain in load_domains(CONFIG).items()
    }
    monkeypatch.setattr("coopt.runs.run.load_domains", lambda config: bare)
    with pytest.raises(ConfigError, match=f"{who}.*--set data.solutions=FILE"):
        check_run(load_config(methods=(methods,), settings=[setting]))


def test_peers_rewrite_without_solutions() -> None:
    check_run(load_config(methods=("opcod",), settings=["feedback.style=step"]))
    check_solutions(load_domains(CONFIG), "all of scimini")
