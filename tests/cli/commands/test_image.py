from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import torch
from made_weights import constant_state

from rtvfi.cli.commands.image import wanted_times
from rtvfi.cli.main import main
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.store import Store
from rtvfi.stream.write.stills import read_still, write_png

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three grey pictures a, b, c of levels 40, 80, 160, and an empty weights store."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, level in (("a", 40), ("b", 80), ("c", 160)):
        write_png(tmp_path / f"{name}.png", np.full((20, 30, 3), level / 255, np.float32), 8)
    return tmp_path


def level(path: Path) -> float:
    """Mean of a picture, in 8-bit codes."""
    return float(read_still(path).rgb.mean()) * 255


def image(folder: Path, *words: str, model: str = "linear") -> int:
    """Run the command; names of files are those of the folder."""
    names = (str(folder / w) if w == "out" or w.endswith(".png") else w for w in words)
    return main(["image", *names, "--model", model, "--device", "cpu"])


def test_one_picture_at_a_time(folder: Path) -> None:
    assert image(folder, "a.png", "b.png", "-o", "out.png", "--timestep", "0.25") == 0
    assert level(folder / "out.png") == pytest.approx(50)


@pytest.mark.parametrize(("given", "expected"), [(("a", "b"), [60]), (("a", "b", "c"), [60, 120])])
def test_half_way_is_the_default(folder: Path, given: tuple[str, ...], expected: list[int]) -> None:
    output = "out.png" if len(expected) == 1 else "out"
    assert image(folder, *(f"{name}.png" for name in given), "-o", output) == 0
    made = sorted((folder / "out").iterdir()) if output == "out" else [folder / output]
    assert [level(path) for path in made] == pytest.approx(expected)


def test_many_pictures_fill_a_folder_in_order(folder: Path) -> None:
    assert image(folder, "a.png", "b.png", "c.png", "-o", "out", "--count", "3") == 0
    got = [level(path) for path in sorted((folder / "out").iterdir())]
    assert got == pytest.approx([50, 60, 70, 100, 120, 140])


def test_sixteen_bits_stay_sixteen_bits(folder: Path) -> None:
    for name, code in (("x", 1000), ("y", 2001)):
        write_png(folder / f"{name}.png", np.full((8, 8, 3), code / 65535, np.float32), 16)
    assert image(folder, "x.png", "y.png", "-o", "out.png", "--count", "1") == 0
    still = read_still(folder / "out.png")
    assert still.bits == 16
    assert set(np.rint(still.rgb * 65535.0).ravel()) <= {1500, 1501}


def test_an_animation_has_the_given_pictures_too(folder: Path) -> None:
    words = ("a.png", "b.png", "-o", "out.png", "--count", "1", "--apng", "--fps", "5")
    assert image(folder, *words) == 0
    with av.open(str(folder / "out.png"), format="apng") as container:
        frames = list(container.decode(video=0))
    got = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    assert got == pytest.approx([40, 60, 80])
    assert [float(frame.time or 0) for frame in frames] == pytest.approx([0, 0.2, 0.4])


@pytest.mark.parametrize(
    ("model", "network"),
    [("rife-4.25.lite", "rife 4.25.lite"), ("distil-drba-v2-lite", "distil-drba v2-lite")],
)
def test_networks_of_two_and_of_three_pictures(folder: Path, model: str, network: str) -> None:
    torch.save(constant_state(network, 1e-4), folder / "x.pkl")
    add_file(Store(), folder / "x.pkl")
    words = ("a.png", "b.png", "c.png", "-o", "out", "--count", "2")
    assert image(folder, *words, model=model) == 0
    got = [level(path) for path in sorted((folder / "out").iterdir())]
    # Next to no motion and an even mask: halfway between the pictures it is blended from.
    assert got == pytest.approx([60, 60, 120, 120], abs=1)


def test_times_are_counted_in_pictures() -> None:
    assert wanted_times(2, 1, None) == [Fraction(1, 2)]
    assert wanted_times(3, 1, None) == [Fraction(1, 2), Fraction(3, 2)]
    assert wanted_times(3, None, Fraction("1.25")) == [Fraction(5, 4)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.png", "-o", "x.png", "--count", "1"], "1 pictures were given, expected 2 or 3"),
        (["a.png", "b.png", "-o", "x.png", "--count", "0"], '--count is "0"'),
        (["a.png", "b.png", "-o", "x.png", "--count", "2"], "cannot be written to one file"),
        (["a.png", "b.png", "-o", "x.png", "--timestep", "1.5"], "pictures, which are at 0, 1"),
        (["a.png", "b.png", "-o", "x.png", "--timestep", "1/0"], "--timestep"),
        (["a.png", "b.png", "-o", "x.png", "--timestep", "0.5", "--gif"], "needs --count"),
        (["a.png", "b.png", "-o", "x.png", "--count", "1", "--gif", "--fps", "0"], "--fps"),
        (["a.png", "b.png", "-o", "c.png", "--count", "1"], 'c.png" already exists'),
    ],
)
def test_mistakes_are_usage_errors(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert image(folder, *words) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "x.png").exists()


def test_pictures_of_different_sizes_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(folder / "d.png", np.zeros((20, 31, 3), np.float32), 8)
    assert image(folder, "a.png", "d.png", "-o", "x.png", "--count", "1") == 2
    said = capsys.readouterr().err
    assert 'd.png" is 31x20, ' in said
    assert 'a.png" is 30x20' in said


def test_overwriting_is_asked_for(folder: Path) -> None:
    assert image(folder, "a.png", "b.png", "-o", "c.png", "--count", "1", "-y") == 0
    assert level(folder / "c.png") == pytest.approx(60)


def test_missing_weights_write_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert image(folder, "a.png", "b.png", "-o", "out", "--count", "2", model="rife-4.6") == 1
    assert "rtvfi weights get rife-4.6" in capsys.readouterr().err
    assert not (folder / "out").exists()
