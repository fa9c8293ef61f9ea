"""Shared beginnings are read once, and every token gets the state that it has in its own sequence."""

from __future__ import annotations

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.rng import generator
from coopt.lm.policy import Policy
from coopt.lm.training.batch import PromptResponse, model_input, response_hidden
from coopt.lm.training.forward import layout_of
from coopt.lm.training.trees import Forest, grow

CPU = torch.device("cpu")


def random_sequences(seed: int) -> list[PromptResponse]:
    """Three prompts of a two-letter alphabet, so that beginnings are shared at any depth; some rows are equal, some
    begin another."""
    rng = generator("trees", seed)
    prompts = [tuple(map(int, rng.integers(5, 7, rng.integers(1, 9)))) for _ in range(3)]
    made = []
    for _ in range(12):
        response = tuple(map(int, rng.integers(5, 7, rng.integers(1, 7))))
        made.append((prompts[rng.integers(3)], response))
    return made


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("one_tree", [True, False])
def test_states_are_those_of_each_sequence_alone(untrained: Policy, seed: int, one_tree: bool) -> None:
    sequences = random_sequences(seed)
    decoder = untrained.causal_lm.get_decoder()
    keys = [0] * len(sequences) if one_tree else None
    found = response_hidden(decoder, model_input(sequences, "shared", 0, CPU, keys))
    expected = torch.cat([response_hidden(decoder, model_input([s], "padded", 0, CPU)) for s in sequences])
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-7)  # transformers' norms are float32


@pytest.mark.parametrize("seed", range(8))
def test_a_tree_has_every_beginning_once(seed: int) -> None:
    sequences = [(*p, *r) for p, r in random_sequences(seed)]
    (tree,) = grow(sequences, [0] * len(sequences))
    assert len(tree) == len({s[:k] for s in sequences for k in range(1, len(s) + 1)})
    for number, path in tree.paths.items():
        assert tuple(tree.ids[place] for place in path) == sequences[number]
        assert [tree.depths[place] for place in path] == list(range(len(path)))


def test_lines_are_filled_before_a_new_one_begins() -> None:
    """Trees of 6, 3, 3 and 2 tokens need three lines of 6: 6, 3 + 3, 2."""
    sequences = [tuple(range(n)) for n in (3, 6, 2, 3)]
    forest = Forest(grow(sequences, range(4)), 9, CPU)
    assert sorted(map(tuple, forest.ids.tolist())) == [(0, 1, 2, 0, 1, 2), (0, 1, 2, 3, 4, 5), (0, 1, 9, 9, 9, 9)]
    assert forest.mask[..., range(6), range(6)].all()  # padding too attends to something


def test_only_plain_attention_is_given_a_mask_of_its_own(untrained: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = load_config(settings=["loss.shared_prefixes=true"]).loss
    assert layout_of(untrained, loss) == "shared"
    config = untrained.causal_lm.config
    monkeypatch.setattr(config, "layer_types", ["full_attention", "sliding_attention", "full_attention"])
    assert layout_of(untrained, loss) == "padded"
