from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import torch

from rtvfi.cli.main import main
from rtvfi.models.interpany.curve import parse_curve
from rtvfi.models.interpany.rife import RifeNet, RifeWidths
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.store import Store
from rtvfi.render.paces import indices_of
from rtvfi.stream.write.stills import read_still, write_png

if TYPE_CHECKING:
    from pathlib import Path

D, DR = "interpany-rife-d", "interpany-rife-dr"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dark and a bright picture, a mask of the left half, and small networks that do not move."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, level in (("a", 0.2), ("b", 0.6)):
        write_png(tmp_path / f"{name}.png", np.full((40, 56, 3), level, np.float32), 8)
    mask = np.zeros((40, 56, 3), np.float32)
    mask[:, :28] = 1
    write_png(tmp_path / "mask.png", mask, 8)
    np.save(tmp_path / "map.npy", np.linspace(0, 1, 40 * 56).reshape(40, 56))
    torch.manual_seed(1)
    for name in (D, DR):
        net = RifeNet(name == DR, RifeWidths((16, 16, 16), 4))
        torch.save(net.state_dict(), tmp_path / "net.pt")
        add_file(Store(), tmp_path / "net.pt", name)
    return tmp_path


def run(folder: Path, command: str, *words: str, model: str = D) -> int:
    files = [str(folder / "a.png"), str(folder / "b.png")]
    return main([command, *files, "--model", model, "--device", "cpu", *words])


def retime(folder: Path, out: str, *words: str, model: str = D) -> int:
    mask = ("--mask", str(folder / "mask.png"), "--curve", "0,0 0.3,0.8 1,1")
    return run(folder, "retime", *mask, "-o", str(folder / out), *words, model=model)


def test_each_object_follows_its_curve_and_the_rest_the_time() -> None:
    first, second = torch.zeros(2, 4, 6, dtype=torch.bool)
    first[:, :3] = second[:, 2:4] = True
    curves = [parse_curve("0,0 1,1"), parse_curve("0,1 1,0")]
    (early, late) = indices_of([first, second], curves, [0.25, 0.75])
    assert early[0, 0, 0].tolist() == [0.25, 0.25, 0.25, 0.75, 0.25, 0.25]
    assert late[0, 0, 0].tolist() == [0.75, 0.75, 0.75, 0.25, 0.75, 0.75]


@pytest.mark.parametrize("kind", ["gif", "webp", "apng"])
def test_an_animation_has_the_given_pictures_too(folder: Path, kind: str) -> None:
    assert retime(folder, f"out.{kind}", "--count", "3") == 0
    if kind == "webp":  # which PyAV writes, but does not read
        assert (folder / "out.webp").read_bytes()[:4] == b"RIFF"
        return
    with av.open(str(folder / f"out.{kind}")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5


def test_a_film_keeps_colours_and_an_odd_side(folder: Path) -> None:
    for name, colour in (("a", (0.8, 0.1, 0.2)), ("b", (0.8, 0.1, 0.2))):
        write_png(folder / f"{name}.png", np.full((41, 57, 3), colour, np.float32), 8)
    words = ("--count", "3", "--fps", "12", "-o", str(folder / "out.mp4"))
    assert run(folder, "retime", *words, model="linear") == 0
    with av.open(str(folder / "out.mp4")) as container:
        assert container.streams.video[0].average_rate == 12
        frames = list(container.decode(video=0))
    assert [(frame.width, frame.height, frame.colorspace) for frame in frames] == [(58, 42, 1)] * 5
    rgb = frames[2].to_ndarray(format="rgb24", src_colorspace="ITU709").mean((0, 1))
    assert rgb == pytest.approx([204, 26, 51], abs=3)


def test_a_folder_holds_all_pictures_in_order(folder: Path) -> None:
    assert retime(folder, "out", "--count", "2", "--iters", "1", model=DR) == 0
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["0000.png", "0001.png", "0002.png", "0003.png"]
    for name, given in (("0000.png", "a.png"), ("0003.png", "b.png")):
        got, wanted = read_still(folder / "out" / name).rgb, read_still(folder / given).rgb
        assert np.array_equal(got, wanted)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--curve", "0,0 1,1"], "expected one curve per mask"),
        (["--mask", "mask.png", "--curve", "0,0"], "fewer than two"),
        (["--mask", "mask.png", "--curve", "0,0 1,1", "--iters", "2"], "in one step"),
        (["--count", "0"], "expected 1 or more"),
    ],
)
def test_mistakes_are_usage_errors(
    folder: Path, words: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(folder / word) if word == "mask.png" else word for word in words]
    assert run(folder, "retime", "-o", str(folder / "out.gif"), *words) == 2
    assert wrong in capsys.readouterr().err
    assert not (folder / "out.gif").exists()


def test_a_model_with_one_time_for_all_pixels_takes_no_mask(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retime(folder, "out.gif", model="linear") == 2
    assert "one time for all pixels" in capsys.readouterr().err


def test_a_map_makes_one_picture(folder: Path) -> None:
    out = folder / "one.png"
    assert run(folder, "image", "--map", str(folder / "map.npy"), "-o", str(out)) == 0
    assert read_still(out).rgb.shape == (40, 56, 3)


def test_a_map_of_another_size_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(folder / "map.npy", np.zeros((3, 4)))
    words = ("--map", str(folder / "map.npy"), "-o", str(folder / "one.png"))
    assert run(folder, "image", *words) == 2
    assert "expected 56x40" in capsys.readouterr().err


def test_levels_make_all_pictures_between(folder: Path) -> None:
    words = ("--num", "1", "2", "--iters", "1", "-o", str(folder / "out"))
    assert run(folder, "image", *words, model=DR) == 0
    assert len(list((folder / "out").iterdir())) == 5


def test_seven_levels_are_129_pictures_of_an_animation(folder: Path) -> None:
    out = folder / "out.gif"
    words = ("--num", *"1111111", "--gif", "-o", str(out))
    assert run(folder, "image", *words, model="linear") == 0
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 129
