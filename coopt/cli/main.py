"""The command line: ``coopt COMMAND``; ``coopt --help`` lists them.

User errors become one line and exit code 2. torch is imported only by commands that compute.
"""

from __future__ import annotations

import select
import signal
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from coopt.cli.advantages import advantages
from coopt.cli.bench import NamesMethods, bench
from coopt.cli.break_rate import break_rate
from coopt.cli.cancel import cancel
from coopt.cli.check import check
from coopt.cli.compare import compare
from coopt.cli.data import data
from coopt.cli.env import env
from coopt.cli.evaluate import evaluate
from coopt.cli.export import export
from coopt.cli.leaderboard import leaderboard
from coopt.cli.probe import probe
from coopt.cli.report import report
from coopt.cli.simulate import simulate
from coopt.cli.status import logs, status
from coopt.cli.stopped import INTERRUPTED, STOPPED
from coopt.cli.sweep import sweep
from coopt.cli.topo import topo
from coopt.core.errors import CooptError, DamagedError, KilledError
from coopt.core.full import cannot_write
from coopt.core.text import one_line
from coopt.core.version import __version__

# typer does not export the base of its usage errors.
_CommandLineError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


class _Commands(TyperGroup):
    """A pipe to a helper that was killed is none to the terminal: typer ends without a word at the one, and takes the
    other's end for Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, EOFError) as error:
            if isinstance(error, BrokenPipeError) and _reader_is_gone():
                raise
            raise KilledError(
                "a process that this command had started was killed. Nothing finished is lost: run the same command"
                " again."
            ) from None


def _reader_is_gone() -> bool:
    """Whether nobody reads any more what is printed, as after ``| head``."""
    printed = select.poll()
    for stream in (1, 2):
        printed.register(stream, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in printed.poll(0))


app = typer.Typer(
    name="coopt",
    cls=_Commands,
    help="N-agent co-distillation: language models that teach one another, and honest tables of who got better.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"coopt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command("bench", cls=NamesMethods)(bench)
app.command("break-rate")(break_rate)
app.command("cancel")(cancel)
app.command("check")(check)
app.command("compare")(compare)
app.command("eval")(evaluate)
app.command("export")(export)
app.command("probe")(probe)
app.command("report")(report)
app.command("advantages")(advantages)
app.command("simulate")(simulate)
app.command("sweep")(sweep)
app.command("status")(status)
app.command("logs")(logs)
app.command("env")(env)
app.add_typer(data, name="data")
app.add_typer(leaderboard, name="leaderboard")
app.add_typer(topo, name="topo")


def _told(error: CooptError) -> str:
    """Its line; of what a run has lost, with the run's own command."""
    if not isinstance(error, DamagedError):
        return str(error)
    from coopt.runs.provenance import told

    return told(error)


def main() -> None:
    """Run a command; a user's error is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the locale cannot say ends no command
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        code = app(standalone_mode=False)  # of a command that ends by typer.Exit; else None
        if code == INTERRUPTED:  # typer returns it, and does not raise
            raise KeyboardInterrupt
        if code:
            sys.exit(code)
    except CooptError as error:
        console.print(f"coopt: {_told(error)}", markup=False)
        sys.exit(error.exit_code)
    except _CommandLineError as error:
        console.print(f"coopt: {one_line(error.format_message())} Try --help.", markup=False)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing more is to be said
        console.print(STOPPED, markup=False)
        sys.exit(INTERRUPTED)
    except OSError as error:
        said = cannot_write(error)
        if said is None:
            raise
        console.print(f"coopt: {said}", markup=False)
        sys.exit(1)
