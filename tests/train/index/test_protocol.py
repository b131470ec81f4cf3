"""Networks told the true index, or the time everywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch

from rtvfi.cli.main import main
from rtvfi.models.interpany.rife import RifeNet, RifeWidths
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.store import Store
from rtvfi.train.index import protocol
from rtvfi.train.index.data import IndexSample
from rtvfi.train.index.septuplets import NUM, make_index

if TYPE_CHECKING:
    from pathlib import Path

D, T = "interpany-rife-d", "interpany-rife-t"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A septuplet of grey pictures that grow brighter, and small networks."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    top = tmp_path / "films"
    top.mkdir()
    y, x = np.mgrid[:48, :64]
    for k in range(NUM):
        codes = np.repeat(((x * 3 + y * 2 + 8 * k) % 256)[..., None], 3, 2).astype(np.uint8)
        cv2.imwrite(str(top / f"im{k + 1}.png"), codes)
    torch.manual_seed(1)
    for name in (D, T):
        torch.save(RifeNet(False, RifeWidths((16, 16, 16), 4)).state_dict(), tmp_path / "net.pt")
        add_file(Store(), tmp_path / "net.pt", name)
    return top


def late(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A flow by which everything is further than the time says."""
    way = np.sqrt(abs(float(b.mean()) - float(a.mean())))
    return np.full((*a.shape[:2], 2), way, np.float32)


def evaluated(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["eval", *words, "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_five_between_are_measured_and_the_index_counts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_index(folder, late, lambda *_: None)
    what = (str(folder), "--models", f"{D},{T}")
    true = evaluated(capsys, *what, "--index")
    uniform = evaluated(capsys, *what, "--uniform")
    assert {row["num"] for row in (*true.values(), *uniform.values())} == {5}
    assert true[D] != uniform[D]
    assert true[T] == uniform[T]  # it is told the time in any case


def test_without_indices_only_the_time_can_be_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ("eval", str(folder), "--models", D, "--device", "cpu")
    assert main([*what, "--uniform"]) == 0
    assert main([*what, "--index"]) == 1
    assert "train --make-index" in capsys.readouterr().err


def test_scenes_know_their_index(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.is_dir()
    asked: list[bool] = []

    def few(count: int, seed: int) -> Any:
        assert (count, seed) == (2, 7)

        def samples(is_small: bool) -> Any:
            asked.append(is_small)
            picture = torch.rand(1, 3, 64, 64)
            time = torch.full((1, 1, 64, 64), 0.25)
            yield IndexSample(picture, picture, picture, time, time)

        return samples

    monkeypatch.setattr(protocol, "scene_samples", few)
    words = ("scenes", "--uniform", "--count", "2", "--seed", "7", "--models", D)
    assert evaluated(capsys, *words)[D]["num"] == 1
    assert asked == [True]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--uniform"], "--models is missing"),
        (["--index", "--models", "cel"], "does not take a distance index"),
        (["--index", "--uniform"], "not allowed"),
    ],
)
def test_mistakes_are_said(
    folder: Path, words: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_index(folder, late, lambda *_: None)
    assert main(["eval", str(folder), "--device", "cpu", *words]) == 2
    assert wrong in capsys.readouterr().err
