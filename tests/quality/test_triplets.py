from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rtvfi.core.errors import DecodeError, OpenError
from rtvfi.quality import minterpolate
from rtvfi.quality.measures.metrics import psnr
from rtvfi.quality.planes import luma_bytes, to_planes
from rtvfi.quality.triplets import Picture, Triplet, read_frames, read_list, rows_of

if TYPE_CHECKING:
    from pathlib import Path

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")


def picture(level: int, size: int = 32) -> Picture:
    return Picture(
        np.full((size, size), level, np.uint8), np.full((2, size // 2, size // 2), 128, np.uint8)
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five grey frames of rising brightness."""
    path = tmp_path / "clips" / "grey.mkv"
    path.parent.mkdir()
    raw = b"".join(picture(40 * k + 20).to_bytes() for k in range(5))
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuvj420p", "-s", "32x32"]
    command += ["-i", "-", "-c:v", "ffv1", str(path)]
    subprocess.run(command, input=raw, check=True)
    return path


def test_a_set_is_the_id_without_its_number() -> None:
    one = picture(1)
    assert Triplet("bbb60_2", one, one, one).set_name == "bbb60"
    assert Triplet("sintel_demo_16", one, one, one).set_name == "sintel_demo"


def test_raw_bytes_make_the_same_picture_again() -> None:
    samples = np.random.default_rng(0).integers(0, 256, 6 * 4 * 3 // 2, dtype=np.uint8)
    assert Picture.from_bytes(samples.tobytes(), 6, 4).to_bytes() == samples.tobytes()


def test_luma_survives_the_way_to_planes_and_back() -> None:
    ramp = Picture(np.arange(256, dtype=np.uint8).reshape(16, 16), np.zeros((2, 8, 8), np.uint8))
    assert np.array_equal(luma_bytes(to_planes(ramp))[0], ramp.y)


@needs_ffmpeg
def test_frames_are_found_by_number(clip: Path) -> None:
    frames = read_frames(clip, [3, 1])
    assert {k: int(np.median(f.y)) for k, f in frames.items()} == pytest.approx(
        {1: 60, 3: 140}, abs=2
    )


@needs_ffmpeg
def test_a_list_names_frames_of_clips(clip: Path) -> None:
    path = clip.parent / "list.csv"
    path.write_text(
        "id,i0,gt,i1,what\ngrey_0,clips/grey.mkv#0,clips/grey.mkv#1,clips/grey.mkv#2,x\n"
    )
    (triplet,) = read_list(path)
    assert [int(p.y.mean()) for p in (triplet.left, triplet.middle, triplet.right)] == (
        pytest.approx([20, 60, 100], abs=2)
    )


@needs_ffmpeg
def test_a_frame_past_the_end_is_an_error(clip: Path) -> None:
    with pytest.raises(DecodeError, match=r"grey\.mkv"):
        read_frames(clip, [2, 9])


@needs_ffmpeg
def test_what_is_no_video_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no video")
    with pytest.raises(OpenError, match=r"notes\.txt"):
        read_frames(path, [0])


@needs_ffmpeg
def test_minterpolate_finds_the_picture_half_way() -> None:
    rows = np.random.default_rng(1).integers(0, 256, (8, 12), dtype=np.uint8)
    scene = rows.repeat(8, 0).repeat(8, 1)

    def shifted(by: int) -> Picture:
        return Picture(np.roll(scene, by, 1), np.full((2, 32, 48), 128, np.uint8))

    made = minterpolate.middle(shifted(-4), shifted(4)).y
    inner = (slice(16, 48), slice(24, 72))
    fade = (np.roll(scene, -4, 1) // 2 + np.roll(scene, 4, 1) // 2)[inner]
    assert psnr(made[inner], scene[inner]) > psnr(fade, scene[inner]) + 10


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("id,i0,gt,i1\n", "has no rows"),
        ("id,i0,gt,i1\na_1,x.png\n", "incomplete row"),
        ("id,i0,gt,i1\na_1,x.png,y.png#z,z.png\n", "y.png#z"),
        ("id,i0,gt,i1,t\na_1,x.png,y.png,z.png,half\n", "t = half"),
        ("\xff", "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(OpenError, match=wanted):
        rows_of(path)
