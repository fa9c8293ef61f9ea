"""A base with the adapters of several students at once: every row goes through the base's products together with the
others, and through its own student's low-rank ones.

Shape legend: N policies, M units of the largest of them, I inputs, R rank, O outputs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from peft.tuners import lora
from peft.tuners.lora import LoraLayer

from coopt.lm.policy import Policy
from coopt.lm.shared import shared_copy

_LAYERS: WeakKeyDictionary[Policy, dict[str, LoraLayer]] = WeakKeyDictionary()
_GROUPED: WeakKeyDictionary[torch.nn.Module, Grouped | None] = WeakKeyDictionary()


def together_as_alone(policies: Sequence[Policy]) -> Grouped | None:
    """The model that computes for all of these policies at once; None where there is nothing to be gained (one policy,
    or none on a shared base), or this architecture's linear layers cannot be grouped: then each computes by itself."""
    base = policies[0].base
    names = next((tuple(found) for p in policies if (found := adapted_layers(p))), ())
    if len(policies) == 1 or base is None or not names:
        return None
    if base not in _GROUPED:
        # Other kinds of adapter (of the experts of a mixture) are none of a linear layer.
        linear = all(type(layer) is lora.Linear for p in policies for layer in adapted_layers(p).values())
        made = Grouped(base, names) if linear else None
        _GROUPED[base] = made if made is not None and made.computes_apart(policies) else None
        if _GROUPED[base] is None:
            kind = policies[0].causal_lm.config.model_type
            print(f"lockstep: a model of type '{kind}' computes differently with several adapters than with one:"
                  " students compute one after another.", file=sys.stderr)  # fmt: skip
    model = _GROUPED[base]
    fits = model is not None and all(tuple(adapted_layers(p)) in ((), model.names) for p in policies)
    return model if fits else None


def adapted_layers(policy: Policy) -> dict[str, LoraLayer]:
    """Name in the base -> layer, of the linear layers that a policy's adapter is on."""
    if policy not in _LAYERS:
        modules = policy.causal_lm.named_modules() if policy.model is not policy.causal_lm else ()
        _LAYERS[policy] = {name: m for name, m in modules if isinstance(m, LoraLayer)}
    return _LAYERS[policy]


class Grouped:
    """``model`` computes with the adapters of whoever is served (``serving``)."""

    def __init__(self, base: torch.nn.Module, names: tuple[str, ...]) -> None:
        self.model: Any = shared_copy(base)
        self.names = names
        self.rows = Rows([], torch.device("cpu"))
        self._layers = []
        for name in self.names:
            parent, _, last = name.rpartition(".")
            layer = GroupedLinear(getattr(self.model.get_submodule(parent), last), self)
            setattr(self.model.get_submodule(parent), last, layer)
            self._layers.append(layer)

    @contextmanager
    def serving(self, policies: Sequence[Policy], units: Sequence[int]) -> Iterator[Rows]:
        """Within the block a batch's first ``units[0]`` units (lines, or tokens of a packed line) are of the first
        policy, the next of the second, and so on. Gradients flow into the policies' own adapters."""
        self.rows = Rows(units, policies[0].device)
        for name, layer in zip(self.names, self._layers, strict=True):
            layer.take([adapted_layers(p).get(name) for p in policies])
        try:
            yield self.rows
        finally:
            for layer in self._layers:
                layer.drop()

    @torch.no_grad()
    def computes_apart(self, policies: Sequence[Policy]) -> bool:
        """Whether short rows get the same hidden states together as alone. A module that reads a layer's weights
        without calling it, or routes tokens elsewhere, gives others, or fails."""
        ids = torch.tensor([[5, 6, 7, 8 + n % 4] for n in range(len(policies))], device=policies[0].device)
        with _distinct(policies):
            alone = [p.causal_lm.get_decoder()(input_ids=ids[n : n + 1], use_cache=False).last_hidden_state
                     for n, p in enumerate(policies)]  # fmt: skip
            try:
                with self.serving(policies, [1] * len(policies)):
                    together = self.model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
            except (RuntimeError, AttributeError, TypeError, ValueError):
                return False
        scale = torch.cat(alone).float().abs().mean()
        return bool((together - torch.cat(alone)).float().abs().mean() < 1e-3 * scale)


class Rows:
    """Whose the units of a batch are: of each policy a run of neighbours."""

    def __init__(self, units: Sequence[int], device: torch.device) -> None:
        self.device = device
        self._set(list(units))

    def _set(self, units: list[int]) -> None:
        self.units = units
        self.present = [n for n, size in enumerate(units) if size]
        self._places: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def keep(self, kept: torch.Tensor) -> None:
        """Go on with these units, which stay in the order of their policies."""
        ends = torch.tensor(self.units, device=self.device).cumsum(0)
        owners = torch.bucketize(kept, ends, right=True)
        self._set(torch.bincount(owners, minlength=len(self.units)).tolist())

    def by_policy(self, flat: torch.Tensor) -> torch.Tensor:
        """[tokens, I] -> [N, M, I] of the policies that are present, short ones filled up with a token of their own."""
        sizes = self._sizes(len(flat))
        if len(set(sizes)) == 1:
            return flat.view(len(sizes), sizes[0], flat.shape[-1])
        there, _ = self._gather(len(flat), sizes)
        return flat[there].view(len(sizes), max(sizes), flat.shape[-1])

    def flat(self, grouped_NMO: torch.Tensor, tokens: int) -> torch.Tensor:
        """Back: [N, M, O] -> [tokens, O]."""
        sizes, flat = self._sizes(tokens), grouped_NMO.reshape(-1, grouped_NMO.shape[-1])
        return flat if len(set(sizes)) == 1 else flat[self._gather(tokens, sizes)[1]]

    def _sizes(self, tokens: int) -> list[int]:
        each = tokens // sum(self.units)
        return [self.units[n] * each for n in self.present]

    def _gather(self, tokens: int, sizes: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        if tokens not in self._places:
            widest, start = max(sizes), 0
            there: list[int] = []
            back: list[int] = []
            for n, size in enumerate(sizes):
                # What fills up is of the same policy: a NaN of one student reaches no other, forward or backward.
                there += [*range(start, start + size), *([start] * (widest - size))]
                back += range(n * widest, n * widest + size)
                start += size
            self._places[tokens] = torch.tensor(there, device=self.device), torch.tensor(back, device=self.device)
        return self._places[tokens]


class GroupedLinear(torch.nn.Module):
    """A linear layer of the base, and for each unit the adapter of its policy: x W + scaling (x A) B."""

    def __init__(self, base: torch.nn.Module, of: Grouped) -> None:
        super().__init__()
        self.base = base
        self._of = [of]  # in a list, so that it is no submodule
        self._down_NRI: torch.Tensor | None = None
        self._up_NOR: torch.Tensor | None = None

    def take(self, layers: Sequence[LoraLayer | None]) -> None:
        """The adapters of the policies that are served, None where one has none here."""
        pairs = [None if layer is None else _pair(layer) for layer in layers]
        like = next((pair for pair in pairs if pair is not None), None)
        if like is not None:
            whole = [pair or (torch.zeros_like(like[0]), torch.zeros_like(like[1])) for pair in pairs]
            self._down_NRI = torch.stack([down for down, _ in whole])
            self._up_NOR = torch.stack([up for _, up in whole])

    def drop(self) -> None:
        self._down_NRI = self._up_NOR = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.base(x)
        if self._down_NRI is None or self._up_NOR is None:
            return y
        rows, flat = self._of[0].rows, x.reshape(-1, x.shape[-1])
        down_NRI, up_NOR = self._down_NRI, self._up_NOR
        if len(rows.present) < len(down_NRI):
            down_NRI, up_NOR = down_NRI[rows.present], up_NOR[rows.present]
        narrow_NMR = torch.bmm(rows.by_policy(flat.to(down_NRI.dtype)), down_NRI.transpose(1, 2))
        added = rows.flat(torch.bmm(narrow_NMR, up_NOR.transpose(1, 2)), len(flat))
        return y + added.view(y.shape).to(y.dtype)


@contextmanager
def _distinct(policies: Sequence[Policy]) -> Iterator[None]:
    """Within the block every adapter changes something: a new one does not, and would hide that it is not used."""
    layers = {id(layer): layer for p in policies for layer in adapted_layers(p).values()}
    ups = [_own(layer)[1].weight for layer in layers.values()]
    before = [up.data for up in ups]
    for n, up in enumerate(ups):
        up.data = torch.arange(up.numel(), dtype=up.dtype, device=up.device).add(n).sin().mul(0.1).view_as(up)
    try:
        yield
    finally:
        for up, data in zip(ups, before, strict=True):
            up.data = data


def _pair(layer: LoraLayer) -> tuple[torch.Tensor, torch.Tensor]:
    """A [R, I] and scaling B [O, R] of a layer's adapter."""
    down, up = _own(layer)
    return down.weight, up.weight * layer.scaling[layer.active_adapters[0]]


def _own(layer: LoraLayer) -> tuple[torch.nn.Linear, torch.nn.Linear]:
    name = layer.active_adapters[0]
    return cast("torch.nn.Linear", layer.lora_A[name]), cast("torch.nn.Linear", layer.lora_B[name])
