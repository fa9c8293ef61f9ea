"""Figures of README and the documents are what the archives say, and one that is not is named."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import t

from benchmarks.figures.__main__ import KEPT, RESULTS, ROOT, documents, figures
from benchmarks.figures.book import Book
from benchmarks.figures.figure import FigureError, count, difference, listed, point, share
from benchmarks.figures.kept import opened
from benchmarks.figures.places import filled, places
from coopt.cli.report import show_headline
from coopt.core import store
from coopt.runs.measures.summary import read_results


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """The shipped archives; here only small ones are asked for."""
    return Book(RESULTS, tmp_path_factory.mktemp("unpacked"))


# -- the committed documents -----------------------------------------------------------------------


@pytest.mark.slow
def test_documents_say_what_the_archives_say_and_a_changed_digit_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(ROOT, RESULTS, KEPT) as book:
        assert figures(documents(), book.text, check=True) == 0, capsys.readouterr().out
        for document in documents():
            text = document.read_text(encoding="utf-8")
            for place in [p for p in places(text) if re.search(r"\d", p.written)][:3]:
                start, end = place.span
                copy = tmp_path / document.name
                copy.write_text(text[:start] + _other_digit(place.written) + text[end:], encoding="utf-8")
                capsys.readouterr()
                assert figures([copy], book.text, check=True) == 1
                assert f"{copy}:{place.line}: {place.key}: written" in capsys.readouterr().out


def _other_digit(written: str) -> str:
    return re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), written, count=1)


@pytest.mark.parametrize(
    ("name", "least"), [("docs/claims.md", 100), ("docs/methods.md", 20), ("docs/graphs.md", 80), ("README.md", 5)]
)
def test_the_documents_of_results_have_their_figures_under_keys(name: str, least: int) -> None:
    assert len(list(places((ROOT / name).read_text(encoding="utf-8")))) >= least


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_the_screen_that_a_document_shows_is_that_of_an_archive(name: str, tmp_path: Path) -> None:
    """Of the bench that it tells to run. Costs are another machine's."""
    with tarfile.open(RESULTS / "suites/pairs/phys-chem/seed-0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    out = StringIO()
    show_headline(read_results(tmp_path), "runs/NAME", Console(file=out, width=80, highlight=False))
    (block,) = re.findall(r"```text\n(WARNING: one seed.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    shown = re.split(r"Cost: |\.\.\.\n", block)[0].split()
    assert shown == out.getvalue().split("Cost: ")[0].split()


# -- places ----------------------------------------------------------------------------------------


def test_a_hand_changed_digit_is_named_and_put_right(
    book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "claims.md"
    text = "It costs\ns1 <!--f hostile/leak opcod-honest s1-->-13.4<!--/f--> points.\n"
    document.write_text(text.replace("13.4", "13.5"))
    assert figures([document], book.text, check=True) == 1
    line = f"{document}:2: hostile/leak opcod-honest s1: written '-13.5', right '-13.4'"
    assert line in capsys.readouterr().out
    assert "13.5" in document.read_text()
    assert figures([document], book.text, check=False) == 0
    assert document.read_text() == text
    assert figures([document], book.text, check=True) == 0


def test_a_table_stands_on_lines_of_its_own() -> None:
    right: Callable[[str], str] = {"a table": "| x |\n|---|", "a number": "1"}.__getitem__
    text, differences = filled("<!--t a table-->\nold\n<!--/t-->\nand <!--f a number-->1<!--/f-->.", right)
    assert text == "<!--t a table-->\n\n| x |\n|---|\n\n<!--/t-->\nand <!--f a number-->1<!--/f-->."
    assert [str(d) for d in differences] == ["1: a table: written a table of 1 lines, right a table of 2 lines"]
    with pytest.raises(FigureError, match="1: a table: a table; it stands between"):
        filled("here <!--f a table-->1<!--/f-->", right)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("x\ny <!--f a b-->1", "2: '<!--f' has no other end"),
        ("x <!--f a b-->1<!--/t-->", "'<!--f' has no other end"),
        ("x 1<!--/f-->", "'<!--/f' has no other end"),
        ("x <!--f a b-->1 <!--f a c-->2<!--/f-->", "a b: a place inside a place"),
        ("x <!--f a b-->1\n2<!--/f-->", "a figure lies within a line"),
        ("x\n  <!--f a b-->1<!--/f-->", "2: a b: a figure lies within a line"),
        ("- <!--f a b-->1<!--/f-->", "a figure lies within a line"),
    ],
)
def test_places_that_cannot_be_read_are_errors(text: str, wrong: str) -> None:
    with pytest.raises(FigureError, match=re.escape(wrong)):
        list(places(text))


def test_comments_in_code_are_text() -> None:
    assert [p.key for p in places("`<!--f KEY-->` and `<!--/f-->`, | <!--f a s2->s1-->1<!--/f--> |")] == ["a s2->s1"]


# -- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("hostile/leak opcod-honest s1", "-13.4"),
        ("hostile/leak opcod-honest s2 size", "1.1"),
        ("hostile/leak kept opcod s2->s1", "6,382 of 19,200"),
        ("hostile/leak kept opcod s2->s1 percent1", "33.2"),
        ("hostile/leak leaked opcod s2->s1 part", "0"),
        ("hostile/leak open opcod s2->s1", "4 of 4"),
        ("hostile/leak sum open opcod s?->s?", "6 of 8"),
        ("hostile/misleading native honest s1", "+16.0"),
        ("hostile/misleading count up change opcod * *", "3 of 4"),
        ("hostile/misleading smallest change opcod * *", "-0.1"),
        ("graphs/ring opcod-sdpo", "+8.0"),
        ("graphs/ring open opcod 2 percent", "62"),
        ("graphs/ring consensus opcod 4", "21.2"),
        ("graphs/ring break open sf", "0.4"),
        ("graphs/ring rank opcod 4", "+13.7"),
        ("scimini-proof seeds", "400 to 402"),
        ("scimini-proof opcod-sdpo per-seed", "+4.7 +3.9 +7.9"),
        ("scimini-proof oracle opcod-sdpo whole", "40"),
        ("methods accepted fair percent", "95"),
        ("leaderboard/star500 opcod-sdpo", "+8.7 [5.8, 11.6]"),
        ("leaderboard/star500 score opcod", "85.6 [81.0, 89.5]"),
        ("leaderboard complete500-opcod-star500-opcod point", "+0.2"),
    ],
)
def test_keys_of_archives_that_do_not_change(book: Book, key: str, text: str) -> None:
    assert book.text(key) == text


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("scimini-prof seeds", "unknown archive 'scimini-prof'. Did you mean 'scimini-proof'?"),
        ("suites/gate seeds", "unknown suite 'gate'. Did you mean 'gates'?"),
        ("leaderboard/star5000 seeds", "unknown run 'star5000'. Did you mean 'star500'?"),
        ("scimini-proof opcot-sdpo", "scimini-proof has no 'opcot-sdpo'. Near: opcod-sdpo, "),
        ("scimini-proof largest change opcot *", "has no 'largest change opcot *'. Near: "),
        ("scimini-proof opcod-sdpo interval", "unknown form 'interval'. Allowed: per-seed, point, size."),
        ("scimini-proof sum change opcod * *", "not all of these are counts"),
        ("scimini-proof", "a key is ARCHIVE NAME [FORM]"),
        ("leaderboard methods700-opcod-star500-opcod", "have other seeds or questions"),
        ("scimini-proof+scimini-proof opcod-sdpo", "seeds 400 to 402 are in two of them"),
    ],
)
def test_an_unknown_key_is_one_line_that_names_near_ones(book: Book, key: str, wrong: str) -> None:
    with pytest.raises(FigureError, match=re.escape(wrong)) as caught:
        book.text(key)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_is_said_with_file_and_line_and_nothing_is_written(book: Book, tmp_path: Path) -> None:
    document = tmp_path / "claims.md"
    text = "It is <!--f hostile/leak opcod-honest-->0<!--/f-->\nand <!--f hostile/leak opcod-honst-->1<!--/f-->"
    document.write_text(text)
    with pytest.raises(FigureError, match=re.escape(f"{document}:2: hostile/leak has no 'opcod-honst'")):
        figures([document], book.text, check=False)
    assert document.read_text() == text


def test_seeds_without_answers_are_read_together_by_t(book: Book) -> None:
    cells = store.read_json(RESULTS / "scimini-proof" / "results.json")["comparisons"]
    per_seed = {c["method"]: np.array(c["per_seed"]) for c in cells if c["student"] == "all"}
    values = 100 * (per_seed["always"] - per_seed["opcod"])
    half = t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
    assert book.text("scimini-proof+ always-opcod half") == f"{values.mean():+.1f} ± {half:.1f}"


@pytest.mark.slow
def test_a_suite_is_read_with_the_seeds_that_are_there(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for file in (RESULTS / "suites" / "schedules").glob("*/seed-[01].tar.xz"):
        if file.parent.name != "1x100" or file.name == "seed-0.tar.xz":
            kept = results / "suites" / "schedules" / file.parent.name / file.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, kept)
    book = Book(results, tmp_path / "unpacked")
    assert book.text("suites/schedules seeds") == "0 and 1 (5x20, 2x50); 0 (1x100)"
    assert len(book.text("suites/schedules/5x20 change opcod per-seed").split()) == 2
    assert len(book.text("suites/schedules 2x50:opcod-5x20:opcod per-seed").split()) == 1  # seeds that all have
    assert book.text("suites/schedules table 5x20").count("\n") == 4
    with pytest.raises(FigureError, match=r"unknown arm '1x10'\. Did you mean '1x100'\?"):
        book.text("suites/schedules/1x10 change opcod")


# -- forms -----------------------------------------------------------------------------------------


def test_forms_of_a_difference() -> None:
    forms = difference(-0.054, -0.1, 0.003, [0.01, -0.2], 0.0004, "worse").forms
    assert next(iter(forms)) == "interval"
    assert forms["interval"] == "-5.4 [-10.0, 0.3]"
    assert forms["bold"] == "**-5.4 [-10.0, 0.3]**"
    assert forms["per-seed"] == "+1.0 -20.0"
    assert (forms["p"], forms["size"], forms["half"]) == ("p < 0.001", "5.4", "-5.4 ± 5.2")
    assert "*" not in difference(0.1, 0.0, 0.2, verdict="no difference shown").forms["bold"]
    assert {"verdict", "bold", "p"}.isdisjoint(difference(0.1, 0.0, 0.2).forms)
    assert set(point(0.1).forms) == {"point", "size"}


def test_forms_of_shares_and_counts() -> None:
    assert next(iter(share(0.5, 0.4, 0.6).forms.values())) == "50.0 [40.0, 60.0]"
    assert share(None, n=3).forms == {"interval": "too few", "n": "3"}
    assert dict(count(1, 3).forms) == {
        "of": "1 of 3", "part": "1", "whole": "3", "percent": "33", "percent1": "33.3", "percent2": "33.33",
    }  # fmt: skip
    assert count(0, 0).forms["percent"] == "–"


def test_seeds_as_they_are_said() -> None:
    assert [listed(s) for s in ([7], [1, 0], [0, 1, 2], [0, 1, 700, 701, 702])] == [
        "7", "0 and 1", "0 to 2", "0, 1 and 700 to 702",
    ]  # fmt: skip
