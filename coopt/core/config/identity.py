"""What a run is: the settings that two runs must share to be the same one, and what tells others apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coopt.core.config.schema import Config
from coopt.core.config.toml import flat

PRACTICAL = ("critics", "cluster", "tracking")
"""How endpoints are asked, where tasks run and who is shown how far they are: no part of what a run is."""
PLACES = (
    ("model", "specialists"),
    ("rounds", "keep_states"),
    ("parallel", "lockstep"),
    ("parallel", "lockstep_students"),
)
"""Nor is where it keeps what, and for how long, nor who computes beside whom."""
YOUNGER = {("loss", "head"): "float32"}
"""Settings that earlier runs do not have, and what they did: at that value they are no part of what a run is."""
GROWING = ("seeds", "methods")
"""A run may be given more of these later."""


def identity(config: Config, *without: str) -> dict[str, Any]:
    """The settings that say what a run is, as a JSON tree; ``without``: sections that may differ here."""
    tree = config.model_dump(mode="json", exclude={*PRACTICAL, *without})
    for section, key in PLACES:
        tree.get(section, {}).pop(key, None)
    for (section, key), before in YOUNGER.items():
        if tree.get(section, {}).get(key) == before:
            del tree[section][key]
    if "model" in tree:  # what auto comes to
        tree["model"]["shared_base"] = config.one_base
    return tree


def differences(configs: Sequence[Config], *without: str) -> dict[str, list[Any]]:
    """Dotted setting -> its value in each run, for those that are not the same in all of them. A free table
    (``adversary``, ``options``) may have lost a key: that is None."""
    trees = [flat(identity(config, *without)) for config in configs]
    keys = dict.fromkeys(key for tree in trees for key in tree)
    found = {key: [tree.get(key) for tree in trees] for key in keys}
    return {key: values for key, values in found.items() if any(v != values[0] for v in values)}
