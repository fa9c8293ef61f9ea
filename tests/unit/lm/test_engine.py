"""The transformers engine: exact against ``generate``, and independent of batching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from coopt.core.errors import ModelError
from coopt.core.rng import generator
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.hf import HFEngine, branch, sample
from coopt.lm.policy import Policy, load_policy, save_policy

PROMPTS = ["period of coil and power of lens?", "number of tin and mass of iron and mass of zinc?", "what?"]


def prompts(policy: Policy) -> list[list[int]]:
    from coopt.domains.scimini.wording import SCIMINI

    return [policy.prompt_ids(SCIMINI, p) for p in PROMPTS]


@pytest.mark.parametrize("weights", ["shipped", "untrained"], ids=["float32", "float64"])
def test_greedy_equals_transformers_generate(request: pytest.FixtureRequest, weights: str) -> None:
    policy: Policy = request.getfixturevalue(weights)
    engine = HFEngine(64)
    engine.sync(policy)
    found = engine.generate(prompts(policy), 1, Sampling(0, 20), Draws(generator(0)))
    for ids, (answer,) in zip(prompts(policy), found, strict=True):
        expected = policy.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=20, pad_token_id=0)
        assert answer.tokens == tuple(expected[0, len(ids) :].tolist())


@pytest.mark.parametrize("batch_rows", [1, 8, 1000])
def test_text_does_not_depend_on_the_batch(shipped: Policy, batch_rows: int) -> None:
    texts = []
    for rows in (24, batch_rows):
        engine = HFEngine(rows)
        engine.sync(shipped)
        groups = engine.generate(prompts(shipped), 8, Sampling(1.0, 20), Draws(generator(7)))
        texts.append([[y.text for y in group] for group in groups])
    assert texts[0] == texts[1]


def test_samples_follow_the_models_distribution(shipped: Policy) -> None:
    """First tokens of 4,000 samples against the softmax: within four standard errors everywhere."""
    engine = HFEngine(4000)
    engine.sync(shipped)
    ids = prompts(shipped)[2]
    (group,) = engine.generate([ids], 4000, Sampling(1.0, 1), Draws(generator(3)))
    with torch.no_grad():
        p = shipped.model(torch.tensor([ids])).logits[0, -1].softmax(-1).numpy()
    counts = np.bincount([y.tokens[0] for y in group], minlength=len(p))
    error = np.abs(counts / 4000 - p)
    assert (error <= 4 * np.sqrt(p * (1 - p) / 4000) + 1e-3).all()


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(1000, 1)
    uniforms = torch.linspace(0, 0.9999, 1000)
    drawn = sample(logits, Sampling(1.0, 1, top_p=0.8), uniforms, torch.arange(1000))
    assert set(drawn.tolist()) == {0, 1}
    assert (drawn == 0).float().mean() == pytest.approx(0.625, abs=0.01)


def test_a_line_becomes_several_where_its_rows_part() -> None:
    line, token = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([5, 7, 5, 7, 3, 3])
    new, old, tokens = branch(line, token, 3)
    assert old is not None
    assert old[new].tolist() == line.tolist()
    assert tokens[new].tolist() == token.tolist()
    assert sorted(zip(old.tolist(), tokens.tolist(), strict=True)) == [(0, 5), (0, 7), (1, 7), (2, 3)]


@pytest.mark.parametrize(("lines", "stay"), [(5, True), (6, False)])
def test_lines_without_rows_are_dropped_once_a_quarter_is(lines: int, stay: bool) -> None:
    line, token = torch.tensor([0, 1, 1, 2, 4]), torch.tensor([4, 6, 6, 8, 8])
    new, old, tokens = branch(line, token, lines)
    assert (old is None) == stay
    assert len(tokens) == (lines if stay else 4)
    assert tokens[new].tolist() == token.tolist()


def test_the_model_reads_what_rows_share_once(shipped: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight greedy samples of a prompt are one line."""
    widths = []
    forward = shipped.model.forward

    def counted(*args: object, **kwargs: torch.Tensor) -> object:
        widths.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    monkeypatch.setattr(shipped.model, "forward", counted)
    engine = HFEngine(64)
    engine.sync(shipped)
    (group,) = engine.generate([prompts(shipped)[0]], 8, Sampling(0, 20), Draws(generator(0)))
    assert set(widths) == {1}
    assert len(set(group)) == 1


def test_a_prompt_that_is_asked_often_is_read_once(shipped: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe asks the same again with each rollout; texts are those of the prompts asked one by one."""
    asked = [prompts(shipped)[k] for k in (0, 1, 0, 0, 1, 2)]
    alone = HFEngine(1)
    alone.sync(shipped)
    texts = alone.generate(asked, 1, Sampling(1.0, 20), Draws(generator(0)))
    read = []
    forward = shipped.model.forward

    def counted(*args: object, **kwargs: torch.Tensor) -> object:
        if kwargs["input_ids"].shape[1] > 1:
            read.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    monkeypatch.setattr(shipped.model, "forward", counted)
    engine = HFEngine(64)
    engine.sync(shipped)
    assert engine.generate(asked, 1, Sampling(1.0, 20), Draws(generator(0))) == texts
    assert read == [3]


def test_uniform_close_to_one_never_leaves_the_vocabulary() -> None:
    logits = torch.randn(50, 561)
    assert sample(logits, Sampling(1.0, 1), torch.full((50,), 1 - 2**-24), torch.arange(50)).max() < 561


def test_unfinished_responses_say_so(shipped: Policy) -> None:
    engine = HFEngine(8)
    engine.sync(shipped)
    (group,) = engine.generate([prompts(shipped)[0]], 2, Sampling(0, 3), Draws(generator(0)))
    assert all(not y.finished and len(y.tokens) == 3 for y in group)


def test_a_prompt_that_does_not_fit_is_refused_not_cut(shipped: Policy) -> None:
    engine = HFEngine(8)
    engine.sync(shipped)
    with pytest.raises(ModelError, match="a prompt of 500 tokens and 20 new ones do not fit the model's 512"):
        engine.generate([[1] * 500], 1, Sampling(0, 20), Draws(generator(0)))


def test_all_end_tokens_end_a_text_and_are_saved(untrained: Policy, tmp_path: Path) -> None:
    own = untrained.tokenizer.eos_token_id
    untrained.causal_lm.generation_config.eos_token_id = [own, 7]
    save_policy(untrained, tmp_path)
    assert untrained.stop_ids() == load_policy(tmp_path, device="cpu").stop_ids() == {own, 7}


def test_a_tokenizer_that_was_saved_cutting_texts_cuts_none(untrained: Policy, tmp_path: Path) -> None:
    expected = prompts(untrained)
    assert all(len(prompt) > 3 for prompt in expected)
    untrained.tokenizer.backend_tokenizer.enable_truncation(3)
    save_policy(untrained, tmp_path)
    assert '"max_length": 3' in (tmp_path / "tokenizer.json").read_text()
    assert prompts(load_policy(tmp_path, device="cpu")) == expected
