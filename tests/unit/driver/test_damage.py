"""Damage to a run: seen by ``coopt check``, never other tables, made again by the same command; exactly it, and what
hangs on it. Every kind of file that a run has, found by walking, times every way to damage it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from coopt.core import seals, store
from coopt.core.config.schema import Config
from coopt.core.errors import CooptError, DamagedError, RunError
from coopt.driver import choices
from coopt.driver.damage import Checked, check_run
from coopt.driver.mending import Mending
from coopt.driver.tasks.task import Score, Train
from coopt.runs.measures.summary import read_results
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.sealed_runs import DAMAGE, DELETED, bench, config_of, damage, kinds, tables

IGNORED = ("run.lock", "progress/")
"""Files that say how far a run was: nothing is made from them."""
WAYS = (DELETED, *DAMAGE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    bench(config_of(), folder)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def names(found: Checked, place: str) -> bool:
    """Whether a check names a file, or what it belongs to."""
    said = [d.file for d in [*found.damage, *found.left]] + found.removed
    return any(place.removesuffix(".seal") == name or place in name or place.startswith(f"{name}/") for name in said)


@pytest.mark.parametrize("how", WAYS)
def test_every_kind_of_file(whole: Path, tmp_path: Path, how: str) -> None:
    wanted, tried = tables(read_results(whole)), 0
    for number, (kind, place) in enumerate(kinds(whole).items()):
        run = Path(shutil.copytree(whole, tmp_path / str(number) / "run"))
        if not damage(run / place, how):
            continue
        tried += 1
        found = check_run(run)
        if not kind.startswith(IGNORED) and not (how == DELETED and kind.endswith(".seal")):
            assert not found.whole or found.removed, (kind, found)
            assert kind == "journal.jsonl" or kind == "results.json" or names(found, place.as_posix()), (kind, found)
        if kind == "results.json" and how == DELETED:
            with pytest.raises(RunError, match="has not finished"):
                read_results(run)
        else:
            assert tables(read_results(run)) == wanted, kind
        performed, results = bench(config_of(), run)
        assert tables(results) == wanted, kind
        concerned = {d.task for d in [*found.damage, *found.left] if d.task}
        assert set(performed) == concerned, kind
        assert check_run(run).whole, kind
    assert tried > (12 if how in ("digit", "other json") else 20)


def test_of_a_run_that_is_whole_nothing_is_done(run: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    assert check_run(run).whole
    assert bench(config_of(), run)[0] == []
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == before


# -- what hangs on what --------------------------------------------------------------------------------


def flip(path: Path) -> None:
    assert damage(path, "flip")


def test_what_comes_out_the_same_to_the_bit_spares_what_hangs_on_it(run: Path) -> None:
    flip(run / "seeds/0/opcod/r1/s1/model/model.safetensors")
    assert bench(config_of(), run)[0] == ["seed 0 opcod round 1 s1"]


def test_what_comes_out_otherwise_is_followed_by_all_that_hangs_on_it(run: Path) -> None:
    """As on a GPU. s1 of round 1 tutors s2 in round 2; what stands before it, and sdpo, hang on nothing of it."""
    before = Run.open(run).journal().all("gates")
    flip(run / "seeds/0/opcod/r1/s1/model/model.safetensors")
    performed, results = bench(config_of(), run, noise="other")
    assert set(performed) == {
        "seed 0 opcod round 1 s1", "seed 0 validation scores s1 opcod round 1",
        "seed 0 opcod round 2 s1", "seed 0 opcod round 2 s2",
        "seed 0 validation scores s1 opcod round 2", "seed 0 validation scores s2 opcod round 2",
        "seed 0 test scores s1 opcod round 2", "seed 0 test scores s2 opcod round 2",
    }  # fmt: skip
    journal = [e["key"] for e in Run.open(run).journal().events if e["event"] == "gates"]
    assert journal.count("0/opcod/r2") == 2, "decided again, of other students"
    assert journal.count("0/opcod/r1") == journal.count("0/sdpo/r2") == 1
    assert list(Run.open(run).journal().all("gates")) == list(before)
    assert check_run(run).whole
    assert bench(config_of(), run) == ([], results)


def test_a_driver_that_is_killed_between_the_two_leaves_nothing_that_passes_for_whole(run: Path) -> None:
    """The weights were made again, otherwise; what hangs on them was not."""
    flip(run / "seeds/0/sdpo/r1/s2/model/model.safetensors")

    def killed(tasks: object) -> None:
        raise KeyboardInterrupt

    opened = Run.open(run)
    from tests.unit.sealed_runs import Working

    task = Train(0, "sdpo", 1, "s2", ())
    Mending(opened, None).before([task])
    Working(opened, noise="other")([task])
    found = check_run(run)
    assert {d.task for d in found.damage} >= {"seed 0 sdpo round 2 s2", "seed 0 validation scores s2 sdpo round 1"}
    assert "seed 0 sdpo round 2 s2" in bench(config_of(), run, noise="other")[0]


def test_damage_that_a_worker_finds_is_mended_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large weights are read when they are loaded: here all are large, and look untouched."""
    monkeypatch.setattr(seals, "_LARGE", 1)
    monkeypatch.setattr(seals, "_is_newer", lambda path, than: False)
    wanted = tables(read_results(run))
    flip(run / "seeds/0/sdpo/r1/s1/model/model.safetensors")
    Run.open(run).scores_path(0, "sdpo", "validation", 1, "s1").unlink()  # which needs them
    performed, results = bench(config_of(), run)
    assert performed == ["seed 0 sdpo round 1 s1", "seed 0 validation scores s1 sdpo round 1"]
    assert tables(results) == wanted


def test_what_only_check_can_see_is_deleted_first(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "_LARGE", 1)
    monkeypatch.setattr(seals, "_is_newer", lambda path, than: False)
    flip(run / "seeds/0/sdpo/r2/s1/model/model.safetensors")
    assert bench(config_of(), run)[0] == []
    (found,) = check_run(run).damage
    assert "delete its folder first" in found.why
    shutil.rmtree(run / "seeds/0/sdpo/r2/s1")
    assert bench(config_of(), run)[0] == ["seed 0 sdpo round 2 s1"]
    assert check_run(run).whole


def test_damage_that_cannot_be_mended_is_said(run: Path) -> None:
    mending = Mending(Run.open(run), None)
    score = Score(0, "base", 0, "base", "test")
    mending.before([score])
    error = DamagedError("it", score.output(Run.open(run)))
    mending.after(error)
    with pytest.raises(DamagedError, match="it"):  # a second time
        mending.after(error)
    with pytest.raises(DamagedError, match="what"):
        Mending(Run.open(run), None).after(DamagedError("what"))


# -- taken away on purpose -----------------------------------------------------------------------------


def test_weights_and_transcripts_that_were_taken_away_are_no_damage(run: Path) -> None:
    wanted = tables(read_results(run))
    for folder in [p for p in run.rglob("*") if p.name in ("state", "model")]:
        shutil.rmtree(folder)
    for file in [*run.rglob("*.rollouts.jsonl"), *run.rglob("*.texts.jsonl")]:
        file.unlink()
    found = check_run(run)
    assert found.whole
    assert len(found.removed) > 20
    performed, results = bench(config_of(), run)
    assert performed == []
    assert tables(results) == wanted


def lean() -> Config:
    """States as they are kept by default: the last of each student."""
    config = config_of()
    rounds = config.rounds.model_copy(update={"keep_states": Config().rounds.keep_states})
    return config.model_copy(update={"rounds": rounds})


def states(folder: Path) -> set[str]:
    return {p.relative_to(folder / "seeds/0").as_posix() for p in folder.rglob("state*") if p.is_dir()}


LAST = {f"{method}/r2/{s}/state" for method in ("sdpo", "opcod") for s in ("s1", "s2")}


def test_only_the_last_state_of_a_student_is_kept(run: Path, tmp_path: Path) -> None:
    performed, results = bench(lean(), tmp_path / "lean")
    assert states(tmp_path / "lean") == LAST
    assert tables(results) == tables(read_results(run))
    found = check_run(tmp_path / "lean")
    assert found.whole
    assert found.removed == []
    again, _ = bench(lean(), tmp_path / "lean")
    assert performed
    assert again == []


def test_seeds_and_methods_come_later_without_the_states(run: Path, tmp_path: Path) -> None:
    bench(lean().model_copy(update={"methods": ("sdpo",)}), tmp_path / "lean")
    performed, results = bench(lean(), tmp_path / "lean")
    assert not any("sdpo round" in label for label in performed)
    assert tables(results) == tables(read_results(run))
    performed, _ = bench(lean().model_copy(update={"seeds": 2}), tmp_path / "lean")
    assert all(label.startswith("seed 1") for label in performed)
    assert check_run(tmp_path / "lean").whole


@pytest.mark.parametrize("at", range(8))
def test_killed_while_a_state_is_taken_away(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """At any of its four states, before it has another name and after some of its files are gone."""
    really, calls = shutil.rmtree, list[Path]()

    def dying(path: Path, **how: Any) -> None:
        if path.name == "state.gone":
            calls.append(path)
            if len(calls) == at + 1:
                next(path.glob("*"), path / "none").unlink(missing_ok=True)
                raise KeyboardInterrupt
        really(path, **how)

    with monkeypatch.context() as patch:
        patch.setattr(choices.store.shutil, "rmtree", dying)
        with pytest.raises(KeyboardInterrupt):
            bench(lean(), tmp_path / "lean")
    assert not check_run(tmp_path / "lean").damage
    done = {p.parent for p in (tmp_path / "lean/seeds").rglob("r[12]/s[12]/COMPLETE")}
    performed, results = bench(lean(), tmp_path / "lean")
    trained = [label.split() for label in performed if " round " in label and "scores" not in label]
    assert not {tmp_path / f"lean/seeds/0/{m}/r{r}/{s}" for _, _, m, _, r, s in trained} & done
    assert done
    assert states(tmp_path / "lean") == LAST
    assert tables(results) == tables(read_results(run))


def test_what_is_needed_after_all_is_made_again(run: Path) -> None:
    wanted = tables(read_results(run))
    shutil.rmtree(run / "seeds/0/opcod/r1/s2/state")
    shutil.rmtree(run / "seeds/0/opcod/r2/s2")
    found = check_run(run)
    assert not found.whole
    assert "seeds/0/opcod/r1/s2/state" in found.damage[0].file
    performed, results = bench(config_of(), run)
    assert performed == ["seed 0 opcod round 1 s2", "seed 0 opcod round 2 s2"]
    assert tables(results) == wanted


# -- runs of an earlier coopt --------------------------------------------------------------------------


def unseal(run: Path) -> None:
    """As an earlier coopt left it."""
    for path in run.rglob("*.seal"):
        path.unlink()
    for path in run.rglob(store.COMPLETE):
        path.write_text('{"version": 1}\n')
    for path in run.rglob("*.safetensors"):
        path.unlink()  # not real ones
    journal = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    lines = [{k: v for k, v in e.items() if k not in ("sum", "before", "from")} for e in journal]
    store.rewrite_lines(run / "journal.jsonl", lines)


def test_a_run_without_seals_is_not_damaged(run: Path) -> None:
    wanted = tables(read_results(run))
    unseal(run)
    found = check_run(run)
    assert found.whole
    assert found.unsealed == found.tasks
    performed, results = bench(config_of(), run)
    assert (performed, tables(results)) == ([], wanted)


@pytest.mark.parametrize("how", ["empty", "half"])
def test_without_seals_too_what_cannot_be_read_is_made_again(whole: Path, tmp_path: Path, how: str) -> None:
    wanted = tables(read_results(whole))
    for number, (kind, place) in enumerate(kinds(whole).items()):
        if not kind.endswith((".json", "s.jsonl")) or kind in ("config.json", "provenance.json") or "/model/" in kind:
            continue
        run = Path(shutil.copytree(whole, tmp_path / str(number) / "run"))
        unseal(run)
        if how == "empty" and kind.endswith(".jsonl"):
            continue  # as if nothing had been written
        damage(run / place, how)
        if how == "half" and kind.endswith(".jsonl"):  # whole lines and a torn one
            (run / place).write_text((run / place).read_text() + "\n")
        assert not check_run(run).whole, kind
        assert tables(bench(config_of(), run)[1]) == wanted, kind


def test_settings_that_nobody_kept_are_one_line(run: Path) -> None:
    unseal(run)
    for text in ("", "[3]", "{", '"x"'):
        (run / "config.json").write_text(text)
        with pytest.raises(CooptError) as said:
            bench(config_of(), run)
        assert "config.json" in str(said.value)
        assert "\n" not in str(said.value)
        assert not check_run(run).whole


# -- the commands --------------------------------------------------------------------------------------


def test_check_says_what_is_wrong_and_what_mends_it(cli: Command, run: Path) -> None:
    done = cli("check", "run")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("run: whole: 31 tasks")
    flip(run / "seeds/0/sdpo/r1/s1.steps.jsonl")
    (run / "seeds/0/base/scores/test/r0/base.json").unlink()
    done = cli("check", "run")
    assert (done.code, done.err) == (1, "")
    text = " ".join(done.out.split())
    assert "seeds/0/sdpo/r1/s1.steps.jsonl is not what was written (its checksum differs)" in text
    assert "; seed 0 sdpo round 1 s1" in text
    assert "seeds/0/base/scores/test/r0/base.json is to be made; seed 0 test scores base round 0" in text
    assert "Next (remakes it, and what depends on it): coopt bench --topology pair" in text
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert cli("check", "nowhere").code == 2


def test_one_damaged_run_hides_no_other(cli: Command, run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run, tmp_path / "runs/other")
    for name, text in {"config": "", "journal": "{}\n"}.items():
        bad = Path(shutil.copytree(run, tmp_path / f"runs/bad-{name}"))
        (bad / "config.json.seal").unlink()
        next(bad.glob(f"{name}.json*")).write_text(text)
    for command in ("check", "status"):
        done = cli(command, "runs")
        assert done.err == ""
        assert "Traceback" not in done.out
        for name in ("other", "bad-config", "bad-journal"):
            assert name in done.out, command
        assert "damaged" in done.out
    assert cli("check", "runs").code == 1
    assert cli("check", str(other)).code == 0
    assert cli("status", "runs/bad-journal").code == 2


@pytest.mark.parametrize("command", ["export", "compare", "report", "leaderboard add"])
def test_what_is_read_is_checked(cli: Command, run: Path, tmp_path: Path, command: str) -> None:
    shutil.copytree(run, tmp_path / "two")
    path = run / "seeds/0/sdpo/scores/test/r2/s1.json"
    scores = json.loads(path.read_text())
    for domain in scores["domains"].values():
        domain["correct"] = [[1 - c for c in row] for row in domain["correct"]]
    path.write_text(store.as_json(scores))
    (run / "results.json").write_text("{}")  # so that the report needs the answers
    more = {"compare": ["two"], "leaderboard add": ["--to", "mine"]}.get(command, [])
    done = cli(*command.split(), "run", *more)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "seeds/0/sdpo/scores/test/r2/s1.json: is not what was written" in done.err
    assert not (tmp_path / "mine").exists() or not list((tmp_path / "mine").iterdir())
