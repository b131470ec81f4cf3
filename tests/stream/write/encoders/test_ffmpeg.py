"""VA-API encoding end to end: real ffmpeg, real libva, a fake driver that loses nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from fakes import raising

from rtvfi.core.errors import EncodeError
from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, HdrInfo, Siting, StreamInfo, plane_views
from rtvfi.core.options import EncodeOptions
from rtvfi.stream.decode import hardware
from rtvfi.stream.decode.planes import Packer
from rtvfi.stream.write.encoders import ffmpeg as encode_ffmpeg
from rtvfi.stream.write.encoders.codecs import CODECS, candidates
from rtvfi.stream.write.encoders.encode import open_encoder

if TYPE_CHECKING:
    from pathlib import Path

    from fakeva.driver import FakeVaapi
    from numpy.typing import NDArray

RATE = Fraction(48000, 1001)
NUM = 110
INFO = StreamInfo(
    width=96,
    height=64,
    format=PIXEL_FORMATS["yuv420p"],
    color=ColorInfo(),
    source_rate=Fraction(24),
    start=Fraction(0),
    duration=None,
    pixel_aspect=Fraction(1),
)


def picture(info: StreamInfo, number: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(number).integers(16, 235, info.payload_bytes)
    return noise.astype(np.uint8)


def options(device: FakeVaapi, **changes: Any) -> EncodeOptions:
    wanted = {"encoder": "h264_vaapi", "vaapi_device": device.display}
    return EncodeOptions(**{**wanted, **changes})


@pytest.fixture
def device(fakeva: FakeVaapi) -> FakeVaapi:
    fakeva.fault(baseline=1)
    return fakeva


def write(path: Path, info: StreamInfo, told: EncodeOptions, num: int = NUM) -> list[int]:
    """Encode ``num`` pictures; numbers of the packets in the order they came."""
    order = []
    with av.open(str(path), "w") as out:
        encoder = open_encoder(out, info, RATE, told)
        try:
            for k in range(num + 1):
                for packet in encoder.encode(picture(info, k), k) if k < num else encoder.flush():
                    assert packet.pts is not None
                    order.append(packet.pts)
                    out.mux(packet)
        finally:
            encoder.close()
            encoder.close()
    return order


def read(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as source:
        return list(source.decode(video=0))


@pytest.mark.parametrize(("container", "full_range"), [("mkv", False), ("mp4", True)])
def test_every_picture_comes_back_bit_by_bit(
    device: FakeVaapi, tmp_path: Path, container: str, full_range: bool
) -> None:
    path = tmp_path / f"o.{container}"
    order = write(path, replace(INFO, color=ColorInfo(full_range=full_range)), options(device))
    assert order == list(range(NUM))
    packer = Packer(INFO.format, (96, 64), matrix=6, full_range=full_range)
    frames = read(path)
    assert len(frames) == NUM
    wrong = [
        k for k, f in enumerate(frames) if not np.array_equal(packer.pack(f), picture(INFO, k))
    ]
    assert wrong == []


def test_a_gop_lasts_two_seconds_and_times_are_exact(device: FakeVaapi, tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    write(path, INFO, options(device))
    with av.open(str(path)) as source:
        found = [p for p in source.demux(video=0) if p.size]
    assert [k for k, p in enumerate(found) if p.is_keyframe] == [0, 96]
    times = [p.pts * p.time_base for p in found if p.pts is not None and p.time_base is not None]
    assert [t - times[0] for t in times] == [k / RATE for k in range(NUM)]


def test_colour_and_shape_are_said(device: FakeVaapi, tmp_path: Path) -> None:
    color = ColorInfo(matrix=1, primaries=1, transfer=13, full_range=True)
    info = replace(INFO, color=color, pixel_aspect=Fraction(8, 9))
    write(tmp_path / "o.mkv", info, options(device), 3)
    with av.open(str(tmp_path / "o.mkv")) as source:
        assert source.streams.video[0].sample_aspect_ratio == Fraction(8, 9)
        frame = next(source.decode(video=0))
    said = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    assert said == (1, 1, 13, 2)


def test_nothing_is_said_where_the_source_said_nothing(device: FakeVaapi, tmp_path: Path) -> None:
    write(tmp_path / "o.mkv", INFO, options(device), 3)
    frame = read(tmp_path / "o.mkv")[0]
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (2, 2, 2)


def test_odd_sizes_grow_by_a_repeated_row_and_column(device: FakeVaapi, tmp_path: Path) -> None:
    info = replace(INFO, width=95, height=63)
    write(tmp_path / "o.mkv", info, options(device), 2)
    frame = read(tmp_path / "o.mkv")[0]
    assert (frame.width, frame.height) == (96, 64)
    payload = Packer(INFO.format, (96, 64), matrix=6, full_range=False).pack(frame)
    luma = plane_views(payload, INFO)[0]
    assert np.array_equal(luma[:63, :95], plane_views(picture(info, 0), info)[0])
    assert np.array_equal(luma[63], luma[62])
    assert np.array_equal(luma[:, 95], luma[:, 94])


def test_nothing_encoded_leaves_nothing_behind(device: FakeVaapi, tmp_path: Path) -> None:
    assert write(tmp_path / "o.mkv", INFO, options(device), 0) == []


# --- refusals --------------------------------------------------------------------------------


def refused(told: EncodeOptions, tmp_path: Path, info: StreamInfo = INFO) -> str:
    with (
        av.open(str(tmp_path / "refused.mkv"), "w") as out,
        pytest.raises(EncodeError) as caught,
    ):
        open_encoder(out, info, RATE, told)
    assert caught.value.hint == "--encoder auto"
    return caught.value.message


def test_a_named_encoder_without_a_device_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware_unknown: None
) -> None:
    monkeypatch.setattr(hardware, "render_nodes", list)
    message = refused(EncodeOptions(encoder="hevc_vaapi"), tmp_path)
    assert message == "hevc_vaapi cannot be used: there is no render node in /dev/dri"


def test_a_named_encoder_the_driver_lacks_fails(device: FakeVaapi, tmp_path: Path) -> None:
    assert "does not encode" in refused(options(device, encoder="hevc_vaapi"), tmp_path)
    device.fault(refuse_encode=1)
    assert "does not encode" in refused(options(device), tmp_path)


def test_pictures_it_does_not_take_are_named(device: FakeVaapi, tmp_path: Path) -> None:
    info = replace(INFO, format=PIXEL_FORMATS["yuv420p10le"])
    assert "takes yuv420p, not yuv420p10le" in refused(options(device), tmp_path, info)


def test_an_encoder_ffmpeg_was_built_without_is_named(device: FakeVaapi, tmp_path: Path) -> None:
    if "av1_vaapi" in hardware.built_in():
        pytest.skip("it has it")
    assert "ffmpeg has no av1_vaapi" in refused(options(device, encoder="av1_vaapi"), tmp_path)


# --- auto ------------------------------------------------------------------------------------


def opened_by_auto(told: EncodeOptions, tmp_path: Path) -> str:
    with av.open(str(tmp_path / "auto.mkv"), "w") as out:
        encoder = open_encoder(out, INFO, RATE, told)
        encoder.close()
        return encoder.name


def test_auto_takes_the_device_while_playing(
    device: FakeVaapi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = options(device, encoder="auto", is_live=True)
    assert opened_by_auto(told, tmp_path) == "h264_vaapi"
    assert opened_by_auto(replace(told, preset="veryfast"), tmp_path) == "libx264"
    assert opened_by_auto(replace(told, is_live=False), tmp_path) == "libx264"
    assert caplog.text == ""


def test_auto_says_why_it_takes_software(
    device: FakeVaapi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device.fault(refuse_encode=1)
    assert opened_by_auto(options(device, encoder="auto", is_live=True), tmp_path) == "libx264"
    (message,) = caplog.messages
    assert message.startswith("encoding with libx264: h264_vaapi cannot be used: its driver does")


def test_auto_says_nothing_where_no_device_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hardware_unknown: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hardware, "render_nodes", list)
    assert opened_by_auto(EncodeOptions(is_live=True), tmp_path) == "libx264"
    assert caplog.text == ""


def test_auto_keeps_to_encoders_that_can_tell_everything() -> None:
    deep = replace(INFO, format=PIXEL_FORMATS["yuv420p10le"])
    assert candidates(INFO, is_live=True)[0] == "h264_vaapi"
    assert candidates(deep, is_live=True)[0] == "hevc_vaapi"
    others = (
        replace(INFO, format=PIXEL_FORMATS["yuv444p"]),
        replace(INFO, color=ColorInfo(siting=Siting.CENTRE)),
        replace(deep, hdr=HdrInfo(max_cll=1)),
    )
    for info in others:
        assert CODECS[candidates(info, is_live=True)[0]].style != "vaapi"


# --- breaking down ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("fail_after", "h264_vaapi stopped: its driver failed to encode a picture"),
        ("crash_after", "h264_vaapi stopped: ffmpeg was ended by signal 6"),
    ],
)
def test_a_driver_that_gives_up_is_an_error(
    device: FakeVaapi, tmp_path: Path, fault: str, said: str
) -> None:
    device.fault(**{fault: 20})
    with pytest.raises(EncodeError, match=said):
        write(tmp_path / "o.mkv", INFO, options(device))


def test_a_driver_that_hangs_is_given_up(
    device: FakeVaapi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode_ffmpeg, "STALL_SECONDS", 0.3)
    device.fault(hang_after=20)
    with pytest.raises(EncodeError, match="h264_vaapi stopped: it"):
        write(tmp_path / "o.mkv", INFO, options(device))


def test_a_picture_after_a_breakdown_is_an_error_of_the_encoder(
    device: FakeVaapi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with av.open(str(tmp_path / "o.mkv"), "w") as out:
        encoder: Any = open_encoder(out, INFO, RATE, options(device))
        try:
            made = encoder.encode(picture(INFO, 0), 0)
            monkeypatch.setattr(type(encoder._child), "write", raising(BrokenPipeError))
            made += encoder.encode(picture(INFO, 1), 1)
            assert [packet.pts for packet in made] == [0]
            with pytest.raises(EncodeError, match="h264_vaapi stopped"):
                encoder.encode(picture(INFO, 2), 2)
        finally:
            encoder.close()


def test_what_was_encoded_before_a_breakdown_is_playable(device: FakeVaapi, tmp_path: Path) -> None:
    device.fault(fail_after=20)
    with pytest.raises(EncodeError):
        write(tmp_path / "o.mkv", replace(INFO, width=640, height=360), options(device), 30)
    assert 10 <= len(read(tmp_path / "o.mkv")) <= 20


def test_what_came_out_before_the_end_failed_is_kept_and_the_rest_counted(
    device: FakeVaapi, tmp_path: Path
) -> None:
    with av.open(str(tmp_path / "o.mkv"), "w") as out:
        encoder: Any = open_encoder(out, INFO, RATE, options(device))
        try:
            made = [p for k in range(5) for p in encoder.encode(picture(INFO, k), k)]
            flushed: list[Any] = []
            encoder._child.close_input()
            encoder._thread.join()
            del encoder._packets[-2:]
            encoder._error = "the driver gave up"
            with pytest.raises(EncodeError, match="gave up; the last 2 pictures are lost"):
                flushed.extend(encoder.flush())
        finally:
            encoder.close()
    assert [p.pts for p in made + flushed] == [0, 1, 2]
