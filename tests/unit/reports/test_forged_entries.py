"""Entries that agree with themselves and lie: every number follows from the answers, and the files are not what they
should be, or not of the world, graph, method or seeds that they name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import EntryError
from coopt.domains.rows import content_hash
from coopt.graph.files import load_topology
from coopt.reports.leaderboard import kept
from coopt.reports.leaderboard.add import add_run
from coopt.reports.leaderboard.answers import AnswersOf, GradedAnswers, Question, read_table, write_answers
from coopt.reports.leaderboard.check import check_entry, check_folder
from coopt.reports.leaderboard.command import check_command
from coopt.reports.leaderboard.entry import ENTRY, OUTCOMES
from coopt.reports.leaderboard.evidence import check_pairs, check_sizes
from coopt.reports.leaderboard.measures import measure
from coopt.reports.leaderboard.work import _check_steps, check_work
from coopt.runs.run import Run
from tests.unit.small_runs import write_run

PATH = Path("x.entry.json")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("forged") / "small", seeds=2)


@pytest.fixture
def entry(run: Run, tmp_path: Path) -> Path:
    """An entry to tamper with."""
    made = run.directory.with_name("entries")
    if not made.is_dir():
        add_run(run, made)
    for end in (ENTRY, OUTCOMES):
        shutil.copy(made / f"small-opcod{end}", tmp_path / f"small-opcod{end}")
    return tmp_path / f"small-opcod{ENTRY}"


def forge(entry: Path, name: str, change: Callable[[dict[str, Any], GradedAnswers], GradedAnswers]) -> Path:
    """An entry of that name, changed, with all that follows worked out anew by coopt's own functions."""
    tree = json.loads(entry.read_text())
    answers = change(tree, check_entry(entry).answers)
    path, beside = entry.with_name(name + ENTRY), entry.with_name(name + OUTCOMES)
    write_answers(beside, answers)
    tree |= {"name": name, "run": name.rpartition("-")[0]}
    tree["measures"] = measure(answers, tree["native"]).model_dump(mode="json")
    tree["outcomes"] = {"file": beside.name, "sha256": hashlib.sha256(beside.read_bytes()).hexdigest()}
    store.write_json(path, tree)
    return path


def _as_it_is(tree: dict[str, Any], answers: GradedAnswers) -> GradedAnswers:
    return answers


def _other_questions(ids: bool) -> Callable[[dict[str, Any], GradedAnswers], GradedAnswers]:
    """Invented questions with hashes that fit; or the world's own with other right answers."""

    def change(tree: dict[str, Any], answers: GradedAnswers) -> GradedAnswers:
        questions = {
            d: [Question(f"q{k}" if ids else q.item, q.key if ids else "A", q.clusters) for k, q in enumerate(own)]
            for d, own in answers.questions.items()
        }
        for data in (tree["data"], *(p["data"] for p in tree["provenance"])):
            for d, own in questions.items():
                data[d]["test"] = content_hash(*(q.item for q in own))[:16]
        return GradedAnswers(
            answers.method, answers.students, answers.domains, answers.seeds, questions, answers.correct
        )

    return change


def test_what_is_forged_consistently_would_hold_but_for_what_coopt_knows(entry: Path) -> None:
    check_entry(forge(entry, "small-opcod", _as_it_is))
    for ids in (True, False):
        with pytest.raises(EntryError, match="are not the embedded world's"):
            check_entry(forge(entry, "x-opcod", _other_questions(ids)))


def test_seeds_are_not_relabelled(entry: Path) -> None:
    def change(tree: dict[str, Any], answers: GradedAnswers) -> GradedAnswers:
        tree["seeds"] = [3, 4]
        return GradedAnswers(
            answers.method, answers.students, answers.domains, [3, 4], answers.questions, answers.correct
        )

    with pytest.raises(EntryError, match=r"seeds: \[3, 4\], but by the rest of the entry it is \[0, 1\]"):
        check_entry(forge(entry, "x-opcod", change))


def test_the_best_seed_alone_is_no_entry(entry: Path) -> None:
    def change(tree: dict[str, Any], answers: GradedAnswers) -> GradedAnswers:
        tree["seeds"] = [0]
        correct = {place: grid[:1] for place, grid in answers.correct.items()}
        return GradedAnswers(answers.method, answers.students, answers.domains, [0], answers.questions, correct)

    with pytest.raises(EntryError, match=r"seeds: \[0\], but by the rest of the entry it is \[0, 1\]"):
        check_entry(forge(entry, "x-opcod", change))


def test_one_entry_a_content(entry: Path) -> None:
    """Also where the file was written in another way."""
    for name in ("a-opcod", "b-opcod"):
        forge(entry, name, _as_it_is)
    folder = check_folder(entry.parent)
    assert [c.entry.name for c in folder.good] == ["a-opcod"]
    assert [line.split(": ", 1)[1] for line in folder.bad] == [
        f"{entry.parent}/a-opcod{ENTRY} has the same answers."
    ] * 2


def _informed_run(folder: Path, **settings: Any) -> Run:
    """A pair whose tutors hand worked solutions over, from a file of one's own."""
    graph = folder / "mine.toml"
    edges = "".join(
        f'[[edges]]\ntutor = "{a}"\ntutee = "{b}"\nstyle = "reference"\n' for a, b in (("s1", "s2"), ("s2", "s1"))
    )
    graph.write_text('[[nodes]]\nid = "s1"\n[[nodes]]\nid = "s2"\n' + edges)
    return write_run(folder / "own", topology=str(graph), **settings)


def test_what_a_graph_of_ones_own_hands_over_cannot_be_denied(tmp_path: Path) -> None:
    paths = {p.name: p for p in add_run(_informed_run(tmp_path), tmp_path / "made")}
    path = paths[f"own-opcod{ENTRY}"]
    assert check_entry(path).entry.informed
    assert not check_entry(paths[f"own-sdpo{ENTRY}"]).entry.informed
    tree = json.loads(path.read_text())
    store.write_json(path, tree | {"informed": False})
    with pytest.raises(EntryError, match="informed: False, but by the rest of the entry it is True"):
        check_entry(path)
    store.write_json(path, tree | {"informed": False, "graph": None})
    with pytest.raises(EntryError, match="graph: missing, and mine is not a shipped one"):
        check_entry(path)
    store.write_json(path, tree | {"graph": {"nodes": [{"id": "s1"}, {"id": "s3"}], "edges": []}})
    with pytest.raises(EntryError, match="of the graph mine they are"):
        check_entry(path)
    store.write_json(path, tree | {"graph": tree["graph"] | {"edges": [{}] * 5000}})
    with pytest.raises(EntryError, match="5,000 edges; an entry may have 4,096"):
        check_entry(path)


def test_a_method_that_is_not_here_hides_no_oracle_behind_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "small", {"oracle": 0.9}, methods=("sdpo", "oracle"))
    path = next(p for p in add_run(run, tmp_path / "made") if "oracle" in p.name)
    tree = json.loads(path.read_text())
    tree["config"]["methods"] = ["mine", "oracle"]
    store.write_json(path, tree)
    check_entry(path)
    store.write_json(path, tree | {"informed": False})
    with pytest.raises(EntryError, match="informed: False, but by the rest"):
        check_entry(path)


COMMANDS: list[tuple[tuple[str, ...], str]] = [
    (("--set", "gate.tau=0.5"), r"config\.gate\.tau is 0\.2, but the command in provenance\.0 says 0\.5"),
    (("--set=optimizer.lr=1.0",), r"config\.optimizer\.lr is .* says 1\.0"),
    (("--topology", "ring"), r"config\.topology is 'pair', .* 'ring'"),
    (("--domains", "phys,mat"), r"config\.domains"),
    (("--preset", "paper"), r"config\.preset is 'mini', .* 'paper'"),
    (("--model", "/somewhere/qwen"), r"config\.model\.path is 'scimini'"),
    (("--nodes", "4"), r"config\.nodes is None, .* says 4"),
    (("--engine", "vllm"), r"config\.engine\.kind is 'hf'"),
    (("--method", "sdpo,grpo"), r"--method names grpo, which config\.methods does not have"),
    (("--seed", "7"), r"--seed 7 is not among the entry's seeds \[0, 1\]"),
    (("--seeds", "5"), r"--seeds 5, but the entry has 2"),
    (("--smoke",), r"config\.smoke is False"),
]
TRUE = ("--set", "gate.tau=0.2", "--topology", "mine/pair", "--domains=chem,phys", "--method", "all", "--seed", "1",
        "--seeds", "1", "--set", "no.such=1", "--workers", "2", "--set")  # fmt: skip


@pytest.mark.parametrize(("words", "message"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_settings_are_those_of_the_command_that_began_the_run(
    entry: Path, words: tuple[str, ...], message: str
) -> None:
    """The answers may be those of other settings than the ones that are given for them."""
    tree = json.loads(entry.read_text())
    (record,) = tree["provenance"]
    for command, said in ((["bench", *words], message), (["sweep", *words], ""), ([], "")):
        store.write_json(entry, tree | {"provenance": [record | {"arguments": command}]})
        if said:
            with pytest.raises(EntryError, match=said) as refused:
                check_entry(entry)
            assert "\n" not in str(refused.value)
        else:
            check_entry(entry)


@pytest.mark.parametrize("end", range(0, len(TRUE) + 1))
def test_a_command_that_says_the_same_or_nothing_is_none_against_it(end: int) -> None:
    """Also one that is cut off, grew later, or names what this coopt does not have."""
    config = load_config(topology="pair", domains="chem,phys", methods=("sdpo", "opcod"), seeds=2)
    record = SimpleNamespace(arguments=["bench", *TRUE[:end]])
    entry: Any = SimpleNamespace(provenance=[record], seeds=[0, 1])
    check_command(PATH, entry, config)


@pytest.mark.parametrize("said", ['["phys","chem"]', '["physics", "Chem"]', "phys,chem"])
def test_short_names_of_domains_are_the_same_in_a_setting(said: str) -> None:
    config = load_config(topology="pair", settings=[f"domains={said}"])
    record = SimpleNamespace(arguments=["bench", "--set", f"domains={said}"])
    entry: Any = SimpleNamespace(provenance=[record], seeds=[0])
    check_command(PATH, entry, config)
    other = load_config(topology="pair", domains="phys,mat")
    with pytest.raises(EntryError, match=r"config\.domains"):
        check_command(PATH, entry, other)


def _costs(*steps: int, feedback: tuple[str, ...] = ("off", "on"), rollout: int = 10) -> list[dict[str, Any]]:
    tokens = {"rollout": rollout, "feedback": 0, "trained": 5}
    return [
        {"feedback": f, "steps": n, "seconds_per_step": 1.0, "tokens": tokens, "peak_memory_gib": 1.0}
        for f, n in zip(feedback, steps, strict=False)
    ]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (_costs(8), ""),
        (_costs(5, 3), ""),
        (_costs(7), ""),  # of two seeds, students and rounds, one student collapsed in one
        (_costs(4), ""),
        (_costs(3), "costs: 3 steps; by config, students and seeds there are 8, or fewer by whole rounds of 1"),
        (_costs(5, 4), "costs: 9 steps"),
        ([], "costs: 0 steps"),
        (_costs(4, 4, feedback=("on", "on")), "costs: feedback on appears twice"),
        (_costs(8, rollout=10**7), r"costs\.0\.tokens\.rollout: 10,000,000, but by config 8 steps have at most"),
    ],
)
def test_steps_are_those_of_rounds_students_and_seeds(entry: Path, costs: list[Any], message: str) -> None:
    """Fewer, too: they make a method look cheap."""
    store.write_json(entry, json.loads(entry.read_text()) | {"costs": costs})
    if not message:
        check_entry(entry)
        return
    with pytest.raises(EntryError, match=message):
        check_entry(entry)


@pytest.mark.parametrize(("steps", "fits"), [(80, True), (70, True), (60, True), (75, False), (81, False), (30, False)])
def test_collapsed_students_leave_whole_rounds_out(steps: int, fits: bool) -> None:
    """Two students, two seeds, two rounds of ten steps."""
    with nullcontext() if fits else pytest.raises(EntryError, match="fewer by whole rounds of 10"):
        _check_steps(PATH, steps, 80, 10, 4)


def test_a_method_without_tutors_had_no_feedback_and_an_average_no_step(run: Run, tmp_path: Path) -> None:
    path = next(p for p in add_run(run, tmp_path) if "sdpo" in p.name)
    store.write_json(path, json.loads(path.read_text()) | {"costs": _costs(8, feedback=("on",))})
    with pytest.raises(EntryError, match=r"costs\.0: feedback on, but by config sdpo has no tutors"):
        check_entry(path)
    config = load_config(topology="pair", domains="phys,chem", methods=("merge",))
    entry: Any = SimpleNamespace(
        method="merge", costs=[SimpleNamespace(feedback="off", steps=1)], students=["s1", "s2"], seeds=[0]
    )
    with pytest.raises(EntryError, match=r"costs: 1 steps; .* none: this method only averages"):
        check_work(PATH, entry, config, load_topology("pair", config.domains))


# -- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "times"), [("sdpo", 1), ("rltf_sd", 2), ("hacpo", 2)])
def test_what_peers_write_and_revisions_are_a_methods_own_tokens(name: str, times: int) -> None:
    """On a pair every student has one tutor: it draws the rollouts once more, or revises each of its own."""
    config = load_config(topology="pair", domains="phys,chem", methods=(name,))
    topology = load_topology("pair", config.domains)
    steps, a_rollout = 2 * config.total_steps, config.rounds.prompts * config.sampling.max_response_tokens
    most = times * steps * a_rollout * config.rounds.rollouts
    for rollout in (most, most + 1):
        cost = SimpleNamespace(feedback="off", steps=steps, tokens=SimpleNamespace(rollout=rollout))
        entry: Any = SimpleNamespace(method=name, costs=[cost], students=["s1", "s2"], seeds=[0])
        with nullcontext() if rollout == most else pytest.raises(EntryError, match=f"at most {most:,}"):
            check_work(PATH, entry, config, topology)


def _outcomes(entry: Path) -> Path:
    return entry.with_name(entry.name.removesuffix(ENTRY) + OUTCOMES)


def _with_bytes(entry: Path, data: bytes) -> None:
    _outcomes(entry).write_bytes(data)
    tree = json.loads(entry.read_text())
    tree["outcomes"]["sha256"] = hashlib.sha256(data).hexdigest()
    store.write_json(entry, tree)


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "doubled": lambda d: d + d,
    "doubled with junk between": lambda d: d + b"junk" + d,
    "before its footer": lambda d: d[: -8 - _footer(d)] + b"junk" + d[-8 - _footer(d) :],
    "behind it": lambda d: d + b"junk",
}


def _footer(data: bytes) -> int:
    return int.from_bytes(data[-8:-4], "little")


@pytest.mark.parametrize("what", BYTES)
def test_not_a_byte_beside_the_answers(entry: Path, what: str) -> None:
    _with_bytes(entry, BYTES[what](_outcomes(entry).read_bytes()))
    with pytest.raises(EntryError, match=r"holds other bytes than its columns|not a readable Parquet file"):
        check_entry(entry)


def _written(table: pa.Table, **how: object) -> bytes:
    out = io.BytesIO()
    parquet.write_table(table, out, **({"compression": "zstd"} | how))
    return out.getvalue()


@pytest.mark.parametrize("column", ["key", "clusters"])
def test_one_long_text_in_many_rows_is_refused_before_it_is_written_out(entry: Path, column: str) -> None:
    """A text of a megabyte in 300 rows, which take 6 kB."""
    table = parquet.read_table(_outcomes(entry))
    long = "x" * (1 << 20)
    texts = pa.array([long if column == "key" else [long]] * 300, table.schema.field(column).type)
    many = pa.concat_tables([table] * 4).slice(0, 300)
    data = _written(many.set_column(many.schema.get_field_index(column), column, texts))
    assert len(data) < 20_000
    _with_bytes(entry, data)
    before = pa.total_allocated_bytes()
    with pytest.raises(EntryError, match="too large"):
        check_entry(entry)
    assert pa.total_allocated_bytes() - before < 10 << 20


def test_answers_in_several_groups_of_rows_are_read(entry: Path) -> None:
    table = parquet.read_table(_outcomes(entry))
    _with_bytes(entry, _written(table, row_group_size=17))
    check_entry(entry)


def test_a_byte_of_a_footer_that_is_another_is_one_line(entry: Path) -> None:
    """Arrow alone ends the process at some of them."""
    whole = _outcomes(entry).read_bytes()
    for k in range(len(whole) - 8 - _footer(whole), len(whole), 7):
        _with_bytes(entry, whole[:k] + bytes([whole[k] ^ 0xFF]) + whole[k + 1 :])
        with suppress(EntryError):
            read_table(_outcomes(entry), _outcomes(entry).read_bytes())


def test_plain_files_only(entry: Path, tmp_path: Path) -> None:
    for path in (entry, _outcomes(entry)):
        elsewhere = path.rename(tmp_path / "elsewhere")
        path.symlink_to(elsewhere)
        with pytest.raises(EntryError, match=r"a link\. Give the file itself"):
            check_entry(entry)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(EntryError, match="not an ordinary file"):
            check_entry(entry)
        path.unlink()
        elsewhere.rename(path)
    check_entry(entry)


def test_what_is_large_is_refused_unread(entry: Path) -> None:
    for path, most in ((_outcomes(entry), "5,000,000"), (entry, "2,000,000")):
        with path.open("ab") as file:
            file.truncate(1 << 40)  # takes no room on the disk
        before = time.perf_counter()
        with pytest.raises(EntryError, match=f"more than {most} bytes"):
            check_entry(entry)
        assert time.perf_counter() - before < 1


@pytest.mark.parametrize(
    ("students", "seeds", "samples", "questions", "message"),
    [
        (2, 101, 8, {"a": 10}, "seeds: 101; an entry may have 100"),
        (2, 1, 2000, {"a": 10}, "samples: 2,000; an entry may have 1,024"),
        (1, 1, 1, {str(k): 1 for k in range(33)}, "domains: 33"),
        (40, 1, 1, {str(k): 1 for k in range(16)}, "40 students; with 16 domains an entry may have 8"),
        (300, 1, 1, {"a": 1}, "300 students; with 1 domains an entry may have 256"),
        (2, 1, 8, {"a": 10**6}, "40,000,000 answers; an entry may have"),
        (2, 1, 8, {"a": 10**30}, "answers; an entry may have"),
        (200, 100, 1, {"a": 1000}, "40,100,000 answers"),
        (40, 100, 1, {str(k): 690 for k in range(6)}, "questions x domains x students x seeds are"),
    ],
)
def test_what_would_take_the_machine_is_refused(
    students: int, seeds: int, samples: int, questions: dict[str, int], message: str
) -> None:
    with pytest.raises(EntryError, match=message):
        check_sizes(PATH, students, seeds, samples, questions)


def test_what_people_run_is_not_refused() -> None:
    check_sizes(PATH, 16, 10, 16, dict.fromkeys("abcd", 400))
    check_sizes(PATH, 4, 5, 8, {str(k): 400 for k in range(14)})
    check_pairs(PATH, [(f"fact {k // 4}",) for k in range(1600)])


def test_questions_that_all_hang_together_are_bounded() -> None:
    with pytest.raises(EntryError, match="pairs of questions share a cluster"):
        check_pairs(PATH, [("one",)] * 200_000)


# -- what was checked before -----------------------------------------------------------------------------


def test_what_was_checked_is_taken_up_by_content_and_a_damaged_cache_is_done_without(
    entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = check_entry(entry, again=False)
    (file,) = (tmp_path / "cache/coopt/leaderboard").rglob("*.npz")
    calls: list[Path] = []
    monkeypatch.setattr("coopt.reports.leaderboard.check.check_words", lambda path, *_: calls.append(path))
    second = check_entry(entry, again=False)
    assert calls == []
    assert np.array_equal(second.kept.changes, first.kept.changes)
    assert second.kept[1:] == first.kept[1:]
    check_entry(entry)
    assert calls == [entry], "a reviewer's check works everything out again"
    for damage in (b"", b"PK", file.read_bytes()[:-100], file.read_bytes().replace(b"changes", b"changed")):
        file.write_bytes(damage)
        assert kept.load(file.stem) is None
        check_entry(entry, again=False)
        assert kept.load(file.stem) is not None
    entry.write_text(entry.read_text() + " ")
    calls.clear()
    check_entry(entry, again=False)
    assert calls == [entry], "another content"
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    check_entry(entry, again=False)


def test_another_version_of_the_check_checks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept.key_of(b"entry", b"answers")
    assert kept.key_of(b"entrya", b"nswers") != before
    monkeypatch.setattr(kept, "_check", lambda: "another")
    assert kept.key_of(b"entry", b"answers") != before


def test_a_smoke_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="a smoke run, whose scores mean nothing") as refused:
        add_run(write_run(tmp_path / "small", smoke=True), tmp_path / "made")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "made").exists()


def test_what_would_be_refused_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "small")
    monkeypatch.setattr("coopt.reports.leaderboard.evidence.LARGEST_OUTCOMES", 10)
    monkeypatch.setattr("coopt.reports.leaderboard.check.LARGEST_OUTCOMES", 10)
    with pytest.raises(EntryError, match="more than 10 bytes"):
        add_run(run, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_answers_of_nobody_are_no_answers(entry: Path) -> None:
    """The method's column is renamed with the entry, so that what it is called does not make it another entry."""

    def change(tree: dict[str, Any], answers: GradedAnswers) -> GradedAnswers:
        tree["method"] = "mine"
        correct = {
            AnswersOf("mine" if place.who == "opcod" else place.who, place.student, place.domain): grid
            for place, grid in answers.correct.items()
        }
        return GradedAnswers("mine", answers.students, answers.domains, answers.seeds, answers.questions, correct)

    with pytest.raises(EntryError, match=r"method mine is not among config\.methods"):
        check_entry(forge(entry, "small-mine", change))
