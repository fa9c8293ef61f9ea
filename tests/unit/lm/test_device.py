"""The precision that a setting means on a device."""

from __future__ import annotations

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import RunError
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.device import compute_dtype, full_card
from coopt.lm.policy import load_policy


@pytest.mark.parametrize(
    ("name", "device", "dtype"),
    [
        ("auto", "cpu", torch.float32),
        ("auto", "cuda", torch.bfloat16),
        ("auto", "cuda:1", torch.bfloat16),
        ("float32", "cuda", torch.float32),
        ("bfloat16", "cpu", torch.bfloat16),
    ],
)
def test_auto_is_bfloat16_where_a_gpu_has_it_and_a_name_is_that_precision(
    name: str, device: str, dtype: torch.dtype
) -> None:
    assert compute_dtype(name, torch.device(device)) == dtype


def test_somebodys_own_model_computes_in_float32_on_a_cpu() -> None:
    dtype = load_config(preset="real").model.dtype
    policy = load_policy(SCIMINI_BASE, dtype=dtype, device="cpu")
    assert policy.compute_dtype == torch.float32
    assert not policy.autocast()._enabled


def test_a_gpu_without_room_is_one_line() -> None:
    said = (
        "CUDA out of memory. Tried to allocate 2.32 GiB. GPU 0 has a total capacity of 139.80 GiB of which 1.10\n"
        "GiB is free. See documentation for Memory Management"
    )
    wanted = r"^seed 0 sdpo: the GPU is out of memory \(for 2\.32 GiB more\)\. Lower loss"
    with pytest.raises(RunError, match=wanted), full_card("seed 0 sdpo"):
        raise torch.OutOfMemoryError(said)
