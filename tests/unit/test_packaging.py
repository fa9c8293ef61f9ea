"""What is written down beside the package: its dependencies, CI's parts, the hosted workflow, recipes of containers."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
PARTS = ("test", "heavy", "lint", "docs")
RECIPES = sorted(p for p in (ROOT / "slurm/containers").iterdir())


def ci(folder: Path, *parts: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """``.ci/run`` with a make that says what it was asked for, and ends with that status."""
    make = folder / "make"
    make.write_text(f"#!/bin/sh\necho make $*\nexit {status}\n")
    make.chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", ROOT / ".ci/run", *parts], env=environment, capture_output=True, text=True, check=False
    )


def made(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^make (.+)$", done.stdout, re.MULTILINE)


def test_ci_runs_all_parts_or_those_that_are_named(tmp_path: Path) -> None:
    assert made(ci(tmp_path)) == ["test", "test-heavy", "lint", "docs"]
    assert made(ci(tmp_path, "lint")) == ["lint"]
    assert made(ci(tmp_path, "heavy", "test")) == ["test-heavy", "test"]
    phony = re.findall(r"^\.PHONY:(.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0].split()
    assert set(made(ci(tmp_path))) <= set(phony)


def test_ci_refuses_an_unknown_part_before_it_runs_another(tmp_path: Path) -> None:
    done = ci(tmp_path, "lint", "lnt")
    assert done.returncode == 2
    assert not made(done)
    assert done.stderr == ".ci/run: no part 'lnt'. Parts: test, heavy, lint, docs (without a name: all).\n"


def test_a_part_that_fails_ends_it(tmp_path: Path) -> None:
    done = ci(tmp_path, status=3)
    assert done.returncode == 3
    assert made(done) == ["test"]


def jobs() -> list[dict[str, Any]]:
    return list(WORKFLOW["jobs"].values())


def test_the_workflow_runs_each_part_on_the_oldest_and_the_newest_python() -> None:
    ran = {}
    for job in jobs():
        matrix = job["strategy"]["matrix"]
        (line,) = (line for step in job["steps"] for line in step.get("run", "").splitlines() if ".ci/run" in line)
        for part in matrix.get("part", [None]):
            ran[line.replace("${{ matrix.part }}", str(part)).split(".ci/run ")[1]] = matrix["python"]
    named = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", c) for c in PROJECT["classifiers"])
    pythons = [match[1] for match in named if match]
    assert ran == {part: [pythons[0], pythons[-1]] for part in PARTS}
    assert PROJECT["requires-python"] == f">={pythons[0]}"


def test_the_workflow_may_little_and_ends() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert all("permissions" not in job and job["timeout-minutes"] <= 90 for job in jobs())
    used = [step["uses"] for job in jobs() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", u) for u in used), used
    assert set(WORKFLOW[True]) == {"push", "pull_request"}  # YAML 1.1 reads the key `on` as true


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.name)
def test_a_recipe_installs_the_wheel_with_extras_that_there_are(recipe: Path) -> None:
    text = recipe.read_text(encoding="utf-8")
    (extras,) = re.findall(r'pip install .*"\$\(echo /opt/coopt/coopt-\*\.whl\)\[([a-z,-]+)\]"', text)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert re.search(r"dist/coopt-\*\.whl /opt/coopt/", text)
    (base,) = re.findall(r"^(?:FROM|From:) (.+)$", text, re.MULTILINE)
    assert re.fullmatch(r"python:3\.1[1-3]-slim", base)
    assert "://" not in text


def test_the_recipes_do_the_same() -> None:
    def installs(recipe: Path) -> set[str]:
        text = recipe.read_text(encoding="utf-8")
        return {x.rstrip(" \\") for x in re.findall(r"(?:apt-get install|pip install|HF_HOME=|python:3).*", text)}

    assert len(installs(RECIPES[0])) == 4
    assert installs(RECIPES[0]) == installs(RECIPES[1])


def test_the_document_names_the_ranges_of_pyproject() -> None:
    text = (ROOT / "docs/gpu.md").read_text(encoding="utf-8")
    ranges = {d.split(";")[0] for d in PROJECT["dependencies"] if re.match(r"(torch|transformers|peft)\b", d)}
    for name in ("vllm", "peers"):
        ranges |= set(PROJECT["optional-dependencies"][name])
    stated = set(re.findall(r"^\| `([^`]*[<=>][^`]*)` \|", text, re.MULTILINE))
    assert stated == ranges
