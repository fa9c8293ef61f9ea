"""Starting is quick because heavy imports wait."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
from importlib import metadata

import pytest

import coopt
from coopt.cli.main import main
from coopt.core.config.load import load_config
from coopt.domains.load import load_domains
from coopt.graph.files import load_topology
from coopt.methods.students import recipe
from coopt.runs.provenance import environment

HEAVY = {"torch", "transformers", "numpy", "networkx", "scipy", "pydantic", "altair", "vl_convert", "jinja2"}


def loaded_by(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has loaded after ``code``."""
    ask = f"{code}\nimport sys; print(*({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_nothing_heavy() -> None:
    code = "import contextlib, sys\nfrom coopt.cli.main import app\nsys.argv = ['coopt', '--help']\n"
    assert loaded_by(code + "with contextlib.suppress(SystemExit): app()") == set()


def test_importing_coopt_loads_nothing_heavy() -> None:
    assert loaded_by("import coopt") == set()
    assert "torch" not in loaded_by("import coopt\nfor name in dir(coopt): getattr(coopt, name)")


def test_every_name_is_there_and_stays_after_its_module_was_imported() -> None:
    """``coopt.bench`` was once hidden by a module of that name as soon as a bench had run."""
    for name in dir(coopt):
        assert getattr(coopt, name).__name__ == name
    importlib.import_module("coopt.driver.bench")

    assert all(f"coopt.{name}" not in sys.modules for name in dir(coopt))
    assert callable(coopt.bench)


def test_the_version_is_that_of_the_package() -> None:
    assert coopt.__version__ == metadata.version("coopt")


def test_the_source_tree_runs_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On ``PYTHONPATH`` alone coopt has no metadata."""
    find = metadata.Distribution.from_name

    def without_coopt(name: str) -> metadata.Distribution:
        if name == "coopt":
            raise metadata.PackageNotFoundError(name)
        return find(name)

    monkeypatch.setattr(metadata.Distribution, "from_name", without_coopt)
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("coopt")
    config = load_config(topology="pair")
    made = recipe(config, load_topology("pair", config.domains), load_domains(config), 0, "s1")
    assert made
    assert made["coopt"] == environment()["packages"]["coopt"] == coopt.__version__
    monkeypatch.setattr(sys, "argv", ["coopt", "--version"])
    with contextlib.suppress(SystemExit):
        main()
    assert capsys.readouterr().out == f"coopt {coopt.__version__}\n"
