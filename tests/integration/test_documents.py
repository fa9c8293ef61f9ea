"""Documents can be followed: their commands exist, and what README and tutorial tell one to type is run.

A bench is run with ``SMALL`` settings in the tutorial and only planned in the README; ``QUICK`` has what some other
commands get. A block that cannot run here carries ``<!-- not run: REASON -->``.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typer
from nbclient import NotebookClient

import coopt
from coopt.cli.main import app, main
from coopt.core.config.load import parse_setting, setting_keys
from coopt.driver.plan.speed import REFERENCE
from coopt.methods.registry import all_methods
from tests.integration.conftest import of_all_processes, run_coopt
from tests.integration.documents import ROOT, blocks, commands_of_coopt, words

RUN = ("README.md", "docs/tutorial.md", "docs/own-gate.md")
DOCUMENTS = [p.relative_to(ROOT).as_posix() for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))]
LANGUAGES = {"bash", "python", "text", "csv", "toml"}
SMALL = [
    "rounds.rounds=1", "rounds.steps=1", "break_rate.questions=2", "world.specialist_steps=2",
]  # fmt: skip
QUICK: Mapping[str, tuple[str, ...]] = {
    "eval": ("--smoke",),
    "break-rate": ("--smoke", "--questions", "1", "--set", "rounds.rollouts=2"),
    "probe": ("--questions", "3", "--rollouts", "2"),
    "sweep": ("--dry-run",),
}
NOTEBOOK = ROOT / "docs/notebooks/first_run.ipynb"


def small() -> list[str]:
    return ["--smoke", "--workers", "2", *(word for s in SMALL for word in ("--set", s))]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the documents' commands name. Processes of pytest-xdist share it; nobody writes there."""
    folder = of_all_processes(tmp_path_factory) / "documents"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").is_file():
            arguments = ("bench", "--topology", "pair", "--domains", "phys,chem", "--out", "runs/first", *small())
            done = run_coopt(*arguments, at=folder)
            assert done.returncode == 0, done.stderr
            for document in ("docs/data.md", "docs/topologies.md"):
                for block in blocks(document):
                    if block.file:
                        (folder / block.file).write_text(block.text)
            (folder / "slurm").symlink_to(ROOT / "slurm")
            (folder / "ready").touch()
    return folder


@pytest.fixture
def reader(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder: runs/first is finished and other names stand for it; Python benches are small, and plans do
    not measure this machine."""
    folder = tmp_path / "reader"
    shutil.copytree(made, folder, symlinks=True, ignore=shutil.ignore_patterns("lock", "ready"))
    for name in ("NAME", "RING", "STAR"):
        (folder / "runs" / name).symlink_to("first")
    for number in (1, 2):
        (folder / f"DIR{number}").symlink_to(f"runs/first/seeds/0/init/s{number}/model")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    plain = coopt.load_config

    def load_config(*, settings: Any = (), **given: Any) -> Any:
        return plain(settings=[*settings, *SMALL], **given)

    monkeypatch.setattr(coopt, "load_config", load_config, raising=False)
    monkeypatch.setattr("coopt.driver.plan.choose.probe_speed", lambda config, threads: REFERENCE)
    return folder


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_exist(document: str) -> None:
    """Every option of every ``coopt ...`` in the documents is one of that command's, and every setting exists."""
    wrong = [f"{text}: {fault}" for text, in_block in commands_of_coopt(document) if (fault := refused(text, in_block))]
    assert not wrong, "\n".join(wrong)


def refused(text: str, in_block: bool) -> str:
    """Why the command line would refuse a command, without running it; empty if it would not."""
    arguments = words(text)
    if not arguments:
        return ""
    command: Any = typer.main.get_command(app)
    name = "coopt"
    context = None
    try:
        while True:
            context = command.make_context(name, list(arguments), parent=context)
            if not hasattr(command, "resolve_command"):
                break
            name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
    except Exception as error:  # typer does not export the classes
        kind = type(error).__name__
        too_short = (
            kind in ("MissingParameter", "NoArgsIsHelpError") and not in_block
        )  # a sentence names the command alone
        return "" if kind == "Exit" or too_short else f"{kind}: {error}"
    return unknown_setting(context.params.get("settings") or ())


def unknown_setting(given: Any) -> str:
    keys = {*setting_keys(), *(f"options.{n}.{k}" for n, m in all_methods().items() for k in m.Options.model_fields)}
    for setting in given if isinstance(given, (list, tuple)) else ():
        parse_setting(setting)
        key = setting.partition("=")[0]
        if key not in keys and not key.startswith("gate.options.") and not re.search(r"\b[A-Z]+\b", key):
            return f"no setting {key}"
    return ""


@pytest.mark.parametrize("document", RUN)
def test_blocks_say_what_they_are_and_why_they_are_not_run(document: str) -> None:
    for block in blocks(document):
        assert block.language in LANGUAGES, f"{document}:{block.line}: a block of what? One of {sorted(LANGUAGES)}"
        assert not block.reason or len(block.reason.split()) > 2, f"{document}:{block.line}: a mark says why"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {w for b in blocks(document) if b.language == "bash" for c in b.commands if c.startswith("make ")
             for w in shlex.split(c)[1:] if "=" not in w}  # fmt: skip
    assert named <= targets


@pytest.mark.slow
@pytest.mark.parametrize("document", RUN)
def test_what_a_document_tells_to_type_works(
    document: str, reader: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for block in blocks(document):
        if block.file:
            (reader / block.file).write_text(block.text)
        if block.reason:
            continue
        if block.language == "python":
            exec(compile(block.text, f"{document}:{block.line}", "exec"), names)  # the document is the test
        for command in block.commands if block.language == "bash" else ():
            arguments = words(command)
            assert arguments, f"{document}:{block.line}: {command}: not a command of coopt: mark the block"
            code = typed([*arguments, *instead(document, arguments)], monkeypatch)
            assert code == 0, f"{document}:{block.line}: {command}\n{capsys.readouterr().err}"


def instead(document: str, arguments: list[str]) -> list[str]:
    """What a command gets beside its own arguments, so that it takes seconds."""
    if arguments[0] == "bench":
        planned = "--dry-run" in arguments or document != "docs/tutorial.md"
        return ["--smoke", "--dry-run"] if planned else small()
    return [a for a in QUICK.get(arguments[0], ()) if not {"--list", a} & set(arguments)]


def typed(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["coopt", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.slow
def test_the_notebook_runs(reader: Path) -> None:
    """Its own cells, after one that makes benches small; the committed outputs are those of the whole smoke bench."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = f"import coopt\n_plain = coopt.load_config\ncoopt.load_config = lambda **k: _plain(settings={SMALL!r}, **k)"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(code))
    os.environ.setdefault("PYTHONPATH", str(ROOT))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(reader)}}).execute()
    shown = [kind for cell in notebook.cells for out in cell.get("outputs", []) for kind in out.get("data", {})]
    assert {"text/html", "image/svg+xml"} <= set(shown)


def test_the_notebook_is_kept_with_its_outputs() -> None:
    cells = [c for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    assert not any(out.output_type == "error" for c in cells for out in c.outputs)


def test_the_reference_has_every_public_name() -> None:
    named = re.findall(r"^::: (\S+)$", (ROOT / "docs/reference/python.md").read_text(), re.MULTILINE)
    checks = importlib.import_module("coopt.testing").__all__
    assert sorted(named) == sorted([f"coopt.{n}" for n in dir(coopt)] + [f"coopt.testing.{n}" for n in checks])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_lists_and_tables_begin_after_a_blank_line(document: str) -> None:
    """Python-Markdown, which makes the site, would else read them as part of the paragraph before."""
    text = re.sub(r"^```.*?^```", "", (ROOT / document).read_text(), flags=re.MULTILINE | re.DOTALL)
    begins = r"^(?!\s*$|#|- |\d+\. |\||  |<!--)[^\n]*\n(?=- |\d+\. |\| )"
    after_item = r"^(?:- |\d+\. |  )"
    before = [m[0] for m in re.finditer(begins, text, re.MULTILINE) if not re.match(after_item, m[0])]
    assert not before, before
