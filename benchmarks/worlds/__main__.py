"""The maps of docs/worlds.md, from their archives or from a sweep that goes on.

python -m benchmarks.worlds                                         # every map that has an archive
python -m benchmarks.worlds worlds-gate --sweep sweeps/worlds-gate  # as far as it is
python -m benchmarks.worlds worlds-gate --figure map.svg --model "SmolLM2-135M=0.04,0.5"
python -m benchmarks.worlds --hashes                                # of the suites, for preregistered.toml
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.worlds.map import PREREGISTERED, cells_of, hash_of, plans, read_map
from benchmarks.worlds.show import draw, map_tables
from coopt.core.tables.screen import output, show
from coopt.driver.sweep.archive import archive_of, bring
from coopt.driver.sweep.suite import suite_names, suite_path

ARCHIVES = Path("benchmarks/results/suites")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", nargs="*", help="suites (default: every map that has an archive)")
    parser.add_argument("--sweep", type=Path, help="a sweep's folder instead of the archive")
    parser.add_argument("--figure", type=Path, help="draw the map, too (.svg, .pdf, .png)")
    parser.add_argument("--model", action="append", default=[], help="NAME=ACROSS,UP: a real model's place")
    parser.add_argument("--hashes", action="store_true")
    asked = parser.parse_args()
    if asked.hashes:
        for name in (n for n in suite_names() if n.startswith("worlds-")):
            print(f"{name}: {hash_of(suite_path(name))}")
        return
    fixed = plans()
    names = asked.maps or [n for n in fixed if (ARCHIVES / n).is_dir()]
    if asked.figure and len(names) != 1:
        parser.error(f"--figure is the picture of one map; name it. Maps: {', '.join(fixed)}")
    models = {}
    for text in asked.model:
        name, _, place = text.rpartition("=")
        across, up = map(float, place.split(","))
        models[name] = (across, up)
    print(f"fixed before the runs: {PREREGISTERED} (sha256 {hash_of(PREREGISTERED)[:12]})")
    with TemporaryDirectory() as unpacked:
        for name in names:
            cells = cells_of(fixed[name], asked.sweep or Path(unpacked) / name)
            if asked.sweep is None:
                cells = [c for c in cells if archive_of(c, ARCHIVES / name).is_file()]
                for cell in cells:
                    bring(cell, ARCHIVES / name)
            found = read_map(fixed[name], cells)
            show(map_tables(fixed[name], found), output())
            if asked.figure:
                draw(fixed[name], found, models, asked.figure)


if __name__ == "__main__":
    main()
