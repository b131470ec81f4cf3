"""``rtvfi render`` with pictures in place of films."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from clips import Clips, read_code
from files import off_grid, planes, track
from pictures import folder_of

from rtvfi import cli

if TYPE_CHECKING:
    from pathlib import Path

EXACT = ("--encoder", "ffv1")


def render(*words: str | Path) -> int:
    """The command, on the CPU, nearest source frames at twice the rate."""
    told = [str(word) for word in words]
    return cli.main(["render", "--device", "cpu", "--model", "copy", "--fps", "2x", *told])


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


NEAREST = [min((k + 1) // 2, 11) for k in range(24)]


# --- pictures in -----------------------------------------------------------------------------


def test_a_folder_of_pictures_is_a_film(clips: Clips, tmp_path: Path) -> None:
    folder = folder_of(clips, tmp_path / "shot 1.5")
    assert render(folder, "--in-fps", "24000/1001", *EXACT) == 0
    target = tmp_path / "shot 1.5-47.952fps.mkv"
    assert numbers(target) == NEAREST
    assert off_grid(track(target, "video").times, Fraction(48000, 1001)) <= Fraction(1, 1000)
    assert not target.with_name(target.name + ".rtvfi").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "a folder of pictures needs --in-fps"),
        (("--in-fps", "0"), "expected pictures per second"),
        (("--in-fps", "1/0"), "expected pictures per second"),
    ],
)
def test_the_rate_of_pictures_must_be_said(
    words: tuple[str, ...],
    message: str,
    clips: Clips,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert render(folder_of(clips, tmp_path / "in"), *words) != 0
    assert message in capsys.readouterr().err


def test_a_film_has_a_rate_of_its_own(clips: Clips, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(clips.get(num_frames=6), "--in-fps", "24") == 2
    assert "--in-fps is for folders of pictures" in capsys.readouterr().err


def test_other_pictures_do_not_go_on_with_a_rendering(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = folder_of(clips, tmp_path / "in"), tmp_path / "o.mkv"
    (folder / "7.png").write_bytes(b"damaged")
    assert render(folder, "--in-fps", "24", "-o", target) == 1
    assert '7.png"' in capsys.readouterr().err
    (folder / "7.png").unlink()
    assert render(folder, "--in-fps", "24", "-o", target) == 2
    assert "was begun with another input" in capsys.readouterr().err
