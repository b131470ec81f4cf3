"""Training samples for networks with a distance index, drawn with the exact index.

The index differs from the time where objects accelerate, slow down (``SceneOptions.easing``) or
turn back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from rtvfi.core.errors import UsageError
from rtvfi.models.interpany.index import enlarged, softened, softened_small
from rtvfi.models.interpany.parts import Reference
from rtvfi.models.interpany.rows import has_reference, takes_distance

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from rtvfi.draw.scenes import SceneBatch, Scenes
    from rtvfi.models.interpany.rows import Variant


class IndexSample(NamedTuple):
    """N pairs of pictures, a true picture between them, and its distance index."""

    img0: Tensor
    """(N, 3, H, W) float32, [0, 1]."""
    img1: Tensor
    """The same shape."""
    truth: Tensor
    """The same shape: the true picture at the target time."""
    time: Tensor
    """(N, 1, H, W): a uniform index, the target time in every pixel."""
    gone: Tensor
    """(N, 1, H, W): the distance index, how far each pixel of img0 has moved in the target, clipped
    to [0, 1] and blurred.
    """
    reference: Reference | None = None
    """Another picture of the same scenes, with its exact index."""
    reference_time: Tensor | None = None
    """(N, 1, H, W): the reference's time in every pixel."""

    def shown(self, variant: Variant) -> tuple[Tensor, Reference | None]:
        """The index and reference that a variant gets; T and TR get a uniform index."""
        index = self.gone if takes_distance(variant) else self.time
        if not has_reference(variant):
            return index, None
        assert self.reference is not None
        assert self.reference_time is not None
        gone = self.reference.gone if takes_distance(variant) else self.reference_time
        return index, Reference(self.reference.picture, gone)


def is_softened_small(network: str, variant: Variant) -> bool:
    """Whether a network is shown its index blurred at half size: RIFE D alone."""
    return (network, variant) == ("rife", "d")


def drawn(
    scenes: Scenes, number: int, num_scenes: int, *, has_reference: bool, is_small: bool
) -> IndexSample:
    """Draw batch ``number`` as a sample, uncropped; depends only on the scenes' seed and number.

    Args:
        scenes: must be drawn with the option ``truth``.
        number: of the batch.
        num_scenes: scenes in the batch.
        has_reference: also draw a reference picture, at another time or one of the ends.
        is_small: blur the index at half size, as RIFE D gets it.
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
    """The uniform index, and the exact index clipped and blurred."""
    small = batch.gone[:, :1].float()
    # The index of pixels that do not move is undefined (NaN); any value is right, so use the time.
    small = torch.where(small.isfinite(), small, t)
    gone = softened_small(small) if is_small else softened(enlarged(small))
    return torch.full_like(gone, t), gone


def varied(sample: IndexSample, crop: int, g: Generator) -> IndexSample:
    """Crop, mirror, rotate and permute colour channels at random, all tensors of a sample alike.

    Raises:
        UsageError: the pictures are smaller than ``crop`` pixels.
    """
    height, width = sample.img0.shape[-2:]
    if min(height, width) < crop:
        raise UsageError(
            f"pictures of {width}x{height} are smaller than the crop of {crop} pixels",
            "use a smaller --crop",
        )
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
