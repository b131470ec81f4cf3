"""Pieces of a killed recording, put together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clips import Clips, ClipSpec, read_code
from files import planes, track
from viewing import Viewer, killed

from rtvfi.cli import main as cli
from rtvfi.core.errors import UsageError
from rtvfi.stream.record.notes import NAME
from rtvfi.stream.record.rescue import rescue

FULL = ClipSpec(num_frames=144, gop=24, audio=True)


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


@pytest.fixture
def left(clips: Clips, tmp_path: Path) -> Path:
    """A recording that was killed after two seeks."""
    source, target = tmp_path / "live.mkv", tmp_path / "o.mkv"
    viewer = Viewer(clips.get(FULL), source)
    viewer.play(0, 50, rough=(45, 46, 47))
    viewer.play(40, 80)
    viewer.play(100, 144)
    killed(viewer, source, target)
    return target


def test_pieces_become_the_files_they_would_have_become(
    left: Path, clips: Clips, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["join", str(left)]) == 0
    first, second = numbers(left), numbers(left.with_name("o.part2.mkv"))
    assert first == list(range(80))
    assert second == list(range(100, 100 + len(second)))
    assert len(second) >= 44 - 3 - 12, "half a second is lost, and what the encoder holds"
    assert not left.with_name("o.mkv.rtvfi").exists()
    sound = track(left, "audio").data
    assert sound == track(clips.get(FULL), "audio").data[: len(sound)]
    assert '"' + str(left) + '": 80 frames, 0.00 s to 3.34 s' in capsys.readouterr().err


def test_the_film_is_found_from_any_folder(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, live, target = clips.get(FULL), tmp_path / "live.mkv", tmp_path / "o.mkv"
    with monkeypatch.context() as there:
        there.chdir(film.parent)
        viewer = Viewer(Path(film.name), live)
        viewer.play(0, 40)
        killed(viewer, live, target)
    (file,) = rescue(target)
    assert file["source"] == str(film)


def test_stand_ins_that_were_noted_are_replaced(left: Path) -> None:
    files = rescue(left)
    assert [file["stand_ins"] for file in files] == [[], []]


def test_a_piece_that_was_cut_off_anywhere_is_taken_as_far_as_it_goes(left: Path) -> None:
    piece = sorted(left.with_name("o.mkv.rtvfi").glob("segment-*.mkv"))[-1]
    whole = piece.read_bytes()
    piece.write_bytes(whole[: len(whole) * 9 // 10 + 7])
    rescue(left)
    found = numbers(left.with_name("o.part2.mkv"))
    assert found == list(range(100, 100 + len(found)))
    assert found


def test_a_line_cut_off_is_left_out(left: Path) -> None:
    notes = left.with_name("o.mkv.rtvfi") / NAME
    with notes.open("a") as file:
        file.write('{"piece": "segment-00')
    assert next(f["frames"] for f in rescue(left)) == 80


def test_what_is_still_recorded_is_left_alone(clips: Clips, tmp_path: Path) -> None:
    viewer = Viewer(clips.get(FULL), tmp_path / "o.mkv")
    viewer.play(0, 50)
    with pytest.raises(UsageError, match="is being recorded right now"):
        rescue(tmp_path / "o.mkv")
    assert viewer.close()["files"][0]["frames"] == 50


def test_there_must_be_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["join", str(tmp_path / "o.mkv")]) == 2
    assert "there are no pieces of a recording" in capsys.readouterr().err
    folder = tmp_path / "o.mkv.rtvfi"
    folder.mkdir()
    (folder / "journal.json").write_text(json.dumps({}))
    with pytest.raises(UsageError, match="belongs to a rendering"):
        rescue(tmp_path / "o.mkv")


def test_a_new_recording_says_how_to_rescue_the_old_one(left: Path, clips: Clips) -> None:
    with pytest.raises(UsageError) as caught:
        Viewer(clips.get(FULL), left)
    assert f'rtvfi join "{left}"' in caught.value.hint
