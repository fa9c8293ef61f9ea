"""The wheel, installed in an environment of its own and used from an empty folder: the checkout is out of sight."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import LESS, of_all_processes

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """The wheel's file, and the environment that it is installed in."""

    wheel: Path
    environment: Path

    def run(self, program: str, *arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
        """A program of the environment, with nothing of the caller's environment that leads to the checkout."""
        return subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=at,
            env={"PATH": "/usr/bin:/bin", "HOME": str(at), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Dependencies are those of the environment that runs the tests, so that nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    python = environment / "bin/python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True, timeout=300)
    (site,) = environment.glob("lib/python*/site-packages")
    # A path file inside a folder that is named by a path file is not read: an editable install stays out of it.
    (site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, environment)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_what_is_in_it_and_how_much(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as inside:
        files = inside.infolist()
    (model,) = (f.compress_size for f in files if f.filename.endswith(".safetensors"))
    assert installed.wheel.stat().st_size - model < 950_000
    assert model < 2_800_000  # docs/design.md, "The wheel", has why not less
    shipped = {Path(f.filename).suffix for f in files if f.filename.startswith("coopt/_data/")}
    assert shipped == {".toml"}  # suites, topologies and SLURM profiles: none of benchmarks/results
    assert {f.filename.split("/")[0].split("-")[0] for f in files} == {"coopt"}  # neither tests nor benchmarks


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["topo", "list"], {"two_cliques", "fair_committee"}),
        (["sweep", "nowhere"], {"pairs,", "schedules"}),
        (["bench", "--profile", "nowhere"], {"cpu, dev, gpu"}),
        (["bench", "--preset", "nowhere"], {"mini", "paper-1gpu"}),
        (["bench", "--set", "data.mapping=nowhere"], {"gpqa", "supergpqa"}),
    ],
)
def test_it_finds_what_is_shipped(installed: Installed, empty: Path, command: list[str], expected: set[str]) -> None:
    done = installed.run("coopt", *command, at=empty)
    assert {e for e in expected if e not in done.stdout + done.stderr} == set(), done.stdout + done.stderr


def test_the_smoke_bench_and_its_page(
    installed: Installed, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asked = installed.run("python", "-c", "import coopt, torch; print(coopt.__file__, torch.__file__)", at=empty)
    assert asked.stdout.startswith(str(installed.environment)), asked.stderr
    assert str(ROOT / "coopt") not in asked.stdout
    specialists = of_all_processes(tmp_path_factory) / "specialists"  # made by whichever test comes first
    less = (*LESS, "rounds.rounds=1", "rounds.steps=1", "break_rate.questions=0", f"model.specialists='{specialists}'")
    settings = [argument for setting in less for argument in ("--set", setting)]
    done = installed.run("coopt", "bench", "--smoke", "--workers", "1", "--out", "run", *settings, at=empty)
    assert done.returncode == 0, done.stderr
    assert "Smoke run finished" in done.stdout
    done = installed.run("coopt", "report", "run", "--html", "page.html", at=empty)
    assert done.returncode == 0, done.stderr
    assert "</html>" in (empty / "page.html").read_text(encoding="utf-8")


def test_every_python_that_is_here_can_compile_it(installed: Installed, tmp_path: Path) -> None:
    """The dependencies are there for one Python only; of the others, what they read is at least their language."""
    with zipfile.ZipFile(installed.wheel) as inside:
        inside.extractall(tmp_path)
    for python in interpreters():
        done = subprocess.run(
            [python, "-W", "error", "-m", "compileall", "-q", "-f", tmp_path / "coopt"], capture_output=True, text=True
        )
        assert done.returncode == 0, f"{python}: {done.stdout}{done.stderr}"


def interpreters() -> list[str]:
    """The Pythons on PATH that pyproject.toml allows, this one first."""
    found = [sys.executable]
    for minor in (11, 12, 13):
        python = shutil.which(f"python3.{minor}")
        asked = python and subprocess.run([python, "-c", ""], capture_output=True, env=dict(os.environ), check=False)
        if python and asked and asked.returncode == 0:  # a shim of a version manager may lead nowhere
            found.append(python)
    return found
