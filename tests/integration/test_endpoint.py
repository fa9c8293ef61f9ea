"""A critic behind an OpenAI-compatible endpoint: the real server of transformers, and one that is not there."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from coopt.lm.bases import SCIMINI_BASE
from tests.integration.conftest import SMOKE, Coopt
from tests.servers import Asked, completion, refused, send, serving

pytestmark = pytest.mark.slow
FAST = (*SMOKE, "--set", "break_rate.questions=0", "--set", "rounds.steps=1", "--out", "run", "--method", "opcod")
FEW = ("--set", "rounds.rounds=1", "--set", "rounds.prompts=2")


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``transformers serve`` with the embedded base, on this machine only."""
    log = (tmp_path_factory.mktemp("server") / "log").open("w+")
    port = _free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(SCIMINI_BASE), "--host", "127.0.0.1",
               "--port", str(port), "--device", "cpu"]  # fmt: skip
    process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    try:
        _wait(port, process, log.name)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(port: int, process: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
            return
        except (urllib.error.URLError, TimeoutError):
            assert process.poll() is None, Path(log).read_text()[-2000:]
            time.sleep(0.5)
    raise AssertionError(Path(log).read_text()[-2000:])


def graph(folder: Path, url: str) -> str:
    (folder / "remote.toml").write_text(
        f"""
        nodes = [
            {{ id = "s1" }},
            {{ id = "far", role = "critic", endpoint = "{url}", model = {json.dumps(str(SCIMINI_BASE))} }},
        ]
        edges = [{{ tutor = "far", tutee = "s1" }}]
        """
    )
    return "remote.toml"


def test_a_critic_behind_a_server_writes_the_feedback(coopt: Coopt, tmp_path: Path, server: str) -> None:
    key = secrets.token_hex()
    done = coopt(*FAST, *FEW, "--topology", graph(tmp_path, server), COOPT_ENDPOINT_KEY=key)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "run/seeds/0/opcod/r1/s1.rollouts.jsonl").read_text().splitlines()
    messages = [m for line in lines for y in json.loads(line)["rollouts"] for m in y["messages"]]
    assert len(messages) == 16
    assert {m["tutor"] for m in messages} == {"far"}
    assert sum(m["outcome"] == "kept" for m in messages) > 8, "the base critiques what it knows well"
    written = "".join(
        p.read_text(errors="ignore") for p in (tmp_path / "run").rglob("*") if p.suffix in (".json", ".jsonl")
    )
    assert key not in written


def test_the_same_text_as_the_same_model_in_this_process(tmp_path: Path, server: str) -> None:
    """Greedy through the protocol is greedy in the process. (This server parses a qwen3's answers by Qwen's own chat
    format; the embedded model has another, so the prompt stands before the answer.)"""
    from coopt.core.config.load import load_config
    from coopt.domains.load import load_domains
    from coopt.lm.engines.hf import HFEngine
    from coopt.lm.policy import load_policy
    from coopt.methods.tutors.base import ModelTutor, Request
    from coopt.methods.tutors.endpoint import EndpointSpeaker
    from coopt.methods.tutors.local import LocalSpeaker

    domains = load_domains(load_config())
    requests = [Request(i, i.solution or "") for i in domains["physics"].items("train")[:12]]
    far = EndpointSpeaker("far", server, str(SCIMINI_BASE), load_config().critics)
    policy = load_policy(SCIMINI_BASE, device="cpu")
    near = LocalSpeaker(lambda: policy, HFEngine(16))
    answers = [ModelTutor(speaker, domains, "anchored", 40).critique(requests) for speaker in (near, far)]
    assert len(answers[0]) == len(answers[1]) == 12
    for here, there in zip(*answers, strict=True):
        assert here
        assert there
        assert there.removesuffix("<|end|>").endswith(here)


GONE = ("--set", "critics.retries=1", "--set", "critics.timeout=5")


def test_a_server_that_stays_away_is_marked_and_the_student_goes_on(coopt: Coopt, tmp_path: Path) -> None:
    done = coopt(*FAST, *GONE, "--topology", graph(tmp_path, f"http://127.0.0.1:{_free_port()}/v1"), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["unavailable"]
    assert list(found) == ["0/opcod/r1/far -> s1", "0/opcod/r2/far -> s1"]
    assert all("does not answer (Connection error" in why for why in found.values())
    events = [json.loads(line) for line in (tmp_path / "run/journal.jsonl").read_text().splitlines()]
    assert [e["value"]["from_step"] for e in events if e["event"] == "unavailable"] == [0, 1]
    assert "Unavailable: 0/opcod/r1/far -> s1: critic 'far'" in coopt("report", "run", "--format", "md").stdout


def test_or_the_run_stops_with_one_line_and_resumes(coopt: Coopt, tmp_path: Path, server: str) -> None:
    """The address comes to life again: a second run goes on where the first stopped."""
    port = _free_port()
    topology = graph(tmp_path, f"http://127.0.0.1:{port}/v1")
    stop = (*FAST, *FEW, "--set", "critics.when_unavailable=stop", "--topology", topology)
    done = coopt(*stop, *GONE)
    assert done.returncode == 1
    assert f"critic 'far' at http://127.0.0.1:{port}/v1 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    start = tmp_path / "run/seeds/0/init/s1/model/model.safetensors"
    made = start.stat().st_mtime_ns
    relay = subprocess.Popen([sys.executable, "-c", RELAY, str(port), server])
    try:
        again = coopt(*stop)
    finally:
        relay.kill()
    assert again.returncode == 0, again.stderr
    assert made == start.stat().st_mtime_ns, "what was there is not made again"
    assert json.loads((tmp_path / "run/results.json").read_text())["unavailable"] == {}


RELAY = """
import socket, sys, threading, urllib.parse
port, target = int(sys.argv[1]), urllib.parse.urlparse(sys.argv[2])
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
listener = socket.create_server(("127.0.0.1", port))
while True:
    near, _ = listener.accept()
    far = socket.create_connection((target.hostname, target.port))
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    threading.Thread(target=pump, args=(far, near), daemon=True).start()
"""


def test_no_file_and_no_line_holds_what_a_server_repeats(coopt: Coopt, tmp_path: Path) -> None:
    """Key, user, password and query, from a server that says all it knows: in its messages, and when it refuses."""
    key, user, password, token = (secrets.token_hex() for _ in range(4))
    forms = [key, user, password, token, b64encode(f"{user}:{password}".encode()).decode()]

    def repeat(asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        known = f"{asked.path} {asked.headers} {forms}"
        told = f"<concept>{asked.body['messages'][0]['content']}</concept>Think of {known}"
        first = len(echo.asked) <= 20
        send(handler, 200 if first else 401, completion(told) if first else refused(known))

    with serving(repeat) as echo:
        url = f"http://{user}:{password}@127.0.0.1:{echo.port}/v1?token={token}"
        done = coopt(*FAST, *GONE, "--all", "--topology", graph(tmp_path, url), COOPT_ENDPOINT_KEY=key)
    assert done.returncode == 0, done.stderr
    again = coopt("report", "run", "--html", "page.html", "--all")
    files = [*(p for p in (tmp_path / "run").rglob("*") if p.is_file()), tmp_path / "page.html"]
    texts = {str(p): p.read_bytes() for p in files}
    texts |= {str(k): t.encode() for k, t in enumerate([done.stdout, done.stderr, again.stdout, again.stderr])}
    assert [where for where, text in texts.items() for form in forms if form.encode() in text] == []
    assert any(b"***" in text for text in texts.values())
    assert b"401" in texts[str(tmp_path / "run/journal.jsonl")]
