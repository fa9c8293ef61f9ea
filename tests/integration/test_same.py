"""``make same`` on one commit: two runs alike are the same, and a single bit, key or score that is not is named."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.same.again import made_alike, read_again
from benchmarks.same.checkout import HERE
from benchmarks.same.compare import Difference
from benchmarks.same.perform import Checkout, run_folder
from benchmarks.same.runs import QUICK, Run, command
from benchmarks.same.weights import keep_digests

pytestmark = pytest.mark.slow
TINY = Run(
    "tiny",
    "one student, one step",
    (
        command(
            "bench.json",
            f"{QUICK} --topology solo --domains phys --method sdpo --json --set rounds.rounds=1 --set data.test=3"
            " --set data.validation=3 --set model.specialise=none",
        ),
    ),
    (command("report.txt", "report RUN"),),
    resumes=True,  # its weights stay
)


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(HERE, tmp_path_factory.mktemp("results"), proxy="")
    checkout.check()
    return checkout


@pytest.fixture(scope="session")
def made(here: Checkout, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same run, twice; the first is read, too. The processes of pytest-xdist share them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "same"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            for side in ("base", "new"):
                here.make(TINY, folder / side)
            here.perform(TINY.reads, folder / "base")
            (folder / "done").touch()
    return [folder / "base", folder / "new"]


def test_two_runs_of_the_same_code_are_the_same(made: list[Path]) -> None:
    assert made_alike(*made) == []
    (one, two) = (json.loads((f / "said/bench.json").read_text())["costs"] for f in made)
    assert one != two, "what is left out does differ"


def test_the_same_code_reads_the_same(here: Checkout, made: list[Path], tmp_path: Path) -> None:
    assert read_again(TINY, here, made[0], tmp_path / "again") == []


def _flip_a_bit(run: Path) -> None:
    path = run / "seeds/0/sdpo/r1/s1/model/model.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    keep_digests(path.parent, remove=True)


def _rename_a_key(run: Path) -> None:
    path = run / "journal.jsonl"
    path.write_text(path.read_text().replace('"methods"', '"method"', 1))


def _turn_a_score(run: Path) -> None:
    path = run / "seeds/0/sdpo/scores/test/r1/s1.json"
    scores = json.loads(path.read_text())
    row = scores["domains"]["physics"]["correct"][0]
    row[0] = 1 - row[0]
    path.write_text(json.dumps(scores, indent=1, sort_keys=True) + "\n")


def _drop_a_time(run: Path) -> None:
    path = run / "seeds/0/sdpo/r1/s1.steps.jsonl"
    path.write_text(path.read_text().replace('"memory_gib"', '"memory"'))


def _lose_a_file(run: Path) -> None:
    (run / "seeds/0/sdpo/r1/s1.rollouts.jsonl").unlink()


@pytest.mark.parametrize(
    ("change", "file", "where"),
    [
        (_flip_a_bit, "r1/s1/model/model.safetensors", "tensors."),
        (_rename_a_key, "journal.jsonl", "line 1, value.methods"),
        (_turn_a_score, "scores/test/r1/s1.json", "domains.physics.correct[0][0]"),
        (_drop_a_time, "s1.steps.jsonl", "line 1, memory_gib"),
        (_lose_a_file, "s1.rollouts.jsonl", "the file"),
    ],
)
def test_what_was_changed_is_named(
    made: list[Path], tmp_path: Path, change: Callable[[Path], None], file: str, where: str
) -> None:
    shutil.copytree(made[1], tmp_path / "new", symlinks=True)
    change(tmp_path / "new" / run_folder(tmp_path / "new"))
    (found,) = made_alike(made[0], tmp_path / "new")
    assert isinstance(found, Difference)
    assert found.file.endswith(file)
    assert where in found.where
    assert found.base != found.new
