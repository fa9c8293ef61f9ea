"""``make same`` on one commit: two runs alike are the same, and a single bit, key or score that is not is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.same.again import made_alike, read_again, resume
from benchmarks.same.checkout import HERE
from benchmarks.same.compare import Difference
from benchmarks.same.perform import Checkout, run_folder
from benchmarks.same.runs import OPEN, QUICK, Run, command

pytestmark = pytest.mark.slow
TINY = Run(
    "tiny",
    "one round of one step",
    (command("bench.json", f"{QUICK} --method opcod --json {OPEN} --set rounds.rounds=1 --set model.specialise=none"),),
    (command("report.txt", "report RUN"),),
    resumes=True,
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(HERE, tmp_path_factory.mktemp("results"), proxy="")
    checkout.check()
    return checkout


@pytest.fixture(scope="module")
def made(here: Checkout, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same run, twice; the first is read, too."""
    folders = [tmp_path_factory.mktemp("same") / side for side in ("base", "new")]
    for folder in folders:
        here.make(TINY, folder)
        here.perform(TINY.reads, folder)
    return folders


def test_two_runs_of_the_same_code_are_the_same(made: list[Path]) -> None:
    assert made_alike(*made) == []
    (one, two) = (json.loads((f / "said/bench.json").read_text())["costs"] for f in made)
    assert one != two, "what is left out does differ"


def test_the_same_code_reads_and_resumes_what_it_wrote(here: Checkout, made: list[Path], tmp_path: Path) -> None:
    assert read_again(TINY, here, made[0], tmp_path / "again") == []
    assert resume(TINY, here, tmp_path / "again") == []


def _flip_a_bit(run: Path) -> None:
    path = run / "seeds/0/opcod/r1/s1/model/model.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def _rename_a_key(run: Path) -> None:
    path = run / "journal.jsonl"
    path.write_text(path.read_text().replace('"flip"', '"flips"', 1))


def _turn_a_score(run: Path) -> None:
    path = run / "seeds/0/opcod/scores/test/r1/s2.json"
    scores = json.loads(path.read_text())
    row = scores["domains"]["physics"]["correct"][0]
    row[0] = 1 - row[0]
    path.write_text(json.dumps(scores, indent=1, sort_keys=True) + "\n")


def _drop_a_time(run: Path) -> None:
    path = run / "seeds/0/opcod/r1/s1.steps.jsonl"
    path.write_text(path.read_text().replace('"memory_gib"', '"memory"'))


def _lose_a_file(run: Path) -> None:
    (run / "seeds/0/opcod/r1/s2.rollouts.jsonl").unlink()


@pytest.mark.parametrize(
    ("change", "file", "where"),
    [
        (_flip_a_bit, "r1/s1/model/model.safetensors", "tensors."),
        (_rename_a_key, "journal.jsonl", "flip"),
        (_turn_a_score, "scores/test/r1/s2.json", "domains.physics.correct[0][0]"),
        (_drop_a_time, "s1.steps.jsonl", "line 1, memory_gib"),
        (_lose_a_file, "s2.rollouts.jsonl", "the file"),
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
