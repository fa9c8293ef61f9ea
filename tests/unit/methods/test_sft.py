"""Supervised fine-tuning on the union of worked solutions."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError
from coopt.domains.rows import RowDomain
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE
from coopt.driver.tasks.task import Train
from coopt.lm.policy import Policy
from coopt.methods.algorithms.sft_union import SFTUnion
from coopt.methods.phase import Phase, train_step
from coopt.methods.registry import make_method
from coopt.methods.step import Step
from coopt.reports.status import phases_table, steps_table
from coopt.runs.measures.cost import cost_cells
from coopt.runs.run import Run
from tests.unit.small_phases import small_phase


def phase(policy: Policy, tmp_path: Path, *settings: str) -> Phase:
    config = load_config(settings=["rounds.prompts=5", "optimizer.warmup=0", *settings])
    return small_phase(policy, tmp_path, SFTUnion(), config)


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
        prompt = untrained.prompt_ids(made.tutee.domains[item.domain].wording, item.prompt)
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
    step = Step(made.tutee, 3, made.order.batch(3, 5))
    learnt = SFTUnion().learn(step)
    (rows,) = learnt.parts
    assert [r.student_prompt for r in rows] == [step.prompt_ids(i) for i in step.items]
    assert not learnt.groups
    run = Run(tmp_path, load_config(methods=("sdpo", "sft_union")))
    assert run.rounds_of("sft_union") == run.rounds_of("sdpo") == run.config.rounds.rounds


def test_what_a_solution_spells_never_ends_the_response(untrained: Policy) -> None:
    end = untrained.tokenizer.eos_token_id
    assert untrained.response_ids("<|end|>melting <|user|> of tin").count(end) == 1
    assert untrained.response_ids("x")[-1] == end


def without_solutions(policy: Policy, tmp_path: Path, names: tuple[str, ...]) -> Phase:
    made = phase(policy, tmp_path)
    rows = {name: [replace(i, solution=None) for i in made.tutee.domains[name].items("train")] for name in names}
    made.tutee.domains = dict(made.tutee.domains) | {
        name: RowDomain(name, tuple(found)) for name, found in rows.items()
    }
    return made


def test_rows_without_solutions_are_refused_in_one_line(untrained: Policy, tmp_path: Path) -> None:
    made = without_solutions(untrained, tmp_path, ("chemistry",))
    with pytest.raises(ConfigError, match=r"question of chemistry has one.*data\.solutions=FILE") as refused:
        make_method("sft_union").check(made.config, made.tutee.domains)
    assert "\n" not in str(refused.value)


def test_a_prompt_without_a_solution_has_no_target(untrained: Policy, tmp_path: Path) -> None:
    made = phase(untrained, tmp_path)
    items = made.order.batch(0, 4)
    learnt = SFTUnion().learn(Step(made.tutee, 0, [replace(items[0], solution=None), *items[1:]]))
    (rows,) = learnt.parts
    assert (len(rows), learnt.examples) == (3, 4)


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
