"""Starting the process that holds vLLM, talking to it, and saying in one line what became of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from coopt.core.config.engine import EngineConfig
from coopt.core.errors import CooptError, EngineError, KilledError
from coopt.core.kernel import OutOfMemory
from coopt.core.outside.files import read_end
from coopt.core.temporary import INDUCTOR, marks, own_folder

_OF_THE_RANK = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "TORCHELASTIC_USE_AGENT_STORE",
)  # fmt: skip
"""What tells a trainer's process its place among its ranks: vLLM has no part in that."""


class ServerProcess:
    """A running ``python -m coopt.lm.engines``. It ends with this process, or when it is closed.

    What it prints goes to ``folder/log``. Raises ``EngineError`` if it does not start.
    """

    def __init__(self, options: dict[str, Any], settings: EngineConfig, device: torch.device, folder: Path) -> None:
        self.log, self._memory = folder / "log", OutOfMemory()
        self._pipe, theirs = multiprocessing.Pipe()
        arguments = [str(theirs.fileno()), str(os.getpid()), str(folder), json.dumps(options)]
        with self.log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "coopt.lm.engines", *arguments],
                env=_environment(settings, device) | marks() | {"TMPDIR": str(folder)},  # vLLM tidies up nothing
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )
        theirs.close()
        if not self._pipe.poll(settings.start_seconds):
            self.close()
            raise EngineError(
                f"vllm did not start within engine.start_seconds = {settings.start_seconds:g}. Raise it, or take"
                " --engine hf."
            )
        self._answer("start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method of ``Server`` returns. Raises ``EngineError`` if it fails or the process is gone,
        ``KilledError`` if somebody killed that."""
        try:
            self._pipe.send((method, arguments))
        except OSError:
            raise self._gone(method) from None
        return self._answer(method)

    def _answer(self, method: str) -> Any:
        try:
            good, value = self._pipe.recv()
        except (EOFError, OSError):
            raise self._gone(method) from None
        if not good:
            raise EngineError(f"vllm failed to {method}: {value}")
        return value

    def _gone(self, method: str) -> CooptError:
        code = self._process.wait()
        lines = read_end(self.log).split("\n")
        last = next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")
        said = f"vllm ended while it was to {method} (exit code {code}: {last})"
        advice = "Nothing finished is lost: run the same command again to resume"
        if code >= 0:
            return EngineError(f"{said}. {advice}.")
        why = self._memory.why()
        smaller = ", with --workers 1 or a smaller engine.max_sequences" if why else ""
        name = signal.Signals(-code).name
        return KilledError(f"vllm ended while it was to {method}: killed by {name}{why}. {advice}{smaller}.")

    def close(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()


def _environment(settings: EngineConfig, device: torch.device) -> dict[str, str]:
    """The server's environment: no network, no chatter, as many threads as this process computes with."""
    vllm = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_HOST_IP": "127.0.0.1",  # nobody else is to reach it, and a node's own name need not resolve
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "TRITON_F32_DEFAULT": "ieee",  # float32 as the trainer's; Triton's own default on a GPU is TF32
        "VLLM_CPU_KVCACHE_SPACE": str(settings.cpu_cache_gib),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # workers would all be bound to the same cores
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
    }
    if device.type == "cpu":
        vllm["TORCH_COMPILE_DISABLE"] = "1"  # the CPU wheel comes without a compiler
    elif settings.tensor_parallel == 1:  # the card of the policy: ranks have one each
        seen = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
        vllm["CUDA_VISIBLE_DEVICES"] = seen.split(",")[device.index or 0]
    # What torch compiles for a worker goes with its run; what it compiles for vLLM is to be there for the next.
    own = {INDUCTOR} if os.environ.get(INDUCTOR, "").startswith(f"{own_folder()}/") else set()
    return {k: v for k, v in os.environ.items() if k not in {*_OF_THE_RANK, *own}} | vllm
