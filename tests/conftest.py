"""Shared fixtures, and the rule that CI skips nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from coopt.core.quiet import quiet_libraries
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.embedded.learn import new_model
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.policy import Policy, load_policy

quiet_libraries()
torch.set_num_threads(1)
os.environ.pop("COLUMNS", None)  # xdist sets it for its workers; tables in pipes obey it


_CACHE = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """What coopt remembers for the user (speeds, bases, checked entries) is neither read nor written by tests, which
    would then depend on one another and on the machine's past. The processes of pytest-xdist share one folder."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.stash[_CACHE] = folder = tempfile.TemporaryDirectory(prefix="coopt-tests-cache-")
        os.environ.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache/pip"))
        os.environ["XDG_CACHE_HOME"] = folder.name


def pytest_unconfigure(config: pytest.Config) -> None:
    if _CACHE in config.stash:
        config.stash[_CACHE].cleanup()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Under COOPT_NO_SKIP=1 a skipped test is a failed one."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("COOPT_NO_SKIP") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped under COOPT_NO_SKIP=1: {report.longrepr}"


_LONGEST_FIRST = (
    "test_slurm.py", "test_chaos.py", "test_damage.py", "test_discriminates.py", "test_ranks.py", "test_vllm.py",
    "test_smol.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Heavy files of many minutes begin first, so that no worker is alone with one at the end."""
    items.sort(
        key=lambda i: _LONGEST_FIRST.index(i.path.name) if i.path.name in _LONGEST_FIRST else len(_LONGEST_FIRST)
    )


@pytest.fixture(scope="session")
def shipped() -> Policy:
    """The shipped base model. Tests must not train it."""
    return load_policy(SCIMINI_BASE, device="cpu")


@pytest.fixture
def untrained() -> Policy:
    """A fresh random model of the embedded architecture, in float64."""
    tokenizer = build_tokenizer()
    return Policy(new_model(tokenizer, 1).double().eval(), tokenizer)


@pytest.fixture
def exact_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers rounds to float32 in its norms, forward and backward, so that it matters to 1e-7 in which order
    gradients are added."""

    def forward(self: Qwen3RMSNorm, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    monkeypatch.setattr(Qwen3RMSNorm, "forward", forward)
