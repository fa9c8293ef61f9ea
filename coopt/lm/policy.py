"""A causal language model with its tokenizer and chat template: what students, teachers and tutors are."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from string import printable
from typing import Any

import torch

from coopt.core.errors import ModelError
from coopt.core.outside.files import from_home
from coopt.core.temporary import importing_torch
from coopt.domains.wording import Wording
from coopt.lm.chat import Chat
from coopt.lm.device import compute_dtype, pick_device

with importing_torch():
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

ADAPTER = "adapter"
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len")


@dataclass(eq=False)
class Policy:
    """A model that is run, and perhaps trained, in this process."""

    model: Any
    """A transformers causal LM or a peft model around one."""
    tokenizer: PreTrainedTokenizerBase
    compute_dtype: torch.dtype = torch.float32
    """Weights are float32; bfloat16 here computes under autocast."""
    base: torch.nn.Module | None = None
    """The frozen model that this policy is, or has its adapter on, if others share it (``coopt.lm.shared``)."""

    def autocast(self) -> torch.autocast:
        """The context in which this model's forward runs."""
        reduced = self.compute_dtype != torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=reduced)

    @torch.no_grad()
    def copied(self, device: torch.device, dtype: torch.dtype) -> Policy:
        """A copy whose weights are ``dtype`` on ``device``, tensor by tensor: no second copy is where this one is.
        Buffers keep their precision, because rotary frequencies need it."""
        memo: dict[int, Any] = {
            id(p): torch.nn.Parameter(p.to(device, dtype, copy=True), requires_grad=p.requires_grad)
            for p in self.model.parameters()
        }
        memo |= {id(b): b.to(device, copy=True) for b in self.model.buffers()}
        return replace(self, model=copy.deepcopy(self.model, memo), compute_dtype=dtype)

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def causal_lm(self) -> Any:
        """The transformers model itself, under any adapter."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def context_length(self) -> int:
        config = self.causal_lm.config
        return next((getattr(config, k) for k in _CONTEXT_KEYS if getattr(config, k, None)), 2048)

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Name -> parameter, of the parameters that are trained."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def prompt_ids(self, wording: Wording, user: str, *, system: bool = True, example: bool = False) -> list[int]:
        """Token ids of a prompt as this model's chat template has it: one template for student, self-teacher, tutor."""
        return self.chat.prompt_ids(wording, user, system=system, example=example)

    def response_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that is to be learnt as a whole response: with the end token."""
        own = self.tokenizer.eos_token_id
        return (*self.chat.text_ids(text), min(self.stop_ids()) if own is None else own)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without control tokens."""
        return self.chat.decode(ids)

    def response(self, ids: Sequence[int]) -> str:
        """The text of a response."""
        return self.chat.response(ids)

    @cached_property
    def chat(self) -> Chat:
        return Chat(self.tokenizer)

    @property
    def pad_id(self) -> int:
        """What stands where nothing is read: it is masked, so any token of the model serves."""
        own = self.tokenizer.pad_token_id
        known = self.causal_lm.get_input_embeddings().num_embeddings
        return own if own is not None and own < known else 0

    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a response."""
        eos = getattr(self.causal_lm.generation_config, "eos_token_id", None)
        ids = set(eos if isinstance(eos, list) else [eos]) | {self.tokenizer.eos_token_id}
        return frozenset(i for i in ids if i is not None)


def load_policy(directory: str | Path, *, dtype: str = "float32", device: str = "auto", trained: bool = True) -> Policy:
    """Load a local Hugging Face causal LM (safetensors only) with a chat template.

    Weights are float32, in which they can be trained; else (not ``trained``) in the precision of compute: half the
    memory, and none of it is converted at every token. Raises ``ModelError`` in one line that names the directory.
    """
    path = from_home(directory)
    if not path.is_dir():
        raise ModelError(f"model '{directory}': no such directory. Give a local Hugging Face causal LM directory.")
    if not (path / "config.json").is_file():
        raise ModelError(f"model '{path}': config.json is missing. Give a local Hugging Face causal LM directory.")
    tokenizer, place = load_tokenizer(path), pick_device(device)
    compute = compute_dtype(dtype, place)
    with _one_line(path):
        model = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=torch.float32 if trained else compute,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    return _check_tokens(Policy(model.eval().to(place), tokenizer, compute), path)


def load_tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model directory, as it is. Raises ``ModelError``."""
    with _one_line(directory):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )
    return tokenizer


@contextmanager
def _one_line(directory: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # transformers raises many kinds for a broken directory
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"model '{directory}' cannot be loaded as a causal LM: {reason[:300]}") from None


def _check_tokens(policy: Policy, path: Path) -> Policy:
    """Refuse what no prompt could be made for, or no response would end in."""
    if not policy.tokenizer.chat_template:
        raise ModelError(f"model '{path}': the tokenizer has no chat template. Use an instruction-tuned model.")
    if not policy.stop_ids():
        raise ModelError(
            f"model '{path}': neither tokenizer nor generation_config.json names an end token. Set eos_token in"
            " tokenizer_config.json."
        )
    known, tokens = (
        policy.causal_lm.get_input_embeddings().num_embeddings,
        max(policy.tokenizer.get_vocab().values()) + 1,
    )
    # A token too many that nobody writes (a pad token that was added) does no harm.
    if max(*policy.stop_ids(), *policy.chat.text_ids(printable)) >= known:
        raise ModelError(
            f"model '{path}': the tokenizer has {tokens} tokens and the model {known}. Use the model's own tokenizer."
        )
    return policy


def save_policy(policy: Policy, directory: Path) -> None:
    """Write a Hugging Face directory that ``AutoModelForCausalLM`` loads; adapters are merged into a copy. An adapter
    on a shared base is kept beside it too, in ``adapter``."""
    if policy.causal_lm is policy.model:
        policy.model.save_pretrained(directory)
    else:
        policy.causal_lm.save_pretrained(directory, state_dict=merged_state(policy))
        if policy.base is not None:
            save_adapter(policy, directory / ADAPTER)
    policy.tokenizer.save_pretrained(directory)


def save_adapter(policy: Policy, directory: Path) -> None:
    """Write the adapter alone, as peft and vLLM read it."""
    policy.model.save_pretrained(str(directory), save_embedding_layers=False)


@torch.no_grad()
def merged_state(policy: Policy) -> dict[str, torch.Tensor]:
    """The model's state under its plain names, adapters added to the weights that they adapt.

    The policy itself is not touched: adding and taking away again would leave rounding in weights that others share.
    """
    whole: Any = policy.model
    if policy.causal_lm is not policy.model:
        if policy.device.type == "cuda":  # a second copy would take the room of an engine that is awake beside it
            whole = policy.copied(torch.device("cpu"), torch.float32).model
        else:
            whole = copy.deepcopy(policy.model)
        whole = whole.merge_and_unload()
    state: dict[str, torch.Tensor] = whole.state_dict()
    return state
