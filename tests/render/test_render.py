"""``rtvfi render``: files in, files out."""

from __future__ import annotations

import faulthandler
import json
import os
import random
import signal
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from clips import FILM, Clips, ClipSpec, read_code
from files import off_grid, planes, same_pictures, track, tracks

from rtvfi.cli import main as cli
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.core.rates import Grid
from rtvfi.engine.model_host import ModelHost
from rtvfi.render.target import target_path
from rtvfi.settings.config import RenderOptions
from rtvfi.stream.write.pieces import survey
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.stream.plan.ladder import Variant

ROOT = Path(__file__).resolve().parents[2]
MILLISECOND = Fraction(1, 1000)
LONG = ClipSpec(num_frames=144, gop=24, audio=True, cuts=(60,))
EXACT = ("--encoder", "ffv1", "--style", "plain")
LOSSLESS_H264 = ("libx264", "--crf", "0", "--preset-encoder", "veryfast")


def render(*words: str | Path) -> int:
    """The command, on the CPU."""
    return cli.main(["render", "--device", "cpu", *map(str, words)])


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


# --- what is in the file ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "count"), [("2x", 96), ("60", 121), ("2.5x", 120), ("60000/1001", 120)]
)
def test_every_point_of_the_grid_is_rendered(
    rate: str, count: int, clips: Clips, tmp_path: Path
) -> None:
    target = tmp_path / "o.mp4"
    assert render(clips.get(), "-o", target, "--model", "copy", "--fps", rate) == 0
    times = track(target, "video").times
    wanted = {"2x": 2 * FILM, "2.5x": FILM * 5 / 2}.get(rate) or Fraction(rate)
    assert len(times) == count
    assert off_grid(times, wanted) == 0


def test_copy_shows_the_nearest_source_frame(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    assert render(clips.get(), "-o", target, "--model", "copy", "--fps", "3x", *EXACT) == 0
    wanted = [min((k + 1) // 3, 47) for k in range(144)]
    assert numbers(target) == wanted


def test_between_two_frames_linear_gives_their_mean(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    source = clips.get(num_frames=12, codec="ffv1")
    assert render(source, "-o", target, "--model", "linear", "--fps", "2x", *EXACT) == 0
    given, made = planes(source), planes(target)
    assert len(made) == 24
    for k, (_, (luma, *_)) in enumerate(given):
        assert np.array_equal(made[2 * k][1][0], luma)
    for (a, b), (_, (luma, *_)) in zip(pairwise(given), made[1::2], strict=False):
        mean = (a[1][0].astype(int) + b[1][0]) / 2
        assert abs(luma - mean).max() <= 1


def test_multi_and_exp_are_multiples(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(num_frames=12)
    assert render(source, "-o", tmp_path / "a.mkv", "--model", "copy", "--multi", "3") == 0
    assert render(source, "-o", tmp_path / "b.mkv", "--model", "copy", "--exp", "2") == 0
    assert len(track(tmp_path / "a.mkv", "video").times) == 36
    assert len(track(tmp_path / "b.mkv", "video").times) == 48


def test_a_part_is_rendered(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    words = ("--model", "copy", "--fps", "2x", "--start", "1", "--end", "0:02.5")
    assert render(clips.get(LONG), "-o", target, *words) == 0
    times = track(target, "video").times
    assert len(times) == 72  # grid points 48 to 119 of 2 * 24000/1001 a second
    assert times[0] == 0
    first = numbers(target)[0]
    assert first == 24


def test_ten_bits_and_full_chroma_stay(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(num_frames=6, pix_fmt="yuv444p10le", codec="ffv1", matrix=1)
    target = tmp_path / "o.mkv"
    assert render(source, "-o", target, "--model", "copy", "--fps", "1x", *EXACT) == 0
    assert same_pictures(source, target)


def test_variable_times_come_out_on_the_grid(clips: Clips, tmp_path: Path) -> None:
    times = tuple(Fraction(t, 1000) for t in (0, 40, 85, 120, 160, 205, 240, 280, 320, 400))
    source = clips.get(num_frames=10, times=times, rate=Fraction(25))
    target = tmp_path / "o.mp4"
    assert render(source, "-o", target, "--model", "copy", "--fps", "50") == 0
    assert off_grid(track(target, "video").times, Fraction(50)) == 0


# --- files -----------------------------------------------------------------------------------


def options(**changes: Any) -> RenderOptions:
    fields: dict[str, Any] = {
        "files": ("a/film.mkv",),
        "model": "copy",
        "device": "cpu",
        "fps": "2x",
        "stream": StreamOptions(),
        "source": SourceOptions(),
        "encode": EncodeOptions(),
    }
    return RenderOptions(**{**fields, **changes})


def test_names_are_made_beside_the_input(tmp_path: Path) -> None:
    rate = Fraction(60000, 1001)
    assert target_path(options(), "a/film.mkv", rate) == Path("a/film-59.94fps.mkv")
    mp4 = options(extension=".mp4", output=tmp_path)
    assert target_path(mp4, "a/film.mkv", rate) == tmp_path / "film-59.94fps.mp4"


def test_several_inputs_go_to_a_folder(clips: Clips, tmp_path: Path) -> None:
    files = [clips.get(num_frames=6), clips.get(num_frames=8)]
    assert render(*files, "-o", tmp_path, "--model", "copy", "--fps", "2x") == 0
    assert sorted(len(track(p, "video").times) for p in tmp_path.glob("*.mkv")) == [12, 16]


def test_a_name_that_ends_in_a_slash_is_a_folder(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(num_frames=6)
    assert render(source, "-o", f"{tmp_path}/new/out/", "--model", "copy", "--fps", "2x") == 0
    assert [path.suffix for path in (tmp_path / "new" / "out").iterdir()] == [".mkv"]


def test_a_bad_file_does_not_stop_the_others(clips: Clips, tmp_path: Path) -> None:
    files = [clips.garbage(), clips.get(num_frames=6)]
    assert render(*files, "-o", tmp_path, "--model", "copy", "--fps", "2x") == 1
    assert len(list(tmp_path.glob("*.mkv"))) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--start", "60"), 2, "--start is 60 s, but the film ends at 2.002 s"),
        (("--start", "1", "--end", "0:01"), 2, "--end 1 s is not after the start"),
        (("--start", "soon"), 2, "expected seconds (90) or a time (1:30)"),
        (("--encoder", "x264"), 2, 'there is no encoder "x264"'),
        (("--encoder", "h264_nvenc"), 1, "h264_nvenc cannot be started"),
        (("--resume",), 2, "cannot be resumed"),
        (("--fps", "1000"), 2, "1000 fps is too high"),
        (("--exp", "9"), 2, "expected 0 to 4"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: tuple[str, ...],
    code: int,
    message: str,
    clips: Clips,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert render(clips.get(), "-o", tmp_path / "o.mkv", "--model", "copy", *words) == code
    assert message in capsys.readouterr().err


def test_nothing_is_overwritten_without_force(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "o.mkv"
    target.write_bytes(b"precious")
    assert render(clips.get(), "-o", target, "--model", "copy") == 2
    assert "already exists" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"
    assert render(clips.get(), "-o", target, "--model", "copy", "--fps", "2x", "--force") == 0
    assert len(track(target, "video").times) == 96


def test_the_input_is_safe_even_with_force(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "film.mkv"
    source.write_bytes(clips.get().read_bytes())
    assert render(source, "-o", source, "--model", "copy", "--force") == 2
    assert "is the input itself" in capsys.readouterr().err
    assert source.read_bytes() == clips.get().read_bytes()


def test_a_model_that_fails_is_an_error_and_no_source_frames(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    class Failing:
        num_frames = 2
        variants = ()
        expected: ClassVar[dict[Variant, float]] = {}

        def run(self, *_: object) -> dict[int, NDArray[np.uint8]]:
            raise RuntimeError("out of memory\nlong story")

        def keep(self, *_: object) -> None: ...
        def reset(self) -> None: ...
        def take_times(self) -> None: ...

    monkeypatch.setattr(ModelHost, "executor", lambda *_: Failing())
    assert render(clips.get(), "-o", tmp_path / "o.mkv", "--model", "linear") == 1
    assert "error: the model failed: out of memory\n" in capsys.readouterr().err


def test_progress_for_programs(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--model", "copy", "--fps", "2x", "--json")
    assert render(clips.get(), "-o", tmp_path / "o.mkv", *words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["event"] == "end"
    assert (lines[-1]["frames"], lines[-1]["total"]) == (96, 96)
    assert all(a["frames"] <= b["frames"] for a, b in pairwise(lines))


# --- continuing after a kill -------------------------------------------------------------------


def start(source: Path, target: Path, *words: str) -> subprocess.Popen[str]:
    """The command in a process of its own, its progress on a pipe."""
    command = [sys.executable, "-m", "rtvfi", "render", str(source), "-o", str(target)]
    command += ["--device", "cpu", "--fps", "2x", "--json", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RTVFI_CONFIG": ""}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        env=environment,
        stderr=subprocess.PIPE,
    )


def end_at(process: subprocess.Popen[str], count: int, how: signal.Signals) -> str:
    """Send a signal once so many frames are written; what was said."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["frames"] >= count:
            break
    process.send_signal(how)
    _, said = process.communicate()
    return said


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("name", "style", "encoder"),
    [
        ("o.mkv", "plain", ("ffv1",)),
        ("o.mp4", "plain", ("ffv1",)),
        ("o.mkv", "smooth", ("ffv1",)),
        ("o.mkv", "plain", LOSSLESS_H264),
        ("o.mp4", "plain", LOSSLESS_H264),
    ],
)
def test_after_a_kill_it_goes_on_to_the_same_pictures(
    name: str, style: str, encoder: tuple[str, ...], clips: Clips, tmp_path: Path
) -> None:
    source = clips.get(LONG, num_frames=360, size=(640, 360), holds=(2, 2, 2, 2, 2, 3, 3, 3, 1))
    target, whole = tmp_path / name, tmp_path / "whole.mkv"
    words = ("--model", "linear", "--style", style, "--encoder", *encoder)
    for count in (150, 300):
        process = start(source, target, *words)
        end_at(process, count, signal.SIGKILL)
        part = target if name == "o.mkv" else tmp_path / "o.mp4.rtvfi" / "part.mkv"
        held = survey(
            part, Timeline(Grid(Fraction(0), 1 / (2 * FILM))), is_finished=False
        ).num_frames
        assert held >= count - 2 * 96, (
            "no more than the GOP under way and what was encoding is lost"
        )
        sound = [t for t in tracks(part) if t.kind == "audio"]
        assert bool(sound) == (name == "o.mkv")
    process = start(source, target, *words, "--resume")
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "continuing after" in said
    assert render(source, "-o", whole, "--fps", "2x", *words) == 0
    assert same_pictures(target, whole)
    assert track(target, "audio").data == track(whole, "audio").data
    assert off_grid(track(target, "video").times, 2 * FILM) <= MILLISECOND
    assert not target.with_name(name + ".rtvfi").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_at_any_moment(clips: Clips, tmp_path: Path) -> None:
    faulthandler.cancel_dump_traceback_later()  # it takes longer, and does not hang
    source = clips.get(LONG, num_frames=900, size=(640, 360))
    target, whole = tmp_path / "o.mkv", tmp_path / "whole.mkv"
    words = ("--model", "linear", "--encoder", *LOSSLESS_H264)
    line = Timeline(Grid(Fraction(0), 1 / (2 * FILM)))
    when = random.Random(1)
    held = 0
    for number in range(20):
        process = start(source, target, *words)
        count = held + when.randrange(20, 140)
        end_at(process, count, signal.SIGKILL)
        if target.exists() and target.stat().st_size > 100_000:
            shown = len(track(target, "video").times)  # reads to where it was cut off
            assert shown >= count - 2 * FILM - 60, "a second, and what the encoder looks ahead"
        kept = tmp_path / "o.mkv.rtvfi" / "before.mkv"
        parts = [survey(p, line, is_finished=False) for p in (target, kept) if p.exists()]
        before, held = held, max((part.num_frames for part in parts), default=0)
        assert held >= before
        print(f"kill {number + 1}: at {count} of 1800, {held} whole")  # noqa: T201
    process = start(source, target, *words, "--resume")
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert render(source, "-o", whole, "--fps", "2x", *words) == 0
    assert same_pictures(target, whole)
    assert track(target, "audio").data == track(whole, "audio").data


@pytest.mark.slow
def test_ctrl_c_leaves_a_file_that_plays(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(LONG, num_frames=360, size=(640, 360))
    target = tmp_path / "o.mp4"
    process = start(source, target, "--model", "linear")
    said = end_at(process, 100, signal.SIGINT)
    assert process.returncode == 130
    assert "run the same command again to continue" in said
    video, sound = track(target, "video"), track(target, "audio")
    assert len(video.times) >= 100
    assert abs(sound.times[-1] - max(video.times)) < Fraction(1, 10)


@pytest.mark.slow
def test_other_settings_do_not_go_on(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(LONG, num_frames=360, size=(640, 360))
    target = tmp_path / "o.mkv"
    end_at(start(source, target, "--model", "linear"), 100, signal.SIGKILL)
    process = start(source, target, "--model", "linear", "--crf", "30")
    _, said = process.communicate()
    assert process.returncode == 2
    assert "was begun with another input or other settings" in said
