"""Septuplets: what their index is, how it is stored, and what is drawn from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch
from goldens_at import GOLDENS

from rtvfi.cli.main import main
from rtvfi.core.errors import OpenError, UsageError
from rtvfi.train.index import septuplets
from rtvfi.train.index.data import varied
from rtvfi.train.index.flows import _dis
from rtvfi.train.index.septuplets import (
    NUM,
    TRIPLES,
    Septuplets,
    distance_index,
    halved,
    index_path,
)
from rtvfi.train.index.trainer import IndexRecipe, IndexTrainer

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 72, 97
PLACES = (0.0, 1.0, 3.0, 7.0, 9.0, 11.0, 12.0)
"""Where the picture is, pixels to the right: early, then late."""


def picture(place: float) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    x = x - place
    grey = 0.5 + 0.3 * np.sin(x / 3.1 + y / 7) * np.cos(y / 4.3) + 0.15 * np.sin(x / 9 - y / 5)
    return np.repeat((255 * grey[..., None]).clip(0, 255), 3, 2).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("00001/0002", "00001/0010"):
        (tmp_path / name).mkdir(parents=True)
        for k, place in enumerate(PLACES):
            cv2.imwrite(str(tmp_path / name / f"im{k + 1}.png"), picture(place))
    return tmp_path


def exact(places: dict[bytes, float]) -> Any:
    """A finder that knows where pictures are."""

    def find(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        way = places[b.tobytes()] - places[a.tobytes()]
        return np.full((HEIGHT, WIDTH, 2), (way, 0), np.float32)

    return find


def known() -> Any:
    return exact({picture(place).tobytes(): place for place in PLACES})


def test_the_index_is_the_share_of_the_way() -> None:
    whole = np.zeros((2, 3, 2), np.float32)
    whole[0], whole[1, 0] = (4, 0), (0, 2)
    part = np.zeros_like(whole)
    part[0], part[1, 0] = (1, 9), (3, -1)
    index = distance_index(part, whole)
    assert index[0].tolist() == [0.25] * 3  # sideways does not count
    assert index[1, 0] == -0.5
    assert np.isnan(index[1, 1:]).all()  # nothing moves
    assert halved(index[:, :2]).tolist()[0][0] != halved(index[:, :2]).tolist()[0][0]


def test_it_is_the_index_that_the_authors_store() -> None:
    path = GOLDENS / "interpany_index.npz"
    if not path.is_file():
        pytest.skip("not among the goldens here")
    with np.load(path) as file:
        clean, stored = (file[name].squeeze().astype(np.float32) for name in ("clean", "stored"))
    assert np.abs(halved(clean) - stored).max() < 1e-3


def test_all_triples_are_made_in_both_directions_and_once(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    num = septuplets.make_index(folder, known(), lambda n, of: told.append((n, of)))
    assert (num, told) == (140, [(1, 2), (2, 2)])
    first = folder / "00001" / "0002"
    assert len(list(first.glob("dis_index_*.npy"))) == len(TRIPLES) == 70
    for triple in ((0, 2, 6), (6, 2, 0), (1, 4, 5)):
        stored = np.load(index_path(first, triple))
        a, b, c = (PLACES[k] for k in triple)
        assert stored.shape == (36, 48)
        assert stored.dtype == np.float16
        assert stored == pytest.approx((b - a) / (c - a), abs=1e-3)
    index_path(first, (0, 2, 6)).unlink()  # as if it had been stopped
    assert septuplets.make_index(folder, known(), lambda *_: None) == 1


def test_flow_without_weights_is_near_the_truth() -> None:
    flow = _dis()(picture(0), picture(3))
    inner = flow[10:-10, 12:-12]
    assert np.abs(inner - (3, 0)).mean() < 0.15


def test_samples_are_triples_with_their_index(folder: Path) -> None:
    septuplets.make_index(folder, known(), lambda *_: None)
    data = Septuplets(folder, 1)
    times, backwards = set(), 0
    for number in range(24):
        sample = data.sample(number, 1, has_reference=True, is_small=False)
        assert sample.img0.shape == (1, 3, HEIGHT, WIDTH)
        assert sample.gone.shape == sample.time.shape == (1, 1, HEIGHT, WIDTH)
        places = [
            next(p for p in PLACES if np.array_equal(picture(p), _codes(x)))
            for x in (sample.img0, sample.truth, sample.img1)
        ]
        share = (places[1] - places[0]) / (places[2] - places[0])
        assert float((sample.gone - share).abs().max()) < 2e-3
        ks = [PLACES.index(p) for p in places]
        assert float(sample.time[0, 0, 0, 0]) == pytest.approx((ks[1] - ks[0]) / (ks[2] - ks[0]))
        times.add(round(float(sample.time[0, 0, 0, 0]), 3))
        backwards += ks[0] > ks[2]
        assert sample.reference is not None
        assert sample.reference_time is not None
        at = float(sample.reference.gone[0, 0, 5, 5])
        assert -0.01 <= at <= 1.01
    assert 6 <= backwards <= 18
    assert len(times) > 3


def _codes(image: torch.Tensor) -> np.ndarray:
    return (image[0].permute(1, 2, 0) * 255).round().byte().numpy()


def test_what_stands_still_goes_with_the_time(tmp_path: Path) -> None:
    for k in range(NUM):
        cv2.imwrite(str(tmp_path / f"im{k + 1}.png"), picture(0))
    septuplets.make_index(
        tmp_path, lambda a, _: np.zeros((*a.shape[:2], 2), np.float32), lambda *_: None
    )
    sample = Septuplets(tmp_path, 1).sample(3, 2, has_reference=False, is_small=True)
    assert torch.allclose(sample.gone, sample.time, atol=1e-3)


def test_a_folder_without_index_or_without_septuplets_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="has no indices") as caught:
        Septuplets(folder, 1)
    assert "--make-index" in caught.value.hint
    with pytest.raises(OpenError, match="no septuplet"):
        septuplets.folders(tmp_path / "nowhere")


def test_the_command_makes_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    septuplets.make_index(folder, known(), lambda *_: None)
    index_path(folder / "00001" / "0010", (6, 4, 1)).unlink()
    assert main(["train", "--make-index", str(folder), "--device", "cpu"]) == 0
    said = capsys.readouterr().err
    assert "flow by OpenCV's DIS at full size" in said
    assert "computed 1 indices" in said


def test_a_network_is_trained_on_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IndexTrainer, "scores", lambda _: {"held": 1.0})  # it takes long
    septuplets.make_index(folder, known(), lambda *_: None)
    recipe = IndexRecipe(
        is_small=True, steps=1, batch=1, crop=64, variant="dr", septuplets=str(folder)
    )
    trainer = IndexTrainer(recipe, tmp_path / "run")
    trainer.run()
    assert trainer.step == 1
    assert trainer._whole(0, 2, is_held=True).img0.shape == (2, 3, HEIGHT, WIDTH)
    sample = Septuplets(folder, 1).sample(0, 1, has_reference=False, is_small=True)
    with pytest.raises(UsageError, match="97x72 are smaller than the crop of 128 pixels"):
        varied(sample, 128, torch.Generator())
