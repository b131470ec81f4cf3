"""Evaluates networks with a distance index, with the true index or a uniform one.

The authors' protocol: the five pictures between the first and last of seven are interpolated. The
index of each is computed from flow to the true picture, which a player does not have, or equals its
time in every pixel (``uniform``). On drawn scenes the true index is exact.

Source: zzh-tech/InterpAny-Clearer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from rtvfi.core.colour import KB, KG, KR
from rtvfi.core.errors import OpenError, UsageError
from rtvfi.draw.scenes import Scenes
from rtvfi.models.interpany.model import Interpany
from rtvfi.models.interpany.rows import named, takes_distance
from rtvfi.models.load import load_model
from rtvfi.quality.measures.lines import line_distance, line_points
from rtvfi.quality.measures.metrics import psnr, ssim
from rtvfi.train.index.data import IndexSample, drawn, is_softened_small
from rtvfi.train.index.septuplets import NUM, folders, index_path, triple_of
from rtvfi.train.index.trainer import scene_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

NUM_SCENES: Final = 24
_SCENES: Final = scene_options(size=160, fastest=48.0)


class Score(NamedTuple):
    """The means over all pictures."""

    num: int
    """Number of pictures."""
    psnr: float
    ssim: float
    lines: float
    """Line distance, see ``docs/quality.md``."""


def scene_samples(count: int, seed: int) -> Callable[[bool], Iterator[IndexSample]]:
    """Samples of drawn scenes at random times.

    Returns:
        A function that yields the samples; its argument says whether the index is blurred at half
        size.
    """
    scenes = Scenes(_SCENES, 90_000 + seed)

    def samples(is_small: bool) -> Iterator[IndexSample]:
        for number in range(count):
            yield drawn(scenes, number, 1, has_reference=False, is_small=is_small)

    return samples


def septuplet_samples(
    top: Path, count: int | None, *, is_uniform: bool
) -> Callable[[bool], Iterator[IndexSample]]:
    """Samples for the five pictures between the first and last of every septuplet.

    Args:
        top: folder of septuplets.
        count: number of septuplets; None = all.
        is_uniform: do not read indices.

    Returns:
        As ``scene_samples``.

    Raises:
        OpenError: there are no septuplets, or their indices are missing.
    """
    every = folders(top)[:count]
    if not is_uniform and not all(index_path(f, (0, 1, NUM - 1)).exists() for f in every):
        raise OpenError(
            f'"{top}" has no indices',
            f'compute them with: rtvfi train --make-index "{top}"; --uniform needs none',
        )

    def samples(is_small: bool) -> Iterator[IndexSample]:
        for folder in every:
            for target in range(1, NUM - 1):
                yield triple_of(
                    folder, (0, target, NUM - 1), is_small=is_small, has_index=not is_uniform
                )

    return samples


def score(
    model_id: str,
    samples: Callable[[bool], Iterator[IndexSample]],
    device: torch.device,
    *,
    is_uniform: bool,
) -> Score:
    """Evaluate one model; variants T and TR always get a uniform index.

    Raises:
        UsageError: it is not an InterpAny-Clearer network.
        ModelError: it cannot be loaded.
    """
    model = load_model(model_id, device, torch.float32)
    if not isinstance(model, Interpany):
        raise UsageError(f'"{model_id}" does not take a distance index', "use --models interpany-*")
    said = named(model_id)
    is_time = is_uniform or not takes_distance(said.variant)
    found = []
    for sample in samples(is_softened_small(said.network, said.variant)):
        index = sample.time if is_time else sample.gone
        with torch.inference_mode():
            a, b = (model.prepare(x.to(device)) for x in (sample.img0, sample.img1))
            made = model.pair(a, b, [index.to(device)])
        picture, truth = (_luma(x[0].cpu()) for x in (made, sample.truth))
        lines = line_distance(line_points(picture), line_points(truth))
        found.append((psnr(picture, truth), ssim(picture, truth), lines or 0.0))
    means = np.array(found).mean(0)
    return Score(len(found), *(float(mean) for mean in means))


def _luma(image: Tensor) -> NDArray[np.uint8]:
    """8-bit luma (H, W) of an RGB picture (3, H, W), [0, 1]."""
    red, green, blue = image.float().clamp(0, 1).mul(255).numpy()
    grey: NDArray[np.uint8] = np.rint(KR * red + KG * green + KB * blue).astype(np.uint8)
    return grey
