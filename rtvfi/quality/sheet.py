"""A picture sheet with the results of all methods on the hardest triplet of every set.

Each set has three rows: the whole pictures, scaled down; their difference from the truth (brighter
is larger; white from 64 levels on); and, at full resolution, the region with the largest errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.core.colour import KB, KG, KR, U_SPAN, V_SPAN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

    from rtvfi.quality.measure import Example
    from rtvfi.quality.triplets import Picture

    Rgb = NDArray[np.uint8]

CELL: Final = 400
"""Width of a cell, pixels."""
GAP: Final = 6
LABEL: Final = 18
"""Height of a line of text."""
_GAIN: Final = 4
_GROUND: Final = (32, 32, 32)


def to_rgb(picture: Picture) -> Rgb:
    """Convert from full-range BT.709 to (H, W, 3), RGB, 8-bit; chroma is upsampled by repeating."""
    y = picture.y.astype(np.float32)
    u, v = (plane.repeat(2, 0).repeat(2, 1) - np.float32(128) for plane in picture.uv)
    red, blue = y + V_SPAN * v, y + U_SPAN * u
    rgb = np.stack([red, (y - KR * red - KB * blue) / KG, blue], axis=-1)
    codes: Rgb = rgb.round().clip(0, 255).astype(np.uint8)
    return codes


def error_map(made: Picture, truth: Picture) -> NDArray[np.uint8]:
    """(H, W), 8-bit: four times the absolute difference of luma."""
    difference = np.abs(made.y.astype(np.int16) - truth.y)
    bright: NDArray[np.uint8] = (_GAIN * difference).clip(0, 255).astype(np.uint8)
    return bright


def hardest_place(errors: Sequence[NDArray[np.uint8]], width: int, height: int) -> tuple[int, int]:
    """Position (x, y) of the region of that size with the largest sum of errors of all methods."""
    total = np.sum([e.astype(np.float64) for e in errors], axis=0)
    sums = np.pad(total.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = (sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]) + sums[
        :-height, :-width
    ]
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    return int(x), int(y)


def sheet(examples: Sequence[Example]) -> Image:
    """The sheet of all sets, one below the other, as a PIL image."""
    from PIL import Image as Pil

    blocks = [_block(example) for example in examples]
    width = max(block.width for block in blocks)
    height = sum(block.height for block in blocks)
    whole = Pil.new("RGB", (width, height), _GROUND)
    top = 0
    for block in blocks:
        whole.paste(block, (0, top))
        top += block.height
    return whole


def write_sheet(examples: Sequence[Example], path: Path) -> None:
    """Write the sheet to a picture file."""
    sheet(examples).save(path)


def _block(example: Example) -> Image:
    from PIL import Image as Pil
    from PIL import ImageDraw

    triplet = example.triplet
    given = {"left": triplet.left, "truth": triplet.middle, "right": triplet.right}
    columns: dict[str, Picture] = {**given, **example.made}
    errors = {name: error_map(p, triplet.middle) for name, p in columns.items()}
    height, width = triplet.middle.y.shape
    cell_height = round(CELL * height / width)
    part = (min(CELL, width), min(cell_height, height))
    x, y = hardest_place([errors[name] for name in example.made], *part)

    def cut(picture: Image) -> Image:
        return picture.crop((x, y, x + part[0], y + part[1])).resize((CELL, cell_height))

    size = (
        len(columns) * (CELL + GAP) + GAP,
        2 * LABEL + 3 * (cell_height + GAP) + GAP,
    )
    block = Pil.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(block)
    draw.text((GAP, 2), f"{example.set_name}: {triplet.id}, {width}x{height}", fill="white")
    for number, (name, picture) in enumerate(columns.items()):
        left, top = GAP + number * (CELL + GAP), 2 * LABEL
        draw.text((left, LABEL + 2), name, fill="white")
        whole = Pil.fromarray(to_rgb(picture))
        shown = [
            whole.resize((CELL, cell_height), Pil.Resampling.BOX),
            Pil.fromarray(errors[name]).resize((CELL, cell_height), Pil.Resampling.BOX),
            cut(whole),
        ]
        for row, image in enumerate(shown):
            block.paste(image, (left, top + row * (cell_height + GAP)))
    return block
