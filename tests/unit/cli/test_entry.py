"""Ctrl-C is one line at any moment of the command line, whatever a library makes of it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

HEARD = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # tests in the background have none
BEGIN = """
import os, signal, sys, types
def interrupt(): os.kill(os.getpid(), signal.SIGINT)
main = types.ModuleType("coopt.cli.main")
sys.modules["coopt.cli.main"] = main
"""
ENTER = "from coopt.cli import entry\nentry.main()"


@pytest.mark.parametrize(
    "body",
    [
        "interrupt()",
        "try: interrupt()\n    except KeyboardInterrupt: raise ImportError('numpy is broken')",
        "class It:\n        def __del__(self): interrupt()\n    It(); import time; time.sleep(5)",
    ],
)
def test_it_is_one_line(body: str) -> None:
    code = f"{HEARD}{BEGIN}def run():\n    {body}\nmain.main = run\n{ENTER}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert done.stderr == "coopt: stopped. Nothing finished is lost: run the same command again to resume.\n"


def test_whoever_ignores_it_goes_on_ignoring_it() -> None:
    code = f"{BEGIN}main.main = interrupt\n{ENTER}\nprint('done')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


LOST = """
from coopt.cli import main
@main.app.command("lose")
def lose():
    {body}
main.main()
"""


@pytest.mark.parametrize("body", ["import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')", "raise EOFError"])
def test_a_helper_that_is_lost_is_neither_silence_nor_ctrl_c(body: str) -> None:
    """typer ends with code 1 and no word after any broken pipe, and calls the end of any file an interrupt."""
    done = subprocess.run(
        [sys.executable, "-c", LOST.format(body=body), "lose"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "coopt: a process that this command had started was killed. Nothing finished is lost: run the same command"
        " again.\n"
    )


def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    code = LOST.format(body="import time; time.sleep(1); print('x' * 100_000, flush=True)")
    process = subprocess.Popen([sys.executable, "-c", code, "lose"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1


@pytest.mark.parametrize("code", [0, 3])
def test_what_has_ended_is_not_stopped_while_python_tidies_up(code: int) -> None:
    """Python gives up its handlers before it takes its modules down; Ctrl-C would end it otherwise."""
    late = "class Late:\n    def __del__(self, kill=os.kill, me=os.getpid()): kill(me, 2)\nsys.late = Late()\n"
    body = f"{HEARD}{BEGIN}{late}def run(): sys.exit({code})\nmain.main = run\n{ENTER}"
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (code, "")
