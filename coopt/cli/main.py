"""The command line: ``coopt COMMAND``; ``coopt --help`` lists them.

User errors become one line and exit code 2. torch is imported only by commands that compute.
"""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

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
from coopt.cli.report import report
from coopt.cli.simulate import simulate
from coopt.cli.status import logs, status
from coopt.cli.sweep import sweep
from coopt.cli.topo import topo
from coopt.core.errors import CooptError
from coopt.core.text import one_line
from coopt.core.version import __version__

# typer does not export the base of its usage errors.
_CommandLineError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
_INTERRUPTED = 130  # what typer returns, and does not raise, after Ctrl-C

app = typer.Typer(
    name="coopt",
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


def main() -> None:
    """Run a command; a user's error is one line on stderr."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        code = app(standalone_mode=False)  # of a command that ends by typer.Exit; else None
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        if code:
            sys.exit(code)
    except CooptError as error:
        console.print(f"coopt: {error}", markup=False)
        sys.exit(error.exit_code)
    except _CommandLineError as error:
        console.print(f"coopt: {one_line(error.format_message())} Try --help.", markup=False)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        console.print("coopt: stopped. Nothing finished is lost: run the same command again to resume.")
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG):
            raise
        where = one_line(str(error.filename or "run directory"))
        console.print(
            f"coopt: {error.strerror} ({where}). Nothing finished is lost: make room"
            " or choose another --out, then run the same command again.",
            markup=False,
        )
        sys.exit(1)
