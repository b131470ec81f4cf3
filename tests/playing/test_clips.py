"""The clips are what they say: numbers read back, times, cuts, holds, damage."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from barcode import draw_code, read_code, strip_rows
from clips import ClipSpec, box_left, decode

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips
    from numpy.typing import NDArray


def coded(number: int, size: tuple[int, int] = (320, 180), white: int = 235) -> NDArray[Any]:
    luma = np.full(size[::-1], 100, np.uint16)
    draw_code(luma, number, 16 * white // 235, white)
    return luma


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, luma in decode(path)]


@pytest.mark.parametrize("number", [0, 1, 255, 4096, 0x555555, 0xFFFFFF])
def test_a_number_is_read_as_drawn(number: int) -> None:
    assert read_code(coded(number)) == number
    assert read_code(coded(number, (1919, 1079), 940)) == number
    assert read_code(np.dstack([coded(number) / 255.0] * 3)) == number


def test_a_number_needs_its_range() -> None:
    with pytest.raises(ValueError, match="16777215"):
        draw_code(np.zeros((90, 160)), 1 << 24, 0, 255)


@pytest.mark.parametrize("weight", [1 / 6, 0.2, 0.4, 0.5, 0.6, 0.8])
@pytest.mark.parametrize("number", [0, 7, 1023])
def test_a_mixture_of_neighbours_has_no_number(number: int, weight: float) -> None:
    left, right = coded(number).astype(float), coded(number + 1).astype(float)
    assert read_code(left + weight * (right - left)) is None


def test_one_wrong_cell_has_no_number() -> None:
    luma = coded(77)
    cell = luma[: strip_rows(180) // 2, 80:96]
    cell[:] = 251 - cell
    assert read_code(luma) is None


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_has_no_number(level: int) -> None:
    assert read_code(np.full((180, 320, 3), level, np.uint8)) is None


def test_a_painted_picture_has_no_number(clips: Clips) -> None:
    _, luma = decode(clips.get())[5]
    assert read_code(luma[strip_rows(180) :]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"size": (160, 90)},
        {"pix_fmt": "yuv420p10le"},
        {"pix_fmt": "yuv444p"},
        {"matrix": 1, "full_range": True},
        {"codec": "ffv1", "size": (321, 181)},
        {"codec": "libx265", "pix_fmt": "yuv420p10le"},
        {"codec": "mpeg2video", "container": "ts"},
        {"codec": "libvpx-vp9", "container": "webm", "size": (321, 181)},
        {"container": "mp4", "gop": 12},
        {"num_frames": 1},
        {"holds": (3, 2), "cuts": (20,)},
    ],
    ids=str,
)
def test_every_frame_shows_its_number(clips: Clips, changes: dict[str, Any]) -> None:
    spec = ClipSpec(**changes)
    path = clips.get(spec)
    assert numbers(path) == list(spec.drawings)
    with av.open(str(path)) as source:
        frame = next(source.decode(video=0))
        assert (frame.width, frame.height) == spec.size
        # FFmpeg gives full-range H.264 the old name with a j.
        assert frame.format.name.replace("yuvj", "yuv") == spec.pix_fmt


def test_numbers_survive_conversion_and_scaling(clips: Clips) -> None:
    with av.open(str(clips.get(pix_fmt="yuv420p10le"))) as source:
        for index, frame in enumerate(source.decode(video=0)):
            small = frame.reformat(width=200, height=112, format="rgb24")
            large = frame.reformat(width=854, height=480, format="rgb48le")
            assert read_code(small.to_ndarray()) == index
            assert read_code(large.to_ndarray()) == index


@pytest.mark.parametrize(
    ("changes", "tick"),
    [
        ({}, Fraction(1, 1000)),
        ({"container": "mp4"}, Fraction(0)),
        ({"start": Fraction(10)}, Fraction(1, 1000)),
        ({"start": Fraction(10), "container": "ts"}, Fraction(1, 90000)),
        (
            {"times": tuple(Fraction(i * i, 100) for i in range(12)), "num_frames": 12},
            Fraction(1, 1000),
        ),
    ],
    ids=str,
)
def test_frames_have_the_times_of_the_spec(
    clips: Clips, changes: dict[str, Any], tick: Fraction
) -> None:
    spec = ClipSpec(**changes)
    times = [pts for pts, _ in decode(clips.get(spec))]
    assert len(times) == spec.num_frames
    assert all(abs(a - b) <= tick / 2 for a, b in zip(times, spec.pts, strict=True))


def test_held_frames_are_equal_and_holds_end_at_cuts(clips: Clips) -> None:
    spec = ClipSpec(holds=(3, 2), cuts=(9,), num_frames=12, codec="ffv1")
    assert spec.drawings == (0, 0, 0, 3, 3, 5, 5, 5, 8, 9, 9, 9)
    frames = [luma for _, luma in decode(clips.get(spec))]
    equal = [bool((a == b).all()) for a, b in pairwise(frames)]
    assert equal == [True, True, False, True, False, True, True, False, False, True, True]


def test_a_cut_and_a_flash_change_the_whole_picture(clips: Clips) -> None:
    frames = [luma for _, luma in decode(clips.get(cuts=(20,), flashes=(30,)))]
    change = [np.abs(a - b.astype(float)).mean() for a, b in zip(frames[1:], frames, strict=False)]
    assert change[19] > 15 > 5 > max(change[:19])
    assert frames[30][strip_rows(180) + 1 :].min() > 225


def test_the_box_is_where_its_path_says(clips: Clips) -> None:
    for index, (_, luma) in enumerate(decode(clips.get(codec="ffv1"))):
        row = luma[130].astype(int)
        left = int(np.flatnonzero(row < 35)[0])
        assert abs(left - box_left(index, 320)) <= 1.01


def test_a_full_container_holds_everything_promised(clips: Clips) -> None:
    marks = (Fraction(0), Fraction(1))
    path = clips.get(audio=True, subtitles=True, attachment=True, chapters=marks)
    with av.open(str(path)) as source:
        assert [s.type for s in source.streams] == ["video", "audio", "subtitle", "attachment"]
        assert [c["metadata"]["title"] for c in source.chapters()] == ["chapter 0", "chapter 1"]
        texts = [bytes(p).split(b",")[-1] for p in source.demux(subtitles=0) if p.size]
        assert texts == [b"line 0", b"line 1", b"line 2", b"line 3"]


def test_the_tone_lasts_as_long_as_the_video(clips: Clips) -> None:
    spec = ClipSpec(audio=True)
    with av.open(str(clips.get(spec))) as source:
        samples = np.concatenate([f.to_ndarray()[0] for f in source.decode(audio=0)])
    assert len(samples) == round(spec.duration * 48000)
    assert abs(int(np.abs(np.fft.rfft(samples)).argmax()) / float(spec.duration) - 440) < 1


def test_a_damaged_packet_is_noticed_by_the_decoder(clips: Clips) -> None:
    with av.open(str(clips.get(damaged=(10,)))) as source:
        assert sum(frame.is_corrupt for frame in source.decode(video=0)) >= 1


def test_unusable_files_are_unusable(clips: Clips) -> None:
    for path in (clips.empty(), clips.garbage()):
        with pytest.raises(av.error.InvalidDataError):
            av.open(str(path))
    with av.open(str(clips.audio_only())) as source:
        assert source.streams.best("video") is None


def test_a_truncated_clip_has_fewer_frames(clips: Clips) -> None:
    assert 1 < len(decode(clips.truncated())) < 48


def test_a_clip_is_written_once(clips: Clips) -> None:
    path = clips.get(num_frames=3)
    stamp = path.stat().st_mtime_ns
    assert clips.get(ClipSpec(num_frames=3)) == path
    assert path.stat().st_mtime_ns == stamp
