"""``coopt ARGS`` for tests without its imports, which cost more than most of these calls: a process that has made them
forks one for every call.

A call remains a process of its own: session, folder, environment, streams and arguments are its own, and its exit code
or signal is the true one. The server of workers, too, is a fork and not a fresh Python. What such a process cannot show
needs a fresh one (``run_coopt(..., fresh=True)``): what happens while Python starts and imports, hash seeds, and
variables that are read then; also who is found by its environment in /proc, which is that of the first process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing import connection, forkserver, resource_tracker
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_IMPORTED = (
    "coopt.cli.entry", "coopt.cli.main", "coopt.driver.bench", "coopt.driver.tasks.launch",
    "coopt.driver.tasks.perform", "coopt.reports.tables", "peft", "torch.distributed.checkpoint",
    "torch.distributed.fsdp", "transformers.models.auto.modeling_auto", "transformers.models.qwen3.modeling_qwen3",
)  # fmt: skip
_READ_LATE = ("COOPT_", "PYTEST_")
"""Beginnings of variables that nobody reads before a command runs. With others a call needs a fresh Python."""
_ROOM = 1 << 17  # bytes of a call


class Zygote:
    """The process that forks. It ends with this one."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = _early(os.environ)
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.zygote", str(there.fileno())],
                cwd=_ROOT, env=os.environ | {"OMP_WAIT_POLICY": "passive"}, pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        atexit.register(self._end)

    def _end(self) -> None:
        self._here.close()
        self._process.wait()

    def _hear(self, timeout: float = 120) -> int:
        self._here.settimeout(timeout)
        said = self._here.recv(_ROOM)
        if not said:
            assert self._process.stderr is not None
            raise RuntimeError(f"tests.zygote is gone: {self._process.stderr.read().decode()}")
        return int(said)

    def can(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with this environment may be a fork."""
        return _early(environment) == self._environment

    def run(
        self, arguments: Sequence[str], at: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run`` with captured text in a session of its own; one call at a time."""
        until = time.monotonic() + timeout
        call = {"arguments": arguments, "at": str(at), "environment": dict(environment)}
        (out, out_there), (error, error_there) = os.pipe(), os.pipe()
        streams = [os.open(os.devnull, os.O_RDONLY), out_there, error_there]
        with open(out, "rb", buffering=0), open(error, "rb", buffering=0):
            try:
                socket.send_fds(self._here, [json.dumps(call).encode()], streams)
            finally:
                _close(streams)
            pid = self._hear()
            try:
                said = _read([out, error], until)
                code = self._hear(max(0.01, until - time.monotonic()))
            except BaseException as problem:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                self._hear()
                if isinstance(problem, TimeoutError):
                    raise subprocess.TimeoutExpired(["coopt", *arguments], timeout) from None
                raise
        return subprocess.CompletedProcess(["coopt", *arguments], code, *(s.decode() for s in said))


@cache
def zygote() -> Zygote:
    """That of this process."""
    return Zygote()


def _close(descriptors: Sequence[int]) -> None:
    for each in descriptors:
        os.close(each)


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_READ_LATE)}


def _read(pipes: Sequence[int], until: float) -> list[bytes]:
    """All that comes out of them, until nobody holds the other end."""
    said: dict[int, bytes] = dict.fromkeys(pipes, b"")
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                said[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
    return list(said.values())


def _serve(calls: socket.socket) -> tuple[bytes, list[int]]:
    """Fork for every call, and say the fork's id and then how it ended. Only a fork returns, with its call."""
    while True:
        call, streams, _, _ = socket.recv_fds(calls, _ROOM, 3)
        if not call:
            os._exit(0)  # whoever asked is gone
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of numpy's, which mind no fork
            pid = os.fork()
        if pid == 0:
            calls.close()
            return call, streams
        _close(streams)
        calls.send(str(pid).encode())
        calls.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(call: bytes, streams: Sequence[int]) -> None:
    """Be ``python -m coopt ARGUMENTS``."""
    asked = json.loads(call)
    os.setsid()
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    _close(streams)
    os.chdir(asked["at"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None
    sys.path[0] = asked["at"]
    sys.argv[1:] = asked["arguments"]
    if sys.version_info < (3, 14):  # from then on it is started in another way
        _fork_the_server()
    runpy.run_module("coopt", run_name="__main__", alter_sys=True)


def _fork_the_server() -> None:
    """Have a fork ready, made before there are threads, to be multiprocessing's server of forked processes."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        here.close()
        _be_the_server(there)
    there.close()
    server: Any = forkserver._forkserver
    spare, afresh = [here], server.ensure_running

    def ensure_running() -> None:
        with server._lock:
            if spare:
                resource_tracker.ensure_running()
                _begin(server, pid, spare.pop())
                return
        afresh()

    server.ensure_running = forkserver.ensure_running = ensure_running


def _begin(server: Any, pid: int, spare: socket.socket) -> None:
    """What ``ForkServer.ensure_running`` does, but for the start of a process."""
    with spare, socket.socket(socket.AF_UNIX) as listener:
        address = connection.arbitrary_address("AF_UNIX")  # type: ignore[attr-defined]
        listener.bind(address)
        os.chmod(address, 0o600)
        listener.listen()
        alive, ours = os.pipe()
        socket.send_fds(spare, [json.dumps(dict(os.environ)).encode()], [listener.fileno(), alive])
        os.close(alive)
    server._forkserver_address, server._forkserver_alive_fd, server._forkserver_pid = address, ours, pid


def _be_the_server(asked: socket.socket) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as coopt has it when it starts one
    try:
        environment, given, _, _ = socket.recv_fds(asked, _ROOM, 2)
        asked.close()
        if environment:
            os.environ.clear()
            os.environ.update(json.loads(environment))
            listener, alive = given
            forkserver.main(listener, alive, [])
    except SystemExit:
        pass
    finally:
        os._exit(0)


if __name__ == "__main__":
    _calls = socket.socket(fileno=int(sys.argv[1]))
    for _name in _IMPORTED:
        importlib.import_module(_name)
    gc.collect()
    gc.freeze()  # else every fork copies what its collector looks at
    _become(*_serve(_calls))
