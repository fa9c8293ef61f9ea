"""Whether a model that can be loaded can also be saved: asked before it is trained, when it is not yet too late."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from coopt.core.errors import ModelError
from coopt.core.temporary import own_folder
from coopt.lm.policy import Policy, load_policy, load_tokenizer, save_policy
from coopt.lm.training.adapters import make_trainable

_SMALL = 500_000_000  # parameters; a larger model is not written twice for a look
_TOLERANCE = 1e-3


def check_saving(policy: Policy, directory: Path) -> None:
    """Save the model with a new adapter, load it again, and compare. Of a large model only the parts that are not
    weights. ``directory``: where it came from, for the message. Raises ``ModelError``."""
    with TemporaryDirectory(prefix="saving-", dir=own_folder()) as folder:
        try:
            found = _differences(policy, Path(folder))
        except Exception as error:  # save_pretrained raises many kinds
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"model '{directory}': loads, but cannot be saved again ({reason[:200]}). Nothing was trained. Fix its"
                " files (usually generation_config.json), or use another model."
            ) from None
    if found:
        raise ModelError(
            f"model '{directory}': its {found} changed when it was saved and loaded again. Nothing was trained."
        )


def _differences(policy: Policy, folder: Path) -> str:
    lm = policy.causal_lm
    if sum(p.numel() for p in lm.parameters()) > _SMALL:
        lm.config.save_pretrained(folder)
        lm.generation_config.save_pretrained(folder)
        policy.tokenizer.save_pretrained(folder)
        reread = load_tokenizer(folder)
        return "" if reread.chat_template == policy.tokenizer.chat_template else "chat template"
    # A copy: an adapter is put into the model itself.
    plain = replace(policy, model=copy.deepcopy(lm), compute_dtype=torch.float32, base=None)
    adapted = make_trainable(plain, "lora", 4, "saving") if policy.model is lm else policy
    save_policy(adapted, folder / "model")
    again = load_policy(folder / "model", device=str(policy.device))
    seen = torch.arange(8, device=policy.device)[None]
    with torch.no_grad():
        same = torch.allclose(adapted.model(seen).logits, again.model(seen).logits, atol=_TOLERANCE, rtol=_TOLERANCE)
    return "" if same else "logits"
