"""Picture sheets of generated scenes, for visual inspection before training on them."""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING

import torch

from rtvfi.stream.write.stills import write_png

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from rtvfi.draw.scenes import Scenes

GAP = 4
WHEEL = torch.tensor([colorsys.hsv_to_rgb(k / 256, 1, 1) for k in range(256)])


def tiled(rows: Sequence[Sequence[Tensor]]) -> Tensor:
    """Tile pictures, each (3, h, w), uint8, of one size, with grey gaps: (3, H, W), uint8."""
    _, height, width = rows[0][0].shape
    columns = max(len(row) for row in rows)
    size = (3, len(rows) * (height + GAP) + GAP, columns * (width + GAP) + GAP)
    sheet = torch.full(size, 128, dtype=torch.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = GAP + i * (height + GAP), GAP + j * (width + GAP)
            sheet[:, top : top + height, left : left + width] = picture
    return sheet


def write_sheet(picture: Tensor, path: Path) -> None:
    """Write (3, H, W) uint8 RGB as a PNG file.

    Raises:
        EncodeError: it cannot be written.
    """
    write_png(path, (picture.permute(1, 2, 0).float() / 255).numpy(), 8)


def flow_colours(motion: Tensor, largest: float) -> Tensor:
    """Colour code a flow, (2, H, W), pixels, as (3, H, W), uint8: direction as hue, length as
    brightness, which is full at ``largest`` pixels.
    """
    hue = (torch.atan2(motion[1], motion[0]) / (2 * math.pi) * 256).long() % 256
    light = (motion.norm(dim=0) / largest).clamp(0, 1)
    colours: Tensor = WHEEL[hue].permute(2, 0, 1) * light * 255
    return colours.byte()


def scene_sheet(scenes: Scenes, num_scenes: int) -> Tensor:
    """A sheet with one training scene per row: left, middle, right, and the flow from the middle to
    the left.
    """
    batch = scenes.batch(0, num_scenes)
    rows = []
    for k in range(num_scenes):
        motion = batch.flow[k, 0:2].float().repeat_interleave(2, 1).repeat_interleave(2, 2)
        colours = flow_colours(motion, max(1.0, float(motion.norm(dim=0).max())))
        rows.append([batch.left[k], batch.middle[k], batch.right[k], colours])
    return tiled(rows)
