"""A causal language model with its tokenizer and chat template: what students, teachers and tutors are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from coopt.core.errors import ModelError
from coopt.domains.wording import Wording
from coopt.lm.device import pick_device

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

    def in_compute_dtype(self) -> Policy:
        """The same policy, its weights in the precision of compute: for a model that is run and not trained here.
        Buffers keep theirs, because rotary frequencies need it."""
        for parameter in self.model.parameters():
            parameter.data = parameter.data.to(self.compute_dtype)
        return self

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
        """Token ids of system message, (a worked example,) user message and the assistant's header.

        One chat template for student, self-teacher and tutor; ``enable_thinking=False`` where it exists.
        """
        messages = [{"role": "user", "content": self._without_control_tokens(user)}]
        if example and wording.example:
            shown = zip(("user", "assistant"), wording.example, strict=True)
            messages = [*({"role": r, "content": c} for r, c in shown), *messages]
        if system and wording.system:
            messages.insert(0, {"role": "system", "content": wording.system})
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        except TemplateError as error:  # for example a template that refuses a system message
            raise ModelError(f"the model's chat template refuses the prompt: {error}") from None
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def response_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that is to be learnt as a whole response: with the end token."""
        ids = self.tokenizer(self._without_control_tokens(text), add_special_tokens=False)["input_ids"]
        return (*ids, self.tokenizer.eos_token_id)

    def _without_control_tokens(self, text: str) -> str:
        """Model text is untrusted: what it spells must not become a turn of the chat."""
        for token in self.tokenizer.added_tokens_decoder.values():
            if token.special:
                text = text.replace(token.content, " ")
        return text

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a response."""
        eos = self.causal_lm.generation_config.eos_token_id
        ids = set(eos if isinstance(eos, list) else [eos]) | {self.tokenizer.eos_token_id}
        return frozenset(i for i in ids if i is not None)


def load_policy(directory: str | Path, *, dtype: str = "float32", device: str = "auto") -> Policy:
    """Load a local Hugging Face causal LM (safetensors only) with a chat template.

    Raises ``ModelError`` in one line that names the directory.
    """
    path = Path(directory).expanduser()
    if not path.is_dir():
        raise ModelError(f"model '{directory}': no such directory. Give a local Hugging Face causal LM directory.")
    if not (path / "config.json").is_file():
        raise ModelError(f"model '{path}': config.json is missing. Give a local Hugging Face causal LM directory.")
    tokenizer = load_tokenizer(path)
    with _one_line(path):
        model = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    return Policy(model.eval().to(pick_device(device)), _ready_tokenizer(tokenizer, path), getattr(torch, dtype))


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


def _ready_tokenizer(tokenizer: PreTrainedTokenizerBase, path: Path) -> PreTrainedTokenizerBase:
    if not tokenizer.chat_template:
        raise ModelError(f"model '{path}': the tokenizer has no chat template. Use an instruction-tuned model.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


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
    state = policy.causal_lm.state_dict()
    for name, module in policy.causal_lm.named_modules():
        for adapter in getattr(module, "active_adapters", ()) if isinstance(module, LoraLayer) else ():
            state[f"{name}.base_layer.weight"] = state[f"{name}.base_layer.weight"] + module.get_delta_weight(adapter)
    return {k.replace(".base_layer.", "."): v for k, v in state.items() if ".lora_" not in k}
