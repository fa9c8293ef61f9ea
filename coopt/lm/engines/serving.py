"""One vLLM process and the weights that it holds: written for it, swapped, proved, put to sleep."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from transformers.core_model_loading import revert_weight_conversion

from coopt.core.config.engine import EngineConfig
from coopt.core.errors import EngineError
from coopt.core.temporary import own_folder
from coopt.lm.device import give_back_memory
from coopt.lm.engines.base import Sampling
from coopt.lm.engines.canary import CANARY_TOKENS, Canary, Song, canary_prompt, stale
from coopt.lm.engines.process import ServerProcess
from coopt.lm.engines.server import Answer, EngineRequest
from coopt.lm.engines.weights import Compared
from coopt.lm.policy import Policy, merged_state, save_adapter

_WEIGHTS, _FILE = "weights", "model.safetensors"
_NEARLY_ALL = 0.9  # of the model's values
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM has kernels for
_ADAPTERS = 4  # in one batch, at least; others are read from their file again when they are asked


class Held(NamedTuple):
    """Weights that vLLM has: whose, in which version, and the adapter's number (0: vLLM's own weights)."""

    policy: weakref.ref[Policy]
    version: tuple[int, ...]
    adapter: int


class Serving:
    """A vLLM process for policies of one architecture, or for adapters (of ``lora_rank`` at most) on one base, of
    which ``adapters`` can be asked in one batch.

    ``length``: tokens of prompt and response that it has room for. Raises ``EngineError`` if vLLM does not start.
    TMPDIR places the files that weights are handed over in.
    """

    def __init__(self, policy: Policy, settings: EngineConfig, lora_rank: int, length: int, adapters: int = 1) -> None:
        self.swaps = 0
        self.length = length
        self.adapters = max(adapters, _ADAPTERS)
        self._device = policy.device
        self._settings = settings
        self._base = policy.base
        self._on_gpu = policy.device.type == "cuda"
        self._awake = True
        self._held: list[Held] = []
        self._numbers = 0
        self._canary = Canary(_dtype(policy), settings.canary_tolerance)
        self._temporary = tempfile.TemporaryDirectory(prefix="vllm-", dir=own_folder())
        self._folder = Path(self._temporary.name)
        self._write_weights(
            policy if self._base is None else Policy(self._base, policy.tokenizer, policy.compute_dtype)
        )
        self.process = ServerProcess(self._options(policy, lora_rank), settings, policy.device, self._folder)
        if self._base is None:
            self._held = [_held(policy, 0)]

    def sync(self, policy: Policy) -> None:
        """Serve the policy's present weights, and prove it. Weights that are held already are not sent again."""
        self._wake()
        if not self.holds(policy):
            self.swaps += 1
            if self._base is None:
                self._write_weights(policy)
                self.process.call("refresh", str(self._folder / _WEIGHTS))
                self._held = [_held(policy, 0)]
            else:
                self._hand_over_adapter(policy)
        self._canary.check(policy, self._song(policy), proven=self._proven())

    def _proven(self) -> bool:
        """Whether vLLM holds the tensors that it was handed, as far as they can be compared: nearly all of them. Not of
        adapters, nor of weights that are divided over GPUs. Raises ``EngineError`` if one is another."""
        if self._base is not None or self._settings.tensor_parallel > 1:
            return False
        found: Compared = self.process.call("compare", str(self._folder / _WEIGHTS / _FILE))
        if found.differ:
            raise EngineError(stale(f"{len(found.differ)} of its tensors differ, {found.differ[0]} among them"))
        return found.share >= _NEARLY_ALL

    def holds(self, policy: Policy) -> bool:
        """Whether the policy's present weights are there to be asked."""
        return self._awake and self._find(policy) is not None

    def generate(self, policy: Policy, asks: Sequence[EngineRequest], sampling: Sampling) -> list[Answer]:
        """Answers of a policy that was synced."""
        return self.generate_for([(policy, ask) for ask in asks], sampling)

    def generate_for(self, asks: Sequence[tuple[Policy, EngineRequest]], sampling: Sampling) -> list[Answer]:
        """Answers of policies that were synced, each to its own requests; adapters of one base have one tokenizer."""
        stops = sorted(asks[0][0].stop_ids()) if asks else []
        return self._generate(asks, sampling, stops)

    def rest(self) -> None:
        """Give the GPU's memory back until the next ``sync``."""
        if self._on_gpu and self._settings.sleep and self._awake:
            self.process.call("sleep")
            self._awake = False

    def close(self) -> None:
        self.process.close()
        self._temporary.cleanup()

    def _wake(self) -> None:
        if not self._awake:
            give_back_memory(self._device)
            self.process.call("wake")
            self._awake = True

    def _generate(
        self,
        asks: Sequence[tuple[Policy, EngineRequest]],
        sampling: Sampling,
        stops: Sequence[int],
        read_prompt: bool = False,
    ) -> list[Answer]:
        held = {id(policy): self._find(policy) for policy, _ in asks}
        numbered = []
        for policy, ask in asks:
            found = held[id(policy)]
            assert found is not None, "sync the policy first"
            numbered.append(ask._replace(adapter=found.adapter))
        answers: list[Answer] = self.process.call("generate", numbered, sampling, stops, read_prompt)
        return answers

    def _song(self, policy: Policy) -> Song:
        """The prompt is read once for its own log-probs and once, through the prefix cache, to write on."""
        ask = [(policy, EngineRequest(canary_prompt(policy), 0))]
        (read,) = self._generate(ask, Sampling(0, 1), (), True)
        (written,) = self._generate(ask, Sampling(0, CANARY_TOKENS), ())
        return Song(read.prompt_logprobs, written.tokens, written.logprobs)

    def _find(self, policy: Policy) -> Held | None:
        wanted = _held(policy, 0).version
        return next((h for h in self._held if h.policy() is policy and h.version == wanted), None)

    def _hand_over_adapter(self, policy: Policy) -> None:
        """Under a new number; adapters of policies that changed or are gone make room."""
        held, self._held = self._held, []
        for each in held:
            if each.policy() not in (None, policy):
                self._held.append(each)
            elif each.adapter:
                self.process.call("drop", each.adapter)
                shutil.rmtree(self._adapter(each.adapter), ignore_errors=True)
        if policy.model is policy.causal_lm:  # the base itself
            self._held.append(_held(policy, 0))
            return
        self._numbers += 1
        save_adapter(policy, self._adapter(self._numbers))
        self.process.call("adapt", self._numbers, str(self._adapter(self._numbers)))
        self._held.append(_held(policy, self._numbers))

    def _adapter(self, number: int) -> Path:
        return self._folder / f"adapter-{number}"

    def _write_weights(self, policy: Policy) -> None:
        """Configuration and weights in the dtype that vLLM computes with; tied weights once. Under the names of a
        checkpoint: those in memory are others where transformers keeps experts in one tensor."""
        tensors: dict[str, torch.Tensor] = {}
        seen: set[int] = set()
        for name, tensor in merged_state(policy).items():
            if tensor.data_ptr() not in seen:
                seen.add(tensor.data_ptr())
                tensors[name] = tensor.detach().to("cpu", policy.compute_dtype)
        # Not by save_pretrained: of several ranks, each with an engine of its own, it writes on the first alone.
        directory = self._folder / _WEIGHTS
        directory.mkdir(exist_ok=True)
        stored = {k: t.contiguous() for k, t in revert_weight_conversion(policy.causal_lm, tensors).items()}
        save_file(stored, directory / _FILE, metadata={"format": "pt"})
        config = type(policy.causal_lm.config).from_dict(policy.causal_lm.config.to_dict())
        config.architectures = [type(policy.causal_lm).__name__]
        config.save_pretrained(directory)

    def _options(self, policy: Policy, lora_rank: int) -> dict[str, Any]:
        """What ``vllm.LLM`` is started with."""
        settings = self._settings
        options: dict[str, Any] = {
            "model": f"./{_WEIGHTS}",  # from its own folder: vLLM compiles anew for every path
            "skip_tokenizer_init": True,  # token ids go in and come out
            "generation_config": "vllm",  # nothing is drawn otherwise than asked
            "dtype": _dtype(policy),
            "max_model_len": self.length,
            "max_num_seqs": settings.max_sequences,
            "use_tqdm_on_load": False,
        }
        if self._on_gpu:
            options |= {
                "gpu_memory_utilization": settings.gpu_memory_share,
                "tensor_parallel_size": settings.tensor_parallel,
                "enable_sleep_mode": settings.sleep,
            }
        else:
            options["enforce_eager"] = True
        if self._base is not None:
            rank = next((r for r in _RANKS if r >= lora_rank), lora_rank)
            options |= {"enable_lora": True, "max_loras": self.adapters, "max_lora_rank": rank}
        return options


def _held(policy: Policy, adapter: int) -> Held:
    """Every change in place raises a tensor's version; one that did not is left to the canary."""
    return Held(weakref.ref(policy), tuple(p._version for p in policy.model.parameters()), adapter)


def _dtype(policy: Policy) -> str:
    return str(policy.compute_dtype).removeprefix("torch.")
