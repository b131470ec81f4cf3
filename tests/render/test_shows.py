"""What long work tells: a file of the newest state, a line when somebody asks, the desktop."""

from __future__ import annotations

import json
import os
import signal
import stat
from typing import TYPE_CHECKING

import pytest

from rtvfi.cli import main as cli
from rtvfi.core.options import EncodeOptions
from rtvfi.render import shows as shows_module
from rtvfi.render.progress import State, StatusFile
from rtvfi.render.shows import Shows, notify_if_long
from rtvfi.settings.config import render_options, resolve_config

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

STATE = State(num_frames=30, num_made=30, total=60, num_bytes=1, stages_ms={})


def test_the_status_file_tells_the_end(clips: Clips, tmp_path: Path) -> None:
    status, target = tmp_path / "s.json", tmp_path / "o.mkv"
    words = ["--model", "copy", "--fps", "1x", "--device", "cpu", "--status", str(status)]
    film = clips.get(num_frames=24)
    assert cli.main(["render", str(film), "-o", str(target), *words]) == 0
    told = json.loads(status.read_text())
    assert (told["event"], told["frames"], told["output"]) == ("end", 24, str(target))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_status_file_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = StatusFile(tmp_path / "no folder" / "s.json", "a.mkv", tmp_path / "o.mkv")
    file.write("{}\n")
    file.write("{}\n")
    assert caplog.text.count("cannot be written") == 1


@pytest.mark.parametrize(
    ("num_at_once", "after"), [(1, ", 2 files after it"), (2, ", 1 file after it"), (3, "")]
)
def test_a_signal_asks_what_is_left(
    num_at_once: int, after: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    options = render_options(resolve_config({}), ("a.mkv", "b.mkv", "c.mkv"), EncodeOptions())
    with Shows(options) as shows:
        progress = shows.begin("a.mkv", tmp_path / "o.mkv", num_at_once)
        signal.raise_signal(signal.SIGUSR1)
        assert capsys.readouterr().err == f"o.mkv: starting{after}\n"
        progress.show(STATE)
        signal.raise_signal(signal.SIGUSR1)
        said = capsys.readouterr().err
        progress.end()
    assert said.startswith("o.mkv: 30/60 frames, ")
    assert said.endswith(f" left{after}\n")
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize(
    ("seconds", "display", "is_told"), [(61, ":9", True), (61, "", False), (59, ":9", False)]
)
def test_the_desktop_is_told_of_long_work_alone(
    seconds: float, display: str, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, told = tmp_path / "notify-send", tmp_path / "told"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > "{told}"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    notify_if_long(seconds, "-x.mkv: rendered")
    assert told.exists() == is_told
    if is_told:
        assert told.read_text().endswith("|--|rtvfi|-x.mkv: rendered|")


def test_ctrl_c_tells_the_desktop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(shows_module, "notify_if_long", lambda _, text: told.append(text))
    options = render_options(resolve_config({}), ("a.mkv",), EncodeOptions())
    with pytest.raises(KeyboardInterrupt), Shows(options):
        raise KeyboardInterrupt
    assert told == []
    with pytest.raises(OSError, match="full"), Shows(options):
        raise OSError("full")
    assert told == ["a.mkv: rendering failed"]
