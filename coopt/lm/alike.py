"""Whether models can be taught by each other's logits, or averaged: tokenizers and shapes, read from their files.

``models``: node -> model directory. ``why`` begins the error's line: who asks, and for what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from coopt.core.errors import ConfigError, ModelError
from coopt.core.outside.files import UnreadableError, read_text
from coopt.core.outside.parse import parse_json
from coopt.core.outside.tables import tensors_of


def check_same_tokenizer(models: Mapping[str, Path], why: str) -> None:
    """Refuse models that number tokens differently, or give logits for another number of them. Raises
    ``ConfigError``."""
    _check(models, _vocabulary, f"{why} all students need the same tokenizer and vocabulary size")


def check_same_shapes(models: Mapping[str, Path], why: str) -> None:
    """Refuse models of different architectures or sizes. Raises ``ConfigError``."""
    _check(models, _shapes, f"{why} all students need the same architecture and shapes")


def _check(models: Mapping[str, Path], read: Callable[[Path], Any], need: str) -> None:
    known = {path: read(path) for path in dict.fromkeys(models.values())} if len(set(models.values())) > 1 else {}
    first = next(iter(models))
    for node, path in models.items():
        if known and known[path] != known[models[first]]:
            raise ConfigError(
                f"{need}: those of '{node}' ({path}) are not those of '{first}' ({models[first]}). Leave the method"
                " out, or give the nodes models of one kind."
            )


def _vocabulary(directory: Path) -> tuple[dict[str, int], int]:
    from coopt.lm.policy import load_tokenizer

    return load_tokenizer(directory).get_vocab(), _config(directory).get("vocab_size", 0)


def _shapes(directory: Path) -> tuple[str, dict[str, tuple[int, ...]]]:
    """Model type, and tensor name -> shape."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(directory.glob("*.safetensors")):
        try:
            with tensors_of(file) as tensors:
                shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        except UnreadableError as error:
            raise ModelError(f"model '{directory}': {file.name}: {error}.") from None
    return _config(directory).get("model_type", ""), shapes


def _config(directory: Path) -> dict[str, Any]:
    try:
        tree = parse_json(read_text(directory / "config.json"))
    except (UnreadableError, FileNotFoundError) as error:
        raise ModelError(f"model '{directory}': config.json: {error}.") from None
    inner = tree.get("text_config", tree) if isinstance(tree, dict) else None
    if not isinstance(inner, dict):
        raise ModelError(f"model '{directory}': config.json holds no object.")
    return inner
