from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from quality_pictures import scenery, write_film, write_png

from rtvfi.cli import main as cli
from rtvfi.draw.mixed import MixedOptions
from rtvfi.quality import drawn as eval_scenes

if TYPE_CHECKING:
    from pathlib import Path

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")


@pytest.fixture
def triplets(tmp_path: Path) -> Path:
    for k in range(3):
        write_png(tmp_path / "set" / "one" / f"im{k}.png", scenery(3 * k))
    return tmp_path / "set"


def numbers(
    capsys: pytest.CaptureFixture[str], *words: str
) -> dict[str, dict[str, dict[str, float]]]:
    assert cli.main(["eval", *words, "--json"]) == 0
    found: dict[str, dict[str, dict[str, float]]] = json.loads(capsys.readouterr().out)
    return found


@needs_ffmpeg
def test_models_stand_side_by_side(triplets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = numbers(capsys, str(triplets), "--models", "linear,cel,cel@0.5,minterpolate")
    assert list(found) == ["set"]
    assert list(found["set"]) == ["linear", "cel", "cel@0.5", "minterpolate"]
    assert found["set"]["cel"]["psnr"] > found["set"]["linear"]["psnr"] + 3
    assert found["set"]["cel@0.5"]["psnr"] != found["set"]["cel"]["psnr"]
    assert found["set"]["cel@0.5"]["ms"] > 0


@needs_ffmpeg
def test_a_film_is_measured_by_the_frames_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_film(tmp_path / "film.mkv", [scenery(2 * k) for k in range(7)])
    found = numbers(capsys, str(tmp_path / "film.mkv"), "--models", "linear,copy", "--count", "2")
    assert found["film"]["linear"]["triplets"] == 2
    assert found["film"]["copy"]["evenness"] == pytest.approx(2, abs=0.3)


@needs_ffmpeg
def test_the_table_and_the_sheet_are_for_people(
    triplets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    words = ["eval", str(triplets), "--models", "linear,copy"]
    assert cli.main([*words, "--sheet", str(sheet)]) == 0
    out = capsys.readouterr().out
    assert "set: 1 triplet of 96x64" in out
    assert "Higher is better for PSNR, SSIM" in out
    assert sheet.read_bytes()[:4] == b"\x89PNG"
    assert cli.main([*words, "--markdown"]) == 0
    assert "| set: 1 triplet of 96x64 | linear |" in capsys.readouterr().out


def test_scenes_are_drawn_the_same_for_the_same_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(eval_scenes, "SMOOTH", MixedOptions(width=160, height=96))
    words = ("scenes", "--models", "linear", "--count", "2")
    rows = [numbers(capsys, *words, "--seed", seed)["scenes"]["linear"] for seed in "112"]
    psnrs = [row["psnr"] for row in rows]
    assert psnrs[0] == psnrs[1] != psnrs[2]
    assert rows[0]["triplets"] == 2


def test_mixed_scenes_have_a_row_for_every_number_of_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = MixedOptions(width=160, height=96, num_frames=20)
    monkeypatch.setattr(eval_scenes, "MIXED", small)
    found = numbers(capsys, "scenes", "--mixed", "--models", "linear", "--count", "1")
    rows = found["mixed scenes"]
    assert list(rows) == [f"linear {n}" for n in ("plain", "1 pass", "2 passes", "3 passes")]
    assert rows["linear 3 passes"]["sharpness"] < rows["linear plain"]["sharpness"]


def test_without_ffmpeg_scenes_are_measured_without_minterpolate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(eval_scenes, "SMOOTH", MixedOptions(width=96, height=64))
    monkeypatch.setenv("PATH", "")
    assert list(numbers(capsys, "scenes", "--count", "1")["scenes"]) == ["linear", "dis", "dis@0.5"]
    assert cli.main(["eval", "."]) == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["scenes", "--count", "0"], '--count is "0"'),
        (["scenes", "--models", ","], '--models is ","'),
        (["scenes", "--models", "cell"], 'no model "cell"'),
        (["film.mkv", "--mixed"], "--mixed works only with"),
        (["scenes", "--mixed", "--models", "minterpolate"], "--mixed measures models only"),
        (["scenes", "--sheet", "none/out.png"], "does not exist"),
        (["scenes", "--sheet", "out.txt"], "expected a .png"),
        (["no-such-folder"], "does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_measured(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", *words]) != 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err


def test_without_scikit_image_the_hint_is_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert cli.main(["eval", "scenes"]) == 2
    assert f"hint: {sys.executable} -m pip install scikit-image" in capsys.readouterr().err
