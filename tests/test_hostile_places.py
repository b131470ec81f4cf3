"""Names and places nobody should use: each ends in one sentence, or works."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clips import Clips, ClipSpec

from rtvfi.cli import main as cli

if TYPE_CHECKING:
    from collections.abc import Callable

FILM = ClipSpec(num_frames=12, size=(160, 90))
COPY = ("--model", "copy", "--device", "cpu", "--encoder", "ffv1", "--fps", "2x")


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail with one sentence, and gives that."""

    def run(*words: object) -> str:
        code = cli.main(list(map(str, words)))
        err = capfd.readouterr().err
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert code in (1, 2), err
        assert len(errors) == 1, err
        assert "Traceback" not in err
        return errors[0].removeprefix("error: ")

    return run


# ---- inputs ----


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "film.mkv")
    return folder / "film.mkv"


def _socket(folder: Path) -> Path:
    # The path of a socket must be short.
    with socket.socket(socket.AF_UNIX) as made:
        descriptor = os.open(folder, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{descriptor}/film.mkv")
        os.close(descriptor)
    return folder / "film.mkv"


def _loop(folder: Path) -> Path:
    (folder / "film.mkv").symlink_to("other.mkv")
    (folder / "other.mkv").symlink_to("film.mkv")
    return folder / "film.mkv"


def _dangling(folder: Path) -> Path:
    (folder / "film.mkv").symlink_to("nowhere.mkv")
    return folder / "film.mkv"


PLACES: dict[str, Callable[[Path], Path]] = {
    "a pipe nobody writes to": _fifo,
    "a socket": _socket,
    "links in a circle": _loop,
    "a link to nowhere": _dangling,
    "zeros without end": lambda _: Path("/dev/zero"),
    "nothing": lambda _: Path("/dev/null"),
    "noise without end": lambda _: Path("/dev/urandom"),
    "this process": lambda _: Path("/proc/self/mem"),
    "a name too long": lambda folder: folder / ("x" * 2000),
    "a path through a file": lambda _: Path(__file__) / "film.mkv",
    "an empty name": lambda _: Path(),
}


@pytest.mark.parametrize("command", ["info", "render"])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_film_is_refused(
    command: str, place: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert refused(command, PLACES[place](tmp_path))


NAMES = (
    *("-dash.mkv", "--help", "a\nb.mkv", "\udcff\udcfe.mkv", "\N{GRINNING FACE}.mkv"),
    *("\"q'`$(id).mkv", "100%d %s.mkv", "%03d.mkv", "[red] [1080p].mkv", "[x].mkv", " .mkv"),
    *("concat:a|b.mkv", "http:x.mkv", "pipe:0", "data:,x.mkv", "subfile,,start,0,end,9,,:x.mkv"),
    *("tab\t\x1b[31mred.mkv", "\u202ertl.mkv", "#x.mkv", ".mkv", "a.mkv?x=1", "{}.mkv", "\\b.mkv"),
)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_a_name(
    name: str, clips: Clips, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(clips.get(FILM), tmp_path / name)
    out = tmp_path / "out"
    out.mkdir()
    with contextlib.chdir(tmp_path):
        assert cli.main(["info", "--", name]) == 0
        assert cli.main(["render", "-o", str(out), *COPY, "--", name]) == 0
    assert [path.suffix for path in out.iterdir()] == [".mkv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out"])
    said = capfd.readouterr()
    assert "\x1b" not in said.out + said.err


def test_brackets_in_a_path_are_no_markup(
    clips: Clips, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "["
    folder.mkdir()
    shutil.copy(clips.get(FILM), folder / "bold].mkv")
    assert cli.main(["info", str(folder / "bold].mkv")]) == 0
    assert "[/bold].mkv" in capfd.readouterr().out.replace("\n", "").replace(" ", "")


# ---- outputs ----


@pytest.mark.parametrize("kind", ["mkv", "mp4", "gif"])
@pytest.mark.parametrize("name", ["-dash", "Re: film", "concat:a|b", "pipe:1", "tcp:h", "%03d"])
def test_any_name_can_be_written(name: str, kind: str, clips: Clips, tmp_path: Path) -> None:
    film = clips.get(FILM).absolute()
    with contextlib.chdir(tmp_path):
        words = COPY[:4] if kind == "gif" else (*COPY[:4], "--encoder", "libx264")
        assert cli.main(["render", str(film), f"--output={name}.{kind}", "--fps=2x", *words]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.{kind}"]
    assert (tmp_path / f"{name}.{kind}").stat().st_size > 500


def test_a_link_to_the_input_is_the_input(
    clips: Clips, tmp_path: Path, refused: Callable[..., str]
) -> None:
    film, link = tmp_path / "film.mkv", tmp_path / "link.mkv"
    shutil.copy(clips.get(FILM), film)
    before = film.read_bytes()
    hard = tmp_path / "hard.mkv"
    hard.hardlink_to(film)
    link.symlink_to(film)
    for out in (film, link, hard):
        assert "is the input itself" in refused("render", film, "-o", out, "--force", *COPY)
    assert film.read_bytes() == before


@pytest.mark.parametrize(
    "out",
    [
        "/proc/o.mkv",
        "/dev/null/o.mkv",
        "loop.mkv",
        "nowhere/o.mkv",
        "x" * 300 + ".mkv",
    ],
)
def test_where_nothing_can_be_written_is_one_sentence(
    out: str, clips: Clips, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "loop.mkv").symlink_to("loop.mkv")
    before = sorted(path.name for path in tmp_path.iterdir())
    refused("render", clips.get(FILM), "-o", tmp_path / out, "--force", *COPY)
    left = {path.name for path in tmp_path.iterdir()} - set(before)
    # Where the folder of an output is, its notes may be.
    assert left <= {Path(out).name + ".rtvfi"}


@pytest.mark.parametrize("option", ["--log-file", "--report"])
def test_an_input_is_overwritten_by_no_option(
    option: str, clips: Clips, tmp_path: Path, refused: Callable[..., str]
) -> None:
    film = tmp_path / "film.mkv"
    shutil.copy(clips.get(FILM), film)
    before = film.read_bytes()
    refused("play", film, option, film)
    assert film.read_bytes() == before


def test_output_that_nobody_takes_is_one_sentence(clips: Clips) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rtvfi", "info", str(clips.get(FILM))],
            cwd=Path(__file__).parent.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.strip()) == (1, "error: No space left on device")
