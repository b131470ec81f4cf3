"""Encoders: what goes in comes out, with everything that was said about it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from fakes import stream_info

from rtvfi.core.errors import EncodeError, UsageError
from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, HdrInfo, Siting, StreamInfo, plane_views
from rtvfi.core.options import EncodeOptions
from rtvfi.stream.decode.info import _hdr
from rtvfi.stream.write.encoders.codecs import CODECS, candidates, codec_options, gop_frames
from rtvfi.stream.write.encoders.encode import open_encoder
from rtvfi.stream.write.encoders.pyav import to_frame

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SOFTWARE = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1")
RATE = Fraction(48000, 1001)
NUM = 12
HDR = HdrInfo(
    primaries=((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329)),
    luminance=(0.005, 1000.0),
    max_cll=1000,
    max_fall=400,
)


def stream(pixel_format: str = "yuv420p", **changes: Any) -> StreamInfo:
    return replace(stream_info(96, 64, format=pixel_format), **changes)


def picture(info: StreamInfo, number: int) -> NDArray[np.uint8]:
    """A ramp that moves; every sample is a legal code."""
    payload = np.empty(info.payload_bytes, np.uint8)
    scale = 1 << info.format.bits - 8
    for view in plane_views(payload, info):
        rows, columns = view.shape
        y, x = np.mgrid[:rows, :columns]
        view[:] = (64 + (x + y + 3 * number) % 128) * scale
    return payload


def write(path: Path, info: StreamInfo, options: EncodeOptions) -> list[int]:
    """Encode NUM pictures; pts of the packets in decoding order."""
    order = []
    with av.open(str(path), "w") as out:
        encoder = open_encoder(out, info, RATE, options)
        pictures = (encoder.encode(picture(info, k), k) for k in range(NUM))
        for packets in (*pictures, encoder.flush()):
            for packet in packets:
                assert packet.pts is not None
                order.append(packet.pts)
                out.mux(packet)
    return order


def rows(plane: Any, info: StreamInfo) -> NDArray[np.uint8]:
    """The bytes of a plane without what pads its lines."""
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
    return lines[:, : plane.width * info.format.sample_bytes]


def read(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as source:
        return list(source.decode(video=0))


@pytest.mark.parametrize("name", SOFTWARE)
@pytest.mark.parametrize("is_live", [False, True])
def test_every_picture_comes_out_once(name: str, is_live: bool, tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    order = write(path, stream(), EncodeOptions(encoder=name, is_live=is_live))
    assert sorted(order) == list(range(NUM))
    reorder = 0 if is_live else CODECS[name].reorder
    assert max(place - number for place, number in enumerate(order)) <= reorder
    assert len(read(path)) == NUM


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_ffv1_gives_back_every_sample(name: str, tmp_path: Path) -> None:
    info = stream(name, width=97, height=63)
    write(tmp_path / "o.mkv", info, EncodeOptions(encoder="ffv1"))
    for number, frame in enumerate(read(tmp_path / "o.mkv")):
        assert frame.format.name == name
        wanted = to_frame(picture(info, number), info, (97, 63))
        for found, plane in zip(frame.planes, wanted.planes, strict=True):
            assert np.array_equal(rows(found, info), rows(plane, info))


@pytest.mark.parametrize("name", PIXEL_FORMATS)
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_depth_and_chroma_are_kept(name: str, encoder: str, tmp_path: Path) -> None:
    write(tmp_path / "o.mkv", stream(name), EncodeOptions(encoder=encoder))
    assert read(tmp_path / "o.mkv")[0].format.name == name


@pytest.mark.parametrize(
    ("encoder", "size"), [("libx264", (98, 64)), ("libx265", (98, 64)), ("ffv1", (97, 63))]
)
def test_odd_sizes_grow_by_one_where_the_encoder_refuses_them(
    encoder: str, size: tuple[int, int], tmp_path: Path
) -> None:
    write(tmp_path / "o.mkv", stream(width=97, height=63), EncodeOptions(encoder=encoder))
    frame = read(tmp_path / "o.mkv")[0]
    assert (frame.width, frame.height) == size


def test_the_added_row_and_column_repeat_the_last_ones() -> None:
    info = stream(width=97, height=63)
    luma = np.frombuffer(bytes(to_frame(picture(info, 0), info, (98, 64)).planes[0]), np.uint8)
    rows = luma.reshape(64, -1)[:, :98]
    assert np.array_equal(rows[63], rows[62])
    assert np.array_equal(rows[:, 97], rows[:, 96])


@pytest.mark.parametrize("encoder", SOFTWARE)
def test_colour_and_shape_are_said(encoder: str, tmp_path: Path) -> None:
    info = stream(
        color=ColorInfo(matrix=9, primaries=9, transfer=16, full_range=True),
    )
    write(tmp_path / "o.mkv", info, EncodeOptions(encoder=encoder))
    frame = read(tmp_path / "o.mkv")[0]
    said = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    assert said == (9, 9, 16, 2)


def test_nothing_is_said_where_the_source_said_nothing(tmp_path: Path) -> None:
    write(tmp_path / "o.mkv", stream(), EncodeOptions())
    frame = read(tmp_path / "o.mkv")[0]
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (2, 2, 2)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1"])
def test_hdr10_metadata_survives(encoder: str, tmp_path: Path) -> None:
    write(tmp_path / "o.mkv", stream("yuv420p10le", hdr=HDR), EncodeOptions(encoder=encoder))
    found = _hdr(read(tmp_path / "o.mkv")[0])
    assert found is not None
    assert (found.max_cll, found.max_fall) == (1000, 400)
    assert np.allclose(found.primaries or (), HDR.primaries or (), atol=2e-5)
    assert np.allclose(found.luminance or (), HDR.luminance or (), atol=1e-4)


def test_auto_takes_hevc_for_hdr_and_h264_otherwise() -> None:
    assert candidates(stream())[0] == "libx264"
    assert candidates(stream(hdr=HDR))[0] == "libx265"
    assert candidates(stream(color=ColorInfo(transfer=18)))[0] == "libx265"


def test_auto_says_why_it_takes_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    have = frozenset(av.codecs_available) - {"libx264"}
    monkeypatch.setattr(av, "codecs_available", have)
    with av.open(str(tmp_path / "o.mkv"), "w") as out:
        encoder = open_encoder(out, stream(), RATE, EncodeOptions())
        assert encoder.name == "libx265"
    (message,) = caplog.messages
    assert message == "encoding with libx265: libx264 cannot be used: this FFmpeg has none"


def test_auto_writes_what_webm_can_hold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with av.open(str(tmp_path / "o.webm"), "w") as out:
        assert open_encoder(out, stream(), RATE, EncodeOptions()).name == "libsvtav1"
    assert not caplog.text, "a container's own ways are nothing to be told"


def test_a_named_encoder_does_not_fall_back(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "o.webm"), "w") as out:
        options = EncodeOptions(encoder="libx264")
        with pytest.raises(EncodeError, match="libx264 cannot be used: a webm file does not hold"):
            open_encoder(out, stream(), RATE, options)
        options = EncodeOptions(encoder="libsvtav1")
        with pytest.raises(EncodeError, match="not yuv444p"):
            open_encoder(out, stream("yuv444p"), RATE, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (EncodeOptions(encoder="x264"), 'there is no encoder "x264"'),
        (EncodeOptions(encoder="ffv1", crf=3), "ffv1 is lossless"),
        (EncodeOptions(encoder="ffv1", preset="slow"), "ffv1 has no presets"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    options: EncodeOptions, message: str, tmp_path: Path
) -> None:
    with (
        av.open(str(tmp_path / "o.mkv"), "w") as out,
        pytest.raises(UsageError, match=message),
    ):
        open_encoder(out, stream(), RATE, options)


def test_a_preset_that_is_none_is_an_error_of_the_encoder(tmp_path: Path) -> None:
    options = EncodeOptions(encoder="libx264", preset="no-such")
    with (
        av.open(str(tmp_path / "o.mkv"), "w") as out,
        pytest.raises(EncodeError, match="libx264 cannot be started"),
    ):
        open_encoder(out, stream(), RATE, options)


def test_a_gop_lasts_two_seconds() -> None:
    assert gop_frames(RATE) == 96
    assert gop_frames(Fraction(1, 4)) == 1


def test_chroma_that_is_not_left_is_said() -> None:
    info = stream(color=ColorInfo(siting=Siting.TOP_LEFT))
    assert "chromaloc=2" in codec_options(CODECS["libx265"], info, EncodeOptions())["x265-params"]
    plain = codec_options(CODECS["libx265"], stream(), EncodeOptions())
    assert "chromaloc" not in plain["x265-params"]


# --- pixel formats ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "encoder", "options", "stored"),
    [
        ("yuv444p", "libx264", {}, "yuv444p"),
        ("yuv444p", "libx264", {"is_for_players": True}, "yuv420p"),
        ("yuv444p10le", "libx265", {"is_for_players": True}, "yuv420p10le"),
        ("yuv444p", "ffv1", {"is_for_players": True}, "yuv444p"),
        ("yuv444p", "libx264", {"is_for_players": True, "pix_fmt": "yuv444p"}, "yuv444p"),
        ("yuv420p10le", "libx264", {"pix_fmt": "yuv420p"}, "yuv420p"),
        ("yuv420p", "ffv1", {"pix_fmt": "yuv444p"}, "yuv444p"),
        ("yuv444p", "libsvtav1", {"is_for_players": True}, "yuv420p"),
    ],
)
def test_the_pixel_format_is_the_one_asked_for(
    given: str, encoder: str, options: dict[str, Any], stored: str, tmp_path: Path
) -> None:
    write(tmp_path / "o.mkv", stream(given), EncodeOptions(encoder=encoder, **options))
    with av.open(str(tmp_path / "o.mkv")) as made:
        frames = list(made.decode(video=0))
    assert {frame.format.name for frame in frames} == {stored}
    assert len(frames) == NUM


def test_halved_chroma_is_the_mean_of_what_it_covers(tmp_path: Path) -> None:
    info = stream("yuv444p")
    options = EncodeOptions(encoder="ffv1", pix_fmt="yuv420p")
    write(tmp_path / "o.mkv", info, options)
    with av.open(str(tmp_path / "o.mkv")) as made:
        frame = next(made.decode(video=0))
    _, wide, _ = plane_views(picture(info, 0), info)
    mean = wide.reshape(32, 2, 48, 2).mean(axis=(1, 3))
    half = np.frombuffer(bytes(frame.planes[1]), np.uint8).reshape(32, -1)[:, :48]
    assert np.percentile(abs(half - mean), 90) <= 1, "but where the ramp jumps back"


def test_an_odd_size_is_padded_for_the_stored_format(tmp_path: Path) -> None:
    info = stream("yuv444p", width=97, height=63)
    options = EncodeOptions(encoder="libx264", is_for_players=True)
    write(tmp_path / "o.mkv", info, options)
    with av.open(str(tmp_path / "o.mkv")) as made:
        frame = next(made.decode(video=0))
    assert (frame.width, frame.height, frame.format.name) == (98, 64, "yuv420p")
