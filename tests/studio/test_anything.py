"""Segment Anything in the studio, with a package made up here."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from rtvfi.cli import main as cli
from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.studio.anything import SegmentAnything
from rtvfi.studio.codec import mask_of
from rtvfi.studio.server import opened

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIZE = (30, 40)
RGB = np.zeros((*SIZE, 3), np.uint8)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))


class Predictor:
    """Notes what it is asked; the object is a square that reaches beyond small boxes."""

    last: Predictor

    def __init__(self, net: Net) -> None:
        self.net = net
        self.images: list[NDArray[np.uint8]] = []
        self.boxes: list[list[int]] = []
        self.is_blind = False
        Predictor.last = self

    def set_image(self, image: NDArray[np.uint8]) -> None:
        self.images.append(image)

    def predict(self, *, box: Any, multimask_output: bool) -> tuple[Any, Any, Any]:
        assert not multimask_output
        self.boxes.append(box.tolist())
        masks = np.zeros((1, *SIZE), bool)
        masks[0, 10:20, 10:20] = not self.is_blind
        return masks, np.ones(1), np.zeros((1, 256, 256))


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = SimpleNamespace(sam_model_registry={"vit_b": Net}, SamPredictor=Predictor)
    monkeypatch.setitem(sys.modules, "segment_anything", fake)
    monkeypatch.setitem(sys.modules, "mobile_sam", None)
    return fake


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "sam_vit_b_01ec64.pth"
    torch.save({"scale": torch.full((3,), 5.0)}, path)
    return path


@pytest.mark.usefixtures("package")
def test_a_box_is_asked_for_in_corners_and_its_mask_is_of_the_picture(weights: Path) -> None:
    mask = SegmentAnything(weights, "cpu")(RGB, (5, 12, 60, 60))
    assert Predictor.last.boxes == [[5, 12, 40, 30]]
    assert Predictor.last.net.scale.tolist() == [5, 5, 5]
    assert mask.shape == SIZE
    assert mask.dtype == np.bool_
    assert mask[12:20, 10:20].all()
    assert mask.sum() == 80  # not what lies above the box


@pytest.mark.usefixtures("package")
def test_a_picture_is_looked_at_once_for_all_boxes(weights: Path) -> None:
    cut = SegmentAnything(weights, "cpu")
    for rgb in (RGB, RGB.copy(), RGB + 1, RGB + 1, RGB):
        cut(rgb, (0, 0, 9, 9))
    assert [int(image.max()) for image in Predictor.last.images] == [0, 1, 0]


@pytest.mark.usefixtures("package")
def test_where_it_finds_nothing_the_box_is_the_object(weights: Path) -> None:
    cut = SegmentAnything(weights, "cpu")
    Predictor.last.is_blind = True
    mask = cut(RGB, (3, 4, 5, 6))
    assert mask[4:10, 3:8].all()
    assert mask.sum() == 30
    with pytest.raises(UsageError, match="outside"):
        cut(RGB, (90, 0, 5, 5))


@pytest.mark.usefixtures("package")
def test_the_desk_cuts_out_with_it(weights: Path) -> None:
    with opened(None, (RGB.astype(np.float32),), "cpu", weights) as desk:
        mask = mask_of(desk.cut_out((0, 0, 40, 30)), SIZE)
    assert mask[10:20, 10:20].all()
    assert mask.sum() == 100


def test_without_the_package_it_is_said_what_is_missing(
    weights: Path, package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = weights.with_name("mobile_sam.pt")
    small.write_bytes(weights.read_bytes())
    with pytest.raises(UsageError, match="needs the package mobile_sam"):
        SegmentAnything(small, "cpu")  # the other package has no such network
    monkeypatch.setitem(sys.modules, "segment_anything", None)
    with pytest.raises(UsageError, match="needs the package segment_anything or mobile_sam") as no:
        SegmentAnything(weights, "cpu")
    assert "docs/studio.md" in str(no.value.hint)
    package.sam_model_registry["vit_t"] = Net
    monkeypatch.setitem(sys.modules, "mobile_sam", package)
    SegmentAnything(small, "cpu")


@pytest.mark.usefixtures("package")
def test_files_that_are_not_its_weights_are_refused(weights: Path) -> None:
    with pytest.raises(UsageError, match="contains none of vit_h, vit_l, vit_b, mobile_sam"):
        SegmentAnything(weights.with_name("weights.pth"), "cpu")
    with pytest.raises(UsageError, match="does not exist"):
        SegmentAnything(weights.with_name("sam_vit_b_other.pth"), "cpu")
    torch.save({"other": torch.ones(1)}, weights)
    with pytest.raises(WeightsMismatch, match="does not have the weights of vit_b"):
        SegmentAnything(weights, "cpu")


def test_on_the_command_line_the_weights_are_looked_for_before_the_page_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["studio", "--no-browser", "--sam", str(tmp_path / "sam_vit_b.pth")]) == 2
    assert "sam_vit_b.pth" in (said := capsys.readouterr()).err
    assert not said.out  # no address
