"""One-way distillation, weight averages, and the controls that change who tutors whom."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.core.names import INIT
from coopt.driver.checks import check_settings
from coopt.driver.choices import Journaled
from coopt.driver.every_method import with_every_method
from coopt.graph.topology import Edge
from coopt.lm.alike import check_same_shapes, check_same_tokenizer
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.merging import average_weights
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.base import Average
from coopt.methods.registry import all_methods, make_method
from coopt.methods.students import origins
from coopt.reports.methods import methods_table
from coopt.runs.journal import round_key
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.kept_gradients import keep_gradients


def config(*settings: str, **flags: Any) -> Config:
    return load_config(settings=["optimizer.warmup=0", "world.rows=400", *settings], **flags)


# -- one-way distillation --------------------------------------------------------------------------


def test_the_strongest_start_of_a_domain_teaches_it_and_the_first_of_equals() -> None:
    starts = {"s1": {"physics": 0.7, "chemistry": 0.5}, "s2": {"physics": 0.6, "chemistry": 0.5}}
    assert make_method("opd").logit_teachers(starts) == {"physics": "s1", "chemistry": "s1"}
    starts["s2"]["chemistry"] = 0.51
    assert make_method("opd").logit_teachers(starts) == {"physics": "s1", "chemistry": "s2"}


def test_loss_and_gradient_of_logit_teachers_match_float64(untrained: Policy) -> None:
    """Reverse KL towards two teachers, each on its own rows, after the plain prompt; the student's own start is one."""
    run = config("optimizer.clip=1e9")
    opd = make_method("opd")
    peers = {name: copy.deepcopy(untrained) for name in ("s1", "s2")}
    with torch.no_grad():
        for parameter in peers["s2"].model.parameters():
            parameter.mul_(1.02)
    rows = [
        TrainRow((1, 5, 9), (1, 5, 9), (40, 41, 42), teacher="s2"),
        TrainRow((1, 5, 9), (1, 5, 9), (40, 41, 42), teacher="s1"),
        TrainRow((1, 7), (1, 7), (60,), teacher="s2"),
    ]
    student = copy.deepcopy(untrained.model)
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        n, ids = len(row.response), torch.tensor([[*row.student_prompt, *row.response]])
        log_p = student(ids).logits[0, -n - 1 : -1].log_softmax(-1)
        with torch.no_grad():
            log_q = peers[row.teacher].model(ids).logits[0, -n - 1 : -1].log_softmax(-1)
        total = total + (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    (total / 4).backward()
    trainer = LocalTrainer(make_trainable(untrained, "full", 4, "t"), opd.configure(run), opd.objective(run))
    trainer.peers = peers
    kept = keep_gradients(trainer)
    stats = trainer.update(rows, rollouts=4)
    assert stats.loss == pytest.approx(total.item() / 4, rel=1e-9)
    for name, parameter in student.named_parameters():
        assert torch.allclose(kept[name], parameter.grad, rtol=1e-7, atol=1e-12), name
    assert not trainer.teacher.shadows, "no self-teacher is kept"


def altered(path: Path, file: str, old: str, new: str) -> Path:
    """The embedded base with one of its files changed."""
    path.mkdir()
    for source in SCIMINI_BASE.iterdir():
        (path / source.name).write_bytes(source.read_bytes())
    text = (path / file).read_text()
    assert old in text
    (path / file).write_text(text.replace(old, new))
    return path


def test_other_tokenizers_and_shapes_are_refused_in_one_line(tmp_path: Path) -> None:
    renumbered = altered(tmp_path / "words", "tokenizer.json", '"Repair": 700', '"Rapier": 700')
    narrow = altered(tmp_path / "narrow", "config.json", '"model_type": "qwen3"', '"model_type": "qwen2"')
    same = {"s1": SCIMINI_BASE, "s2": SCIMINI_BASE}
    check_same_tokenizer(same, "x")
    check_same_shapes(same | {"s3": renumbered}, "x")
    with pytest.raises(ConfigError, match=r"opd: all students need the same tokenizer.*'s2'") as told:
        check_same_tokenizer(same | {"s2": renumbered}, "opd:")
    assert "\n" not in str(told.value)
    with pytest.raises(ConfigError, match=r"same architecture and shapes.*'s2'"):
        check_same_shapes(same | {"s2": narrow}, "merge:")


def test_methods_that_compare_weights_or_tokens_look_at_the_starts(tmp_path: Path) -> None:
    renumbered = altered(tmp_path / "words", "tokenizer.json", '"Repair": 700', '"Rapier": 700')
    ready = config(model={"students": {"chemistry": str(renumbered)}}, methods=("opcod", "merge_trained"))
    assert origins(ready) == {"s1": SCIMINI_BASE, "s2": renumbered}
    for name in ("opd", "merge", "merge_trained"):
        make_method(name).check(config(methods=("opcod", "merge_trained")), {})
        with pytest.raises(ConfigError, match=f"method {name}.*same tokenizer"):
            make_method(name).check(ready, {})


# -- weight averages -------------------------------------------------------------------------------


def test_the_average_is_the_mean_of_every_parameter_and_loads(tmp_path: Path) -> None:
    starts = {"s1": SCIMINI_BASE, "s2": tmp_path / "other", "s3": tmp_path / "third"}
    for factor, name in ((3.0, "s2"), (-1.0, "s3")):
        starts[name].mkdir()
        for source in SCIMINI_BASE.iterdir():
            (starts[name] / source.name).write_bytes(source.read_bytes())
        tensors = {k: v.float() * factor for k, v in load_file(SCIMINI_BASE / "model.safetensors").items()}
        save_file(tensors, starts[name] / "model.safetensors", metadata={"format": "pt"})
    average_weights(starts, tmp_path / "mean")
    base = load_policy(SCIMINI_BASE, device="cpu").model.state_dict()
    found = load_policy(tmp_path / "mean", device="cpu").model.state_dict()
    assert found.keys() == base.keys()
    for name, tensor in base.items():  # (1 + 3 - 1) / 3 = 1
        assert torch.allclose(found[name], tensor, rtol=1e-6, atol=1e-7), name
    average_weights({"s1": SCIMINI_BASE, "s2": tmp_path / "other"}, tmp_path / "two")
    two = load_policy(tmp_path / "two", device="cpu").model.state_dict()
    assert all(torch.allclose(two[k], 2 * base[k], rtol=1e-6, atol=1e-7) for k in base)


def test_trained_students_can_only_be_averaged_after_their_method() -> None:
    for methods in (("merge_trained",), ("merge_trained", "opcod"), ("sdpo", "merge_trained")):
        with pytest.raises(ConfigError, match="method opcod, which must stand before it"):
            make_method("merge_trained").check(config(methods=methods), {})
    options = {"merge_trained": {"of": "sdpo"}}
    of_sdpo = make_method("merge_trained", options)
    of_sdpo.check(config(methods=("sdpo", "merge_trained"), options=options), {})
    of = [m.of for m in (of_sdpo, make_method("merge_trained"), make_method("merge")) if isinstance(m, Average)]
    assert of == ["sdpo", "opcod", "init"]
    assert not isinstance(make_method("sdpo"), Average)


# -- who tutors whom -------------------------------------------------------------------------------


def test_self_feedback_is_an_open_edge_from_every_student_to_itself() -> None:
    run = Run(Path(), config())
    gates = run.trained("self_feedback").gates(run.topology, run.config.gate)
    assert {e: g.kind for e, g in gates.items()} == {Edge("s1", "s1"): "always", Edge("s2", "s2"): "always"}
    assert not run.trained("self_feedback").frozen_tutors


def scores(physics: float, chemistry: float) -> dict[str, Any]:
    """A validation result with these accuracies, of 20 questions per domain."""
    counts = {"physics": round(20 * physics), "chemistry": round(20 * chemistry)}
    answers = [[str(k)] for k in range(20)]
    return {"domains": {d: {"correct": [[1]] * n + [[0]] * (20 - n), "answers": answers} for d, n in counts.items()}}


def test_gates_on_frozen_peers_compare_the_tutee_now_with_the_tutors_start(tmp_path: Path) -> None:
    """s2 was weak and has caught up: as a tutor it is still what it was; as a tutee it is measured as it is."""
    run = Run(tmp_path, config("data.validation=20", "sampling.eval_samples=1", methods=("opcod", "frozen_peers")))
    start = {"s1": scores(0.8, 0.8), "s2": scores(0.4, 0.4)}
    now = {"s1": scores(0.8, 0.8), "s2": scores(0.8, 0.8)}
    for student, result in start.items():
        store.write_json(run.scores_path(0, INIT, "validation", 0, student), result)
    journal, gaps = run.journal(), {}
    for name in ("opcod", "frozen_peers"):
        for student, result in now.items():
            store.write_json(run.scores_path(0, name, "validation", 1, student), result)
        Journaled(run, 0, journal).begin_round(run.topology, name, 2)
        decided = journal.all("gates")[round_key(0, name, 2)]
        gaps[name] = {edge: d["gap"] for edge, d in decided.items()}
        assert list(decided) == ["s1 -> s2", "s2 -> s1"]
    assert gaps["opcod"] == {"s1 -> s2": 0, "s2 -> s1": 0}
    assert gaps["frozen_peers"] == {"s1 -> s2": pytest.approx(0), "s2 -> s1": pytest.approx(1.0)}


def test_frozen_peers_speak_as_they_began_and_others_as_they_are_after_the_round_before(tmp_path: Path) -> None:
    run = Run(tmp_path, config(methods=("opcod", "frozen_peers", "self_feedback")))
    decisions = Journaled(run, 0, run.journal())
    opened = {edge: {"open": True, "gap": None} for edge in ("s2 -> s1", "s1 -> s1")}
    spoke = {}
    for name in run.config.methods:
        for student in run.topology.students:
            for round_ in (1, 2):
                with store.new_directory(run.phase_dir(0, name, round_, student)):
                    pass
        decisions.journal.once("gates", round_key(0, name, 3), lambda: opened)
        spoke[name] = {t.name: t.round for t in decisions.open_tutors(run.topology, name, 3, "s1")}
    now, began = {"s2": 2, "s1": 2}, {"s2": 0, "s1": 0}
    assert spoke == {"opcod": now, "frozen_peers": began, "self_feedback": now}


def test_equal_budget_solo_has_twice_the_rollouts_and_is_sdpo_otherwise() -> None:
    run = config()
    doubled = make_method("sdpo_2n").configure(run)
    assert doubled.rounds.rollouts == 2 * run.rounds.rollouts
    back = doubled.rounds.model_copy(update={"rollouts": run.rounds.rollouts})
    assert doubled.model_copy(update={"rounds": back}) == run
    assert not make_method("sdpo_2n").gates(Run(Path(), run).topology, run.gate)


# -- all methods -----------------------------------------------------------------------------------


def test_all_is_every_method_that_the_run_can_have() -> None:
    expanded, left_out = with_every_method(config(methods=("all",)))
    assert expanded.methods[:2] == ("sdpo", "opcod")
    assert set(expanded.methods) | set(left_out) == set(all_methods())
    assert set(left_out) == {"honest", "bigger_teacher"}
    assert "--adversary" in left_out["honest"]
    assert "options.bigger_teacher.model" in left_out["bigger_teacher"]
    bigger = {"bigger_teacher": {"model": "scimini"}}
    hostile, left_out = with_every_method(config(methods=("all",), adversary={"s2": "empty"}, options=bigger))
    assert set(hostile.methods) == set(all_methods())
    assert not left_out
    assert with_every_method(hostile) == (hostile, {})


def test_all_leaves_out_what_the_settings_exclude_and_says_why() -> None:
    """A gate that reads no scores leaves no rate to be matched."""
    _, left_out = with_every_method(config("gate.kind=always", "feedback.only_without_own=true", methods=("all",)))
    assert set(left_out) == {"honest", "bigger_teacher", "random", "shuffled"}
    assert "gate random needs gate.rate" in left_out["random"]
    with pytest.raises(ConfigError, match="stands alone"):
        with_every_method(config(methods=("all", "sdpo")))
    with pytest.raises(ConfigError, match=r"gate random needs gate\.rate"):
        check_settings(config("gate.kind=never", methods=("opcod", "random")))


def test_help_and_tables_name_every_method_and_option(cli: Command) -> None:
    text = " ".join(cli("bench", "--help").out.replace("│", " ").split())
    assert all(f"{name}," in text for name in all_methods())
    assert [row[0] for row in methods_table().rows] == list(all_methods())
    settings = cli("env", "--settings").out
    assert "options.opd.alpha = 1.0" in settings
    assert "options.merge_trained.of = " in settings
    assert "options = " not in settings.replace("gate.options = ", "").replace("cluster.options = ", "")
    assert "self_feedback" in cli("env", "--methods").out
    wrong = cli("bench", "--method", "opt")
    assert wrong.code == 2
    assert "Did you mean 'opd'?" in wrong.err
    assert "init" in wrong.err
