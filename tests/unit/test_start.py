"""Starting is quick because heavy imports wait."""

from __future__ import annotations

import importlib
import subprocess
import sys

import coopt

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
    from importlib.metadata import version

    assert coopt.__version__ == version("coopt")
