"""Words of the command line: names of files and things that hold anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.fuzz.mutate import ODD, text_mutated
from tests.fuzz.rule import BrokenError, command

_PLAN = ("--dry-run", "--smoke")
_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("report", "*"), ("report", ".", "--format", "*"), ("report", ".", "--figure", "*"), ("compare", "*", "*"),
    ("check", "*"),
    ("status", "*"), ("logs", "*", "*"), ("export", "*"), ("advantages", "*", "--method", "*"), ("cancel", "*"),
    ("topo", "show", "*"), ("topo", "check", "*"), ("topo", "draw", "*", "--domains", "*"), ("topo", "*"), ("*",),
    ("data", "check", "*"), ("data", "check", "*", "--mapping", "*"), ("data", "guess", "*"),
    ("simulate", "--constants", "*"), ("simulate", "--constant", "*"), ("simulate", "--predict", "*"),
    ("leaderboard", "check", "*"),
    ("leaderboard", "add", "*"), ("leaderboard", "build", "*"), ("leaderboard", "renew", "*"), ("sweep", "*"),
    ("bench", "--preset", "*", *_PLAN), ("bench", "--domains", "*", *_PLAN), ("bench", "--method", "*", *_PLAN),
    ("bench", "--topology", "*", *_PLAN), ("bench", "--students", "*", *_PLAN), ("bench", "--data", "*", *_PLAN),
    ("bench", "--profile", "*", *_PLAN), ("bench", "--nodes", "*", *_PLAN), ("bench", "--seed", "*", *_PLAN),
    ("bench", "--adversary", "*", *_PLAN), ("bench", "--model", "*", *_PLAN), ("bench", "--workers", "*", *_PLAN),
    ("bench", "--engine", "*", *_PLAN), ("bench", "--*", *_PLAN),
)  # fmt: skip
_NAMES = (
    "pair",
    "run",
    "phys",
    "s1",
    "opcod",
    "mini",
    "1",
    "-1",
    "--",
    "-",
    "~",
    ".",
    "..",
    "/",
    "a=b",
    "s1:leak",
    "phys=.",
)
_FILES = ("x.toml", "x.json", "x.graphml", "x.jsonl", "x.csv", "x.parquet", "x.gz", "gate.py:Mine")


def words(random: Random, work: Path) -> bool:
    """A command with hostile words, in a folder without anything."""
    os.chdir(work)
    given = [word.replace("*", _word(random)) if "*" in word else word for word in random.choice(_COMMANDS)]
    ended = command(*given)
    left = [p for p in work.rglob("*") if p.is_file() and "cache" not in p.parts]
    if ended.code and left:
        raise BrokenError(f"{given!r:.300}: refused, and left {left}")
    return ended.code != 0


def _word(random: Random) -> str:
    text = str(random.choice((*ODD, *_NAMES, *_FILES)))
    if random.random() < 0.4:
        text = text_mutated(random.choice((*_NAMES, *_FILES)), random).decode("utf-8", "surrogateescape")
    if random.random() < 0.2:
        text += random.choice(_FILES)
    return text[:100_000].replace("\x00", "0")  # no word of a command line holds a zero byte


def targets() -> Iterator[tuple[str, int, Callable[[Random, Path], bool]]]:
    """Name, weight, and what does one case."""
    yield "words", 4, words
