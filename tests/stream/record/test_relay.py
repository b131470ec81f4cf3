"""A recording that several engines write in turn."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clips import Clips, ClipSpec, read_code
from files import planes
from viewing import Viewer

from rtvfi.core.errors import EncodeError, UsageError
from rtvfi.core.options import EncodeOptions
from rtvfi.playing.recording import say_gaps
from rtvfi.stream.record.relay import Relay
from rtvfi.stream.record.rescue import rescue

if TYPE_CHECKING:
    from pathlib import Path

FULL = ClipSpec(num_frames=144, gop=24, audio=True)


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


class Engine(Viewer):
    """One of the engines; ``die`` is a kill: notes and pieces stay as they are."""

    def __init__(self, source: Path, target: Path) -> None:
        super().__init__(source, target.with_name("unused.mkv"))
        viewed = self.recording.viewed
        encode = EncodeOptions(encoder="ffv1")
        self.recorder = self.relay = Relay(target, encode, self.said.append)
        self.recording = self.relay.recording(viewed)

    def die(self, num_written: int) -> None:
        """Be killed when so many pictures of the newest piece are on the disk."""
        *before, segment = self.recording._segments
        for earlier in before:  # a seek ended it: its end is noted by now
            earlier.writer.finish()
        writer = segment.writer
        while writer.statistics.num_frames < segment.next - segment.first:
            assert writer.error is None
        writer._ended = None  # no note says that its file is whole
        writer.finish()
        assert self.relay._notes is not None
        self.relay._notes.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "o.mkv"


def play(clips: Clips, target: Path, *parts: tuple[int, int], dies: bool = False) -> Engine:
    engine = Engine(clips.get(FULL), target)
    for start, stop in parts:
        engine.play(start, stop)
    if dies:
        engine.die(parts[-1][1])
    else:
        engine.close()
    return engine


def test_what_one_engine_left_is_continued_by_the_next(clips: Clips, target: Path) -> None:
    play(clips, target, (0, 50), dies=True)
    play(clips, target, (40, 80), dies=True)
    play(clips, target, (70, 144))
    (file,) = rescue(target)
    assert (file["frames"], file["is_cut_off"]) == (144, False)
    assert numbers(target) == list(range(144))
    assert list(target.parent.iterdir()) == [target]


def test_pieces_that_were_closed_well_are_taken_as_they_are(clips: Clips, target: Path) -> None:
    play(clips, target, (0, 144))
    inode = target.stat().st_ino
    (file,) = rescue(target)
    assert (file["frames"], file["is_cut_off"]) == (144, False)
    assert target.stat().st_ino == inode, "nothing was written anew"


@pytest.mark.parametrize(("death", "second"), [(70, 2.92), (52, 2.17)])
def test_a_gap_where_an_engine_died_is_told_from_one_of_a_seek(
    clips: Clips, target: Path, caplog: pytest.LogCaptureFixture, death: int, second: float
) -> None:
    """Also when it died soon after the seek, in a piece that would be too short to keep."""
    play(clips, target, (0, 30), (40, death), dies=True)
    play(clips, target, (80, 144))
    files = rescue(target)
    assert [file["frames"] for file in files] == [30, death - 40, 64]
    assert [file["is_cut_off"] for file in files] == [False, True, False]
    say_gaps(files)
    (said,) = caplog.messages
    assert said.startswith(
        f"the recording has a gap, because the engine died: {second} s to 3.34 s"
    )


def test_an_end_where_an_engine_died_is_said(
    clips: Clips, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    play(clips, target, (0, 48), dies=True)
    say_gaps(rescue(target))
    (said,) = caplog.messages
    assert "the recording ends early, because the engine died: " in said
    assert said.endswith("is recorded up to 2.00 s")


def test_what_is_missing_may_be_filled(clips: Clips, target: Path) -> None:
    play(clips, target, (0, 48), dies=True)
    last = play(clips, target, (90, 144))
    (file,) = rescue(target, EncodeOptions(encoder="ffv1"), print, last.fill)
    assert numbers(target) == list(range(144))
    assert [[round(part) for part in span] for span in file["filled"]] == [[2, 4]]


def test_another_film_is_another_stream(clips: Clips, target: Path) -> None:
    play(clips, target, (0, 48))
    other = Engine(clips.get(FULL), target)
    other.recording = other.relay.recording(
        replace(other.recording.viewed, source=str(clips.get(FULL, num_frames=96)))
    )
    other.play(24, 96)
    other.close()
    files = rescue(target)
    assert [file["frames"] for file in files] == [48, 72]
    assert files[0]["source"] != files[1]["source"]


def test_two_engines_at_once_are_refused(clips: Clips, target: Path) -> None:
    first = Engine(clips.get(FULL), target)
    first.play(0, 2)
    with pytest.raises(UsageError, match="is being recorded right now"):
        Engine(clips.get(FULL), target)
    first.close()


def test_a_recording_that_was_stopped_stays_so(clips: Clips, target: Path) -> None:
    first = Engine(clips.get(FULL), target)
    first.play(0, 48)
    first.recorder.stop(EncodeError("the disk is full"))
    assert first.close()["error"] == "the disk is full"
    second = play(clips, target, (48, 96))
    assert second.close()["error"] == "the disk is full"
    assert [file["frames"] for file in rescue(target)] == [48]


def test_stand_ins_are_noted_at_the_end(clips: Clips, target: Path) -> None:
    first = Engine(clips.get(FULL), target)
    first.play(0, 48, rough=(24, 25))
    first.close()
    (file,) = rescue(target)
    assert file["stand_ins"] == [[1.001, 1.084]]


def test_stand_ins_of_an_engine_that_was_killed_are_known(clips: Clips, target: Path) -> None:
    engine = Engine(clips.get(FULL), target)
    engine.play(0, 48, rough=(24, 25))
    engine.die(48)
    (file,) = rescue(target)
    assert (file["stand_ins"], file["is_cut_off"]) == ([[1.001, 1.084]], True)


def test_notes_of_an_older_rtvfi_are_read(clips: Clips, target: Path) -> None:
    play(clips, target, (0, 48))
    notes = target.with_name("o.mkv.rtvfi") / "recording.jsonl"
    lines: list[dict[str, Any]] = [json.loads(line) for line in notes.read_text().splitlines()]
    lines = [{k: v for k, v in line.items() if k != "index"} for line in lines]
    notes.write_text("".join(json.dumps(line) + "\n" for line in lines if "whole" not in line))
    assert [file["frames"] for file in rescue(target)] == [48]
