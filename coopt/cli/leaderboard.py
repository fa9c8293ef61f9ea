"""``coopt leaderboard``: entries, their check, and the tables made of them."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coopt.core.errors import ConfigError, EntryError, unknown

if TYPE_CHECKING:
    from coopt.reports.leaderboard.board import Track
    from coopt.reports.leaderboard.check import Checked

leaderboard = typer.Typer(help="Results that anybody can check.", no_args_is_help=True)
RESULTS = Path("benchmarks/results")


@leaderboard.command("add")
def add(
    runs: Annotated[
        list[Path], typer.Argument(help="A finished run, an arm's folder, or runs that differ only in their seeds.")
    ],
    to: Annotated[Path, typer.Option(help="Where to write.")] = RESULTS / "leaderboard",
) -> None:
    """Make entries from a run: one per method, with all its seeds and every answer next to it.

    \b
    Examples:
      coopt leaderboard add runs/NAME
      coopt leaderboard add runs/sweeps/pairs/ARM --to mine
    """
    from coopt.reports.leaderboard.add import add_run
    from coopt.runs.together import open_finished, together

    for path in add_run(together([open_finished(r) for r in runs]), to):
        print(path)


@leaderboard.command("renew")
def renew(
    folder: Annotated[Path, typer.Argument(help="A folder of entries.")] = RESULTS / "leaderboard",
) -> None:
    """Bring entries of an earlier coopt up to date: their numbers are recomputed from their answers.

    The questions must be at hand: the embedded world's always are.

    \b
    Example:
      coopt leaderboard renew mine
    """
    from coopt.reports.leaderboard.entry import ENTRY
    from coopt.reports.leaderboard.renew import renew_entry

    paths = sorted(folder.rglob(f"*{ENTRY}"))
    if not paths:
        raise EntryError(f"{folder}: no entries (NAME{ENTRY}) here.")
    for path in paths:
        print(f"{path}: {'renewed' if renew_entry(path) else 'is up to date'}")


@leaderboard.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="An entry, or a folder of entries.")] = RESULTS,
    questions: Annotated[
        int | None, typer.Option("--rerun", help="Answer this many random questions again, with --run's students.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="The entry's run, for --rerun.")] = None,
    draw: Annotated[int | None, typer.Option(help="Which questions --rerun asks. (default: drawn afresh)")] = None,
) -> None:
    """Check entries: schema, hashes, and every number, recomputed from the per-item outcomes.

    \b
    Examples:
      coopt leaderboard check
      coopt leaderboard check mine/NAME.entry.json
      coopt leaderboard check mine/NAME.entry.json --rerun 20 --run runs/NAME
    """
    if (questions is None) != (run is None):
        raise ConfigError("--rerun K and --run RUN go together: the run's students answer again.")
    if run is not None and path.is_dir():
        raise ConfigError("--rerun takes one entry: NAME.entry.json.")
    with _holding(path) as good:
        for checked in good:
            answers = sum(grid.size for grid in checked.answers.correct.values())
            print(f"{checked.path}: ok, every number follows from {answers:,} answers")
            if run is not None and questions is not None:
                _rerun(checked, run, questions, secrets.randbits(32) if draw is None else draw)


def _rerun(checked: Checked, run: Path, questions: int, draw: int) -> None:
    from coopt.core.quiet import quiet_libraries
    from coopt.reports.leaderboard.rerun import rerun
    from coopt.runs.together import open_finished

    quiet_libraries()
    found = rerun(checked, open_finished(run), questions, draw)
    print(
        f"{checked.path}: {questions} questions (--draw {draw}) answered again: {found.same:,} of {found.answers:,}"
        " answers agree with the entry"
    )


@leaderboard.command("reproduce")
def reproduce(
    path: Annotated[Path, typer.Argument(help="An entry: NAME.entry.json.")],
    out: Annotated[Path | None, typer.Option(help="Where to run. (default: runs/reproduced/NAME)")] = None,
    data: Annotated[str | None, typer.Option(help="The entry's rows, if they are not the embedded world's.")] = None,
    model: Annotated[str | None, typer.Option(help="The entry's base, if it is a folder of the author's.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes. (default: from cores and students)")] = None,
) -> None:
    """Run an entry again from the entry alone, and say whether the result is the same (exit code 1 if not).

    Says first how long the entry took, which versions it was made with, and what counts as the same.

    \b
    Examples:
      coopt leaderboard reproduce mine/NAME.entry.json
      coopt leaderboard reproduce NAME.entry.json --data rows/
    """
    from rich.console import Console

    from coopt.core.quiet import quiet_libraries
    from coopt.core.tables.screen import output, show, show_lines
    from coopt.reports.leaderboard.check import check_entry
    from coopt.reports.leaderboard.foretold import made_with
    from coopt.reports.leaderboard.reproduce import compared, reproduction_table, run_again

    if path.is_dir():
        raise ConfigError(f"{path}: a folder. Give one entry: NAME.entry.json.")
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be at least 1, got {workers}.")
    quiet_libraries()
    checked = check_entry(path)
    folder = out or Path("runs/reproduced") / checked.entry.name
    run = run_again(checked, folder, Console(stderr=True), sys.argv[1:], workers=workers, data=data, model=model)
    again = compared(checked, run)
    console = output()
    show([reproduction_table(checked.entry.name, again.rows)], console)
    outcomes = [row.outcome for row in again.rows]
    worst = next(o for o in ("different", "within interval", "equal") if o in outcomes)
    said = f"{again.same:,} of {again.answers:,} answers agree with the entry"
    show_lines([*made_with(checked.entry), f"{worst}: {said}. Run: {run.directory}"], console)
    if worst == "different":
        sys.exit(1)


@leaderboard.command("build")
def build(
    directory: Annotated[Path, typer.Argument(help="A folder of entries, searched with its subfolders.")] = RESULTS,
    style: Annotated[str, typer.Option("--format", help="rich, md, latex, csv, json or html.")] = "rich",
    out: Annotated[Path | None, typer.Option(help="Write to this file. (default: print)")] = None,
    readme: Annotated[Path | None, typer.Option(help="Also write the table into this Markdown file.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All columns. (csv, json and html always have them)")
    ] = False,
) -> None:
    """Make the tables of all entries that hold. One that fails its check is named (exit code 2, --readme not written).

    What was checked before and has not changed is not checked again (coopt leaderboard check always does so).

    \b
    Examples:
      coopt leaderboard build
      coopt leaderboard build --all
      coopt leaderboard build mine --format md
      coopt leaderboard build mine --format html --out page.html
    """
    from coopt.core.tables.table import FORMATS
    from coopt.reports.leaderboard.board import tracks
    from coopt.reports.leaderboard.readme import write_board

    if style not in (*FORMATS, "html"):
        raise ConfigError(unknown("format", style, (*FORMATS, "html")))
    if style == "rich" and out is not None:
        raise ConfigError("--out needs --format md, latex, csv, json or html.")
    with _holding(directory, again=False, one=False) as good:
        found = tracks(good)
        _show_board(found, style, out, everything=everything)
    if readme is not None:
        write_board(readme, found)


def _show_board(found: Sequence[Track], style: str, out: Path | None, *, everything: bool) -> None:
    """Print the tables, or write them to ``out``."""
    from coopt.core import store
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import FORMATS, render
    from coopt.reports.leaderboard.board import board_tables
    from coopt.reports.leaderboard.page import page

    if style == "rich":
        show(board_tables(found, more=everything), output())
        return
    folder = (out or Path("page")).parent
    if style == "html":
        text = page(found, folder)
    elif style == "md":
        text = render(board_tables(found, folder, more=everything), "md")
    else:
        formats = {str(f): f for f in FORMATS}
        text = render(board_tables(found, more=everything or style in ("csv", "json")), formats[style])
    if out is None:
        print(text)
    else:
        store.write_text(out, text)
        print(out)


@leaderboard.command("export")
def export(
    path: Annotated[Path, typer.Argument(help="An entry, or a folder of entries.")] = RESULTS,
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("every_eval_ever"),
) -> None:
    """Write entries in the schema of Every Eval Ever, for other leaderboards: data/coopt/coopt/MODEL/ID.json each.

    \b
    Examples:
      coopt leaderboard export
      coopt leaderboard export NAME.entry.json --out mine
    """
    from time import time

    from coopt.reports.leaderboard.everyeval import write_evaluation

    with _holding(path, again=False) as good:
        for checked in good:
            print(write_evaluation(checked, out, time()))


@leaderboard.command("schema")
def schema() -> None:
    """Print the JSON Schema of an entry (benchmarks/entry.schema.json)."""
    from coopt.reports.leaderboard.entry import schema as text

    print(text(), end="")


@contextmanager
def _holding(path: Path, *, again: bool = True, one: bool = True) -> Iterator[list[Checked]]:
    """For the block, the entries at a path that hold; after it, or if none does, an ``EntryError``: those that do not
    are named. ``again``: as ``check_entry``; ``one``: the path may be an entry's."""
    from coopt.reports.leaderboard.check import check_entry, check_folder

    if one and not path.is_dir():
        yield [check_entry(path)]
        return
    folder = check_folder(path, again=again)
    if folder.good or not folder.bad:
        yield folder.good
    if folder.bad:
        for line in folder.bad[:-1]:
            typer.echo(f"coopt: {line}", err=True)
        count = f" ({len(folder.bad)} of {len(folder.bad) + len(folder.good)} entries refused)"
        raise EntryError(folder.bad[-1] + (count if len(folder.bad) > 1 else ""))
