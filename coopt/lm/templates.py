"""A chat template is a program of whoever made the model: it is rendered in a process of its own, which has a bounded
time, memory and output, and can be lost. The embedded model's template is coopt's and rendered here.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import selectors
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from coopt.core.errors import ModelError
from coopt.core.outside.files import read_text
from coopt.core.outside.parse import parse_own
from coopt.core.temporary import helper
from coopt.lm.embedded.tokenizer import CHAT_TEMPLATE

SECONDS = 20.0
"""Until a template is given up."""
MOST_CHARACTERS = 4_000_000
_MOST_MEMORY = 1 << 30  # bytes beyond what the process has when it begins
_START = 120.0  # seconds for the process itself, on a machine that is busy
Message = Mapping[str, str]


def render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], **more: Any) -> str:
    """What ``apply_chat_template`` makes of messages, with the assistant's header. Raises ``TemplateError`` where the
    template does, ``ModelError`` where it goes beyond its bounds."""
    template = tokenizer.get_chat_template()
    if template == CHAT_TEMPLATE:
        own = [dict(message) for message in messages]
        return str(tokenizer.apply_chat_template(own, tokenize=False, add_generation_prompt=True, **more))
    order = {"template": template, "messages": list(messages), "more": {**tokenizer.special_tokens_map, **more}}
    return _renderer().render(order)


class Renderer:
    """The process that renders, started anew after it was lost."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, order: Mapping[str, Any]) -> str:
        with self._lock:
            if self._process is not None and self._process.poll() is not None:  # killed since, as by a full memory
                self.close()
            if self._process is None:
                self._process = self._start()
            line = None
            with suppress(OSError):  # it is lost
                _pipe(self._process.stdin).write(json.dumps(order, default=str).encode() + b"\n")
                _pipe(self._process.stdin).flush()
                line = self._read(time.monotonic() + SECONDS)
        if line is None:
            self.close()
            raise ModelError(
                f"the model's chat template exceeded its limits ({SECONDS:g} s, 1 GiB, {MOST_CHARACTERS:,}"
                " characters). Use another model, or fix its chat_template."
            )
        answer = parse_own(line.decode())
        if "error" in answer:
            raise TemplateError(answer["error"])
        return str(answer["text"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                _pipe(process.stdin).close()
            process.kill()
            process.wait()
            _pipe(process.stdout).close()

    def _start(self) -> subprocess.Popen[bytes]:
        command, environment = helper("coopt.lm.render")
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._process = process
        if self._read(time.monotonic() + _START) is None:
            self.close()
            raise ModelError("the process for chat templates does not start. Is the machine out of memory?")
        return process

    def _read(self, until: float) -> bytes | None:
        """The next line of the process; None if there is none in time, or it is too long."""
        assert self._process is not None
        pipe = _pipe(self._process.stdout)
        line = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, until - time.monotonic())):
                    return None
                part = os.read(pipe.fileno(), 1 << 16)
                line += part
                if not part or len(line) > 8 * MOST_CHARACTERS:
                    return None
        return bytes(line)


def serve(orders: IO[str], answers: IO[str]) -> None:
    """The process itself: an order a line, an answer a line; ends with whoever asks."""
    from transformers.utils.chat_template_utils import render_jinja_template

    used = int(read_text(Path("/proc/self/statm")).split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_MEMORY,) * 2)
    print("{}", file=answers, flush=True)
    for line in orders:
        spent = resource.getrusage(resource.RUSAGE_SELF)
        # Whoever asks may be gone by the time that a template does not end.
        limit = int(spent.ru_utime + spent.ru_stime + SECONDS) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        order = parse_own(line)
        try:
            rendered = render_jinja_template(
                [order["messages"]], chat_template=order["template"], add_generation_prompt=True, **order["more"]
            )
            text = rendered[0][0]
            if len(text) > MOST_CHARACTERS:
                return
        except MemoryError:
            return
        except Exception as error:  # whatever a template does, it is the template's fault
            answer = {"error": (str(error) or type(error).__name__)[:300]}
        else:
            answer = {"text": text}
        print(json.dumps(answer), file=answers, flush=True)


_own: Renderer | None = None


def _renderer() -> Renderer:
    """This process's own: a fork must not speak through its parent's."""
    global _own
    if _own is None or _own.pid != os.getpid():
        _own = Renderer()
        atexit.register(_own.close)
    return _own


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
