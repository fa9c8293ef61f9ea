"""Maps of the family of worlds: what was fixed is what is read, and a cell's sign is that of its interval."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.worlds.__main__ import main
from benchmarks.worlds.map import PREREGISTERED, Found, Plan, cells_of, plans
from benchmarks.worlds.show import draw, map_tables
from coopt.core.errors import ConfigError
from coopt.core.tables.table import render


@pytest.fixture(scope="module")
def gate() -> Plan:
    return plans()["worlds-gate"]


def found(plan: Plan) -> list[Found]:
    """always - opcod falls along deference: above 0, open, below 0, below 0."""
    values = {0: (0.02, 0.01, 0.03), 0.15: (0.0, -0.01, 0.01), 0.5: (-0.03, -0.05, -0.01), 1: (-0.09, -0.12, -0.06)}
    return [
        Found(contrast=plan.contrasts[0], place=(x, y), value=v, low=low, high=high, seeds=[910, 911, 912])
        for x, (v, low, high) in values.items()
        for y in (0.0, 1.0)
    ]


def test_every_map_that_is_fixed_is_a_suite_as_it_is_now_and_its_axes_are_the_grid(gate: Plan, tmp_path: Path) -> None:
    assert {len(cells_of(plan, tmp_path)) for plan in plans().values()} == {48}, "16 cells, three seeds"
    assert {c.seed for c in cells_of(gate, tmp_path)} == {910, 911, 912}


def test_a_suite_that_was_edited_since_is_refused(tmp_path: Path) -> None:
    text = PREREGISTERED.read_text().replace('sha256 = "', 'sha256 = "0', 1)
    (tmp_path / "fixed.toml").write_text(text)
    with pytest.raises(ConfigError, match="suite worlds-gate is no longer what was fixed"):
        plans(tmp_path / "fixed.toml")


def test_shares_are_of_the_cells_whose_interval_leaves_zero_out(gate: Plan) -> None:
    *grids, regions = map_tables(gate, found(gate))
    assert len(grids) == 3
    assert list(regions.rows[0][2:]) == ["2 of 8", "4 of 8", "0 of 2", "1 of 2"], "natural: 0.15 and 0.5 at candour 1"
    text = render(grids, "md")
    assert "**+2.0 [+1.0, +3.0]**" in text.replace("[1.0, 3.0]", "[+1.0, +3.0]")
    assert "910 to 912" in text


def test_a_map_is_drawn_with_real_models_on_it(gate: Plan, tmp_path: Path) -> None:
    draw(gate, found(gate), {"SmolLM2-135M": (0.04, 0.5)}, tmp_path / "map.svg")
    text = (tmp_path / "map.svg").read_text()
    assert "SmolLM2-135M" in text
    assert "+2.0" in text


def test_several_maps_are_not_drawn_over_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "map.svg"
    monkeypatch.setattr("sys.argv", ["worlds", "worlds-gate", "worlds-forms", "--figure", str(picture)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--figure is the picture of one map; name it" in capsys.readouterr().err
    assert not picture.exists()
