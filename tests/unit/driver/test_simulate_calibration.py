"""Calibration gives known constants back and says what it cannot tell; held-out checks score predictors honestly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coopt.core.errors import ConfigError, RunError
from coopt.driver.simulate.calibrate import Calibration, calibrate
from coopt.driver.simulate.constants import (
    Constants,
    allowed_range,
    constant_keys,
    load_constants,
    write_constants,
)
from coopt.driver.simulate.fit_contexts import fit_contexts
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.observed import Probe
from coopt.driver.simulate.predict import MEAN_GAIN, NO_CHANGE, SIMULATOR, Prediction, predict_runs, score
from coopt.driver.simulate.reading import read_runs
from tests.unit.simulated_runs import METHODS, constants, write_run

WRONG = constants(learning__rate_own=0.5, learning__rate_feedback=0.5, items__slip=0.2, contexts__uptake=0.2)
"""Where the calibration begins, far from the truth."""


def value(model: Constants, key: str) -> float:
    group, _, name = key.partition(".")
    return float(getattr(getattr(model, group), name))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Calibration]:
    """A run of known constants, and what the calibration makes of it."""
    patch = pytest.MonkeyPatch()
    path = write_run(tmp_path_factory.mktemp("runs") / "ring", constants(), patch, methods=METHODS)
    patch.undo()
    return path, calibrate(read_runs([path]), WRONG, "abc", draws=20)


@pytest.mark.slow
def test_known_constants_come_back_within_their_intervals(played: tuple[Path, Calibration]) -> None:
    found, truth = played[1].constants, constants()
    outside = []
    for key, (low, high) in found.fit.intervals.items():
        inside = low <= value(truth, key) <= high
        outside += [] if inside else [key]
        assert low <= value(found, key) <= high or key.endswith("_sd") or key == "learning.lump"
    assert set(found.fit.intervals) | {"learning.interference"} == set(constant_keys())
    assert len(outside) <= 2, f"95 % intervals of 20 constants missed {outside}"
    for key in ("learning.rate_own", "items.steepness", "items.slip", "contexts.uptake", "contexts.harm"):
        assert value(found, key) == pytest.approx(value(truth, key), rel=0.15)


@pytest.mark.slow
def test_it_says_how_well_it_explains_the_gains(played: tuple[Path, Calibration]) -> None:
    everything, *parts = played[1].explained
    assert (
        everything.gains == sum(p.gains for p in parts) == 3 * 3 * 6 * 4 * 2
    )  # methods, seeds, students, rounds, domains
    assert everything.r2 > 0.5
    assert everything.rmse < everything.spread
    assert played[1].constants.fit.r2 == pytest.approx(everything.r2, abs=1e-3)
    assert set(played[1].constants.fit.mean_gain) == {*METHODS, "all"}


@pytest.mark.slow
def test_the_truth_predicts_another_run_better_than_naive_predictors(
    played: tuple[Path, Calibration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        star = write_run(tmp_path / "star", constants(), patch, topology="star", nodes=4, seed=50, methods=METHODS)
    everything = score(predict_runs([star], played[1].constants, replicates=10))[0]
    assert everything.gains == 3 * 3 * 4 * 2
    assert everything.errors[SIMULATOR] < everything.errors[MEAN_GAIN]
    assert everything.errors[SIMULATOR] < everything.errors[NO_CHANGE]
    assert everything.verdict == "simulator better"


# -- what the data do not tell ---------------------------------------------------------------------


def test_what_runs_have_no_data_on_is_said_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_run(tmp_path / "solo", constants(), monkeypatch, methods=("sdpo",), seeds=2, nodes=3)
    for probe in path.glob("seeds/*/break_rate/*.json"):
        probe.unlink()
    found = calibrate(read_runs([path]), WRONG, "abc", draws=5).constants
    silent = found.fit.not_identified
    assert silent["learning.rate_feedback"] == "no gain in the data depends on it"
    assert silent["contexts.uptake"] == silent["items.slip"] == "these runs have no data on it"
    assert value(found, "contexts.uptake") == 0.2
    assert value(found, "learning.rate_feedback") == 0.5
    assert "learning.rate_own" in found.fit.intervals


def test_a_steepness_beyond_the_data_is_called_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steep = constants(items__steepness=20.0, items__guess=0.0)
    path = write_run(tmp_path / "steep", steep, monkeypatch, methods=("sdpo", "always"), seeds=2, nodes=4)
    found = calibrate(read_runs([path]), WRONG, "abc", draws=5).constants
    low, _ = found.fit.intervals["items.steepness"]
    assert low > 8
    if value(found, "items.steepness") == 20.0:
        assert "only say that it is large" in found.fit.not_identified["items.steepness"]


def test_unfinished_rounds_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_run(tmp_path / "r", constants(), monkeypatch, methods=("sdpo",), seeds=1, nodes=3)
    (path / "seeds/0/sdpo/scores/validation/r4/s2.json").unlink()
    observed = read_runs([path])
    assert (len(observed.steps), observed.missing, len(observed.courses)) == (11, 1, 2)


def test_a_folder_without_rounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match="no run here"):
        read_runs([tmp_path])
    path = write_run(tmp_path / "r", constants(), monkeypatch, methods=("sdpo",), seeds=1, nodes=3)
    for file in path.glob("seeds/0/sdpo/scores/validation/r*/*.json"):
        file.unlink()
    with pytest.raises(RunError, match="no finished round"):
        read_runs([path])


def test_uptake_and_harm_are_shares_of_what_the_tutor_knows_and_does_not() -> None:
    """Two tutors that know everything and nothing: the likeliest rates are the plain shares."""
    before = np.zeros((40, 8))
    before[20:] = 1
    knowing, ignorant = before.copy(), before.copy()
    knowing[:15] = 1  # mends 15 of 20
    ignorant[20:25] = 0  # breaks 5 of 20
    probe = Probe(("r", 0, "s1"), 0.5, {"a": 1.0, "b": 0.0}, before, before, np.full((40, 8), np.nan),
                  {"a": knowing, "b": ignorant}, {}, {"a": 1.0, "b": 0.5})  # fmt: skip
    model = ItemModel(constants(items__common=0.0).items, 8)
    found = fit_contexts([probe], {probe.cluster: 1.0}, model)
    assert found["contexts.uptake"] == pytest.approx(0.75, abs=0.01)
    assert found["contexts.harm"] == pytest.approx(0.25, abs=0.01)
    assert found["contexts.noise"] == 0
    assert found["contexts.kept"] == 0.75
    assert "contexts.fix_own" not in found


# -- scores of predictions -------------------------------------------------------------------------


def predictions(simulator: float) -> list[Prediction]:
    made = []
    for seed in range(4):
        for k, measured in enumerate((0.05, 0.15)):
            guesses = {SIMULATOR: measured + simulator, NO_CHANGE: 0.0, MEAN_GAIN: 0.1}
            made.append(Prediction("r", "star", seed, "opcod", f"s{k}", "physics", k == 0, measured, guesses, 0.0, 0.1))
    return made


def test_scores_are_root_mean_squared_errors() -> None:
    everything = score(predictions(0.01))[0]
    assert everything.errors == pytest.approx({SIMULATOR: 0.01, NO_CHANGE: np.sqrt(0.0125), MEAN_GAIN: 0.05})
    assert everything.covered == 0.5
    assert everything.advantage == pytest.approx(0.04)
    assert everything.low == pytest.approx(0.04)
    single = score([p for p in predictions(0.01) if p.seed == 0])[0]
    assert (single.low, single.verdict) == (None, "no difference shown")
    assert everything.verdict == "simulator better"


def test_a_simulator_that_loses_is_said_to_lose() -> None:
    parts = {s.part: s for s in score(predictions(0.2))}
    assert set(parts) == {"all", "star, opcod", "native domain", "foreign domains"}
    assert all(s.verdict == "simulator loses to mean gain" for s in parts.values() if s.part != "native domain")


# -- files of constants ----------------------------------------------------------------------------


def test_constants_survive_their_file(tmp_path: Path) -> None:
    model = load_constants()
    write_constants(model, tmp_path / "c.toml", "from nowhere\non no day")
    text = (tmp_path / "c.toml").read_text()
    assert text.startswith("# from nowhere\n# on no day\n")
    again = load_constants(tmp_path / "c.toml")
    assert again.model_copy(update={"name": ""}) == model.model_copy(update={"name": ""})
    assert again.name == str(tmp_path / "c.toml")


def test_the_committed_constants_come_from_real_runs_and_lie_in_their_ranges() -> None:
    model = load_constants()
    assert model.fit.runs
    assert model.fit.commit
    for key in constant_keys():
        low, high = allowed_range(key)
        assert low <= value(model, key) <= high


def test_faults_in_constants_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file\. Write one with --calibrate RUN --out"):
        load_constants(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"unknown constant 'items\.stepness'\. Did you mean 'items\.steepness'"):
        load_constants(changes=["items.stepness=3"])
    with pytest.raises(ConfigError, match="takes KEY=NUMBER"):
        load_constants(changes=["items.slip=high"])
    with pytest.raises(ConfigError, match=r"constant items\.slip = 0\.9"):
        load_constants(changes=["items.slip=0.9"])
    (tmp_path / "c.toml").write_text("[item]\nslip = 0.1\n")
    with pytest.raises(ConfigError, match=r"unknown table 'item'\. Did you mean 'items'"):
        load_constants(tmp_path / "c.toml")


def test_a_file_may_hold_some_constants_only(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[start]\nnative = 0.25\n")
    model = load_constants(tmp_path / "c.toml", ["items.slip=0.01"])
    assert model.start.native == 0.25
    assert model.items.slip == 0.01
    assert model.items.common == load_constants().items.common
    assert model.fit.runs == ()
    assert json.loads(model.model_dump_json())["start"]["native"] == 0.25
