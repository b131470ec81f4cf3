"""The command as a process, on machines that lack things."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from rtvfi.cli.commands import doctor as command
from rtvfi.doctor import child

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BLOCKED = "raise {kind}('blocked here')\n"
SECRETS = {
    "HTTPS_PROXY": "http://me:hunter2@proxy:3128",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "RTVFI_SECRET": "hunter2",
}


def block(folder: Path, **packages: str) -> None:
    """Modules in the way of the real ones, which raise that when imported."""
    for name, kind in packages.items():
        (folder / f"{name}.py").write_text(BLOCKED.format(kind=kind), encoding="utf-8")


def doctor(root: Path, blockers: Path, *words: str, **environ: str) -> Any:
    result = subprocess.run(
        [sys.executable, "-m", "rtvfi", "doctor", *words],
        cwd=root,
        env={"PYTHONPATH": str(blockers), "OMP_NUM_THREADS": "1", **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    return result


def test_every_check_is_run() -> None:
    assert {*command.TOGETHER, command.ALONE} == child.CHECKS.keys()


def test_a_machine_that_lacks_everything_gets_a_line_for_each(root: Path, tmp_path: Path) -> None:
    block(tmp_path, torch="ImportError", av="OSError", mpv="OSError", rich="ImportError")
    (tmp_path / "machine").mkdir()
    environ = {"PATH": "/nonexistent", "RTVFI_ROOT": str(tmp_path / "machine")}
    result = doctor(root, tmp_path, "--json", **environ, **SECRETS)
    told = json.loads(result.stdout)
    assert result.returncode == 1
    assert told["failed"] == sum(f["level"] == "fail" for f in told["findings"]) > 0
    levels = {(f["topic"], f["level"]) for f in told["findings"]}
    assert {("video", "fail"), ("ffmpeg", "warn"), ("mpv", "fail"), ("vaapi", "warn")} <= levels
    assert {("gpu", "warn"), ("screen", "warn"), ("weights", "ok"), ("disk", "warn")} <= levels
    assert all(f["hint"] for f in told["findings"] if f["level"] != "ok")
    assert "hunter2" not in result.stdout


def test_a_torch_that_cannot_be_imported_fails(root: Path, tmp_path: Path) -> None:
    block(tmp_path, torch="OSError")
    environ = {**os.environ, "RTVFI_CONFIG": "", "COLUMNS": "80"}
    environ.pop("PYTHONPATH", None)
    text = doctor(root, tmp_path, **environ).stdout
    assert "fail  torch" in text
    assert "blocked here" in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-1].startswith("1 failed" if "fail  mpv" not in text else "2 failed")


def test_a_check_that_crashes_is_a_line_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGABRT)\n"
    (tmp_path / "av.py").write_text(code, encoding="utf-8")
    block(tmp_path, torch="ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("RTVFI_ROOT", str(tmp_path))
    findings = list(command.examine(60.0, 60.0))
    crashed = [f for f in findings if "could not be finished" in f["text"]]
    assert [(f["topic"], f["level"]) for f in crashed] == [("video", "fail")]
    assert "SIGABRT" in crashed[0]["text"]
    assert {f["topic"] for f in findings} >= {"python", "mpv", "disk", "settings"}


def test_a_check_that_hangs_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TOGETHER", ("settings",))
    monkeypatch.setenv("RTVFI_ROOT", str(tmp_path))
    first, *_ = command.examine(0.0, 0.0)
    assert "it took too long" in first["text"]
    assert first["topic"] == "settings"


def test_findings_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    finding = {"level": "warn", "topic": "disk", "text": "a word " * 30, "hint": "do this " * 20}
    lines = command._lines(finding)
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("warn  disk")
    assert sum("->" in line for line in lines) == 1
