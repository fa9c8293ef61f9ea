"""What a task checks: the weights that it loads, when it loads them."""

from __future__ import annotations

import copy
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from coopt.core import seals, store
from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError
from coopt.core.names import INIT
from coopt.driver.tasks import perform
from coopt.driver.tasks.inputs import check_inputs
from coopt.driver.tasks.task import Train
from coopt.lm.engines.ranked import RankedEngine
from coopt.lm.policy import ADAPTER, Policy
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import Message
from coopt.runs.run import Run
from tests.unit.sealed_runs import config_of

TUTORS = ("s2", "s3")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Three students as they start, each with an adapter beside its merged weights."""
    made = Run(tmp_path / "run", config_of(topology="complete", nodes=3))
    for student in made.topology.students:
        with store.new_directory(made.phase_dir(0, INIT, 0, student)) as folder:
            (folder / "model" / ADAPTER).mkdir(parents=True)
            (folder / "model/merged.safetensors").write_bytes(student.encode() * 50)
            (folder / "model" / ADAPTER / "own.safetensors").write_bytes(student.encode() * 5)
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose checksums are worked out; nothing is loaded."""
    found: list[Path] = []
    digest = seals._digest

    def noted(path: Path, start: int) -> bytes:
        found.append(path)
        return digest(path, start)

    def nothing(config: Config, directory: Path, device: str = "", *, trained: bool = False) -> SimpleNamespace:
        assert directory.is_dir()
        return SimpleNamespace(model=torch.nn.Identity())

    monkeypatch.setattr(seals, "_digest", noted)
    monkeypatch.setattr(perform, "load_student", nothing)
    return found


def task(run: Run) -> Train:
    tutors = tuple(OpenTutor(name, 0, run.config.domains) for name in TUTORS)
    return Train(0, "opcod", 1, "s1", tutors)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(content)


def test_a_tutors_weights_are_read_when_it_speaks_and_not_before(run: Run, read: list[Path]) -> None:
    check_inputs(task(run), run)
    tutors = perform.Tutors(run, "opcod", 0)
    assert read == []
    weights = {name: run.weights(0, "opcod", 0, name) for name in TUTORS}
    tutors._load("s2", weights["s2"])
    assert {p.parts[-3 if p.parent.name != ADAPTER else -4] for p in read} == {"s2"}
    flip(weights["s3"] / "merged.safetensors")
    with pytest.raises(DamagedError, match=r"s3/model/merged.safetensors: is not what was written") as error:
        tutors._load("s3", weights["s3"])
    assert error.value.output == weights["s3"].parent


def test_a_tutor_is_let_go_before_the_next_is_loaded(
    run: Run, untrained: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of 8B parameters would be on one GPU: the engine that asked the first must not keep it."""
    alive: list[weakref.ref[torch.nn.Module]] = []
    before: list[list[bool]] = []

    def loaded(name: str, directory: Path) -> Policy:
        before.append([model() is not None for model in alive])
        made = replace(untrained, model=copy.deepcopy(untrained.model))
        alive.append(weakref.ref(made.model))
        return made

    monkeypatch.setattr(perform, "_HELD_PARAMETERS", 0)
    tutors = perform.Tutors(run, "opcod", 0)
    tutors.engine = RankedEngine(tutors.engine)
    monkeypatch.setattr(tutors, "_load_now", loaded)
    wording = next(iter(run.domains.values())).wording
    for name in (*TUTORS, TUTORS[0]):
        speaker = tutors._speaker(OpenTutor(name, 0, run.config.domains))
        assert speaker.say([Message(wording, "How so?")], 2) != [None]
    assert before == [[], [False], [False, False]]


def test_on_a_shared_base_the_adapter_alone_is_read(run: Run, read: list[Path]) -> None:
    model = run.config.model.model_copy(update={"shared_base": True, "weights": "lora"})
    run.config = run.config.model_copy(update={"model": model})
    directory = run.weights(0, "opcod", 0, "s2")
    flip(directory / "merged.safetensors")
    perform.Tutors(run, "opcod", 0)._load("s2", directory)
    assert [p.name for p in read] == ["own.safetensors"]
    flip(directory / ADAPTER / "own.safetensors")
    with pytest.raises(DamagedError, match=r"own\.safetensors"):
        perform.Tutors(run, "opcod", 0)._load("s2", directory)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(b"short")], ids=["missing", "short"])
def test_what_is_not_there_is_found_before_any_work(run: Run, read: list[Path], spoil: object) -> None:
    spoil(run.weights(0, "opcod", 0, "s3") / "merged.safetensors")  # type: ignore[operator]
    with pytest.raises(DamagedError, match=r"s3/model/merged"):
        check_inputs(task(run), run)
    assert read == []
