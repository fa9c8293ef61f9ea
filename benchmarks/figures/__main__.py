"""Write the figures of README and the documents from the archives, or check them.

    python -m benchmarks.figures                    # write; names every figure that changes
    python -m benchmarks.figures --check            # write nothing; exit code 1 if a figure is not what an archive says
    python -m benchmarks.figures docs/claims.md     # one document

Exit code 2: a key that no archive can answer. Keys: the docstring of ``benchmarks/figures/__init__.py``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.figures.figure import FigureError
from benchmarks.figures.kept import opened
from benchmarks.figures.places import Difference, filled
from coopt.core import store
from coopt.core.errors import CooptError

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
KEPT = ROOT / "runs" / "figures"


def documents() -> list[Path]:
    """All that may quote an archive."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), RESULTS / "README.md"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", type=Path, help="documents (default: README, docs)")
    parser.add_argument("--check", action="store_true", help="write nothing; name what differs")
    asked = parser.parse_args()
    try:
        with opened(ROOT, RESULTS, KEPT) as book:
            return figures(asked.files or documents(), book.text, check=asked.check)
    except (CooptError, OSError) as error:
        print(f"figures: {error}", file=sys.stderr)
        return 2


def figures(files: Sequence[Path], right: Callable[[str], str], *, check: bool) -> int:
    """Compare or write, print what differs, and return the exit code. Nothing is written if a key is wrong."""
    texts, found = {}, {}
    for file in files:
        texts[file], found[file] = differences(file, right)
    for file, own in found.items():
        for difference in own:
            print(f"{named(file)}:{difference}")
        if own and not check:
            store.write_text(file, texts[file])
    count = sum(map(len, found.values()))
    figure = f"{count} figure{'s' * (count != 1)}"
    print(f"{figure} not as in the archives." if check else f"{figure} written anew.")
    return 1 if count and check else 0


def differences(file: Path, right: Callable[[str], str]) -> tuple[str, list[Difference]]:
    """A document as it should be, and where it is not. Raises ``FigureError`` with file and line."""
    try:
        return filled(file.read_text(encoding="utf-8"), right)
    except FigureError as error:
        raise FigureError(f"{named(file)}:{error}") from None


def named(file: Path) -> str:
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)


if __name__ == "__main__":
    sys.exit(main())
