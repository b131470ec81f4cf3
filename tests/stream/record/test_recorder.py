"""The recorder: frames of a pipeline into files, whatever the viewer does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clips import FILM, Clips, ClipSpec, read_code
from fakes import raising
from files import planes, track
from viewing import Viewer

from rtvfi.core.errors import EncodeError, UsageError
from rtvfi.core.options import EncodeOptions
from rtvfi.stream.record import recorder as record
from rtvfi.stream.record.notes import NAME, Notes
from rtvfi.stream.record.recorder import Recorder
from rtvfi.stream.write.pieces import Gops

if TYPE_CHECKING:
    from pathlib import Path


FULL = ClipSpec(num_frames=144, gop=24, audio=True, subtitles=True)


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


def test_a_viewing_without_seeks_is_the_file_asked_for(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FULL), tmp_path / "o.mkv"
    viewer = Viewer(source, target)
    viewer.play(0, 144)
    (file,) = viewer.close()["files"]
    assert (file["path"], file["frames"], file["stand_ins"]) == (str(target), 144, [])
    assert numbers(target) == list(range(144))
    assert track(target, "audio").data == track(source, "audio").data
    assert not list(tmp_path.glob("*.rtvfi"))


def test_there_are_no_b_frames(clips: Clips, tmp_path: Path) -> None:
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 60)
    viewer.close()
    times = track(tmp_path / "o.mkv", "video").times
    assert times == sorted(times)


@pytest.mark.parametrize(
    "seeks",
    [
        [(0, 80), (40, 120)],  # back
        [(60, 144), (0, 70)],  # far back, up to what is there
        [(0, 50), (50, 100)],  # exactly on
        [(0, 144), (30, 60), (20, 90)],  # twice again
        [(0, 40), (30, 80), (70, 130), (100, 144)],
    ],
)
def test_seeks_without_a_gap_give_one_file_in_order(
    seeks: list[tuple[int, int]], clips: Clips, tmp_path: Path
) -> None:
    source, target = clips.get(FULL), tmp_path / "o.mkv"
    viewer = Viewer(source, target)
    for start, stop in seeks:
        viewer.play(start, stop)
    (file,) = viewer.close()["files"]
    end = max(stop for _, stop in seeks)
    assert numbers(target) == list(range(end))
    assert file["frames"] == end
    sound = track(target, "audio")
    whole = track(source, "audio").data
    assert sound.data == whole[: len(sound.data)]
    assert abs(float(sound.times[-1]) - end / float(FILM)) < 0.15
    assert track(target, "subtitle").data[:2] == track(source, "subtitle").data[:2]


@pytest.mark.parametrize("change", [{"encoder": "ffv1", "preset": None}, {"preset": "slow"}])
def test_pieces_of_different_encoders_are_not_joined(
    change: dict[str, Any], clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv", preset="ultrafast")
    viewer.play(0, 48)
    viewer.recorder.encode = replace(viewer.recorder.encode, **change)
    viewer.play(48, 96)
    viewer.play(96, 144)
    files = viewer.close()["files"]
    assert [file["frames"] for file in files] == [48, 96]
    assert numbers(tmp_path / "o.mkv") == list(range(48))
    assert numbers(tmp_path / "o.part2.mkv") == list(range(48, 144))
    assert caplog.text.count("the encoder changed while recording") == 1


def test_a_gap_gives_parts(clips: Clips, tmp_path: Path) -> None:
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(90, 144)
    viewer.play(0, 40)
    files = viewer.close()["files"]
    assert [f["path"] for f in files] == [str(tmp_path / "o.mkv"), str(tmp_path / "o.part2.mkv")]
    assert numbers(tmp_path / "o.mkv") == list(range(40))
    assert numbers(tmp_path / "o.part2.mkv") == list(range(90, 144))
    assert track(tmp_path / "o.part2.mkv", "video").times[0] == 0
    assert [f["from"] for f in files] == [0.0, 3.754]


def test_a_part_that_is_there_is_left_alone(clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "o.part2.mkv").write_bytes(b"precious")
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 40)
    viewer.play(90, 144)
    viewer.close()
    assert (tmp_path / "o.part2.mkv").read_bytes() == b"precious"
    assert numbers(tmp_path / "o.part3.mkv") == list(range(90, 144))


def test_scraps_of_searching_are_left_out(clips: Clips, tmp_path: Path) -> None:
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    for start in (0, 20, 40):
        viewer.play(start, start + 3)
    viewer.play(60, 120)
    (file,) = viewer.close()["files"]
    assert numbers(tmp_path / "o.mkv") == list(range(60, 120))
    assert file["path"] == str(tmp_path / "o.mkv")


def test_stand_ins_are_reported_and_replaced_by_better_ones(clips: Clips, tmp_path: Path) -> None:
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 80, rough=(10, 11, 12, 60, 61))
    viewer.play(50, 100)
    (file,) = viewer.close()["files"]
    assert file["stand_ins"] == [[0.417, 0.542]]


def test_what_is_recorded_can_be_played_while_it_grows(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    viewer = Viewer(clips.get(FULL), target)
    viewer.play(0, 144)
    writer = viewer.recording._segments[0].writer
    while writer.statistics.num_frames < 144:
        assert writer.error is None
    copy = tmp_path / "killed.mkv"
    copy.write_bytes(target.read_bytes())
    viewer.close()
    assert len(planes(copy)) > 96
    assert track(copy, "audio").data


def test_on_a_full_disk_only_the_note_that_begins_a_piece_fails(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/dev/full")
    piece = tmp_path / "segment-0001.mkv"
    notes = Notes(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        notes.begin(piece, 0, 0)
    notes.rough(piece, [1])
    notes.end(piece, [1])
    notes.whole(piece, Gops((0,), 24))
    notes.stopped("no space")
    notes.close()


def test_a_dead_encoder_stops_the_recording_once(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "rtvfi.stream.write.encoders.encode.PyavEncoder.encode",
        raising(EncodeError("libx264 stopped: it died")),
    )
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 144)
    viewer.play(10, 144)
    assert viewer.close()["error"] == "libx264 stopped: it died"
    assert viewer.said == ["recording stopped: libx264 stopped: it died"]


def test_a_writer_that_hangs_is_warned_about_then_left(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_NOTICED_SECONDS", 0.01)
    monkeypatch.setattr(record, "PATIENCE_SECONDS", 0.05)
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 1)
    writer = viewer.recording._segments[0].writer
    monkeypatch.setattr(writer, "put", lambda *_: False)
    viewer.epoch -= 1
    viewer.play(1, 20)
    assert viewer.said == [
        "recording cannot keep up: playback waits for it",
        "recording stopped: no frame was taken for 0.05 s",
    ]
    viewer.close()


@pytest.mark.parametrize("name", ["o.mp4", "o.webm"])
def test_only_matroska_is_recorded(name: str, clips: Clips, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="an interruption would lose everything"):
        Viewer(clips.get(FULL), tmp_path / name)


@pytest.mark.parametrize("encoder", ["auto", "libx264", "libsvtav1"])
def test_a_quality_that_the_encoder_does_not_know_is_refused_at_once(
    encoder: str, clips: Clips, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match='--crf is "99", expected'):
        Viewer(clips.get(FULL), tmp_path / "o.mkv", encoder=encoder, crf=99)


def test_the_film_itself_and_files_that_are_there_are_safe(clips: Clips, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is the input itself"):
        Viewer(clips.get(FULL), clips.get(FULL), force=True)
    (tmp_path / "o.mkv").touch()
    with pytest.raises(UsageError, match="already exists"):
        Viewer(clips.get(FULL), tmp_path / "o.mkv")


def test_pieces_of_an_earlier_recording_are_not_thrown_away(clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "o.mkv.rtvfi").mkdir()
    (tmp_path / "o.mkv").write_bytes(b"its first segment")
    with pytest.raises(UsageError, match="pieces of a recording that was killed"):
        Viewer(clips.get(FULL), tmp_path / "o.mkv")


def test_pieces_go_only_when_a_recording_is_opened_by_force(tmp_path: Path) -> None:
    target, encode = tmp_path / "o.mkv", EncodeOptions(encoder="libx264")
    piece = tmp_path / "o.mkv.rtvfi" / "segment-0002.mkv"
    piece.parent.mkdir()
    piece.touch()
    Recorder(target, encode, print)
    assert piece.exists()
    Recorder.open(target, (), encode, print, force=True)
    assert not piece.parent.exists()


def test_a_recording_makes_its_folder_with_its_first_segment(clips: Clips, tmp_path: Path) -> None:
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    assert not list(tmp_path.glob("*.rtvfi"))
    viewer.play(0, 2)
    assert list(tmp_path.glob("*.rtvfi"))
    viewer.close()


def test_nothing_played_is_nothing_recorded(
    clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert Viewer(clips.get(FULL), tmp_path / "o.mkv").close()["files"] == []
    assert "nothing was recorded" in caplog.text
    assert list(tmp_path.iterdir()) == []
