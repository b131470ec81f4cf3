"""Time stamps that cannot be true: what is made of them stays finite, and in order."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av
import pytest
from clips import FILM, Clips, ClipSpec
from fakes import FakeMpv, FakePlayhead

from rtvfi.core.frame import DOLBY_OWN_COLOURS, SourceFrame
from rtvfi.core.options import SourceOptions, StreamOptions
from rtvfi.core.rates import Grid, RateChoice, resolve, snap_rate
from rtvfi.playing.opening import NothingToDo, Opener, Picture
from rtvfi.settings.config import PlayOptions
from rtvfi.stream.decode import pyav
from rtvfi.stream.decode.container import open_container
from rtvfi.stream.decode.info import describe
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.serve.records import RecordMap
from rtvfi.stream.write.beside.streams import Streams
from rtvfi.stream.write.timeline import Span

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.core.frame import StreamInfo

DAY = Fraction(24 * 3600)


def read_all(path: Path) -> tuple[StreamInfo, list[Fraction]]:
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    times = []
    while isinstance(frame := source.read(), SourceFrame):
        times.append(frame.pts)
    source.close()
    return source.info, times


def jumping(clips: Clips, jump: Fraction, num_after: int) -> Path:
    """Twelve frames, a jump, and more frames."""
    times = [i / FILM for i in range(12 + num_after)]
    times[12:] = [time + jump for time in times[12:]]
    return clips.get(ClipSpec(num_frames=len(times), times=tuple(times), b_frames=0, gop=1))


def test_a_jump_of_centuries_is_no_gap(clips: Clips, caplog: pytest.LogCaptureFixture) -> None:
    info, times = read_all(jumping(clips, 100 * DAY, 20))
    assert times[-1] < 2
    assert {round((b - a) * info.source_rate) for a, b in pairwise(times)} == {1, 2}
    assert len(times) == 12 + 20 - 8
    assert "time jumps far ahead at 0.459 s" in caplog.text


def test_a_few_stamps_far_ahead_are_damage(clips: Clips) -> None:
    _, times = read_all(jumping(clips, 100 * DAY, 4))
    assert len(times) == 12


def test_a_gap_of_minutes_is_a_gap(clips: Clips) -> None:
    _, times = read_all(jumping(clips, Fraction(300), 5))
    assert len(times) == 17
    assert times[12] - times[11] > 299


@pytest.mark.parametrize(
    "value",
    [Fraction(2_000_000_000, 306_797_421), Fraction(10**12 + 1, 10**11), 33.333333333333336],
)
@pytest.mark.parametrize("multiple", [Fraction(2), Fraction("2.3333333333333333"), Fraction(16)])
def test_every_rate_is_one_that_ffmpeg_can_hold(
    value: Fraction | float, multiple: Fraction
) -> None:
    source = snap_rate(value)
    for rate in (source, resolve(RateChoice("multiple", multiple), source)):
        assert max(rate.numerator, rate.denominator) < 1 << 31
    assert abs(source / Fraction(value) - 1) < 1e-5


def test_sound_out_of_order_is_left_out(
    clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = clips.get(num_frames=24, audio=True)
    with av.open(str(tmp_path / "o.mkv"), "w") as out:
        video: Any = out.add_stream("ffv1", rate=24)
        video.width = video.height = 16
        source = open_container(str(film))
        streams = Streams(str(film), source, Span(zero=Fraction(0)))
        streams.add(out, source.streams.audio[0], {})
        out.start_encoding()
        packets = [p for p in streams._read() if p.pts is not None]
        packets[3].pts, packets[3].dts = packets[1].pts, packets[1].dts
        for packet in packets:
            streams._write(packet)
        streams.close()
    with av.open(str(tmp_path / "o.mkv")) as made:
        assert sum(1 for p in made.demux(audio=0) if p.size) == len(packets) - 1
    assert "1 packets of sound or subtitles are out of order" in caplog.text


def view(path: Path, start: float | None = None) -> None:
    options = PlayOptions(
        files=(str(path),),
        model="copy",
        device="cpu",
        fps="2x",
        stream=StreamOptions(),
        source=SourceOptions(hwaccel="none"),
    )
    opener = Opener(options, FakePlayhead())
    try:
        opener.view(Picture((str(path),), 1), "2x", FakeMpv(start)).close()
    finally:
        opener.stop(time.monotonic() + 10)


def test_a_film_whose_colours_only_mpv_knows_plays_as_it_is(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    def described(*args: Any) -> StreamInfo:
        return replace(describe(*args), dolby_profile=DOLBY_OWN_COLOURS)

    monkeypatch.setattr(pyav, "describe", described)
    with pytest.raises(NothingToDo, match="only mpv can show"):
        view(clips.get(num_frames=24))


def test_a_film_that_claims_a_year_plays_as_it_is(clips: Clips, tmp_path: Path) -> None:
    film = clips.get(num_frames=24, container="mkv")
    data = bytearray(film.read_bytes())
    at = data.index(bytes.fromhex("448988")) + 3
    data[at : at + 8] = bytes.fromhex("42 5d 3e f7 98 00 00 00".replace(" ", ""))
    data = bytearray(bytes(data).replace(b"DURATION", b"DURATIOX"))
    (tmp_path / "year.mkv").write_bytes(data)
    with pytest.raises(NothingToDo, match="half a day"):
        view(tmp_path / "year.mkv")


def test_a_picture_that_begins_hours_late_plays_as_it_is(clips: Clips) -> None:
    late = clips.get(num_frames=24, start=Fraction(7200))
    view(late, 7200.0)
    with pytest.raises(NothingToDo, match="long after its audio"):
        view(late, 0.0)


def test_the_index_of_a_long_film_is_exact() -> None:
    """Times are made in pieces: none may be lost between them."""
    grid = Grid(Fraction(1, 3), Fraction(1001, 48000))
    records = RecordMap(grid, Fraction(0), Fraction(3600 * 2))
    times = records.times_us()
    assert len(times) == records.num_records > 1 << 18
    for k in (1, 65535, 65536, 65537, 131072, records.num_records - 1):
        exact = (grid.pts(records.index(k))) * 1_000_000
        assert abs(int(times[k]) - exact) <= Fraction(1, 2)
