"""A disk that is really full: what is written ends in a sentence, what plays goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest
from clips import Clips, ClipSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FILM = ClipSpec(num_frames=72, size=(160, 90))
QUIET = ("vo=null", "ao=null", "config=no", "ytdl=no", "osc=no", "load-scripts=no")
MODEL = ("--model", "copy", "--device", "cpu", "--fps", "2x")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds 60 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60k", "none", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        made = False
    if not made:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def rtvfi(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rtvfi", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"RTVFI_CONFIG": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("name", ["o.mkv", "o.mp4", "o.gif"])
def test_a_rendering_ends_in_one_sentence(name: str, disk: Path, clips: Clips) -> None:
    encoder = () if name.endswith("gif") else ("--encoder", "libx264", "--crf", "1")
    done = rtvfi("render", clips.get(FILM), "-o", disk / name, *MODEL, *encoder)
    assert done.returncode == 1
    (error,) = errors(done)
    assert "is full" in error or "No space left" in error


def test_pictures_end_in_one_sentence(disk: Path, clips: Clips) -> None:
    done = rtvfi("render", clips.get(FILM), "-o", disk / "pngs", "--png-only", *MODEL)
    assert done.returncode == 1
    assert "is full" in errors(done)[0] or "No space left" in errors(done)[0]


@pytest.mark.mpv
def test_a_recording_ends_and_the_film_plays_on(disk: Path, clips: Clips, tmp_path: Path) -> None:
    options = [word for option in QUIET for word in ("--mpv", option)]
    files = ["--record", disk / "o.mkv", "--report", tmp_path / "report.json"]
    done = rtvfi("play", clips.get(FILM), *files, *MODEL, "--encoder", "ffv1", *options)
    assert done.returncode == 0, done.stderr
    assert not errors(done)
    report = json.loads((tmp_path / "report.json").read_text())
    assert "is full" in report["recording"]["error"]
    assert report["frames"]["asked"] >= 2 * 72 - 4
    with av.open(str(disk / "o.mkv")) as left:
        assert sum(1 for _ in left.decode(video=0)) > 1


@pytest.mark.mpv
def test_a_report_that_finds_no_room_is_one_sentence(disk: Path, clips: Clips) -> None:
    (disk / "rest").write_bytes(bytes(60 << 10))
    options = [word for option in (*QUIET, "untimed=yes") for word in ("--mpv", option)]
    done = rtvfi("play", clips.get(FILM), "--report", disk / "r.json", *MODEL, *options)
    assert done.returncode == 1
    assert errors(done) == [
        f'error: the report "{disk / "r.json"}" cannot be written: No space left on device'
    ]
    assert not (disk / "r.json").exists()
