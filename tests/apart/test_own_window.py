"""``rtvfi play`` with the engine in a process of its own: as inside, and its faults end no film."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from typing import TYPE_CHECKING

import pytest
from anympv import MPV, PATIENCE, ROOT, AnyMpv, OwnWindow, is_there
from fakes import raising
from seeks import FEATURE

from rtvfi.apart import early
from rtvfi.cli import main as cli
from rtvfi.cli.commands.play import _is_apart
from rtvfi.cli.grammar import words_of
from rtvfi.core.errors import NoScripts
from rtvfi.settings.config import play_options, resolve_config

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from clips import Clips

pytestmark = [pytest.mark.mpv, pytest.mark.timeout(240)]


def parsed(*words: str) -> argparse.Namespace:
    return cli._parse(["play", "film.mkv", *words])


def test_an_engine_that_is_killed_leaves_our_window_and_the_film(
    clips: Clips, tmp_path: Path
) -> None:
    # What somebody's own mpv has been told about films is nothing to this window.
    with OwnWindow(tmp_path, clips.get(FEATURE), on="no", more="--nonsense") as window:
        window.begin()
        window.wait_ours()
        # The script in the user's folder stays out.
        names = [
            t.get("external-filename") for t in window.player.track_list if t["type"] == "video"
        ]
        assert len(names) == 2
        assert str(names[1]).startswith("rtvfi://rtvfi-")  # by the Unix socket
        window.check_at(3)
        assert window.kill_engine() != window.process.pid
        window.wait_ours()
        window.quit()


@pytest.mark.parametrize("killed", [False, True], ids=["quits", "is killed"])
@pytest.mark.parametrize(
    "window",
    [
        pytest.param(AnyMpv, marks=pytest.mark.skipif(MPV is None, reason="no mpv")),
        pytest.param(OwnWindow, marks=pytest.mark.slow),
    ],
)
def test_a_window_that_ends_leaves_no_engine(
    clips: Clips, tmp_path: Path, window: type[AnyMpv], *, killed: bool
) -> None:
    with window(tmp_path, clips.get(FEATURE)) as mpv:
        mpv.begin()
        engine = mpv.tell()["pid"]
        assert is_there(engine)
        if killed:
            mpv.process.kill()
        else:
            mpv.player.command("quit")
        mpv.leaves_nothing(engine, -signal.SIGKILL if killed else 0)


@pytest.mark.slow
def test_nothing_that_plays_is_a_failure(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mkv"
    bad.write_text("no film")
    words = ["play", str(bad), "--engine", "apart", "--model", "copy", "--mpv", "vo=null"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rtvfi", *words, "--device", "cpu"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RTVFI_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "cannot be played" in done.stderr


@pytest.mark.parametrize(
    ("words", "model", "device", "is_apart"),
    [
        ((), "dis", "cpu", False),
        ((), "cel", "cpu", True),
        ((), "cel", "cuda", True),
        ((), "dis", "cuda", False),
        (("--engine", "inside"), "cel", "cuda", False),
        (("--engine", "apart"), "dis", "cpu", True),
        (("--record", "out.mkv", "--report", "r.json"), "cel", "cuda", True),
    ],
)
def test_the_engine_is_apart_where_torch_is_used(
    words: tuple[str, ...], model: str, device: str, is_apart: bool
) -> None:
    settings = {"model": model, "device": device}
    options = play_options(resolve_config(settings, preset="default"), ("film.mkv",))
    assert _is_apart(parsed(*words), options) == is_apart


def test_settings_reach_the_engine_as_they_were_typed() -> None:
    words = ["--style", "plain", "--fps", "60", "--preset", "cpu", "--scale", "0.5"]
    words += ["--encoder", "libx264", "--crf", "20.5"]
    assert sorted(words_of(parsed(*words, "--mpv", "fs"))) == sorted(words)


@pytest.mark.parametrize("engine", ["auto", "apart"])
def test_without_scripts_in_mpv_the_engine_stays_inside_unless_it_must_not(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play_apart = raising(NoScripts("this libmpv runs no scripts"))
    monkeypatch.setattr(early, "begin", lambda _: None)
    for name, play in (("rtvfi.apart.own_window", play_apart), ("rtvfi.player", lambda _: 0)):
        module = types.ModuleType(name)
        vars(module).update(play=play, play_apart=play)
        monkeypatch.setitem(sys.modules, name, module)
    film = tmp_path / "film.mkv"
    film.touch()
    words = ["play", str(film), "--model", "linear", "--device", "cpu", "--engine", engine]
    assert cli.main(words) == (0 if engine == "auto" else 1)
    assert ("runs no scripts" in capsys.readouterr().err) == (engine == "apart")
