"""Scenes for networks with a distance index: the truth at some time, and how far everything is.

The index is exact, and objects that hurry or are late (``SceneOptions.easing``) make it differ from
the time; so does what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from rtvfi.core.errors import UsageError
from rtvfi.models.interpany.index import enlarged, softened, softened_small
from rtvfi.models.interpany.parts import Reference
from rtvfi.models.interpany.rows import has_reference, is_told_distance

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from rtvfi.draw.scenes import SceneBatch, Scenes
    from rtvfi.models.interpany.rows import Variant


class IndexSample(NamedTuple):
    """N pairs of pictures, and what lies between."""

    img0: Tensor
    """(N, 3, H, W) float32, 0..1."""
    img1: Tensor
    truth: Tensor
    """The same at the target."""
    time: Tensor
    """(N, 1, H, W): the time of the target everywhere."""
    gone: Tensor
    """(N, 1, H, W): how far each pixel of img0 has gone in the target, clipped and blurred."""
    reference: Reference | None = None
    """A picture of the same scenes, with its exact index."""
    reference_time: Tensor | None = None
    """(N, 1, H, W): its time everywhere."""

    def shown(self, variant: Variant) -> tuple[Tensor, Reference | None]:
        """Index and reference as a variant is told them: T and TR know times only."""
        index = self.gone if is_told_distance(variant) else self.time
        if not has_reference(variant):
            return index, None
        assert self.reference is not None
        assert self.reference_time is not None
        gone = self.reference.gone if is_told_distance(variant) else self.reference_time
        return index, Reference(self.reference.picture, gone)


def is_softened_small(network: str, variant: Variant) -> bool:
    """Whether a network is shown its index blurred at half size: RIFE D alone."""
    return (network, variant) == ("rife", "d")


def drawn(
    scenes: Scenes, number: int, num_scenes: int, *, has_reference: bool, is_small: bool
) -> IndexSample:
    """Batch ``number`` as a sample, uncropped; depends on the scenes' seed and the number alone.

    Args:
        scenes: with ``truth``.
        number: of the batch.
        num_scenes: in it.
        has_reference: draw one at another time, or one of the ends, too.
        is_small: blur the index as RIFE D is shown it.
    """
    g = torch.Generator().manual_seed(scenes.seed * 3_000_017 + number)
    t, other = (0.05 + 0.9 * torch.rand(2, generator=g)).tolist()
    target = scenes.batch(number, num_scenes, t)
    img0, truth, img1 = (picture.float() / 255 for picture in target[:3])
    time, gone = _index(target, t, is_small=is_small)
    sample = IndexSample(img0, img1, truth, time, gone)
    if not has_reference:
        return sample
    kind = int(torch.randint(0, 6, (), generator=g))
    if kind == 0:
        at, picture, place = 0.0, img0, torch.zeros_like(gone)
    elif kind == 1:
        at, picture, place = 1.0, img1, torch.ones_like(gone)
    else:
        between = scenes.batch(number, num_scenes, other)
        at, picture = other, between.middle.float() / 255
        _, place = _index(between, other, is_small=is_small)
    return sample._replace(
        reference=Reference(picture, place), reference_time=torch.full_like(gone, at)
    )


def _index(batch: SceneBatch, t: float, *, is_small: bool) -> tuple[Tensor, Tensor]:
    """The time everywhere, and the exact index as a network is shown it."""
    small = batch.gone[:, :1].float()
    # What does not move is everywhere at once; the time is as true as anything.
    small = torch.where(small.isfinite(), small, t)
    gone = softened_small(small) if is_small else softened(enlarged(small))
    return torch.full_like(gone, t), gone


def varied(sample: IndexSample, crop: int, g: Generator) -> IndexSample:
    """Cut out, mirrored, turned and coloured anew, everything alike."""
    height, width = sample.img0.shape[-2:]
    if min(height, width) < crop:
        raise UsageError(f"pictures of {width}x{height} are too small to cut {crop} out", "--crop")
    top, left = (int(torch.randint(0, n - crop + 1, (), generator=g)) for n in (height, width))
    turns, flips = torch.randint(0, 4, (2,), generator=g).tolist()
    colours = torch.randperm(3, generator=g)

    def changed(picture: Tensor) -> Tensor:
        picture = picture[..., top : top + crop, left : left + crop]
        if flips & 1:
            picture = picture.flip(-1)
        if flips & 2:
            picture = picture.flip(-2)
        picture = torch.rot90(picture, turns, (-2, -1))
        return picture[:, colours] if picture.shape[1] == 3 else picture

    reference, at = sample.reference, sample.reference_time
    return IndexSample(
        img0=changed(sample.img0),
        img1=changed(sample.img1),
        truth=changed(sample.truth),
        time=changed(sample.time),
        gone=changed(sample.gone),
        reference=reference and Reference(changed(reference.picture), changed(reference.gone)),
        reference_time=None if at is None else changed(at),
    )
