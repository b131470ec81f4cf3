"""``rtvfi render`` with pictures in place of films."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from clips import Clips, read_code
from files import off_grid, planes, track
from pictures import folder_of

from rtvfi.cli import main as cli
from rtvfi.stream.write.stills import read_still

if TYPE_CHECKING:
    from pathlib import Path

EXACT = ("--encoder", "ffv1")


def render(*words: str | Path) -> int:
    """The command, on the CPU, nearest source frames at twice the rate."""
    told = [str(word) for word in words]
    return cli.main(["render", "--device", "cpu", "--model", "copy", "--fps", "2x", *told])


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


def code_of(picture: Path) -> int | None:
    with av.open(str(picture)) as opened:
        return read_code(next(opened.decode(video=0)).to_ndarray(format="gray"))


PNG = "--png-only"
NEAREST = [min((k + 1) // 2, 11) for k in range(24)]


# --- pictures in -----------------------------------------------------------------------------


@pytest.fixture
def folder(clips: Clips, tmp_path: Path) -> Path:
    """Pictures of a clip."""
    return folder_of(clips, tmp_path / "in")


def test_a_folder_of_pictures_is_a_film(clips: Clips, tmp_path: Path) -> None:
    folder = folder_of(clips, tmp_path / "shot 1.5")
    assert render(folder, "--in-fps", "24000/1001", *EXACT) == 0
    target = tmp_path / "shot 1.5-47.952fps.mkv"
    assert numbers(target) == NEAREST
    assert off_grid(track(target, "video").times, Fraction(48000, 1001)) <= Fraction(1, 1000)
    assert not target.with_name(target.name + ".rtvfi").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "a folder of pictures needs --in-fps"),
        (("--in-fps", "0"), "expected pictures per second"),
        (("--in-fps", "1/0"), "expected pictures per second"),
    ],
)
def test_the_rate_of_pictures_must_be_said(
    words: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(folder, *words) != 0
    assert message in capsys.readouterr().err


def test_a_film_has_a_rate_of_its_own(clips: Clips, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(clips.get(num_frames=6), "--in-fps", "24") == 2
    assert "--in-fps is for folders of pictures" in capsys.readouterr().err


def test_other_pictures_do_not_go_on_with_a_rendering(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = folder_of(clips, tmp_path / "in"), tmp_path / "o.mkv"
    (folder / "7.png").write_bytes(b"damaged")
    assert render(folder, "--in-fps", "24", "-o", target) == 1
    assert '7.png"' in capsys.readouterr().err
    (folder / "7.png").unlink()
    assert render(folder, "--in-fps", "24", "-o", target) == 2
    assert "was begun with another input" in capsys.readouterr().err


# --- pictures out ----------------------------------------------------------------------------


def test_png_only_writes_every_frame_and_no_film(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert render(folder_of(clips, tmp_path / "in"), "--in-fps", "24", "-o", target, PNG) == 0
    names = sorted(path.name for path in target.iterdir())
    assert names == [f"{k:07}.png" for k in range(1, 25)]
    assert [code_of(target / name) for name in names] == NEAREST
    assert not (tmp_path / "out.rtvfi").exists()


def test_a_png_has_the_colours_of_the_picture_it_came_from(clips: Clips, tmp_path: Path) -> None:
    source = folder_of(clips, tmp_path / "in")
    assert render(source, "--in-fps", "24", "-o", tmp_path / "out", PNG) == 0
    given, made = read_still(source / "1.png"), read_still(tmp_path / "out" / "0000001.png")
    assert np.abs(given.rgb - made.rgb).mean() < 1 / 255


def test_ten_bits_become_sixteen(clips: Clips, tmp_path: Path) -> None:
    source = clips.get(num_frames=2, pix_fmt="yuv420p10le", codec="ffv1")
    assert render(source, "-o", tmp_path / "out", PNG) == 0
    assert read_still(tmp_path / "out" / "0000001.png").bits == 16


def test_kept_pngs_lie_beside_the_film(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    assert render(clips.get(num_frames=6), "-o", target, "--keep-pngs", *EXACT) == 0
    names = sorted((tmp_path / "o").iterdir())
    assert [code_of(path) for path in names] == numbers(target)


@pytest.mark.parametrize("words", [("-o", "out", "--png-only"), ("-o", "out.mkv", "--keep-pngs")])
def test_pictures_are_not_overwritten_without_force(
    words: tuple[str, ...],
    clips: Clips,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = [str(tmp_path / word) if word.startswith("out") else word for word in words]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0000001.png").write_bytes(b"precious")
    source = clips.get(num_frames=6)
    assert render(source, *told) == 2
    assert "holds pictures already" in capsys.readouterr().err
    assert (tmp_path / "out" / "0000001.png").read_bytes() == b"precious"
    assert render(source, *told, "--force") == 0
    assert code_of(tmp_path / "out" / "0000001.png") == 0


def test_pictures_never_go_onto_the_input(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(clips, tmp_path / "in")
    assert render(folder, "--in-fps", "24", "-o", folder, PNG, "--force") == 2
    assert "is the input itself" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["gif", "apng", "webp"])
def test_an_animation_holds_every_frame(kind: str, clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / f"o.{kind}"
    assert render(clips.get(num_frames=12, rate=Fraction(25)), "-o", target) == 0
    assert not target.with_name(target.name + ".part").exists()
    if kind == "webp":
        assert target.read_bytes().count(b"ANMF") >= 12  # FFmpeg 8 cannot read animated WebP
        return
    with av.open(str(target)) as film:
        frames = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    assert [read_code(luma) for luma in frames] == NEAREST
    capped = Fraction(1, 100) if kind == "gif" else Fraction(1, 1000)
    times = track(target, "video").times
    assert all(abs(t - times[0] - k / Fraction(50)) <= capped for k, t in enumerate(times))


def test_an_animation_is_not_overwritten_without_force(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "o.apng"
    target.write_bytes(b"precious")
    assert render(clips.get(num_frames=6), "-o", target) == 2
    assert "already exists" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"


def test_a_gif_says_that_it_is_shown_slower(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(clips.get(num_frames=4, rate=Fraction(30)), "-o", tmp_path / "o.gif") == 0
    assert "a gif of 60 fps is shown slower" in capsys.readouterr().err


# --- both in one -----------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--start", "0.2")])
def test_a_montage_has_the_nearest_source_frame_on_the_left(
    words: tuple[str, ...], clips: Clips, tmp_path: Path
) -> None:
    source = clips.get(num_frames=12, codec="ffv1", holds=(2, 3))
    common: tuple[str | Path, ...] = (
        source,
        *EXACT,
        "--model",
        "linear",
        "--style",
        "smooth",
        *words,
    )
    assert render(*common, "-o", tmp_path / "both.mkv", "--montage") == 0
    assert render(*common, "-o", tmp_path / "made.mkv") == 0
    assert render(source, *EXACT, "-o", tmp_path / "given.mkv", "--style", "plain", *words) == 0
    given, made = planes(tmp_path / "given.mkv"), planes(tmp_path / "made.mkv")
    both = planes(tmp_path / "both.mkv")
    assert len(both) == len(given) == len(made) > 10
    assert any(not np.array_equal(a[1][0], b[1][0]) for a, b in zip(given, made, strict=True))
    for (_, wide), (_, left), (_, right) in zip(both, given, made, strict=True):
        for plane, a, b in zip(wide, left, right, strict=True):
            assert np.array_equal(plane, np.hstack((a, b)))


def test_a_montage_has_the_sound_of_the_source(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(num_frames=12, audio=True), tmp_path / "o.mp4"
    assert render(source, "-o", target, "--montage") == 0
    assert track(target, "audio").data == track(source, "audio").data
    assert planes(target)[0][1][0].shape == (180, 640)
