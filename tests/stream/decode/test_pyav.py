"""What the software decoder makes of odd, damaged and impossible files."""

from __future__ import annotations

import contextlib
import shutil
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest
from barcode import read_code
from clips import ClipSpec

from rtvfi.core.errors import DecodeError, OpenError, SeekError
from rtvfi.core.frame import END, SourceFrame, plane_views
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.source import Interrupted, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clips import Clips
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

SMALL = ClipSpec(size=(160, 90), num_frames=30, gop=10)


def read_all(path: Path) -> tuple[StreamInfo, list[SourceFrame]]:
    source = open_source(str(path), SourceOptions())
    frames = []
    while isinstance(frame := source.read(), SourceFrame):
        frames.append(frame)
    source.close()
    return source.info, frames


def write(path: Path, pictures: Iterable[NDArray[Any]], pix_fmt: str) -> Path:
    """A lossless clip of RGB pictures (90, 160, 3) at 25 frames a second."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 90, pix_fmt
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def refused(path: Path | str, options: SourceOptions | None = None) -> OpenError:
    with pytest.raises(OpenError) as caught:
        open_source(str(path), options or SourceOptions())
    message = caught.value.message
    assert "\n" not in message
    assert not message.endswith(".")
    assert str(path) in message
    assert caught.value.hint
    return caught.value


# --- files that cannot be played -------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "film.mkv").message


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "directory" in refused(tmp_path).message


def test_an_empty_file_is_refused(clips: Clips) -> None:
    assert "empty" in refused(clips.empty()).message


def test_garbage_is_refused(clips: Clips) -> None:
    assert "not a video file" in refused(clips.garbage()).message


def test_text_named_mkv_is_refused(clips: Clips) -> None:
    refused(clips.raw("text.mkv", b"just some lines\n" * 99))


def test_sound_alone_is_refused(clips: Clips) -> None:
    assert "no video" in refused(clips.audio_only()).message


def test_a_nul_in_the_path_is_refused() -> None:
    with pytest.raises(OpenError):
        open_source("film\0.mkv", SourceOptions())


def test_a_refused_connection_is_told() -> None:
    refused("http://127.0.0.1:9/film.mkv")


def test_pictures_beyond_the_limit_are_refused(clips: Clips) -> None:
    error = refused(clips.get(SMALL), SourceOptions(max_pixels=160 * 90 - 1))
    assert "160x90" in error.message


def test_a_file_whose_every_packet_is_damaged_is_refused(clips: Clips) -> None:
    path = clips.get(SMALL, codec="ffv1", damaged=tuple(range(30)))
    assert "not one picture" in refused(path).message


# --- damage ----------------------------------------------------------------------------------


def test_a_damaged_packet_costs_itself_only(clips: Clips) -> None:
    path = clips.get(SMALL, codec="ffv1", gop=1, damaged=(7, 8))
    info, frames = read_all(path)
    shown = [read_code(plane_views(f.payload, info)[0]) for f in frames]
    assert set(range(30)) - {7, 8} <= set(shown)
    assert all(a.pts < b.pts for a, b in pairwise(frames))


def test_decoding_gives_up_after_a_hundred_failures(
    clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    path = clips.get(SMALL, codec="ffv1", num_frames=140, damaged=tuple(range(20, 140)))
    source = open_source(str(path), SourceOptions())
    with pytest.raises(DecodeError, match="in a row"):
        list(iter(source.read, END))
    source.close()


def test_a_cut_off_file_plays_to_its_real_end(
    clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    whole = clips.get(num_frames=120)
    path = clips.raw("half.mkv", whole.read_bytes()[: whole.stat().st_size // 2])
    info, frames = read_all(path)
    shown = [read_code(plane_views(f.payload, info)[0]) for f in frames]
    assert shown[:30] == list(range(30))
    assert all(f.pts == n / info.source_rate for f, n in zip(frames, shown, strict=True) if n)
    assert len(frames) < 100
    assert "have no pictures" in caplog.text


def test_a_file_that_went_away_cannot_be_rewound(clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "gone.h264"
    with av.open(str(clips.get(SMALL, container="mp4"))) as clip, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    source = open_source(str(path), SourceOptions())
    path.unlink()
    with pytest.raises(SeekError, match="can no longer be opened"):
        source.seek(Fraction(0))
    source.close()


def test_joined_recordings_go_on_where_the_first_ends(clips: Clips, tmp_path: Path) -> None:
    part = clips.get(SMALL, container="ts", codec="mpeg2video", num_frames=50).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part + part)
    _, frames = read_all(path)
    assert len(frames) > 85
    assert all(0 < b.pts - a.pts < 1 for a, b in pairwise(frames))


def test_a_title_in_shift_jis_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "old.mkv"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "TITLE---"
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        out.mux(stream.encode(av.VideoFrame(160, 90, "yuv420p")))
        out.mux(stream.encode())
    title = "アニメ--".encode("shift-jis")
    path.write_bytes(path.read_bytes().replace(b"TITLE---", title))
    assert len(read_all(path)[1]) == 1


# --- what a file says, and what is true ------------------------------------------------------


def test_a_cover_picture_is_not_the_video(clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(clips.get(SMALL, container="mp4"))) as clip, av.open(str(path), "w") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        film = out.add_stream_from_template(clip.streams.video[0])
        out.mux(cover.encode(av.VideoFrame(64, 64, "yuvj420p")))
        out.mux(cover.encode())
        for packet in clip.demux(video=0):
            if packet.size:
                packet.stream = film
                out.mux(packet)
    info, frames = read_all(path)
    assert (info.width, len(frames)) == (160, 30)


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
def test_colour_is_reported_as_stated(clips: Clips, matrix: int) -> None:
    info, _ = read_all(clips.get(SMALL, matrix=matrix, full_range=True, num_frames=2))
    assert (info.color.matrix, info.color.primaries, info.color.full_range) == (matrix, 1, True)


def test_colour_not_stated_stays_unspecified(clips: Clips) -> None:
    info, _ = read_all(clips.get(SMALL, num_frames=2))
    assert (info.color.matrix, info.color.full_range) == (2, False)
    assert info.color.resolved_matrix(info.width, info.height) == 6


def test_rotation_is_clockwise(clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "turned.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        stream.set_display_rotation(90)  # counter-clockwise
        out.mux(stream.encode(av.VideoFrame(160, 90, "yuv420p")))
        out.mux(stream.encode())
    assert read_all(path)[0].rotation == 270


def test_pixel_aspect_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "narrow.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(8, 9)
        out.mux(stream.encode(av.VideoFrame(160, 90, "yuv420p")))
        out.mux(stream.encode())
    assert read_all(path)[0].pixel_aspect == Fraction(8, 9)


def test_hdr_metadata_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hdr.mkv"
    master = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    params = f"log-level=error:hdr10=1:repeat-headers=1:master-display={master}:max-cll=1000,400"
    with av.open(str(path), "w") as out:
        options = {"x265-params": params, "preset": "ultrafast"}
        stream = out.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, 16
        out.mux(stream.encode(av.VideoFrame(160, 96, "yuv420p10le")))
        out.mux(stream.encode())
    info = read_all(path)[0]
    hdr = info.hdr
    assert hdr is not None
    assert (hdr.max_cll, hdr.max_fall) == (1000, 400)
    assert hdr.luminance == (0.005, 1000.0)
    assert hdr.primaries == ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329))
    assert info.color.siting.value == "top-left"


@pytest.mark.parametrize("name", ["Re: Film.mkv", "http: film.mkv", "100%d.mkv", "-.mkv"])
def test_names_are_names_whatever_is_in_them(clips: Clips, tmp_path: Path, name: str) -> None:
    shutil.copy(clips.get(SMALL), tmp_path / name)
    with contextlib.chdir(tmp_path):
        assert read_all(Path(name))[0].codec == "h264"


def test_of_two_videos_the_default_one_plays(clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as out:
        for size in ((160, 90), (320, 180)):
            stream = out.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.disposition = av.stream.Disposition(size == (320, 180))  # 1 is "default"
        for stream in out.streams.video:
            out.mux(stream.encode(av.VideoFrame(stream.width, stream.height, "yuv420p")))
            out.mux(stream.encode())
    assert read_all(path)[0].width == 320


def test_opening_can_be_abandoned(clips: Clips) -> None:
    with pytest.raises(Interrupted):
        open_source(str(clips.get(SMALL)), SourceOptions(), lambda: True)


def test_the_content_decides_not_the_name(clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "film.txt"
    shutil.copy(clips.get(SMALL), path)
    assert read_all(path)[0].codec == "h264"


# --- layouts that are not carried ------------------------------------------------------------


def noise(seed: int, size: tuple[int, int] = (90, 160)) -> NDArray[np.uint8]:
    """Smooth coloured RGB, so that chroma subsampling hardly matters."""
    y, x = np.mgrid[: size[0], : size[1]] / size[1]
    waves = [np.sin(3 * x + k + seed) * np.cos(2 * y - k) for k in range(3)]
    return cast("NDArray[np.uint8]", (127.5 + 120 * np.stack(waves, -1)).astype(np.uint8))


@pytest.mark.parametrize(
    ("pix_fmt", "carried"),
    [
        ("gray", "yuv420p"),
        ("gray10le", "yuv420p10le"),
        ("yuv422p", "yuv444p"),
        ("yuv422p10le", "yuv444p10le"),
        ("yuv420p12le", "yuv420p10le"),
        ("yuv444p12le", "yuv444p10le"),
        ("yuv410p", "yuv420p"),
        ("yuva420p", "yuv420p"),
        ("bgr0", "yuv444p"),
        ("gbrp10le", "yuv444p10le"),
    ],
)
def test_other_layouts_are_carried_by_the_nearest(
    tmp_path: Path, pix_fmt: str, carried: str, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = [noise(i) for i in range(3)]
    info, frames = read_all(write(tmp_path / "clip.mkv", pictures, pix_fmt))
    assert info.format.name == carried
    assert len(frames) == 3
    assert caplog.text.count("are converted to") <= 1
    with av.open(str(tmp_path / "clip.mkv")) as clip:
        wanted = next(clip.decode(video=0)).to_ndarray(format="gray16le") / 65535
    y = plane_views(frames[0].payload, info)[0].astype(float) / ((1 << info.format.bits) - 1)
    if not info.color.full_range:
        y = (y - 16 / 255) * 255 / 219
    assert np.abs(y - wanted).max() < 0.02


def test_rgb_becomes_yuv_of_the_stated_matrix(tmp_path: Path) -> None:
    info, frames = read_all(write(tmp_path / "clip.mkv", [noise(1)], "bgr0"))
    assert info.color.matrix == 6
    y, u, v = (p.astype(float) for p in plane_views(frames[0].payload, info))
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], -1)
    assert np.abs(rgb - noise(1) / 255).max() < 0.02


def test_a_change_of_size_is_scaled_to_the_largest(clips: Clips, tmp_path: Path) -> None:
    path = tmp_path / "sizes.ts"
    parts = [
        clips.get(SMALL, size=size, container="ts", codec="mpeg2video").read_bytes()
        for size in ((160, 96), (320, 192))
    ]
    path.write_bytes(b"".join(parts))
    info, frames = read_all(path)
    assert (info.width, info.height) == (320, 192)
    assert len(frames) > 45
    assert {len(f.payload) for f in frames} == {info.payload_bytes}
    assert read_code(plane_views(frames[-1].payload, info)[0]) == 29
