"""A gate in a file is code: it is run by a run alone, from where its user knows it, or after its user has said so."""

from __future__ import annotations

from pathlib import Path

import pytest

import coopt
from coopt.core.config.load import load_config
from coopt.core.config.schema import GateConfig
from coopt.core.errors import ConfigError
from coopt.driver.checks import check_settings, imported
from coopt.graph.gates.code import UnreadGate, only_looking, trusting
from coopt.graph.gates.registry import make_gate
from coopt.runs.run import Run
from tests.unit.conftest import Command

GATE = """
from pathlib import Path

Path({marker!r}).write_text("imported")

from coopt.graph.gates.constant import AlwaysGate

class Mine(AlwaysGate):
    def __init__(self, config):
        super().__init__()
"""


@pytest.fixture
def marker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marked") / "marker"


@pytest.fixture
def gate(tmp_path_factory: pytest.TempPathFactory, marker: Path) -> Path:
    """A gate that leaves a file when it is imported; it lies outside the working folder."""
    file = tmp_path_factory.mktemp("elsewhere") / "gates.py"
    file.write_text(GATE.format(marker=str(marker)))
    return file


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def graph(gate: Path, name: str = "Mine") -> str:
    Path("mine.toml").write_text(
        f"""
        nodes = [{{ id = "s1" }}, {{ id = "s2" }}]
        edges = [{{ tutor = "s1", tutee = "s2", gate = "{gate}:{name}" }}]
        """
    )
    return "mine.toml"


LOOKS = [
    ("topo", "check"),
    ("topo", "show"),
    ("topo", "draw"),
]


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
@pytest.mark.parametrize("near", [False, True])
def test_who_only_looks_runs_no_code(
    command: tuple[str, ...], near: bool, cli: Command, gate: Path, marker: Path, working_folder: Path
) -> None:  # fmt: skip
    file = working_folder / "gates.py" if near else gate
    file.write_text(gate.read_text())
    done = cli(*command, graph(file))
    assert done.code == 0, done.err
    assert not marker.exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "no such file"),
        ("class Other: ...", "has no 'Mine'"),
        ("class Mine(:", "SyntaxError"),
        ("(" * 5000, "Error"),
        ("x = 1\0", "Error"),
        ("#" * 2_000_000, "more than 1 MB"),
    ],
)
def test_a_look_still_finds_what_cannot_be_imported(source: str | None, said: str, cli: Command, gate: Path) -> None:
    gate.unlink()
    if source is not None:
        gate.write_text(source)
    done = cli("topo", "check", graph(gate))
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "source",
    ["Mine = 3", "from x import y as Mine", "if 1:\n    class Mine: ...", "try:\n    def Mine(c): ...\nfinally: 0"],
)
def test_a_name_may_be_defined_in_any_way(source: str, gate: Path) -> None:
    gate.write_text(source)
    with only_looking():
        assert make_gate(GateConfig(kind=f"{gate}:Mine")) == UnreadGate(f"{gate}:Mine")


def test_a_run_refuses_code_from_elsewhere_and_names_it(cli: Command, gate: Path, marker: Path) -> None:
    for arguments in (
        ("simulate", "--rounds", "1", "--topology", graph(gate)),
        ("simulate", "--rounds", "1", "--gate", f"{gate}:Mine"),
    ):
        done = cli(*arguments)
        assert done.code == 2
        assert f"{gate} is code outside the working folder" in done.err
        assert "--trust" in done.err
        assert len(done.err.splitlines()) == 1
        assert not marker.exists()


def test_a_link_does_not_bring_code_into_the_working_folder(gate: Path, marker: Path, working_folder: Path) -> None:
    (working_folder / "linked.py").symlink_to(gate)
    with pytest.raises(ConfigError, match="outside the working folder"):
        make_gate(GateConfig(kind="linked.py:Mine"))
    assert not marker.exists()


def test_code_that_is_near_or_trusted_is_run(gate: Path, marker: Path, working_folder: Path) -> None:
    with trusting():
        assert make_gate(GateConfig(kind=f"{gate}:Mine")).name == "always"
    assert marker.read_text() == "imported"
    marker.unlink()
    (working_folder / "gates.py").write_text(gate.read_text())
    assert make_gate(GateConfig(kind="gates.py:Mine")).name == "always"
    assert marker.exists()


def test_a_simulation_runs_what_it_is_told_to_trust(cli: Command, gate: Path, marker: Path) -> None:
    done = cli("simulate", "--rounds", "1", "--trust", "--topology", graph(gate))
    assert done.code == 0, done.err
    assert marker.exists()


def test_a_bench_refuses_it_before_it_begins(gate: Path, marker: Path) -> None:
    for config in (load_config(topology=graph(gate)), load_config(gate={"kind": f"{gate}:Mine"})):
        with pytest.raises(ConfigError, match="give --trust"):
            check_settings(config)
        with only_looking():
            check_settings(config)
        assert not marker.exists()
        assert [line for line in imported(Run(Path(), config)) if str(gate) in line]


def test_no_task_makes_a_gate() -> None:
    """Jobs and workers need no trust: who makes gates is the driver."""
    sources = {p: p.read_text(encoding="utf-8") for p in Path(coopt.__file__).parent.rglob("*.py")}
    made = {
        p.relative_to(Path(coopt.__file__).parent).as_posix() for p, text in sources.items() if "make_gate(" in text
    }
    assert made == {
        "driver/checks.py", "driver/simulate/deciding.py", "graph/gates/journaled.py", "graph/gates/registry.py",
        "testing/methods.py",
    }  # fmt: skip
    tasks = [text for p, text in sources.items() if p.parent.name in ("tasks", "slurm") or "methods" in p.parts]
    assert not any("gates.journaled" in text or "gates.registry" in text for text in tasks)


OPTIONS = """
class Mine:
    name, reads_scores = "mine", False
    def __init__(self, config):
        {reads}
    def decide(self, view): ...
"""
READS = {
    "margin": 'self.margin = config.options.get("margin", 0.1)',
    "margin or more": 'self.margin = config.options["margin"] if "margin" in config.options else 0.1',
    "any": "self.options = dict(**config.options)",
    "any copied": "self.options = {**config.options}",
    "any merged": "self.options = {'margin': 0.1} | config.options",
    "any merged over": "self.options = config.options | {'steep': 1}",
    "nothing": "pass",
    "nothing and raises": 'raise ValueError("no margin")',
}


@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("key", ["margin", "margn"])
def test_a_plan_that_is_trusted_refuses_what_the_run_refuses(reads: str, key: str, working_folder: Path) -> None:
    Path("gates.py").write_text(OPTIONS.format(reads=READS[reads]))
    config = load_config(gate={"kind": "gates.py:Mine", "options": {key: 0.3}})

    def said() -> str:
        try:
            check_settings(config)
        except ConfigError as error:
            return str(error)
        return ""

    in_run = said()
    with only_looking():
        assert said() == "", "not imported"
        with trusting():
            assert said() == in_run
    expected = {"nothing": "takes no options", "nothing and raises": "it fails: ValueError: no margin"}
    if "margin" in reads and key == "margn":
        assert "unknown option of gate gates.py:Mine, 'margn'. Did you mean 'margin'?" in in_run
    else:
        assert in_run == "" if reads not in expected else expected[reads] in in_run


def test_an_option_of_a_shipped_gate_is_refused_unless_somebody_reads_it(working_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"gate\.options\.margin: gate cognizance takes no options"):
        check_settings(load_config(methods=("sdpo",), gate={"options": {"margin": 0.3}}))
    Path("gates.py").write_text(OPTIONS.format(reads=READS["margin"]))
    graph(Path("gates.py"))
    check_settings(load_config(topology="mine.toml", gate={"options": {"margin": 0.3}}))


def test_a_simulation_refuses_them_too(cli: Command, working_folder: Path) -> None:
    Path("gates.py").write_text(OPTIONS.format(reads=READS["margin"]))
    done = cli("simulate", "--rounds", "1", "--gate", "gates.py:Mine", "--set", "gate.options.margn=0.3")
    assert done.code == 2
    assert "'margn'. Did you mean 'margin'?" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_plan_says_what_it_has_not_imported(gate: Path) -> None:
    run = Run(Path(), load_config(gate={"kind": f"{gate}:Mine"}))
    with only_looking():
        assert "has neither imported nor checked it: --trust does" in imported(run)[0]
        with trusting():
            assert imported(run) == [f"imports code: {gate} (gate.kind)"]
