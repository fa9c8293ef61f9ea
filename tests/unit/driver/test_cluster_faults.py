"""A cluster that does not answer, answers nonsense, loses an answer or refuses: its programs are stand-ins."""

from __future__ import annotations

import html
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from rich.console import Console

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, DamagedError, RunError
from coopt.driver import bench
from coopt.driver.slurm import executors, failures, launcher, queue, work
from coopt.driver.slurm.batches import Batches
from coopt.driver.slurm.choose import make_launcher
from coopt.driver.slurm.executors import check_cluster, check_place
from coopt.driver.slurm.jobs import cancel, forget_cancel, is_cancelled, jobs_of, leases, submitted
from coopt.driver.slurm.launcher import SubmititLauncher
from coopt.driver.slurm.lease import Holder, take
from coopt.driver.slurm.queue import QueueAwayError, SlurmQueue
from coopt.driver.status import run_status
from coopt.driver.tasks import perform
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Score, meter_path
from coopt.runs.run import PhaseKey, Run
from tests.unit.conftest import Command
from tests.unit.driver.marks import Mark, new_launcher, new_run, perform_marks, program

FAILED = "echo 'sbatch: error: Batch job submission failed: {}' >&2; exit 1"
AWAY = FAILED.format("Unable to contact slurm controller (connect failure)")
LOST = FAILED.format("Socket timed out on send/recv operation")


class Cluster:
    """Its jobs do their marks while they are submitted. ``calls``: how often sbatch was called."""

    def __init__(self, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.run = run
        self.book = folder / "book"
        self.book.touch()
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        for module, name, value in (
            (launcher, "_LOOK", 0.01), (launcher, "_UNHEARD", 0.3), (launcher, "_LATE", 0.3), (work, "_LOOK", 0.01),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, value)
        self.squeue("")
        for name in ("sacct", "scontrol", "srun"):
            program(folder, name, "exit 0")

    def sbatch(self, *tries: str) -> None:
        """What it does at its first, second, ... call; the last for all that follow. ``$name``: of the jobs;
        ``taken``: puts them into the queue, and does what they are to do."""
        cases = "".join(f"{k}) {what};;\n" for k, what in enumerate(tries[:-1], 1)) + f"*) {tries[-1]};;\n"
        program(
            self.folder,
            "sbatch",
            f"""for script; do :; done
name=$(sed -n 's/^#SBATCH --job-name=//p' "$script")
size=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$script")
echo "$name $size" >> {self.book}
calls=$(wc -l < {self.book})
taken() {{ echo "$name 7$calls" >> {self.folder}/queue; mkdir -p {self.run.directory}/marks
  for m in a b c d e; do echo done > {self.run.directory}/marks/$m; done; }}
case $calls in
{cases}esac""",
        )

    def squeue(self, script: str) -> None:
        """``script``, then: by name those that were taken, else every job that was asked for, as completed."""
        program(
            self.folder,
            "squeue",
            f"""{script}
while [ $# -gt 0 ]; do [ "$1" = --name ] && wanted=$2; shift; done
[ -n "$wanted" ] && [ -f {self.folder}/queue ] && sed -n "s/^$wanted //p" {self.folder}/queue
exit 0""",
        )

    @property
    def calls(self) -> list[str]:
        return self.book.read_text().splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return new_run(tmp_path / "run", "cluster.kind=slurm", "cluster.poll_seconds=0.5", "cluster.tasks_per_job=1")


@pytest.fixture
def cluster(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(perform, "perform", perform_marks)
    monkeypatch.chdir(tmp_path)
    return Cluster(tmp_path, run, monkeypatch)


def launch(run: Run, *names: str) -> None:
    with new_launcher(run) as perform_all:
        perform_all([Mark(name) for name in names])  # type: ignore[misc]


@pytest.mark.parametrize("away", [AWAY, LOST, "exit 1", "echo 'try again later'"])
def test_a_cluster_that_cannot_be_reached_is_asked_again(cluster: Cluster, run: Run, away: str) -> None:
    cluster.sbatch(away, away, "taken; echo Submitted batch job 73")
    launch(run, "a")
    assert len(cluster.calls) == 3
    assert [(j.task, j.id, j.state) for j in jobs_of(run.directory)] == [("mark a", "73", "COMPLETED")]


def test_a_lost_answer_leaves_no_job_that_nobody_knows(cluster: Cluster, run: Run) -> None:
    """sbatch has submitted, and could not say so: the jobs are found by their name, and not submitted again."""
    cluster.sbatch(f"taken; rm {run.directory}/marks/*; {LOST}")
    made = new_launcher(run)
    waiting: Any = {"mark a": Mark("a"), "mark b": Mark("b")}
    made._submit(list(waiting.values()), 0)
    assert [j.id for j in submitted(run.directory)] == ["", ""]
    assert made._adopt(waiting) == set()
    assert [j.id for j in submitted(run.directory)] == ["71_0", "71_1"]
    assert len(cluster.calls) == 1


def test_a_submission_is_given_time_to_come_to_light(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "_UNHEARD", 60.0)
    cluster.sbatch(AWAY)
    made, waiting = new_launcher(run), {"mark a": Mark("a")}
    made._submit(list(waiting.values()), 0)  # type: ignore[arg-type]
    assert made._live(waiting) == {"mark a": ""}  # type: ignore[arg-type]
    monkeypatch.setattr(launcher, "_UNHEARD", 0.0)
    assert made._live(waiting) == {}  # type: ignore[arg-type]
    assert submitted(run.directory) == []


def test_a_refusal_is_told_at_once(cluster: Cluster, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.sbatch(FAILED.format("Invalid partition name specified"))
    with pytest.raises(RunError, match=r"refuses .*Invalid partition name specified\. Look at partition"):
        launch(run, "a")
    assert len(cluster.calls) == 1
    assert submitted(run.directory) == []
    assert capsys.readouterr().err == ""


def test_patience_ends(cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_PATIENCE", 0.5)
    cluster.sbatch(AWAY)
    with pytest.raises(RunError, match=r"has accepted no jobs for .* minutes .*Unable to contact.* again"):
        launch(run, "a")


@pytest.mark.parametrize("said", ["", "sbatch: Pending job allocation", "sbatch: error: Killed"])
def test_an_sbatch_that_hangs_is_ended(cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Whatever it or its shell says before or at its end is no refusal."""
    ends: list[Callable[[], None]] = []

    class WhenItHangs(threading.Thread):
        """In place of a clock: patience ends when the first sbatch has been called, and with no other one."""

        def __init__(self, seconds: float, end: Callable[[], None]) -> None:
            super().__init__(daemon=True)
            ends.append(end)
            self.over = threading.Event()

        def run(self) -> None:
            while len(ends) == 1 and not self.over.wait(0.01):
                if cluster.calls:
                    ends[0]()
                    return

        def cancel(self) -> None:
            self.over.set()

    monkeypatch.setattr(executors, "threading", SimpleNamespace(Event=threading.Event, Timer=WhenItHangs))
    cluster.sbatch(f"echo '{said}' >&2; sleep 600", "taken; echo Submitted batch job 72")
    began = time.monotonic()
    launch(run, "a")
    assert time.monotonic() - began < 20
    assert len(cluster.calls) == 2


def test_a_squeue_that_hangs_is_no_end_of_a_job(cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_PATIENCE", 0.3)
    cluster.squeue(f"[ -f {cluster.folder}/awake ] || sleep 60")
    with pytest.raises(QueueAwayError, match="squeue did not answer in"):
        SlurmQueue().states(["1"])
    assert new_launcher(run)._live({}) == {}
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [("mark a", "marks/a")]), ["5"])
    made = new_launcher(run)
    assert made._live({"mark a": Mark("a")}) is None  # type: ignore[dict-item]
    assert jobs_of(run.directory)[0].state == "UNKNOWN"
    monkeypatch.setattr(launcher, "_PATIENCE", 0.1)
    with pytest.raises(RunError, match=r"the queue has not answered for .*squeue did not answer"):
        made._live({"mark a": Mark("a")})  # type: ignore[dict-item]


def test_a_job_asks_the_queue_again_before_it_leaves_its_task_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    other, answers = Holder("slurm", "1", "node", 1, 0.0, 0.0), [QueueAwayError("x"), QueueAwayError("x"), False]
    monkeypatch.setattr(work, "_LOOK", 0.01)

    def works(self: SlurmQueue, holder: Holder, *, sure: bool = False) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    monkeypatch.setattr(SlurmQueue, "works", works)
    assert not work._alive(Path(), other)
    assert answers == []


def test_what_another_node_wrote_may_be_seen_late(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_LOOK", 0.01)
    task = Score(0, "init", 0, "s1", "test")
    folder = run.phase_dir(*PhaseKey(0, "init", 0, "s1"))

    def appear() -> None:
        time.sleep(0.3)
        with store.new_directory(folder) as made:
            (made / "model").mkdir()
            (made / "model/model.safetensors").write_bytes(b"x")

    late = threading.Thread(target=appear)
    late.start()
    work._wait_for_inputs(task, run)
    assert store.is_complete(folder)
    late.join()
    monkeypatch.setattr(work, "_LATE", 0.2)
    began = time.monotonic()
    work._wait_for_inputs(Score(0, "init", 0, "s2", "test"), run)  # is missing: whoever loads it says so
    assert time.monotonic() - began < 5


def test_arrays_are_as_long_as_the_site_allows(cluster: Cluster, run: Run) -> None:
    program(cluster.folder, "scontrol", "echo 'MaxArraySize            = 2'")
    cluster.sbatch(
        "echo Submitted batch job 7$calls", "echo Submitted batch job 7$calls", "taken; echo Submitted batch job 73"
    )
    launch(run, "a", "b", "c", "d", "e")
    assert [call.split()[1:] for call in cluster.calls] == [["1"], ["1"], []]
    assert [j.id for j in submitted(run.directory)] == ["71_0", "71_1", "72_0", "72_1", "73"]


def test_cancel_finds_jobs_whose_number_nobody_heard(cluster: Cluster, run: Run) -> None:
    cluster.sbatch(f"taken; rm {run.directory}/marks/*; {LOST}")
    new_launcher(run)._submit([Mark("a")], 0)  # type: ignore[list-item]
    cluster.squeue('case "$*" in *--name*) ;; *) echo "71|RUNNING";; esac')
    program(cluster.folder, "scancel", f'echo "$@" >> {cluster.folder}/ended')
    assert [job.id for job in cancel(run.directory)] == ["71"]
    assert (cluster.folder / "ended").read_text() == "71\n"


def test_what_is_cancelled_while_a_driver_starts_is_not_begun(cluster: Cluster, run: Run) -> None:
    cluster.sbatch("taken; echo Submitted batch job 7")
    began = time.time()
    cancel(run.directory)
    forget_cancel(run.directory, began)
    with pytest.raises(RunError, match="the run was cancelled"):
        launch(run, "a")
    assert cluster.calls == []
    forget_cancel(run.directory, time.time())  # the same command later
    assert not is_cancelled(run.directory)
    launch(run, "a")


def test_cancel_says_what_becomes_of_the_bench(cluster: Cluster, run: Run, cli: Command) -> None:
    with bench.locked(run.directory):
        told = cli("cancel", str(run.directory)).out
    assert "its bench ends at its next look" in told


@pytest.mark.parametrize("kind", ["slurm", "local"])
def test_a_folder_in_which_numbers_of_jobs_would_be_put_is_refused(tmp_path: Path, kind: str) -> None:
    settings = [f"cluster.kind={kind}"]
    with pytest.raises(ConfigError, match=r"run%j has a % in its name.*another --out"):
        check_place(new_run(tmp_path / "x", *settings).config.cluster, tmp_path / "run%j")
    check_place(new_run(tmp_path / "x").config.cluster, tmp_path / "run%j")


# -- how a job fails -----------------------------------------------------------------------------------


def debug(tmp_path: Path, *settings: str) -> Run:
    return new_run(tmp_path / "debug", "cluster.kind=debug", *settings)


@pytest.mark.usefixtures("cluster")
def test_a_task_whose_engine_or_rank_was_killed_is_tried_again(tmp_path: Path) -> None:
    run, task = debug(tmp_path), Mark("a", failures=1, how="killed")
    launch_all(run, task)
    assert task.tries(run) == 2


@pytest.mark.usefixtures("cluster")
def test_a_full_disk_is_told_as_on_one_machine_and_not_tried_again(tmp_path: Path) -> None:
    run, task = debug(tmp_path), Mark("a", failures=1, how="full")
    with pytest.raises(RunError, match=r"No space left on device \(.*make room or choose another --out"):
        launch_all(run, task)
    assert task.tries(run) == 1


@pytest.mark.usefixtures("cluster")
def test_a_failure_that_cannot_be_written_down_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = debug(tmp_path)
    write = store.write_json

    def no_room(path: Path, value: Any) -> None:
        if "errors" in path.parts:
            raise OSError(28, "No space left on device")
        write(path, value)

    monkeypatch.setattr(store, "write_json", no_room)
    with pytest.raises(RunError, match="failed, 3 times"):
        launch_all(run, Mark("a", failures=9))


def launch_all(run: Run, *tasks: Mark) -> None:
    with new_launcher(run) as perform_all:
        perform_all(list(tasks))  # type: ignore[arg-type]


def test_damage_is_told_and_the_other_jobs_end_first(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two jobs find the same damage, one still runs: nothing is submitted meanwhile, and no job is forgotten."""
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [(f"mark {m}", f"marks/{m}") for m in "abc"]), ["5_0", "5_1", "5_2"])
    looks = 0

    def states(self: SlurmQueue, ids: list[str]) -> dict[str, str]:
        nonlocal looks
        looks += 1
        if looks == 1:
            return dict.fromkeys(ids, "RUNNING")
        for m, id_ in (("a", "5_0"), ("b", "5_1")):
            holder = Holder("slurm", id_, "node", 1, 0.0, 0.0)
            work._note_failure(run, Mark(m), holder, DamagedError("weights: are not whole.", run.directory / "w"))  # type: ignore[arg-type]
        if looks >= 4:
            store.write_text(run.directory / "marks/c", "done")
        return {"5_0": "FAILED", "5_1": "FAILED", "5_2": "RUNNING"}

    monkeypatch.setattr(SlurmQueue, "states", states)
    monkeypatch.setattr(SlurmQueue, "works", lambda self, holder, sure=False: False)
    shown = io.StringIO()
    made = SubmititLauncher(run, 2, Display(Console(file=shown), 1.0, lambda task: 1.0))
    with made, pytest.raises(DamagedError, match="not whole"):
        made([Mark(m) for m in "abc"])  # type: ignore[misc]
    assert looks >= 4
    assert (run.directory / "marks/c").is_file()
    assert shown.getvalue().count("made again when the other jobs have ended") == 1
    assert cluster.calls == []
    cluster.sbatch("taken; echo Submitted batch job 7")
    made([Mark(m) for m in "abc"])  # type: ignore[misc]  # mended: nobody holds the others' failures against it
    assert len(cluster.calls) == 1


def test_a_kill_is_no_cancel(cluster: Cluster, run: Run) -> None:
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [("mark a", "marks/a")]), ["5"])
    (job,) = submitted(run.directory)
    cancelled = failures.last_words(job.__class__(**{**vars(job), "state": "CANCELLED"}), None, 2)
    assert "job 5 was cancelled. Log" in cancelled


def test_a_job_that_waits_is_not_shown_as_running(cluster: Cluster, run: Run) -> None:
    task = Score(0, "init", 0, "s1", "validation")
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [(task.label(), "x")]), ["5"])
    store.write_text(meter_path(task, run), "[0.5, 1000, 1.0]")
    words = {}
    for state in ("PENDING", "RUNNING"):
        cluster.squeue(f"echo '5|{state}'")
        with bench.locked(run.directory):
            status = run_status(run)
        words[state] = next(t.word for t in status.tasks if t.task == task)
        assert [j.state for j in status.jobs] == [state]
        assert (status.tokens_per_second > 0) == (state == "RUNNING")
    assert words == {"PENDING": "waiting", "RUNNING": "running"}


def given_to_a_job(run: Run) -> Score:
    """A task that a job has begun, and by its meter half done."""
    task = Score(0, "init", 0, "s1", "validation")
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [(task.label(), "x")]), ["5"])
    store.write_text(meter_path(task, run), "[0.5, 1000, 1.0]")
    take(leases(run.directory, task.label()), Holder("slurm", "5", "node", 1, 0.0, 0.0), lambda holder: False)
    return task


@pytest.mark.parametrize("command", [["status"], ["logs"], ["report"], ["status", "--html"]], ids=" ".join)
def test_a_look_at_a_run_does_not_wait_for_a_queue_that_hangs(
    cluster: Cluster, run: Run, cli: Command, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr(queue, "_GLANCE", 2.0)
    given_to_a_job(run)
    cluster.squeue("sleep 600")
    program(cluster.folder, "sacct", "sleep 600")
    began = time.monotonic()
    with bench.locked(run.directory):
        told = cli(command[0], str(run.directory), *command[1:]).out
    assert time.monotonic() - began < 10
    if "--html" in command:
        told = (run.directory / "status.html").read_text()
    said = "squeue did not answer in 2 s: jobs are shown as the run's folder has them"
    assert said in html.unescape(" ".join(told.split()))


def test_of_many_runs_only_the_first_waits_for_a_queue_that_hangs(
    cluster: Cluster, run: Run, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_GLANCE", 2.0)
    for name in "abcd":
        given_to_a_job(new_run(cluster.folder / "runs" / name, "cluster.kind=slurm"))
    cluster.squeue(f"echo >> {cluster.folder}/asked; sleep 30")
    told = cli("status", str(cluster.folder / "runs")).out
    assert (cluster.folder / "asked").read_text() == "\n"
    assert told.count("squeue did not answer") == 1


def test_without_its_queue_a_run_is_shown_as_its_folder_has_it(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_GLANCE", 2.0)
    task = given_to_a_job(run)
    cluster.squeue("sleep 30")

    def word() -> str:
        with bench.locked(run.directory):
            status = run_status(run)
        assert status.silence
        return next(t.word for t in status.tasks if t.task == task)

    assert word() == "running"
    work._note_failure(run, task, Holder("slurm", "5", "node", 1, 0.0, 0.0), OSError("x"))
    assert word() == "waiting"


def test_where_only_sacct_hangs_it_is_said_that_a_state_is_not_known(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_GLANCE", 2.0)
    given_to_a_job(run)
    cluster.squeue("true")
    program(cluster.folder, "sacct", "sleep 30")
    with bench.locked(run.directory):
        assert run_status(run).silence == "sacct did not answer in 2 s"


def ask_squeue(run: Run) -> None:
    with pytest.raises(QueueAwayError):
        SlurmQueue().states(["1"])


@pytest.mark.parametrize("end", ["wait", "exit 0"])
@pytest.mark.parametrize(
    ("name", "ask"), [("squeue", ask_squeue), ("scontrol", lambda run: check_cluster(run.config.cluster))]
)
def test_a_program_that_hangs_leaves_nothing_behind(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch, name: str, ask: Callable[[Run], None], end: str
) -> None:
    monkeypatch.setattr(queue, "_PATIENCE", 2.0)
    monkeypatch.setattr(executors, "_ASIDE", 2.0)
    cluster.sbatch("exit 1")
    program(cluster.folder, name, f"sleep 600 & echo $! > {cluster.folder}/child; {end}")
    ask(run)
    child = int((cluster.folder / "child").read_text())
    until = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_workers_do_not_do_again_what_jobs_may_be_doing(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_PATIENCE", 0.3)
    given_to_a_job(run)
    cluster.squeue("sleep 30")
    here = Run(run.directory, load_config())
    with pytest.raises(RunError, match=r"not known: the queue did not answer \(squeue did not"):
        make_launcher(here, 1, Display(Console(file=io.StringIO()), 1.0, lambda task: 1.0))


def test_a_job_of_another_run_that_has_a_jobs_number_by_now_is_not_ended(tmp_path: Path) -> None:
    """An id of a local job is a pid."""
    folder = tmp_path / "theirs/jobs/logs"
    command = [sys.executable, "-c", "import time; time.sleep(600)", "submitit.local._local", str(folder)]
    job = subprocess.Popen(command)
    try:
        mine, theirs = (queue.ProcessQueue(tmp_path / name) for name in ("mine", "theirs"))
        assert mine.states([str(job.pid)]) == {str(job.pid): "FAILED"}
        mine.cancel([str(job.pid)])
        assert theirs.states([str(job.pid)]) == {str(job.pid): "RUNNING"}
        theirs.cancel([str(job.pid)])
        assert job.wait(5) < 0
    finally:
        job.kill()
        job.wait()
