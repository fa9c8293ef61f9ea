"""Sequences that begin alike as one tree: what they share is read once.

A token's hidden state depends on the tokens before it alone, so equal beginnings have equal states: a tree of distinct
tokens stands for its sequences, each token attending to its ancestors. The rollouts of a prompt share it and their own
beginnings; so do the self-teacher's prompts for them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch

Ids = tuple[int, ...]


@dataclass
class PrefixTree:
    """Tokens in preorder: the descendants of a token follow it."""

    ids: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """The first place after a token's descendants."""
    paths: dict[int, list[int]] = field(default_factory=dict)
    """Number of a sequence -> the places of its tokens."""

    def __len__(self) -> int:
        return len(self.ids)


def grow(sequences: Sequence[Ids], keys: Sequence[Hashable]) -> list[PrefixTree]:
    """One tree of the sequences of each key; a sequence's number is its place in ``sequences``."""
    numbers: dict[Hashable, list[int]] = {}
    for k, key in enumerate(keys):
        numbers.setdefault(key, []).append(k)
    return [_tree(sequences, own) for own in numbers.values()]


def _tree(sequences: Sequence[Ids], numbers: Sequence[int]) -> PrefixTree:
    """In sorted order a sequence shares with the one before it whatever it shares with any before it."""
    tree = PrefixTree()
    path: list[int] = []
    before: Ids = ()
    for k in sorted(numbers, key=lambda k: sequences[k]):
        ids = sequences[k]
        shared = _common(before, ids)
        _end(tree, path[shared:])
        path = [*path[:shared], *range(len(tree), len(tree) + len(ids) - shared)]
        tree.ids += ids[shared:]
        tree.depths += range(shared, len(ids))
        tree.ends += [0] * (len(ids) - shared)
        tree.paths[k] = path
        before = ids
    _end(tree, path)
    return tree


def _common(a: Ids, b: Ids) -> int:
    """Length of the longest common beginning."""
    return next((d for d, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _end(tree: PrefixTree, places: Sequence[int]) -> None:
    for place in places:
        tree.ends[place] = len(tree)


class Forest:
    """Trees in lines of equal length, side by side where several fit.

    ``ids``, ``positions`` [lines, T]; ``mask`` [lines, 1, T, T]: who may be attended to (True).
    """

    def __init__(self, trees: Sequence[PrefixTree], pad: int, device: torch.device) -> None:
        length = max(map(len, trees))
        starts, lines = _first_fit([len(t) for t in trees], length)
        ids, positions = ([[fill] * length for _ in range(lines)] for fill in (pad, 0))
        ends = [list(range(1, length + 1)) for _ in range(lines)]  # padding attends to itself alone
        self.places: dict[int, tuple[int, list[int]]] = {}
        """Number of a sequence -> its line, and the columns of its tokens."""
        for tree, (line, start) in zip(trees, starts, strict=True):
            here = slice(start, start + len(tree))
            ids[line][here] = tree.ids
            positions[line][here] = tree.depths
            ends[line][here] = [start + end for end in tree.ends]
            for number, path in tree.paths.items():
                self.places[number] = line, [start + place for place in path]
        self.ids = torch.tensor(ids, device=device)
        self.positions = torch.tensor(positions, device=device)
        column = torch.arange(length, device=device)
        below = column[:, None] < torch.tensor(ends, device=device)[:, None, :]
        self.mask = (below & (column <= column[:, None]))[:, None]


def _first_fit(sizes: Sequence[int], length: int) -> tuple[list[tuple[int, int]], int]:
    """(line, start) of every tree, and the number of lines. Largest first, each into the first line with room."""
    used: list[int] = []
    starts = [(0, 0)] * len(sizes)
    for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        line = next((n for n, taken in enumerate(used) if taken + sizes[k] <= length), len(used))
        if line == len(used):
            used.append(0)
        starts[k] = line, used[line]
        used[line] += sizes[k]
    return starts, len(used)
