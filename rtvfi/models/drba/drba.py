"""DRBA: RIFE driven by distance ratios, which keeps the timing of the drawings.

For a frame near the centre of three pictures, every pixel of the centre picture gets its own
timestep from its distances to its positions in the left and the right picture: content that stands
still on one side and moves on the other advances at one speed across both. The maps are computed on
the grid of the centre picture and splatted to where the pixels will be.

Source: routineLife1/DRBA (MIT). Unlike there, splats are not in half precision, maps of the unused
side are not computed, and the caller's tensors are not modified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from rtvfi.models.rife.network import RifePrepared
from rtvfi.models.triple import Triples
from rtvfi.models.warp import splat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rtvfi.models.base import ModelInfo, Runner
    from rtvfi.models.rife.network import Rife
    from rtvfi.models.triple import Both, Side, Three

HOLE_BELOW = 0.999
"""Where a splat of ones is below this, (almost) no pixel was splatted."""
STILL = 1e-4
"""Added to every distance, pixels, so that pixels at rest on both sides get a ratio of one half."""


class DrbaLink(NamedTuple):
    """The flows between two neighbouring pictures at their padded size, pixels, float32."""

    forward: Tensor
    """(1, 2, H', W'), from left to right, on the left picture's grid."""
    backward: Tensor
    """(1, 2, H', W'), from right to left, on the right picture's grid."""


class Drba(Triples[RifePrepared, DrbaLink]):
    """A ``TripleInterpolator`` around a RIFE network with an encoder.

    Args:
        net: the network; 4.26.heavy in the original.
        info: the row of the catalogue.
    """

    def __init__(self, net: Rife, info: ModelInfo) -> None:
        self.net = net
        self.flow_scale = net.flow_scale
        self.info = info

    def at_scale(self, flow_scale: float) -> Drba:
        """The same network at another flow scale; pictures and links must be prepared again."""
        return Drba(self.net.at_scale(flow_scale), self.info)

    def with_runner(self, runner: Runner) -> Drba:
        """The same model, with the core of its RIFE network run by ``runner``."""
        return Drba(self.net.with_runner(runner), self.info)

    def prepare(self, frame: Tensor) -> RifePrepared:
        """Compute padding and encoder features of a picture, (1, 3, H, W)."""
        return self.net.prepare(frame)

    def pair(self, a: RifePrepared, b: RifePrepared, ts: Sequence[float | Tensor]) -> Tensor:
        """Interpolate with plain RIFE, where there is no third picture."""
        return self.net.pair(a, b, ts)

    def middle(self, a: RifePrepared, b: RifePrepared) -> tuple[Tensor, RifePrepared]:
        """The picture half way, and the same prepared; see ``base.HasMiddle.middle``."""
        return self.net.middle(a, b)

    def link(self, a: RifePrepared, b: RifePrepared) -> DrbaLink:
        """The flows between ``a`` and ``b``; they point off the picture where nothing matches."""
        return link_of(self.net.coarse_flow(a, b))

    def shown(self, picture: RifePrepared) -> Tensor:
        """The original picture, (1, 3, H, W), of a prepared one."""
        return picture.image[..., : picture.height, : picture.width]

    def _sides(self, frames: Three[RifePrepared], links: Both[DrbaLink]) -> Side:
        flows = flows_of(links)

        def make(sign: int, near: list[float]) -> Tensor:
            maps = [ratio_map(abs(t - 1), *flows[sign]) for t in near]
            return self.net.between(frames[1], frames[1 + sign], torch.cat(maps))

        return make


def flows_of(links: Both[DrbaLink]) -> dict[int, tuple[Tensor, Tensor]]:
    """The centre picture's flows to one side and to the other, by the sign of the side.

    Args:
        links: of (left, centre) and of (centre, right).

    Returns:
        {-1: (to the left, to the right), 1: (to the right, to the left)}.
    """
    to_left, to_right = links[0].backward, links[1].forward
    return {-1: (to_left, to_right), 1: (to_right, to_left)}


def link_of(middle: Tensor) -> DrbaLink:
    """The flows between two pictures, from the flows of the frame half way between them.

    Args:
        middle: (1, 4, H', W'), float32, pixels: from the frame half way to the left and to the
            right picture.
    """
    both = torch.cat((middle[:, :2], middle[:, 2:]))
    flow, landed = _splat_with_mass(both, both)
    # Double the flow from a picture to the middle. Pixels that nothing reaches get a flow that
    # points off the picture, so that later splats drop them too.
    off = float(max(both.shape[-2:]))
    ab, ba = (2 * torch.where(landed, -flow, off)).chunk(2)
    return DrbaLink(ab, ba)


def ratios(flow_near: Tensor, flow_far: Tensor) -> Tensor:
    """The length of the far flow as a fraction of both lengths, for every pixel.

    It is 0.5 where the motion to one side is unknown (``link_of`` makes it point off the picture).

    Args:
        flow_near: (1, 2, H, W), float32, pixels, on the centre's grid: to the new frame's side.
        flow_far: the same shape, to the other side.

    Returns:
        (1, 1, H, W), [0, 1].
    """
    off = float(max(flow_near.shape[-2:]))
    is_known = (flow_near < 2 * off).all(1, True) & (flow_far < 2 * off).all(1, True)
    return torch.where(is_known, _ratio(flow_near, flow_far), 0.5)


def _ratio(flow_near: Tensor, flow_far: Tensor) -> Tensor:
    near = torch.linalg.vector_norm(flow_near, dim=1, keepdim=True) + STILL
    far = torch.linalg.vector_norm(flow_far, dim=1, keepdim=True) + STILL
    # A pixel with a long motion on the near side takes smaller steps there, hence the far length.
    ratio: Tensor = far / (near + far)
    return ratio


def ratio_map(t: float, flow_near: Tensor, flow_far: Tensor) -> Tensor:
    """The distance-ratio map: for every pixel of the new frame, its timestep from the centre.

    Args:
        t: distance in time from the centre picture, 0 < t <= 0.5, on the side of ``flow_near``.
        flow_near: (1, 2, H, W), float32, pixels, on the centre's grid: to the new frame's side.
        flow_far: the same shape, to the other side.

    Returns:
        (1, 1, H, W), float32, on the grid of the new frame.
    """
    step = _step(t, flow_near, flow_far)
    there, landed = _splat_with_mass(step, flow_near * step)
    return torch.where(landed, there, step)


def _step(t: float, flow_near: Tensor, flow_far: Tensor) -> Tensor:
    return 2 * t * _ratio(flow_near, flow_far)


def _splat_with_mass(values: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """The average of the values splatted to each pixel, and where there are any, (N, 1, H, W)."""
    ones = torch.ones_like(values[:, :1])
    out = splat(torch.cat((values, ones), 1), flow, "avg")
    return out[:, :-1], out[:, -1:] >= HOLE_BELOW
