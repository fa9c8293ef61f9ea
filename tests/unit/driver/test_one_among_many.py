"""One damaged run among others: commands that look at many show the others, and say what is wrong with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.conftest import Command
from tests.unit.small_runs import write_run

SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "deep": lambda content: b"[" * 100_000,
    "a huge number": lambda content: b'{"a": ' + b"9" * 5_000 + b"}",
    "another shape": lambda content: b"[1, 2]",
    "nothing": lambda content: b"null",
    "no text": lambda content: b"\xff\xfe\x00",
}
FILES = ("config.json", "journal.jsonl", "results.json", "provenance.json", "seeds/0/init/scores/test/r0/s1.json")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "good"
    write_run(folder, methods=("sdpo",))
    return folder


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_run_hides_no_other(cli: Command, tmp_path: Path, good: Path, how: str, file: str) -> None:
    for name in ("good", "spoilt", "whole"):
        shutil.copytree(good, tmp_path / "runs" / name)
    path = tmp_path / "runs/spoilt" / file
    path.write_bytes(SPOILT[how](path.read_bytes()))
    for command in ("status", "check"):
        done = cli(command, "runs")
        assert done.code in (0, 1), done.err
        assert done.err == ""
        for name in ("good", "spoilt", "whole"):
            assert name in done.out
    for name in ("good", "whole"):
        assert cli("report", f"runs/{name}").code == 0
    assert cli("compare", "runs/good", "runs/whole").code == 0
    for command in (["report", "runs/spoilt"], ["status", "runs/spoilt"]):
        done = cli(*command)
        assert done.code in (0, 2)
        assert done.err.count("\n") == (done.code == 2)
