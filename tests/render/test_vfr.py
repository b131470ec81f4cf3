"""``rtvfi render --vfr keep``: a film's own times stay, with pictures between them."""

from __future__ import annotations

import os
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import FILM, Clips, ClipSpec
from files import off_grid, planes, same_pictures, track

from rtvfi.cli import main as cli
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.render.render import render as render_with
from rtvfi.settings.config import RenderOptions

SHARED = Path(os.environ.get("RTVFI_SHARED") or Path(__file__).resolve().parents[3] / "shared")
EDGE = SHARED / "clips" / "edge"
MILLISECOND = Fraction(1, 1000)
EXACT = ("--encoder", "ffv1")

UNEVEN = tuple(
    Fraction(t, 1000) for t in (0, 42, 83, 125, 250, 292, 333, 458, 500, 542, 583, 625, 917, 958)
)
"""Film with pictures left out: 125 ms are three of them, 292 ms seven."""
FILM_OF_PARTS = ClipSpec(num_frames=len(UNEVEN), times=UNEVEN, audio=True)


def render(source: Path, target: Path, *words: str) -> int:
    """The command, on the CPU, times kept."""
    said = ["render", str(source), "-o", str(target), "--device", "cpu", "--vfr", "keep"]
    return cli.main([*said, *(() if "--style" in words else ("--style", "plain")), *words])


def kept(source: Path, multiple: int) -> list[Fraction]:
    """The film's times, and the fractions between."""
    times = sorted(track(source, "video").times)
    end = times[-1] + 1 / FILM
    return [
        a + (b - a) * Fraction(k, multiple)
        for a, b in pairwise([*times, end])
        for k in range(multiple)
    ]


def furthest(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return max(abs(x - y) for x, y in zip(sorted(a), b, strict=True))


@pytest.mark.parametrize("multiple", [1, 2, 3])
@pytest.mark.parametrize("name", ["o.mkv", "o.mp4"])
def test_times_are_the_films_and_fractions_between(
    name: str, multiple: int, clips: Clips, tmp_path: Path
) -> None:
    source, target = clips.get(FILM_OF_PARTS), tmp_path / name
    assert render(source, target, "--model", "copy", "--multi", str(multiple)) == 0
    made = track(target, "video").times
    assert furthest(made, kept(source, multiple)) <= MILLISECOND
    sound = track(target, "audio")
    assert sound.data == track(source, "audio").data
    assert abs(sound.times[0] - min(made)) <= MILLISECOND


def test_every_film_frame_is_itself_at_its_own_time(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FILM_OF_PARTS, codec="ffv1"), tmp_path / "o.mkv"
    assert render(source, target, "--model", "linear", "--multi", "2", *EXACT) == 0
    given, made = planes(source), planes(target)
    assert len(made) == 2 * len(given)
    for (pts, picture), (shown, same) in zip(given, made[::2], strict=True):
        assert abs(pts - shown) <= MILLISECOND
        assert all(np.array_equal(a, b) for a, b in zip(picture, same, strict=True))


def test_up_to_a_quarter_of_a_second_moves_and_what_is_longer_is_held_first(
    clips: Clips, tmp_path: Path
) -> None:
    source, target = clips.get(FILM_OF_PARTS, codec="ffv1"), tmp_path / "o.mkv"
    assert render(source, target, "--model", "linear", "--multi", "2", *EXACT) == 0
    given = [luma.astype(int) for _, (luma, *_) in planes(source)]
    between = [luma.astype(int) for _, (luma, *_) in planes(target)[1::2]]
    for number, (left, right) in enumerate(pairwise(given)):
        share = 0.5
        if UNEVEN[number] == Fraction(625, 1000):  # moves in the last sixth of a second
            share = 1 - 0.146 * 6
        wanted = left + (right - left) * share
        assert abs(between[number] - wanted).max() <= 1


def test_a_steady_film_comes_out_as_on_the_grid(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(num_frames=24, audio=True)
    words = ("--model", "linear", "--multi", "2", *EXACT)
    assert render(source, tmp_path / "a.mp4", "--model", "copy", "--multi", "2") == 0
    assert off_grid(track(tmp_path / "a.mp4", "video").times, 2 * FILM) <= Fraction(1, 1_000_000)
    assert render(source, tmp_path / "b.mkv", *words) == 0
    said = ["render", str(source), "-o", str(tmp_path / "c.mkv"), "--device", "cpu"]
    assert cli.main([*said, "--style", "plain", *words]) == 0
    assert same_pictures(tmp_path / "b.mkv", tmp_path / "c.mkv")


def test_a_montage_keeps_the_times(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FILM_OF_PARTS), tmp_path / "o.mkv"
    assert render(source, target, "--model", "copy", "--multi", "2", "--montage") == 0
    assert furthest(track(target, "video").times, kept(source, 2)) <= MILLISECOND


def test_the_file_does_not_say_that_it_is_steady(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(FILM_OF_PARTS)
    assert render(source, tmp_path / "o.mkv", "--model", "copy", "--multi", "2") == 0
    default_duration = bytes.fromhex("23e383")
    assert default_duration not in (tmp_path / "o.mkv").read_bytes()[:4096]


def test_a_part_begins_and_ends_where_it_was_asked_to(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FILM_OF_PARTS), tmp_path / "o.mkv"
    words = ("--model", "copy", "--multi", "2", "--start", "0.3", "--end", "0.6")
    assert render(source, target, *words) == 0
    wanted = [t for t in kept(source, 2) if Fraction(3, 10) <= t < Fraction(6, 10)]
    made = sorted(track(target, "video").times)
    assert furthest(made, [t - wanted[0] for t in wanted]) <= MILLISECOND


def test_by_default_a_film_gets_about_sixty_pictures(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(num_frames=12), tmp_path / "o.mkv"
    assert render(source, target, "--model", "copy") == 0
    assert len(track(target, "video").times) == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fps", "60"), "needs a whole multiple of the film's rate, not 60"),
        (("--fps", "2.5x"), "needs a whole multiple of the film's rate, not 2.5x"),
        (("--fps", "16x", "--ext", "mkv"), ""),
    ],
)
def test_only_whole_multiples(
    words: tuple[str, ...],
    message: str,
    clips: Clips,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = render(clips.get(num_frames=6), tmp_path / "o.mkv", "--model", "copy", *words)
    assert code == (2 if message else 0)
    assert message in capsys.readouterr().err


def test_an_animation_has_a_steady_rate(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(clips.get(num_frames=6), tmp_path / "o.gif", "--model", "copy") == 2
    assert "a gif has a constant frame rate" in capsys.readouterr().err


def test_a_film_without_times_is_refused(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "film.h264"
    command = ["ffmpeg", "-v", "error", "-i", str(clips.get(num_frames=12)), "-c", "copy", str(raw)]
    subprocess.run(command, check=True)
    assert render(raw, tmp_path / "o.mkv", "--model", "copy") == 2
    assert "cannot be kept: it does not state them" in capsys.readouterr().err


@pytest.mark.parametrize("style", ["plain", "smooth"])
def test_a_part_that_was_killed_goes_on(style: str, clips: Clips, tmp_path: Path) -> None:
    """As a kill leaves it: the beginning of the file, and the journal."""
    times = tuple(Fraction(41 * n + 83 * (n // 7), 1000) for n in range(150))
    source = clips.get(FILM_OF_PARTS, num_frames=150, times=times, holds=(2, 2, 3, 1))
    target, whole = tmp_path / "o.mkv", tmp_path / "whole.mkv"
    words = ("--style", style, "--model", "linear", "--multi", "2", *EXACT)
    assert render(source, whole, *words) == 0
    assert render(source, target, *words, "--end", "60") == 0
    broken = target.read_bytes()
    target.unlink()
    journal = tmp_path / "o.mkv.rtvfi" / "journal.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rtvfi.render.render._Renderer._write", lambda *_: False)
        assert render(source, target, *words) == 130
    assert journal.exists()
    target.write_bytes(broken[: len(broken) * 3 // 4])
    assert render(source, target, *words, "--resume") == 0
    assert same_pictures(target, whole)
    assert track(target, "video").times == track(whole, "video").times


@pytest.mark.skipif(not EDGE.is_dir(), reason="no shared films")
@pytest.mark.parametrize("name", ["no_duration.webm", "fate_h264__1242-small.mkv", "bbb_2500ms.ts"])
def test_real_films_keep_their_times(name: str, tmp_path: Path) -> None:
    """As ffprobe tells them."""
    target = tmp_path / "o.mkv"
    options: dict[str, Any] = {
        "files": (str(EDGE / name),),
        "output": target,
        "model": "copy",
        "device": "cpu",
        "fps": "2x",
        "keeps_times": True,
        "stream": StreamOptions(style="plain"),
        "source": SourceOptions(hwaccel="none"),
        "encode": EncodeOptions(encoder="libx264", preset="ultrafast"),
    }
    assert render_with(RenderOptions(**options)) == 0
    given, made = probed(EDGE / name), probed(target)
    assert len(made) == 2 * len(given)
    zero = given[0] - made[0]
    for shown, (left, right) in zip(made[:-2:2], pairwise(given), strict=True):
        assert abs(shown + zero - left) <= MILLISECOND
        assert left <= right
    halves = [(a + b) / 2 for a, b in pairwise(given)]
    assert furthest([t + zero for t in made[1:-1:2]], halves) <= 2 * MILLISECOND


def probed(path: Path) -> list[Fraction]:
    command = ["ffprobe", "-v", "quiet", "-select_streams", "v:0", "-of", "csv=p=0"]
    command += ["-show_entries", "frame=best_effort_timestamp_time", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return sorted({Fraction(line.strip(",")) for line in lines if line.strip(",")})
