"""A run's name and its written settings are what they were before there were mappings."""

from __future__ import annotations

from pathlib import Path

import pytest

from coopt.core.config.identity import differences, identity
from coopt.core.config.load import check, load_config
from coopt.core.errors import RunError
from coopt.driver import folder
from coopt.driver.folder import default_name, file_hashes
from coopt.methods.registry import all_methods, code_of
from coopt.runs.provenance import began_with

OWN = {"source": "rows.csv", "mapping": "plain"}


def test_runs_without_a_mapping_keep_their_names() -> None:
    """Computed at commit 3d4d502 (real: since its dtype is auto; paper: since GRPO stands in it). A setting that all
    runs have changes them all: then these change, too."""
    assert default_name(load_config()) == "pair-phys-chem-mini-907e30ba"
    assert default_name(load_config(preset="paper")) == "pair-phys-chem-paper-370b4445"
    assert default_name(load_config(preset="real")) == "pair-phys-chem-real-acf5ee03"
    assert list(load_config().model_dump(mode="json")["data"]) == ["source", "validation", "test", "solutions"]


def test_a_mapping_is_part_of_what_a_run_is(tmp_path: Path) -> None:
    plain, own = load_config(preset="real", data={"source": "rows.csv"}), load_config(preset="real", data=OWN)
    assert default_name(plain) != default_name(own)
    assert differences((plain, own)) == {"data.mapping": [None, "plain"]}
    assert identity(own)["data"]["mapping"] == "plain"
    assert check(own.model_dump(mode="json")) == own
    assert check(plain.model_dump(mode="json")) == plain
    mine = tmp_path / "mine.toml"
    mine.write_text("x")
    assert list(file_hashes(load_config(data=OWN | {"mapping": str(mine)}))) == [str(mine)]


def test_a_gate_that_an_edge_names_is_part_of_what_a_run_is(tmp_path: Path) -> None:
    gate, graph = tmp_path / "mine.py", tmp_path / "mine.toml"
    gate.write_text("class Mine: ...\n")
    nodes = "".join(f'[[nodes]]\nid = "{n}"\n' for n in ("s1", "s2"))
    graph.write_text(f'{nodes}[[edges]]\ntutor = "s1"\ntutee = "s2"\ngate = "{gate}:Mine"\n')
    config = load_config(topology=str(graph))
    assert set(file_hashes(config)) == {str(graph), str(gate)}
    before = default_name(config)
    gate.write_text("class Mine: pass\n")
    assert default_name(config) != before


def test_an_edited_method_of_ones_own_is_refused_in_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods may be added to a run later: each has the file that it began with."""
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    for path in (one, other):
        path.write_text("# as it began\n")
    files = {"sdpo": one, "always": other}
    monkeypatch.setattr(folder, "code_of", lambda names: {n: files[n] for n in names if n in files})
    run = tmp_path / "run"
    folder.prepare(load_config(methods="sdpo,opcod"), run, [])
    folder.prepare(load_config(methods="sdpo,opcod,always"), run, [])
    assert set(began_with(run)["methods"]) == {"sdpo", "always"}  # type: ignore[index]
    other.write_text("# edited\n")
    with pytest.raises(RunError, match=r"other.py changed since the run began. Give another --out"):
        folder.check_directory(load_config(methods="sdpo"), run)
    other.write_text("# as it began\n")
    folder.check_directory(load_config(methods="sdpo"), run)


def test_only_other_peoples_methods_have_code_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not code_of(load_config(methods="sdpo,opcod,fair").methods)
    mine = type("Mine", (all_methods()["sdpo"],), {"__module__": __name__})
    monkeypatch.setitem(all_methods(), "mine", mine)  # type: ignore[arg-type]
    assert code_of(["mine", "sdpo", "unknown"]) == {"mine": Path(__file__).resolve()}
