"""Handing out jobs: within the time given, and whatever becomes of the process that does them."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from rtvfi.bench.jobs import Job, Measured, Size
from rtvfi.cli import main as cli
from rtvfi.cli.commands import bench as command
from rtvfi.core.errors import UnknownModel, UsageError, WeightsMissing
from rtvfi.core.hardware import machine
from rtvfi.settings.profile import profile_file, read_profile

if TYPE_CHECKING:
    from pathlib import Path

FAR = 60.0
JOBS = [Job("model", Size(64, 48), "linear", scale) for scale in (0.25, 0.5, 1.0)]
CHILD = """
import json, os, signal, sys, threading
from rtvfi.core.python_process import speaker
asked = json.loads(sys.argv[1])
say = speaker()
for number, job in enumerate(asked["jobs"]):
    say({{"begun": number}})
    if job["flow_scale"] == {odd}:
        {deed}
    found = {{"ms": {{"1": 10.0}}, "cpu_ms": {{"1": 9.0}}, "waited_ms": {{}}}}
    say({{"done": number, "found": found}})
"""


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Puts a process in place that does a deed at the job of one flow scale."""

    def put(odd: float, deed: str) -> None:
        text = CHILD.format(odd=odd, deed=deed)
        (tmp_path / "a_child.py").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(command, "_MODULE", "a_child")

    return put


def reasons(results: list[Measured]) -> list[str]:
    return [row.why_not or str(row.ms) for row in results]


def test_results_stand_in_the_order_of_the_jobs(child: Any) -> None:
    child(7, "pass")
    begun: list[str] = []
    results = command.measure(JOBS, {}, time.monotonic() + FAR, lambda _, what: begun.append(what))
    assert [row.job for row in results] == JOBS
    assert reasons(results) == ["{1: 10.0}"] * 3
    assert begun == ["linear 64x48"] * 3


def test_a_job_that_kills_its_process_is_left_out_and_the_next_is_done(child: Any) -> None:
    child(0.5, "os.kill(os.getpid(), signal.SIGKILL)")
    results = command.measure(JOBS, {}, time.monotonic() + FAR)
    assert reasons(results) == ["{1: 10.0}", "it was ended by SIGKILL", "{1: 10.0}"]


def test_a_job_that_hangs_is_ended_when_time_is_up(
    child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(0.5, "threading.Event().wait()")
    monkeypatch.setattr(command, "_LEAST_SECONDS", 0.0)
    # Whether the first is done by then, this machine decides.
    results = command.measure(JOBS, {}, time.monotonic() + 0.3)
    assert reasons(results)[1:] == ["no time left"] * 2


def test_without_time_nothing_is_started(child: Any) -> None:
    child(7, "pass")
    assert reasons(command.measure(JOBS, {}, time.monotonic())) == ["no time left"] * 3


# --- the command -----------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[float, list[Job]]]:
    """Nothing is measured: every model job takes 10 ms."""
    asked: list[tuple[float, list[Job]]] = []

    def measure(jobs: list[Job], request: Any, deadline: float, show: Any) -> list[Measured]:
        asked.append((deadline - time.monotonic(), list(jobs)))
        rows = [Measured(job=job, why_not="no time left") for job in jobs]
        for row in rows[:-1]:
            row.why_not = ""
            if row.job.kind == "model":
                row.ms, row.cpu_ms, row.memory_bytes = {1: 10.0}, {1: 9.0}, 10**9
            else:
                row.decode_rate, row.encode_rate = 1234.0, 99.0
                row.decoder, row.encoder = "software (h264)", "libx264"
        return rows

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return asked


def run(*words: str) -> int:
    arguments = cli.build_parser().parse_args(["bench", *words])
    code: int = arguments.run(arguments)
    return code


def test_quick_asks_for_less_than_a_minute(quick: Any) -> None:
    assert run("--quick") == 0
    seconds, jobs = quick[0]
    assert 50 < seconds < 60
    assert {str(job.size) for job in jobs} == {"854x480", "1280x720", "1920x1080"}


def test_the_table_fits_80_columns(
    quick: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(machine, "fingerprint", lambda: "a machine")
    models = ("linear", "copy", "cel")
    run("--quick", "--models", *models, "--sizes", "3840x2160", "480p")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^linear +3840x2160 +0\.25 +10\.0 +9\.0 +0\.24 ", out, re.MULTILINE)
    assert re.search(r"^MS: .* ->RATE: [^-]*\n[^-]* -: not measured\.$", out, re.MULTILINE)
    assert "1 not measured: no time left" in out
    assert "in real time up to 3840x2160" in out


def test_saving_is_asked_for(quick: Any) -> None:
    run("--quick")
    assert not profile_file().exists()
    run("--quick", "--save")
    profile, why_not = read_profile()
    assert why_not == ""
    assert profile is not None
    assert profile.settings["model"] == "dis"


def test_a_busy_machine_is_said(
    quick: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--models", "linear")
    assert caplog.messages == []
    slow = Measured(job=JOBS[0], ms={1: 10.0}, cpu_ms={1: 9.0}, waited_ms={1: 30.0})
    assert command._busy([slow, Measured(job=JOBS[1])]) == 0.75
    monkeypatch.setattr(command, "measure", lambda *_: [slow])
    run("--models", "linear")
    assert "75% of the time" in caplog.text


def test_json_holds_every_result(quick: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run("--json", "--sizes", "64x48", "--models", "linear")
    told = json.loads(capsys.readouterr().out)
    assert [row["flow_scale"] for row in told["results"] if row["kind"] == "model"] == [
        0.25,
        0.5,
        1.0,
    ]
    assert told["results"][0]["share"] == {"48": 0.24}
    assert told["settings"]["model"] == "linear"
    assert told["holds_up_to"] == "64x48"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--sizes", "huge"), UsageError),
        (("--device", "gpu"), UsageError),
        (("--models", "no-such"), UnknownModel),
        (("--models", "rife-4.25"), WeightsMissing),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    quick: Any,
    words: tuple[str, ...],
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(error):
        run(*words)
    assert quick == []


def test_without_the_default_model_it_says_which_file_is_missing(
    quick: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("rtvfi.core.data.data_folders", lambda kind: (tmp_path / kind,))
    with pytest.raises(WeightsMissing, match=r"cel\.safetensors"):
        run("--quick")


def test_how_many_cores_would_do_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(jobs: list[Job], *_: Any) -> list[Measured]:
        rows = [Measured(job=job) for job in jobs]
        for row in rows:
            ms = 100.0 / (row.job.threads or 4)
            row.ms, row.cpu_ms = {1: ms, 2: ms}, {1: 100.0, 2: 100.0}
        return rows

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "thread_counts", lambda _: [1, 2])
    run("--quick", "--models", "dis", "--sizes", "480p")
    out = capsys.readouterr().out
    assert re.search(r"^ *SIZE +SCALE +1 +2 +CORES ->48 +CORES ->60", out, re.MULTILINE)
    assert re.search(r"^ *854x480 +0\.25 +2\.40 +1\.20 +3 +3", out, re.MULTILINE)


def test_a_network_is_not_measured_by_threads(quick: Any) -> None:
    run("--quick", "--models", "linear")
    ((_, jobs),) = quick
    assert {job.threads for job in jobs} == {0}
