"""``rtvfi info``: what is told about a film."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from clips import ClipSpec
from fakes import stream_info
from running import fake_source

from rtvfi.cli.commands.info import look
from rtvfi.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips


def told(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["info", str(path), "--json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_film_is_described(clips: Clips, capsys: pytest.CaptureFixture[str]) -> None:
    path = clips.get(ClipSpec(num_frames=40, holds=(2, 2), cuts=(13, 29), codec="ffv1"))
    found = told(path, capsys)
    assert (found["rate"], found["rate_class"]) == ("24000/1001", "constant")
    assert (found["frames"], found["width"], found["height"]) == (40, 320, 180)
    assert found["duration"] == pytest.approx(40 * 1001 / 24000)
    assert found["cuts"] == [13, 29]
    assert [scene["start"] for scene in found["scenes"]] == [0, 13, 29]
    assert sum(scene["frames"] for scene in found["scenes"]) == 40


def test_the_cadence_of_a_scene_and_its_repeats_are_told(
    clips: Clips, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(clips.get(ClipSpec(num_frames=48, holds=(3,), codec="ffv1")), capsys)
    [scene] = found["scenes"]
    assert (scene["cadence"], scene["passes"], found["passes"]) == (3, 2, 2)
    assert scene["repeats"] == pytest.approx(2 / 3, abs=0.03)


def test_the_table_is_for_people(clips: Clips, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(clips.get(ClipSpec(num_frames=20, codec="ffv1")))]) == 0
    printed = capsys.readouterr().out
    assert "24000/1001 frames/s, constant" in printed
    assert "320x180" in printed
    assert "yuv420p, bt601, limited range" in printed


def test_a_missing_frame_is_a_gap_and_an_odd_one_irregular() -> None:
    info = stream_info()
    source = fake_source(6, info=info)
    assert look(source.opener(lambda: False)).rate_class == "constant"
    gap = fake_source(6, info=info)
    gap.pts[4:] = [pts + 1 / info.source_rate for pts in gap.pts[4:]]
    assert look(gap.opener(lambda: False)).rate_class == "gaps"
    odd = fake_source(6, info=info)
    odd.pts[4] += Fraction(1, 100)
    assert look(odd.opener(lambda: False)).rate_class == "irregular"


def test_a_damaged_end_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    source = fake_source(10)
    source.fails_at = 7
    found = look(source.opener(lambda: False))
    assert (found.frames, found.is_complete) == (7, False)


def test_a_threshold_out_of_range_is_refused(tmp_path: Path) -> None:
    assert main(["info", str(tmp_path / "a.mkv"), "--cut-threshold", "3"]) == 2


def test_a_file_without_a_picture_is_one_sentence(
    tmp_path: Path, clips: Clips, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = clips.get(ClipSpec(num_frames=20)).read_bytes()
    path = tmp_path / "torn.mkv"
    path.write_bytes(whole[: whole.index(b"\x1f\x43\xb6\x75")])
    assert main(["info", str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert main(["info", str(tmp_path / "a.mkv")]) == 1
