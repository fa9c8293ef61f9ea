"""A generator that may not end, or not fit, runs in a process of its own (``coopt.graph.making``), which has a bounded
time and memory."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from coopt.core.arrays import Ints
from coopt.core.outside.parse import parse_own
from coopt.core.temporary import helper

SECONDS = 20
"""Of a processor."""
MOST_MEMORY = 4 << 30
"""Bytes beyond what the process has when it begins."""
_PATIENCE = 10  # times the seconds, on a machine that is busy


def made_apart(name: str, size: int, options: Mapping[str, Any], *, directed: bool) -> tuple[int, Ints]:
    """How many nodes a generator's graph has, and the ends of its edges [E, 2]. Raises ``ValueError``."""
    answer = _answer(json.dumps([SECONDS, MOST_MEMORY, name, size, dict(options), directed], default=str))
    if not answer:
        raise ValueError(f"more than {SECONDS} s or {MOST_MEMORY >> 30} GiB. Take another graph")
    found = parse_own(answer)
    if "error" in found:
        raise ValueError(found["error"])
    return found["nodes"], np.frombuffer(base64.b64decode(found["ends"]), np.int64).reshape(-1, 2)


@lru_cache(maxsize=4)
def _answer(order: str) -> str:
    """What the process says; nothing if it was lost."""
    command, environment = helper("coopt.graph.making")
    try:
        done = subprocess.run(
            command,
            input=order,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            encoding="utf-8",
            timeout=_PATIENCE * SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""
