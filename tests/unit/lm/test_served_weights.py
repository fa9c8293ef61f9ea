"""A served model is compared with the file of its weights: fused, padded, of another dtype, stale in one tensor."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file

from coopt.lm.engines.weights import Compared, compare

SENT = {
    "embed.weight": torch.randn(50, 8),
    "layer.q_proj.weight": torch.randn(8, 8),
    "layer.k_proj.weight": torch.randn(4, 8),
    "layer.v_proj.weight": torch.randn(4, 8),
    "layer.norm.weight": torch.randn(8),
}


class Served(torch.nn.Module):
    """As vLLM has it: projections in one tensor, a padded vocabulary."""

    packed_modules_mapping: ClassVar[dict[str, list[str]]] = {"qkv_proj": ["q_proj", "k_proj", "v_proj"]}

    def __init__(self) -> None:
        super().__init__()
        fused = torch.cat([SENT[f"layer.{k}_proj.weight"] for k in "qkv"])
        self.embed = torch.nn.Embedding(64, 8)
        self.layer = torch.nn.Module()
        self.layer.qkv_proj = torch.nn.Linear(8, 16, bias=False)
        self.layer.norm = torch.nn.RMSNorm(8)
        with torch.no_grad():
            self.embed.weight[:50] = SENT["embed.weight"]
            self.layer.qkv_proj.weight.copy_(fused)
            self.layer.norm.weight.copy_(SENT["layer.norm.weight"])


@pytest.fixture
def file(tmp_path: Path) -> str:
    save_file(SENT, tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_what_was_sent_is_what_is_held(file: str) -> None:
    assert compare(Served(), file) == Compared(1.0, [])


@pytest.mark.parametrize(
    ("name", "row"), [("embed.weight", 49), ("layer.qkv_proj.weight", 11), ("layer.norm.weight", 0)]
)
def test_one_value_of_any_tensor_that_is_another_is_seen(file: str, name: str, row: int) -> None:
    """In the fused tensor it is a value of the keys."""
    model = Served()
    with torch.no_grad():
        model.get_parameter(name)[row] += 1e-6 + model.get_parameter(name)[row].abs() * 1e-6
    assert compare(model, file) == Compared(1.0, [name])


def test_another_precision_is_another_tensor(file: str) -> None:
    assert len(compare(Served().bfloat16(), file).differ) == 3


def test_what_the_file_does_not_have_that_way_is_no_proof(file: str) -> None:
    """A packed layout of the engine's own, a name that is not there, half of a tensor."""
    model = Served()
    model.layer.qkv_proj.weight = torch.nn.Parameter(torch.randn(8, 16))  # type: ignore[union-attr]
    model.extra = torch.nn.Linear(8, 8, bias=False)
    found = compare(model, file)
    assert found.differ == []
    assert found.share == pytest.approx((512 + 8) / (512 + 8 + 128 + 64))
