"""The virtual file, written out in full and read by a foreign reader (FFmpeg)."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
import pytest
from fakes import offset_of, stream_info
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, HdrInfo, Siting
from rtvfi.stream.serve.matroska import VirtualMkv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo

STEP: Final = Fraction(1001, 48000)
MASTERED: Final = HdrInfo(
    primaries=((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329)),
    luminance=(0.005, 1000.0),
    max_cll=1200,
    max_fall=400,
)


def times_us(count: int) -> list[int]:
    return [round(k * STEP * 10**6) for k in range(count)]


def payloads(info: StreamInfo, count: int) -> list[NDArray[np.uint8]]:
    """Random samples of the full depth."""
    rng = np.random.default_rng(7)
    top = 1 << info.format.bits
    dtype = np.uint8 if info.format.bits == 8 else np.dtype("<u2")
    num = info.payload_bytes // info.format.sample_bytes
    return [rng.integers(0, top, num).astype(dtype).view(np.uint8) for _ in range(count)]


def written(
    info: StreamInfo, pictures: Sequence[NDArray[np.uint8]], times: Sequence[int] | None = None
) -> bytes:
    """The file that is never stored, stored."""
    mkv = VirtualMkv(info, times or times_us(len(pictures)), STEP, "Interpolated 48 fps")
    records = [mkv.prefix(i) + picture.tobytes() for i, picture in enumerate(pictures)]
    whole = mkv.header + b"".join(records)
    assert len(whole) == mkv.size
    return whole


def decoded(whole: bytes) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(whole), "r") as container:
        return list(container.decode(video=0))


def as_payload(frame: av.VideoFrame, info: StreamInfo) -> bytes:
    """The planes without the padding at the end of FFmpeg's rows."""
    parts = []
    for plane, (rows, columns) in zip(
        frame.planes, info.format.plane_shapes(info.width, info.height), strict=True
    ):
        stored = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
        parts.append(stored[:rows, : columns * info.format.sample_bytes].tobytes())
    return b"".join(parts)


# --- pictures and times ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 16), (33, 17), (31, 18), (1, 1), (160, 90)])
@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_pictures_come_back_bit_by_bit(name: str, size: tuple[int, int]) -> None:
    info = stream_info(*size, format=name)
    pictures = payloads(info, 3)
    frames = decoded(written(info, pictures))
    assert [frame.format.name for frame in frames] == [name] * 3
    assert [(frame.width, frame.height) for frame in frames] == [size] * 3
    assert [as_payload(frame, info) for frame in frames] == [p.tobytes() for p in pictures]


def microseconds(frame: av.VideoFrame) -> Fraction:
    assert frame.pts is not None
    assert frame.time_base is not None
    return frame.pts * frame.time_base * 10**6


def test_times_are_exact_microseconds() -> None:
    info = stream_info()
    frames = decoded(written(info, payloads(info, 50)))
    assert [microseconds(frame) for frame in frames] == times_us(50)


def test_times_need_no_rate() -> None:
    info = stream_info()
    uneven = [0, 1, 40_000, 41_708, 3_600_000_000, 36_000_000_000]
    frames = decoded(written(info, payloads(info, 6), uneven))
    assert [microseconds(frame) for frame in frames] == uneven


def test_rate_length_and_title_are_stated() -> None:
    info = stream_info()
    with av.open(io.BytesIO(written(info, payloads(info, 48))), "r") as container:
        stream = container.streams.video[0]
        assert stream.average_rate is not None
        assert abs(stream.average_rate / (1 / STEP) - 1) < 1e-6
        assert container.duration is not None
        assert abs(container.duration - 48 * STEP * 10**6) <= 1
        assert stream.metadata["title"] == "Interpolated 48 fps"


@pytest.mark.parametrize("record", [0, 17, 39])
def test_the_index_leads_a_reader_straight_to_a_record(record: int) -> None:
    info = stream_info(160, 90)
    pictures = payloads(info, 40)
    whole = written(info, pictures)
    mkv = VirtualMkv(info, times_us(40), STEP, "Interpolated 48 fps")
    touched: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            touched.append(self.tell())
            return super().read(size)

    with av.open(Watched(whole), "r", buffer_size=256) as container:
        stream = container.streams.video[0]
        touched.clear()
        container.seek(times_us(40)[record], stream=stream, backward=True)
        frame = next(container.decode(stream))
    assert as_payload(frame, info) == pictures[record].tobytes()
    short = 40_000  # FFmpeg reads on where a jump would be shorter than this
    early = [at for at in touched if at < offset_of(mkv, record) - short]
    assert all(at < len(mkv.header) + short for at in early)


@pytest.mark.parametrize(("num_records", "num_cues"), [(1, 1), (2, 1), (40, 39)])
def test_a_player_that_goes_by_key_frame_never_begins_with_the_last_record(
    num_records: int, num_cues: int
) -> None:
    mkv = VirtualMkv(stream_info(16, 16), times_us(num_records), STEP, "Interpolated 48 fps")
    cues = mkv.header.split(bytes.fromhex("BB99B388"))[1:]
    times = [int.from_bytes(cue[:8], "big") for cue in cues]
    places = [int.from_bytes(cue[15:23], "big") for cue in cues]
    assert times == times_us(num_cues)
    assert places == [places[0] + k * mkv.record_bytes for k in range(num_cues)]


# --- what the pictures are -------------------------------------------------------------------


def colour(**changes: Any) -> av.VideoFrame:
    info = stream_info(color=ColorInfo(**changes))
    return decoded(written(info, payloads(info, 1)))[0]


def test_colour_tags_arrive() -> None:
    frame = colour(matrix=9, primaries=9, transfer=16)
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (9, 9, 16)


@pytest.mark.parametrize(("is_full", "code"), [(False, 1), (True, 2)])
def test_the_range_arrives(is_full: bool, code: int) -> None:
    assert colour(full_range=is_full).color_range == code


@pytest.mark.parametrize(("size", "matrix"), [((32, 16), 6), ((1280, 2), 1), ((2, 578), 1)])
def test_a_matrix_nobody_stated_is_the_one_a_player_takes(
    size: tuple[int, int], matrix: int
) -> None:
    info = stream_info(*size)
    assert decoded(written(info, payloads(info, 1)))[0].colorspace == matrix


@pytest.mark.parametrize(
    ("siting", "codes"),
    [(Siting.LEFT, (1, 2)), (Siting.CENTRE, (2, 2)), (Siting.TOP_LEFT, (1, 1))],
)
def test_the_siting_of_chroma_is_stated(siting: Siting, codes: tuple[int, int]) -> None:
    info = stream_info(color=ColorInfo(siting=siting))
    header = VirtualMkv(info, [0], STEP, "t").header
    assert bytes.fromhex("55B781") + bytes(codes[:1]) in header
    assert bytes.fromhex("55B881") + bytes(codes[1:]) in header


@pytest.mark.parametrize(
    "aspect", [Fraction(1), Fraction(4, 3), Fraction(8, 9), Fraction(32, 27), Fraction(4320, 4739)]
)
def test_the_pixel_aspect_is_exact(aspect: Fraction) -> None:
    info = stream_info(720, 480, pixel_aspect=aspect)
    with av.open(io.BytesIO(written(info, payloads(info, 1))), "r") as container:
        stream = container.streams.video[0]
        assert (stream.sample_aspect_ratio or 1) == aspect


def side_data(hdr: HdrInfo | None) -> dict[str, bytes]:
    info = stream_info(hdr=hdr)
    frame = decoded(written(info, payloads(info, 1)))[0]
    found: Any = frame.side_data
    return {data.type.name: bytes(data) for data in found}


def test_mastering_display_and_light_level_arrive() -> None:
    found = side_data(MASTERED)
    light = np.frombuffer(found["CONTENT_LIGHT_LEVEL"], np.uint32)
    assert list(light[:2]) == [1200, 400]
    # AVMasteringDisplayMetadata: red, green, blue (x, y), white, minimum, maximum, as rationals.
    numbers = np.frombuffer(found["MASTERING_DISPLAY_METADATA"], np.int32)[:20].reshape(10, 2)
    values = numbers[:, 0] / numbers[:, 1]
    wanted = [0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329, 0.005, 1000.0]
    assert values == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("hdr", [None, HdrInfo()])
def test_an_ordinary_film_has_no_hdr_metadata(hdr: HdrInfo | None) -> None:
    assert not {"CONTENT_LIGHT_LEVEL", "MASTERING_DISPLAY_METADATA"} & side_data(hdr).keys()


def test_a_light_level_may_come_alone() -> None:
    found = side_data(HdrInfo(max_cll=1000, max_fall=100))
    assert "CONTENT_LIGHT_LEVEL" in found
    assert "MASTERING_DISPLAY_METADATA" not in found


# --- places ----------------------------------------------------------------------------------


@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    name=st.sampled_from(sorted(PIXEL_FORMATS)),
    count=st.integers(1, 300),
    data=st.data(),
)
def test_offset_and_record_are_inverse(
    width: int, height: int, name: str, count: int, data: st.DataObject
) -> None:
    mkv = VirtualMkv(stream_info(width, height, format=name), times_us(count), STEP, "t")
    record = data.draw(st.integers(0, count - 1))
    inside = data.draw(st.integers(0, mkv.record_bytes - 1))
    assert mkv.locate(offset_of(mkv, record) + inside) == (record, inside)
    assert offset_of(mkv, 0) == len(mkv.header)
    assert offset_of(mkv, count) == mkv.size


def test_a_prefix_is_as_long_as_it_says() -> None:
    mkv = VirtualMkv(stream_info(), times_us(300), STEP, "t")
    assert {len(mkv.prefix(i)) for i in range(300)} == {mkv.prefix_bytes}


def test_sizes_beyond_four_gigabytes_are_counted_right() -> None:
    info = stream_info(3840, 2160, format="yuv444p10le")
    mkv = VirtualMkv(info, times_us(100_000), STEP, "t")
    assert mkv.size == len(mkv.header) + 100_000 * (mkv.prefix_bytes + 3840 * 2160 * 6)
    assert mkv.locate(offset_of(mkv, 99_999) + 5) == (99_999, 5)
    # The length of the segment: eight bytes after its id, counted from behind them.
    at = mkv.header.index(bytes.fromhex("18538067")) + 4
    length = int.from_bytes(mkv.header[at + 1 : at + 8], "big")
    assert at + 8 + length == mkv.size


@pytest.mark.parametrize("times", [[], [-1, 2], [0, 5, 5], [0, 5, 4]])
def test_times_that_do_not_rise_are_refused(times: list[int]) -> None:
    with pytest.raises(ValueError, match="not be negative and increase"):
        VirtualMkv(stream_info(), times, STEP, "t")
