"""The writer: one file with pictures and everything the source had beside them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest
from clips import FILM, Clips, ClipSpec, read_code
from fakes import stream_info
from files import off_grid, planes, track, tracks

from rtvfi.core.errors import EncodeError, UsageError
from rtvfi.core.frame import Kind, OutputFrame, SourceFrame
from rtvfi.core.options import EncodeOptions, SourceOptions
from rtvfi.core.rates import Grid
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.write.beside.companion import first_time, say_differences
from rtvfi.stream.write.job import Job
from rtvfi.stream.write.mux import FORMATS, OutputFile, check_target, container_format
from rtvfi.stream.write.pieces import survey
from rtvfi.stream.write.timeline import Span, Timeline
from rtvfi.stream.write.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = ClipSpec(
    audio=True, subtitles=True, attachment=True, chapters=(Fraction(0), Fraction(1)), num_frames=48
)
MILLISECOND = Fraction(1, 1000)


def job(source: Path, target: Path, **changes: Any) -> tuple[Job, list[OutputFrame]]:
    """A job that writes the pictures of ``source`` as they are."""
    opened = open_source(str(source), SourceOptions(hwaccel="none"))
    frames: list[OutputFrame] = []
    info = opened.info
    while isinstance(frame := opened.read(), SourceFrame):
        frames.append(OutputFrame(frame.payload, len(frames), frame.pts, Kind.COPY))
    opened.close()
    fields: dict[str, Any] = {
        "path": target,
        "container": FORMATS[target.suffix],
        "info": info,
        "grid": Grid(info.start, 1 / info.source_rate),
        "first_index": 0,
        "span": Span(zero=min(first_time(str(source)), info.start)),
        "encode": EncodeOptions(preset="ultrafast", encoder="libx264"),
        "source": str(source),
    }
    return Job(**{**fields, **changes}), frames


def write(source: Path, target: Path, **changes: Any) -> Writer:
    made, frames = job(source, target, **changes)
    writer = Writer(made)
    for frame in frames:
        assert writer.put(frame)
    writer.finish(is_whole=True)
    return writer


def test_everything_of_a_film_is_there_again(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FULL), tmp_path / "o.mkv"
    write(source, target)
    for before, after in zip(tracks(source)[1:], tracks(target)[1:], strict=True):
        assert after == before
    with av.open(str(source)) as old, av.open(str(target)) as new:
        assert [s.type for s in new.streams] == [s.type for s in old.streams]
        assert [s.disposition for s in new.streams] == [s.disposition for s in old.streams]
        assert [c["metadata"] for c in new.chapters()] == [c["metadata"] for c in old.chapters()]
        starts = [c["start"] * (c["time_base"] or 0) for c in new.chapters()]
        assert starts == [0, 1]
        fonts = [bytes(cast("Any", s).data) for s in new.streams if s.type == "attachment"]
        assert fonts == [b"not a font" * 100]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (ClipSpec(audio=True), "o.mkv"),
        (ClipSpec(audio=True, container="mp4"), "o.mkv"),
        (ClipSpec(audio=True, container="mp4"), "o.mp4"),
        (ClipSpec(audio=True, container="ts", start=Fraction(3, 2)), "o.mkv"),
        (ClipSpec(audio=True, container="webm", codec="libvpx-vp9"), "o.mkv"),
        (ClipSpec(audio=True, start=Fraction(5)), "o.mp4"),
    ],
)
def test_sound_stays_where_it_was(spec: ClipSpec, name: str, clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(spec), tmp_path / name
    write(source, target)
    old, new = track(source, "audio"), track(target, "audio")
    assert new.data == old.data
    before = [t - min(track(source, "video").times) for t in (old.times[0], old.times[-1])]
    after = [t - min(track(target, "video").times) for t in (new.times[0], new.times[-1])]
    # A millisecond, and what the containers round to.
    assert all(abs(a - b) <= 2 * MILLISECOND for a, b in zip(before, after, strict=True))
    assert off_grid(track(target, "video").times, FILM) <= MILLISECOND


def test_mp4_times_are_exact(clips: Clips, tmp_path: Path) -> None:
    write(clips.get(), tmp_path / "o.mp4")
    assert off_grid(track(tmp_path / "o.mp4", "video").times, FILM) == 0


@pytest.mark.parametrize("name", ["o.mp4", "o.mov"])
def test_what_a_container_cannot_hold_is_left_out_and_said(
    name: str, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(clips.get(FULL), tmp_path / name)
    say_differences(str(clips.get(FULL)), container_format(tmp_path / name))
    assert "cannot hold attachment" in caplog.text
    assert [t.kind for t in tracks(tmp_path / name)][:1] == ["video"]


def test_sound_can_be_left_out(clips: Clips, tmp_path: Path) -> None:
    write(clips.get(FULL), tmp_path / "o.mkv", has_audio=False)
    assert [t.kind for t in tracks(tmp_path / "o.mkv")] == ["video", "subtitle"]


def test_a_part_of_a_film_has_its_part_of_everything(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FULL), tmp_path / "o.mkv"
    grid = Grid(Fraction(0), 1 / FILM)
    start, end = grid.pts(18), grid.pts(36)  # 0.751 s and 1.502 s
    made, frames = job(source, target, first_index=18, span=Span(zero=start, start=start, end=end))
    writer = Writer(made)
    for frame in frames[18:36]:
        assert writer.put(frame)
    writer.finish(is_whole=True)
    assert [read_code(luma) for _, (luma, *_) in planes(target)] == list(range(18, 36))
    sound, whole = track(target, "audio"), track(source, "audio")
    first = whole.data.index(sound.data[0])
    assert abs(whole.times[first] - start - sound.times[0]) <= MILLISECOND
    assert start <= whole.times[first] < start + Fraction(1, 10)
    text = track(target, "subtitle")  # the line that began at 0.5 s is still shown
    assert text.times[0] == 0
    assert abs(text.durations[0] - (1 - start)) <= MILLISECOND
    assert text.times[1] == round(1000 * (1 - start)) * MILLISECOND
    with av.open(str(target)) as source_file:
        starts = [c["start"] * (c["time_base"] or 0) for c in source_file.chapters()]
    assert [round(1000 * s) for s in starts] == [0, round(1000 * (1 - start))]


def test_pictures_that_start_late_stay_late(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(audio=True), tmp_path / "o.mkv"
    made, frames = job(source, target, span=Span(zero=Fraction(-1, 4)))
    writer = Writer(made)
    for frame in frames:
        assert writer.put(frame)
    writer.finish(is_whole=True)
    assert min(track(target, "video").times) == Fraction(1, 4)
    assert track(target, "audio").times[0] == Fraction(1, 4)


def test_an_unfinished_file_plays_to_its_last_second(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FULL, num_frames=240, gop=24), tmp_path / "o.mkv"
    made, frames = job(source, target)
    writer = Writer(made)
    for frame in frames:
        assert writer.put(frame)
    while writer.statistics.num_frames < 240:
        assert writer.error is None
    copy = tmp_path / "killed.mkv"  # as a kill would leave it
    copy.write_bytes(target.read_bytes())
    writer.abort()
    times = [time for time, _ in planes(copy)]
    assert times[-1] > 8
    assert survey(copy, made.timeline, is_finished=False).num_frames >= 144


def test_a_full_disk_is_one_sentence() -> None:
    with pytest.raises(EncodeError, match="the disk of"):
        _fill(Path("/dev/full"))


def _fill(path: Path) -> None:
    info = stream_info(width=64, height=64)
    out = OutputFile(path, "matroska", Timeline(Grid(Fraction(0), 1 / FILM)), info)
    video = out.container.add_stream("ffv1", rate=FILM)
    assert isinstance(video, av.VideoStream)
    video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
    try:
        out.begin(video, 0, None)
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(
                np.random.default_rng(number).integers(0, 255, (96, 64), np.uint8), "yuv420p"
            )
            for packet in video.encode(frame):
                out.mux(packet, number)
    finally:
        out.close()


def test_a_failing_encoder_ends_the_writer_and_not_the_caller(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, frames = job(clips.get(), tmp_path / "o.mkv")
    calls: Iterator[int] = iter(range(1000))

    def dying(*_: object) -> list[Any]:
        if next(calls) == 5:
            raise EncodeError("libx264 stopped: it died")
        return []

    monkeypatch.setattr("rtvfi.stream.write.encoders.encode.PyavEncoder.encode", dying)
    writer = Writer(made)
    taken = [writer.put(frame) for frame in frames * 20]
    assert not taken[-1]
    with pytest.raises(EncodeError, match="it died"):
        writer.finish()


def test_a_missing_folder_and_permissions_are_told(clips: Clips, tmp_path: Path) -> None:
    made, _ = job(clips.get(), tmp_path / "gone" / "o.mkv")
    writer = Writer(made)
    with pytest.raises(EncodeError, match="cannot be written: No such file"):
        writer.finish()


def test_the_input_is_never_overwritten(clips: Clips, tmp_path: Path) -> None:
    source = clips.get()
    (tmp_path / "link.mkv").hardlink_to(source)
    with pytest.raises(UsageError, match="is the input itself"):
        check_target(tmp_path / "link.mkv", (str(source),), force=True)


def test_a_file_that_is_there_needs_force(tmp_path: Path) -> None:
    (tmp_path / "o.mkv").touch()
    with pytest.raises(UsageError, match="already exists"):
        check_target(tmp_path / "o.mkv", (), force=False)
    check_target(tmp_path / "o.mkv", (), force=True)


def test_an_extension_decides_the_container() -> None:
    assert container_format(Path("a.MKV")) == "matroska"
    with pytest.raises(UsageError, match=r"expected \.mkv"):
        container_format(Path("a.gif"))


def test_a_timeline_is_exact() -> None:
    step, offset = Fraction(1001, 60000), Fraction(1, 90000)
    line = Timeline(Grid(offset, step))
    assert line.ticks(7) * line.unit == 7 * step + offset


@pytest.mark.parametrize("change", [{"preset": "slow"}, {"encoder": "ffv1", "preset": None}])
def test_what_another_encoder_began_is_not_gone_on_with(
    change: dict[str, Any], clips: Clips, tmp_path: Path
) -> None:
    source, began = clips.get(num_frames=48, gop=24), tmp_path / "before.mkv"
    write(source, began)
    other = EncodeOptions(**{"encoder": "libx264", "preset": "ultrafast", **change})
    made, _ = job(source, tmp_path / "o.mkv", carried=(began, 24), encode=other)
    with pytest.raises(EncodeError, match="was begun by another encoder") as caught:
        Writer(made).finish()
    assert caught.value.hint == "--force starts over"


@pytest.mark.parametrize(
    ("encoder", "preset"),
    [
        ("libx264", "ultrafast"),
        ("libx264", "medium"),
        ("libx265", "ultrafast"),
        ("libsvtav1", "12"),
        ("libvpx-vp9", None),
        ("ffv1", None),
    ],
)
def test_what_the_same_encoder_began_is_gone_on_with(
    encoder: str, preset: str | None, clips: Clips, tmp_path: Path
) -> None:
    source, began = clips.get(num_frames=150), tmp_path / "before.mkv"
    options = EncodeOptions(encoder=encoder, preset=preset)
    line = write(source, began, encode=options).job.timeline
    count = survey(began, line, is_finished=False).num_frames
    assert count > 24
    made, frames = job(source, tmp_path / "o.mkv", carried=(began, count), encode=options)
    writer = Writer(made)
    for frame in frames[count:]:
        assert writer.put(frame)
    writer.finish(is_whole=True)
    shown = [luma for _, (luma, *_) in planes(tmp_path / "o.mkv")]
    before = [luma for _, (luma, *_) in planes(began)]
    assert len(shown) == 150
    assert all(np.array_equal(a, b) for a, b in zip(shown[:count], before, strict=False))
    for number, (luma, same) in enumerate(zip(shown, before, strict=True)):
        assert abs(luma.astype(int) - same).mean() < 3, number
