"""Supervised fine-tuning on the union of worked solutions."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError
from coopt.domains.load import load_domains
from coopt.domains.rows import RowDomain
from coopt.driver.plan.plan import REFERENCE, Plan
from coopt.driver.tasks.task import Train
from coopt.lm.engines.hf import HFEngine
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.algorithms.sdpo import SDPO
from coopt.methods.algorithms.sft_union import SFTUnion
from coopt.methods.phase import Phase, train_step
from coopt.methods.registry import make_method
from coopt.methods.step import Step
from coopt.reports.status import phases_table, steps_table
from coopt.runs.measures.cost import cost_cells
from coopt.runs.run import Run


def phase(policy: Policy, tmp_path: Path, *settings: str) -> Phase:
    config = load_config(settings=["rounds.prompts=5", "optimizer.warmup=0", *settings])
    trainer = LocalTrainer(make_trainable(copy.deepcopy(policy), "full", 8, "t"), config, SFTUnion().objective(config))
    return Phase(config, load_domains(config), SFTUnion(), 0, 1, "s1", trainer, HFEngine(64), {}, tmp_path / "s1")


@pytest.mark.parametrize(
    "settings", [(), ("loss.batch_tokens=64",), ("loss.packed=true",), ("loss.shared_prefixes=true",)]
)
def test_the_loss_is_cross_entropy_of_the_solutions(
    untrained: Policy, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    """Against its definition in float64, one text at a time: neither padding nor neighbours in a batch matter."""
    made = phase(untrained, tmp_path, *settings)
    items, model = made.order.batch(0, 5), copy.deepcopy(untrained.model)
    losses = []
    for item in items:
        assert item.solution is not None
        prompt = untrained.prompt_ids(made.domains[item.domain].wording, item.prompt)
        end = untrained.tokenizer.eos_token_id
        target = [*untrained.tokenizer(item.solution, add_special_tokens=False)["input_ids"], end]
        logits = model(torch.tensor([[*prompt, *target]])).logits[0, len(prompt) - 1 : -1]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(target)))
    record, groups = train_step(made, 0)
    assert record["loss"] == pytest.approx(torch.stack(losses).mean().item(), rel=1e-9)
    assert record["tokens"] == {"rollout": 0, "feedback": 0, "trained": record["tokens"]["trained"]}
    assert (record["rollouts"], record["examples"], record["no_target"], groups) == (0, 5, 0, [])


def test_prompts_are_those_of_the_other_methods(untrained: Policy, tmp_path: Path) -> None:
    made = phase(untrained, tmp_path)
    step = Step(made, 3, made.order.batch(3, 5))
    (rows,) = SFTUnion().learn(step)
    assert [r.student_prompt for r in rows] == [step.prompt_ids(i) for i in step.items]
    assert step.groups == []
    assert SDPO().rounds(made.config) == SFTUnion().rounds(made.config)


def test_what_a_solution_spells_never_ends_the_response(untrained: Policy) -> None:
    end = untrained.tokenizer.eos_token_id
    assert untrained.response_ids("<|end|>melting <|user|> of tin").count(end) == 1
    assert untrained.response_ids("x")[-1] == end


def without_solutions(policy: Policy, tmp_path: Path, names: tuple[str, ...]) -> Phase:
    made = phase(policy, tmp_path)
    rows = {name: [replace(i, solution=None) for i in made.domains[name].items("train")] for name in names}
    made.domains = dict(made.domains) | {name: RowDomain(name, tuple(found)) for name, found in rows.items()}
    return made


def test_rows_without_solutions_are_refused_in_one_line(untrained: Policy, tmp_path: Path) -> None:
    made = without_solutions(untrained, tmp_path, ("chemistry",))
    with pytest.raises(ConfigError, match=r"question of chemistry has one.*data\.solutions=FILE") as refused:
        make_method("sft_union").check(made.config, made.domains)
    assert "\n" not in str(refused.value)


def test_a_prompt_without_a_solution_has_no_target(untrained: Policy, tmp_path: Path) -> None:
    made = phase(untrained, tmp_path)
    items = made.order.batch(0, 4)
    step = Step(made, 0, [replace(items[0], solution=None), *items[1:]])
    (rows,) = SFTUnion().learn(step)
    assert (len(rows), step.examples) == (3, 4)


def test_tables_of_steps_without_rollouts(untrained: Policy, tmp_path: Path) -> None:
    """No reward and no speed of generation are printed where nothing was rolled out."""
    record, _ = train_step(phase(untrained, tmp_path), 0)
    where = {"seed": 0, "method": "sft_union", "round": 1, "student": "s1"}
    (overview,) = phases_table([(where, [record])]).rows
    assert overview[6] == "– –"
    (row,) = steps_table(where, [record], []).rows
    assert (row[4], row[5]) == ("–", "5 of 5")
    (cell,) = cost_cells([{**record, **where, "place": 0}], ["sft_union"])
    assert (cell.generated_tokens_per_second, cell.feedback) == (0, "off")
    assert cell.trained_tokens_per_second > 0


def test_the_plan_counts_no_rollouts(tmp_path: Path) -> None:
    run = Run(tmp_path, load_config(methods=("sdpo", "sft_union")))
    plan = Plan(run, REFERENCE, 1)
    sdpo, sft = (Train(0, name, 1, "s1", ()) for name in ("sdpo", "sft_union"))
    assert plan.tokens(sft) == 0 < plan.tokens(sdpo)
    assert 0 < plan.seconds(sft) < plan.seconds(sdpo) / 2
