from __future__ import annotations

from typing import TYPE_CHECKING

import av
import torch

from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Scenes
from rtvfi.train.sheet import GAP, flow_colours, scene_sheet, tiled, write_sheet

if TYPE_CHECKING:
    from pathlib import Path


def test_pictures_stand_in_rows_with_a_gap(tmp_path: Path) -> None:
    red = torch.zeros(3, 4, 6, dtype=torch.uint8)
    red[0] = 255
    sheet = tiled([[red, red], [red]])
    assert sheet.shape == (3, 2 * (4 + GAP) + GAP, 2 * (6 + GAP) + GAP)
    assert sheet[:, GAP, GAP].tolist() == [255, 0, 0]
    assert sheet[:, -GAP - 1, -GAP - 1].tolist() == [128, 128, 128]
    write_sheet(sheet, tmp_path / "sheet.png")
    with av.open(str(tmp_path / "sheet.png")) as file:
        read = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert torch.equal(torch.from_numpy(read).permute(2, 0, 1), sheet)


def test_opposite_motions_have_opposite_colours() -> None:
    motion = torch.tensor([[[5.0, -5.0, 0.0]], [[0.0, 0.0, 0.0]]])
    assert flow_colours(motion, 5.0)[:, 0].T.tolist() == [[255, 0, 0], [0, 255, 255], [0, 0, 0]]


def test_a_sheet_has_a_row_of_four_per_scene() -> None:
    options = SceneOptions(size=48, fastest=6.0, num_backgrounds=2, num_sprites=2)
    pairs = scene_sheet(Scenes(options, 1), 2)
    assert pairs.shape == (3, 2 * (48 + GAP) + GAP, 4 * (48 + GAP) + GAP)
