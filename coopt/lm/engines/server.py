"""vLLM in a process of its own: ``python -m coopt.lm.engines FD PARENT FOLDER OPTIONS``.

A process of its own, because vLLM wants its environment set before it is imported, seeds global generators, and has
its own idea of torch.distributed, which the trainer's ranks use for something else. Requests and answers are Python
objects over a pipe; weights come as safetensors files.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from coopt.core.outside.parse import parse_json
from coopt.lm.engines.base import Sampling
from coopt.lm.engines.weights import Compared, compare


class EngineRequest(NamedTuple):
    """One response to be drawn: prompt ids, its seed, and the number of the adapter that answers (0: none)."""

    prompt: Sequence[int]
    seed: int
    adapter: int = 0


class Answer(NamedTuple):
    """The tokens drawn and their log-probs; of the prompt's tokens (after the first) where they were asked for."""

    tokens: list[int]
    logprobs: list[float]
    prompt_logprobs: list[float]


class Server:
    """One vLLM engine: a model directory's architecture, whose weights are replaced, or a base with adapters."""

    def __init__(self, options: dict[str, Any]) -> None:
        from vllm import LLM

        self.llm = LLM(**options)
        self.adapters: dict[int, Any] = {}

    def refresh(self, directory: str) -> None:
        """Load other weights of the same architecture; nothing cached under the old ones survives."""
        from vllm.platforms import current_platform

        self.llm.collective_rpc("reload_weights", kwargs={"weights_path": directory})
        if current_platform.is_cpu():
            self.llm.apply_model(repack_head)
        self.forget()

    def compare(self, path: str) -> Compared:
        """Whether the tensors that are served are those of a file."""
        found: list[Compared] = self.llm.apply_model(partial(compare, path=path))
        return found[0]

    def forget(self) -> None:
        if not self.llm.reset_prefix_cache():
            raise RuntimeError("the prefix cache could not be reset")

    def adapt(self, number: int, directory: str) -> None:
        """Serve an adapter under a number that was never used before: vLLM keeps what a number once meant."""
        from vllm.lora.request import LoRARequest

        self.adapters[number] = LoRARequest(str(number), number, directory)

    def drop(self, number: int) -> None:
        """Forget an adapter."""
        self.llm.llm_engine.remove_lora(number)
        del self.adapters[number]

    def generate(
        self, asks: Sequence[EngineRequest], sampling: Sampling, stops: Sequence[int], read_prompt: bool
    ) -> list[Answer]:
        """Answers in order. Greedy at temperature 0."""
        from vllm import SamplingParams

        parameters = [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=ask.seed,
                logprobs=0,
                prompt_logprobs=0 if read_prompt else None,
                stop_token_ids=list(stops),
                ignore_eos=True,  # only our own stops end a response
                detokenize=False,
            )
            for ask in asks
        ]
        prompts: Any = [{"prompt_token_ids": list(ask.prompt)} for ask in asks]
        adapters: Any = [self.adapters[ask.adapter] if ask.adapter else None for ask in asks]
        lora = adapters if any(adapters) else None
        return [_answer(o) for o in self.llm.generate(prompts, parameters, use_tqdm=False, lora_request=lora)]

    def sleep(self) -> None:
        """Give the GPU's memory back; weights wait on the CPU."""
        self.forget()
        self.llm.sleep(level=1)

    def wake(self) -> None:
        self.llm.wake_up()


def repack_head(model: Any) -> None:
    """On CPUs a tied output head computes with a packed copy of the embeddings that a reload does not touch."""
    head = getattr(model, "lm_head", None)
    head = getattr(head, "base_layer", head)
    if hasattr(head, "cpu_linear"):
        from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

        dispatch_cpu_unquantized_gemm(head, remove_weight=False)


def _answer(output: Any) -> Answer:
    (only,) = output.outputs
    tokens = list(only.token_ids)
    logprobs = [found[token].logprob for token, found in zip(tokens, only.logprobs, strict=True)]
    read = output.prompt_logprobs or [None]
    prompt = zip(output.prompt_token_ids[1:], read[1:], strict=True) if read[1:] else ()
    return Answer(tokens, logprobs, [found[token].logprob for token, found in prompt])


def serve(connection: Connection, options: dict[str, Any]) -> None:
    """Start, then answer (method, arguments) with (True, result) or (False, why) until the other end closes."""
    try:
        server = Server(options)
    except Exception as error:  # whatever it is, the other side says it in one line
        connection.send((False, _line(error)))
        return
    connection.send((True, None))
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = True, getattr(server, method)(*arguments)
        except Exception as error:
            answer = False, _line(error)
        connection.send(answer)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


def main() -> None:
    descriptor, parent, folder, options = sys.argv[1:]
    threading.Thread(target=_end_with, args=(int(parent), folder), daemon=True).start()
    serve(Connection(int(descriptor)), parse_json(options))
    shutil.rmtree(folder, ignore_errors=True)


def _end_with(parent: int, folder: str) -> None:
    """Whoever started this was killed: leave no process and no weights behind."""
    while os.getppid() == parent:
        time.sleep(1.0)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
