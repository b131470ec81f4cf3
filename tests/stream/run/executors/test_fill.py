"""What was skipped while recording is made afterwards, if that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clips import Clips, ClipSpec, read_code
from files import planes, track
from viewing import Viewer

from rtvfi.core.errors import ModelError
from rtvfi.core.options import EncodeOptions

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.stream.record.assemble import Viewed
    from rtvfi.stream.write.writer import Writer

FULL = ClipSpec(num_frames=144, gop=24, audio=True)


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


class Filled(Viewer):
    """A viewer whose gaps are filled; ``error`` comes in the gap that begins at ``fails_at``."""

    def __init__(self, source: Path, target: Path, **options: Any) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fails_at: int | None = None
        self.error: BaseException = KeyboardInterrupt()
        super().__init__(source, target, filler=self.fill, **options)

    def fill(self, viewed: Viewed, start: int, stop: int, writer: Writer) -> None:
        self.asked.append((start, stop))
        if start == self.fails_at:
            super().fill(viewed, start, start + 5, writer)
            raise self.error
        super().fill(viewed, start, stop, writer)


def test_gaps_are_filled_into_one_file(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(FULL), tmp_path / "o.mkv"
    viewer = Filled(source, target)
    viewer.play(60, 90)
    viewer.play(10, 40)
    viewer.play(100, 130)
    (file,) = viewer.close()["files"]
    assert viewer.asked == [(40, 60), (90, 100)]
    assert numbers(target) == list(range(10, 130))
    assert [p.name for p in tmp_path.iterdir()] == ["o.mkv"]
    assert file["filled"] == [[1.668, 2.502], [3.754, 4.171]]
    sound = track(target, "audio").data
    whole = track(source, "audio").data
    begin = whole.index(sound[0])
    assert sound == whole[begin : begin + len(sound)]


def test_a_viewing_without_gaps_asks_for_nothing(clips: Clips, tmp_path: Path) -> None:
    viewer = Filled(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 60)
    viewer.play(40, 100)
    (file,) = viewer.close()["files"]
    assert viewer.asked == []
    assert file["filled"] == []


def test_scraps_of_searching_do_not_stretch_the_film(clips: Clips, tmp_path: Path) -> None:
    viewer = Filled(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 30)
    viewer.play(44, 46)  # lies in the gap
    viewer.play(60, 90)
    viewer.play(140, 143)
    viewer.close()
    assert viewer.asked == [(30, 60)]
    assert numbers(tmp_path / "o.mkv") == list(range(90))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ModelError("the model failed: no memory")])
def test_filling_that_ends_early_leaves_the_parts(
    error: BaseException, clips: Clips, tmp_path: Path
) -> None:
    viewer = Filled(clips.get(FULL), tmp_path / "o.mkv")
    viewer.error, viewer.fails_at = error, 70
    for start in (0, 40, 100):
        viewer.play(start, start + 30)
    report = viewer.close()
    assert viewer.asked == [(30, 40), (70, 100)]
    assert numbers(tmp_path / "o.mkv") == list(range(30))
    assert numbers(tmp_path / "o.part2.mkv") == list(range(40, 70))
    assert numbers(tmp_path / "o.part3.mkv") == list(range(100, 130))
    assert not list(tmp_path.glob("*.rtvfi"))
    assert [file["filled"] for file in report["files"]] == [[], [], []]
    if isinstance(error, KeyboardInterrupt):
        # Before it, a slow machine may have said that playback waits.
        assert viewer.said[-1] == "filling was stopped: what was watched stays in parts"


def test_a_recording_that_failed_is_not_filled(clips: Clips, tmp_path: Path) -> None:
    viewer = Filled(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 30)
    viewer.recorder.encode = EncodeOptions(encoder="h264_nvenc", is_live=True)
    viewer.play(60, 90)
    viewer.close()
    assert viewer.asked == []


def test_where_the_cadence_is_looked_for_again_is_reported(clips: Clips, tmp_path: Path) -> None:
    viewer = Filled(clips.get(FULL), tmp_path / "o.mkv", has_cadence=True)
    viewer.play(0, 30)
    viewer.play(40, 140)
    (file,) = viewer.close()["files"]
    assert file["settling"] == [[1.668, 4.671]]
