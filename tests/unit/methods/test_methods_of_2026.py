"""What SDFT, RLSD, SRPO, RLTF-SD, HACPO and CoPD make of a step's rollouts, and the sceptic's arms."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.domains.load import load_domains
from coopt.lm.engines.base import Generation
from coopt.lm.engines.hf import HFEngine
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.foreign import capability_ratio, draw_from_peers, read_foreign, share_rollouts, shared_advantages
from coopt.methods.phase import Phase, train_step
from coopt.methods.registry import make_method
from coopt.methods.revisions import turns
from coopt.methods.rollouts import Context, Feedback, Rollout, RolloutGroup, Told, all_rollouts
from coopt.methods.step import Learnt, Step
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import ModelTutor
from coopt.methods.tutors.local import LocalSpeaker
from tests.models.tiny import MATRIX, build
from tests.unit.small_phases import answered, learnt_from, small_phase

CLOSE: Any = {"abs": 1e-6, "rel": 0}

# -- HACPO -----------------------------------------------------------------------------------------


def ratio(ours: float, theirs: float) -> float:
    return capability_ratio("j", [{"capability": {"j": [ours, theirs]}}], 10.0)


def test_a_stronger_peers_rewards_count_less_in_the_baseline() -> None:
    """Two learners of two rollouts: 1, 0 at 0.4, and 1, 1 at 0.6."""
    own, (theirs,) = shared_advantages([1, 0], [[1, 1]], [ratio(0.4, 0.6)])
    assert [*own, *theirs] == pytest.approx([0.8333317, -1.1666643, 0.8333317, 0.8333317], **CLOSE)
    own, (theirs,) = shared_advantages([1, 1], [[1, 0]], [ratio(0.6, 0.4)])
    assert [*own, *theirs] == pytest.approx([0.2499995, 0.2499995, 0.2499995, -1.7499965], **CLOSE)


def test_a_baseline_above_one_is_that_of_the_own_rewards() -> None:
    assert ratio(0.9, 0.1) == 9
    own, (theirs,) = shared_advantages([1, 1], [[1, 0]], [9.0])
    assert [*own, *theirs] == pytest.approx([0, 0, 0, -1.999996], **CLOSE)
    assert shared_advantages([1, 1], [[1, 1]], [3.0]) == ([0, 0], [[0, 0]])


def test_capabilities_are_compared_over_a_window_within_bounds() -> None:
    steps: list[dict[str, Any]] = [
        {"capability": {"j": [0.2, 0.5]}},
        {},
        {"capability": {"j": [0.4, 0.7], "k": [1, 0]}},
    ]
    assert capability_ratio("j", steps, 10.0) == pytest.approx(0.5)
    assert capability_ratio("k", steps, 10.0) == 10
    assert ratio(0.0, 0.5) == pytest.approx(0.1)


# -- RLTF-SD ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gamma", "first"), [(0.1, (0.7, -0.2, -0.3, -0.2)), (1.0, (0.25, 0.25, -0.75, 0.25))])
def test_a_revision_counts_a_little_for_its_attempt(gamma: float, first: tuple[float, ...]) -> None:
    found = turns([1, 0, 0, 0], [None, 1, 0, 1], gamma, first_baseline=True)
    assert found.first == pytest.approx(first, **CLOSE)
    assert found.plain == [None, 0.75, -0.25, 0.75]
    released = turns([1, 0, 0, 0], [None, 1, 0, 1], gamma, first_baseline=False)
    assert released.plain == [None, *(pytest.approx(x, **CLOSE) for x in (1 / 3, -2 / 3, 1 / 3))]
    assert released.plain == released.second == found.second


# -- what becomes of rollouts ----------------------------------------------------------------------


def config(*settings: str, **flags: Any) -> Config:
    small = ("optimizer.warmup=0", "world.rows=400", "rounds.prompts=2", "rounds.rollouts=4", "rounds.steps=2")
    return load_config(settings=[*small, *settings], **flags)


def phase_of(policy: Policy, folder: Path, name: str, *settings: str, **options: Any) -> Phase:
    made = config(*settings, options={name: options}, methods=("sdpo", "opcod", name))
    method: Any = make_method(name, made.options)
    return small_phase(policy, folder, method, method.configure(made))


def step_of(phase: Phase, number: int = 0) -> Step:
    return Step(phase.tutee, number, phase.order.batch(number, 2))


def learnt(phase: Phase, rewards: Sequence[Sequence[float]], number: int = 0) -> Learnt:
    """What its method makes of one-token rollouts with these rewards."""
    step = step_of(phase, number)
    groups = [answered(i, r, prompt=step.prompt_ids(i)) for i, r in zip(step.items, rewards, strict=True)]
    return learnt_from(phase.method, step, groups)


def test_sdft_trains_every_rollout_on_what_follows_the_skipped_tokens(untrained: Policy, tmp_path: Path) -> None:
    whole = learnt(phase_of(untrained, tmp_path, "sdft"), [(1, 0, 0, 0), (0, 0, 0, 0)])
    assert len(whole.parts[0]) == whole.examples == 8
    assert all(row.teacher_prompt != row.student_prompt for row in whole.parts[0])
    phase = phase_of(untrained, tmp_path, "sdft", skip=2)
    step = step_of(phase)
    prompt = step.prompt_ids(step.items[0])
    texts = [Rollout(step.items[0], prompt, Generation(ids, "x", True), 0.0) for ids in ((7, 8, 9, 10), (7, 8))]
    made = learnt_from(phase.method, step, [RolloutGroup(step.items[0], tuple(texts))])
    (row,) = made.parts[0]
    assert (row.student_prompt, row.response) == ((*prompt, 7, 8), (9, 10))
    assert row.teacher_prompt[-2:] == (7, 8)
    assert made.examples == 2, "a response that is skipped as a whole counts in the mean"


def test_rlsd_tells_the_teacher_the_answer_and_lets_it_say_less_and_less(untrained: Policy, tmp_path: Path) -> None:
    phase = phase_of(untrained, tmp_path, "rlsd")
    made = learnt(phase, [(1, 0, 0, 0), (1, 1, 1, 1)])
    (rows,) = made.parts
    assert [row.advantage for row in rows] == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-5)
    assert {row.given for row in rows} == {0.5}
    step = step_of(phase)
    told = Context(None, None, reference=step.items[0].answer)
    assert {row.teacher_prompt for row in rows} == {step.prompt_ids(step.items[0], told)}
    later = [learnt(phase, [(1, 0, 0, 0)] * 2, number).parts[0][0].given for number in (25, 50, 80)]
    assert later == [0.25, 0, 0]
    teacher = phase.config.teacher
    assert (teacher.kind, teacher.rate, teacher.every) == ("ema", 1.0, 20)


def test_srpo_sends_a_wrong_rollout_to_its_right_sibling_and_the_rest_to_the_reward(
    untrained: Policy, tmp_path: Path
) -> None:
    made = learnt(phase_of(untrained, tmp_path, "srpo", beta=0), [(1, 0, 0, 0), (0, 0, 0, 0)])
    (rows,) = made.parts
    assert [(row.kind, row.advantage) for row in rows] == [("rewarded", 0.75), *[("distilled", 1.0)] * 3]
    assert [row.weight for row in rows] == [1.0] * 4, "eight tokens, of which four have no advantage"
    entropy = learnt(phase_of(untrained, tmp_path, "srpo"), [(1, 0, 0, 0), (0, 0, 0, 0)])
    weighed = [row.weight for row in entropy.parts[0]]
    assert weighed[0] == 1
    assert weighed[1] == weighed[2] > 1, "over the mean of e^-H"


def told(y: Rollout, said: str) -> Rollout:
    return replace(y, told=(Told("s2", said, Feedback("kept", said, False, False), False),))


def test_rltf_sd_reads_a_revision_after_its_own_prompt_and_after_the_plain_one(
    untrained: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = phase_of(untrained, tmp_path, "rltf_sd", reduce="mean")
    step = step_of(phase)
    groups = [answered(i, (1, 0, 0, 0), prompt=step.prompt_ids(i)) for i in step.items]
    asked: list[Rollout] = []

    def ask(groups: Any, about: Any) -> Any:
        wrong = [y for g in groups for y in g.rollouts if about(y)]
        asked.extend(wrong)
        return [replace(g, rollouts=tuple(told(y, "no") if about(y) else y for y in g.rollouts)) for g in groups]

    monkeypatch.setattr(step, "ask_tutors", ask)
    made = learnt_from(phase.method, step, groups)
    assert len(asked) == 6, "right attempts are not revised"
    (rows,) = made.parts
    plain = [row for row in rows if row.kind == "plain"]
    assert len(plain) == made.counts["revisions"] == 6
    assert [row.advantage for row in plain] == pytest.approx([-0.025] * 6), "nobody was right: each costs kappa b0"
    assert {row.student_prompt for row in plain} == {step.prompt_ids(i) for i in step.items}
    first = [row for row in rows if row.kind == ""]
    assert [row.advantage for row in first] == pytest.approx([0.75, -0.25, -0.25, -0.25] * 2)
    assert made.more_tokens == sum(len(row.response) for row in plain) > 0
    assert [len(g.notes["revisions"]) for g in made.groups] == [3, 3]
    record = train_step(phase, 0)[0]
    assert record["revisions"] == 0, "without tutors nothing is revised"


# -- peers -----------------------------------------------------------------------------------------


def with_peer(phase: Phase, peer: Policy, native: str = "chemistry") -> None:
    phase.tutee.trainer.peers = {"s2": peer}
    phase.tutee.open_tutors = [OpenTutor("s2", 0, phase.config.domains)]
    phase.tutee.native = {"s1": "physics", "s2": native}


def test_hacpo_reads_a_peer_with_another_tokenizer_as_text(untrained: Policy, tmp_path: Path) -> None:
    """The peer's text in the student's tokens, and beside it the mean log-probability of the peer's own tokens."""
    phase = phase_of(untrained, tmp_path, "hacpo", "sampling.max_response_tokens=12")
    peer = load_policy(build(MATRIX[2], tmp_path / "peer"), device="cpu")
    assert peer.tokenizer.get_vocab() != untrained.tokenizer.get_vocab()
    with_peer(phase, peer)
    step = step_of(phase)
    source = draw_from_peers(step)[0]
    read = read_foreign(step, source)
    for place, group in source.groups.items():
        for y, row in zip(group.rollouts, read[place], strict=True):
            assert row is not None
            assert step.policy.decode(row.response) == step.policy.decode(step.policy.response_ids(y.text))
            assert row.student_prompt == step.prompt_ids(group.item)
            logits = peer.model(torch.tensor([[*y.prompt, *y.tokens]])).logits[0, len(y.prompt) - 1 : -1]
            said = logits.log_softmax(-1).gather(-1, torch.tensor(y.tokens)[:, None])
            assert row.given == pytest.approx(said.mean().item(), abs=1e-4)
            assert not row.logprobs
    record, groups = train_step(phase, 0)
    assert record["examples"] == 16
    assert set(record["capability"]) == {"s2"}
    assert record["tokens"]["rollout"] > sum(len(y.tokens) for y in all_rollouts(source.groups.values()))
    assert [len(g["foreign"]) for g in groups] == [4, 4]


def test_feedback_crosses_tokenizers_as_text(untrained: Policy, tmp_path: Path) -> None:
    """A tutor reads the tutee's text, and is read, in tokens of its reader's own."""
    peer = load_policy(build(MATRIX[2], tmp_path / "peer"), device="cpu")
    made = config("sampling.max_response_tokens=12", "sampling.max_feedback_tokens=8")
    tutor = ModelTutor(LocalSpeaker(lambda: peer, HFEngine(8), 0.0), load_domains(made), "naive", 8)
    method: Any = make_method("opcod")
    phase = small_phase(untrained, tmp_path, method, made, {"s2": tutor})
    record, groups = train_step(phase, 0)
    assert sum(record["outcomes"]["s2"].values()) == 8
    assert record["told"]["s2"]["unread"] == 0
    assert any(m["raw"] for g in groups for y in g["rollouts"] for m in y["messages"])


def test_hacpo_trains_on_equal_rollouts_of_a_peer_as_on_its_own(untrained: Policy, tmp_path: Path) -> None:
    """A peer that is the student: s = 1, omega = 1, and its rows have the advantages of that text."""
    phase = phase_of(untrained, tmp_path, "hacpo", "sampling.max_response_tokens=12", kl=0.001)
    with_peer(phase, copy.deepcopy(untrained))
    shared = share_rollouts(step_of(phase), 5, 10.0)
    assert shared.examples == 2 * shared.own_examples == 16
    assert all(len(p.own) == len(p.foreign) == 4 for p in shared.prompts)
    assert phase.method.objective(phase.config).reads == "teacher", "its KL has a reference"


@pytest.mark.parametrize("name", ["srpo", "hacpo"])
def test_rows_are_read_for_a_method_while_the_engine_sleeps(
    untrained: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Awake it would hold its share of a GPU beside what models and logits take while they read."""
    phase = phase_of(untrained, tmp_path, name, "sampling.max_response_tokens=12")
    engine, awake = phase.tutee.engine, [True]  # it has written the rollouts

    def sync(policy: Policy) -> None:
        awake.append(True)
        HFEngine.sync(cast(HFEngine, engine), policy)

    seen: list[bool] = []
    read = LocalTrainer._dealt

    def dealt(trainer: LocalTrainer, batches: Any, alike: Any) -> Any:
        seen.append(awake[-1])
        return read(trainer, batches, alike)

    monkeypatch.setattr(engine, "sync", sync)
    monkeypatch.setattr(engine, "rest", lambda: awake.append(False))
    monkeypatch.setattr(LocalTrainer, "_dealt", dealt)
    with_peer(phase, copy.deepcopy(untrained))
    learnt(phase, [(1, 0, 0, 0), (0, 0, 0, 0)])
    assert seen
    assert not any(seen)


def test_without_an_open_edge_hacpo_is_its_own_policy_gradient(untrained: Policy, tmp_path: Path) -> None:
    made = learnt(phase_of(untrained, tmp_path, "hacpo"), [(1, 0, 0, 0), (0, 0, 0, 0)])
    assert [row.advantage for row in made.parts[0]] == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-5)
    assert made.examples == 8


@pytest.mark.parametrize(
    ("cycle", "domains", "kinds"), [("R", {"physics"}, {""}), ("D", {"physics", "chemistry"}, {"", "peer"})]
)
def test_copd_learns_its_own_domain_by_reward_and_a_peers_by_logits(
    untrained: Policy, tmp_path: Path, cycle: str, domains: set[str], kinds: set[str]
) -> None:
    phase = phase_of(untrained, tmp_path, "copd", cycle=cycle)
    with_peer(phase, copy.deepcopy(untrained))
    assert set(phase.method.trains_on(phase.tutee)) == domains
    step = Step(phase.tutee, 0, [phase.tutee.domains[d].items("train")[0] for d in ("physics", "chemistry")])
    groups = [answered(i, (1, 0, 0, 0), prompt=step.prompt_ids(i)) for i in step.items]
    rows = learnt_from(phase.method, step, groups).parts[0]
    assert {row.kind for row in rows if row.student_prompt == groups[0].rollouts[0].prompt} == {""}
    taught = [row for row in rows if row.kind == "peer"]
    assert {row.kind for row in rows} == kinds
    assert {(row.teacher, row.student_prompt) for row in taught} <= {("s2", groups[1].rollouts[0].prompt)}


def test_copd_needs_a_round_of_distillation() -> None:
    make_method("copd").check(config("rounds.rounds=2"), {})
    with pytest.raises(ConfigError, match="no round distils"):
        make_method("copd").check(config("rounds.rounds=1"), {})


# -- what a sceptic asks for -----------------------------------------------------------------------


def test_a_bigger_teacher_has_to_be_named_and_teaches_every_domain(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs its teacher: --set options\.bigger_teacher\.model=DIR") as refused:
        make_method("bigger_teacher").check(config(), {})
    assert "\n" not in str(refused.value)
    named: Any = make_method("bigger_teacher", {"bigger_teacher": {"model": "scimini"}})
    named.check(config(), {})
    assert named.logit_teachers({"s1": {"a": 0.1, "b": 0.2}}) == {"a": "bigger", "b": "bigger"}
    other = str(build(MATRIX[2], tmp_path / "other"))
    for name, options in (("bigger_teacher", {"model": other}), ("copd", {})):
        run = config(model={"students": {"chemistry": other}}) if name == "copd" else config()
        with pytest.raises(ConfigError, match=f"method {name}: logits are compared token by token") as refused:
            make_method(name, {name: options}).check(run, {})
        assert "\n" not in str(refused.value)


def test_private_gold_is_of_the_native_domain(untrained: Policy, tmp_path: Path) -> None:
    phase = phase_of(untrained, tmp_path, "gold_private")
    phase.tutee.native = {"s1": "chemistry"}
    assert phase.method.trains_on(phase.tutee) == ["chemistry"]


def test_a_matched_method_stops_at_the_tokens_of_another(untrained: Policy, tmp_path: Path) -> None:
    phase = phase_of(untrained, tmp_path, "matched_tokens", method="grpo")
    first = train_step(phase, 0)[0]
    assert first["rollouts"] == 8
    phase.past.append(first)
    phase.tutee.budget = sum(first["tokens"].values())
    stopped = train_step(phase, 1)[0]
    assert stopped["stopped"]
    assert stopped["tokens"] == {"rollout": 0, "feedback": 0, "trained": 0}
    phase.tutee.budget += 1
    assert train_step(phase, 1)[0]["rollouts"] == 8


def test_a_matched_method_says_what_it_is_matched_to() -> None:
    matched: Any = make_method("matched_tokens", {"matched_tokens": {"method": "sft_union"}})
    assert matched.informed
    assert not matched.rolls_out
    with pytest.raises(ConfigError, match="stops at the tokens of method sdpo, which must train before it"):
        make_method("matched_tokens").check(config(methods=("matched_tokens",)), {})
    for wrong in ("merge", "nobody", "matched_tokens"):
        with pytest.raises(ConfigError, match="is not a method that trains"):
            make_method("matched_tokens", {"matched_tokens": {"method": wrong}})
