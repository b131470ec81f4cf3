"""DRBA: RIFE driven by distance ratios, so that a drawing keeps the rhythm it was given.

For a frame near the centre of three, every pixel of the centre picture gets a timestep of its own,
from how far it moves to the left picture and how far to the right: what stands still on one side
and moves on the other advances at one speed across both. The maps are made on the grid of the
centre picture and scattered to where the pixels will be.

Source: routineLife1/DRBA (MIT). Its splatting in half precision, its maps for the unused side and
its changes to the caller's tensors are not repeated here.
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
"""A splat of ones that gives less than this received (next to) nothing."""
STILL = 1e-4
"""Added to every distance, pixels: a pixel that stands still on both sides gets half and half."""


class DrbaLink(NamedTuple):
    """The motion between two neighbouring pictures, padded size, pixels, float32."""

    forward: Tensor
    """(1, 2, H', W') on the left picture's grid: where each pixel is in the right one."""
    backward: Tensor
    """(1, 2, H', W') on the right picture's grid: where each pixel is in the left one."""


class Drba(Triples[RifePrepared, DrbaLink]):
    """A ``TripleInterpolator`` around a RIFE network with an encoder.

    Args:
        net: the network, 4.26.heavy in the original.
        info: the catalogue's row.
    """

    def __init__(self, net: Rife, info: ModelInfo) -> None:
        self.net = net
        self.flow_scale = net.flow_scale
        self.info = info

    def at_scale(self, flow_scale: float) -> Drba:
        """The same network at another flow scale; pictures and links are prepared anew."""
        return Drba(self.net.at_scale(flow_scale), self.info)

    def with_runner(self, runner: Runner) -> Drba:
        """See ``base.HasCore``; the core is the network's."""
        return Drba(self.net.with_runner(runner), self.info)

    def prepare(self, frame: Tensor) -> RifePrepared:
        """Padding and encoder features of a (1, 3, H, W) picture."""
        return self.net.prepare(frame)

    def pair(self, a: RifePrepared, b: RifePrepared, ts: Sequence[float | Tensor]) -> Tensor:
        """Plain RIFE, for places without a third picture."""
        return self.net.pair(a, b, ts)

    def middle(self, a: RifePrepared, b: RifePrepared) -> tuple[Tensor, RifePrepared]:
        """See ``base.HasMiddle``."""
        return self.net.middle(a, b)

    def link(self, a: RifePrepared, b: RifePrepared) -> DrbaLink:
        """The motion between ``a`` and ``b``; off the picture where no pixel came from."""
        return link_of(self.net.coarse_flow(a, b))

    def shown(self, picture: RifePrepared) -> Tensor:
        """The (1, 3, H, W) picture that was prepared."""
        return picture.image[..., : picture.height, : picture.width]

    def _sides(self, frames: Three[RifePrepared], links: Both[DrbaLink]) -> Side:
        flows = flows_of(links)

        def make(sign: int, near: list[float]) -> Tensor:
            maps = [ratio_map(abs(t - 1), *flows[sign]) for t in near]
            return self.net.between(frames[1], frames[1 + sign], torch.cat(maps))

        return make


def flows_of(links: Both[DrbaLink]) -> dict[int, tuple[Tensor, Tensor]]:
    """By the sign of a side (-1 left, 1 right), the centre's motion to that side and to the other.

    Args:
        links: of the left and the centre, of the centre and the right picture.
    """
    to_left, to_right = links[0].backward, links[1].forward
    return {-1: (to_left, to_right), 1: (to_right, to_left)}


def link_of(middle: Tensor) -> DrbaLink:
    """The motion between two pictures, from where the pixels half way come from and go.

    Args:
        middle: (1, 4, H', W') float32, pixels: from the frame half way to the left and to the
            right picture.
    """
    both = torch.cat((middle[:, :2], middle[:, 2:]))
    flow, landed = _splat_with_mass(both, both)
    # From a to the middle is half of the way; what nobody reaches is sent off the picture, so
    # that later splats lose it too.
    off = float(max(both.shape[-2:]))
    ab, ba = (2 * torch.where(landed, -flow, off)).chunk(2)
    return DrbaLink(ab, ba)


def ratios(flow_near: Tensor, flow_far: Tensor) -> Tensor:
    """Which part of the way from one side to the other lies on the far side, for every pixel.

    Half where the motion to either side is not known (``link_of`` sent it off the picture).

    Args:
        flow_near: (1, 2, H, W) float32, pixels, on the centre's grid: to the side of the new frame.
        flow_far: the same, to the other side.

    Returns:
        (1, 1, H, W), 0..1.
    """
    off = float(max(flow_near.shape[-2:]))
    is_known = (flow_near < 2 * off).all(1, True) & (flow_far < 2 * off).all(1, True)
    return torch.where(is_known, _ratio(flow_near, flow_far), 0.5)


def _ratio(flow_near: Tensor, flow_far: Tensor) -> Tensor:
    near = torch.linalg.vector_norm(flow_near, dim=1, keepdim=True) + STILL
    far = torch.linalg.vector_norm(flow_far, dim=1, keepdim=True) + STILL
    # A pixel that goes far on the near side takes smaller steps there: the ratio of the other.
    ratio: Tensor = far / (near + far)
    return ratio


def ratio_map(t: float, flow_near: Tensor, flow_far: Tensor) -> Tensor:
    """The distance-ratio map: for every pixel of the new frame, its timestep from the centre.

    Args:
        t: distance from the centre picture, 0 < t <= 0.5, on the side of ``flow_near``.
        flow_near: (1, 2, H, W) float32, pixels, on the centre's grid: to the side t lies on.
        flow_far: the same, to the other side.

    Returns:
        (1, 1, H, W) float32.
    """
    step = _step(t, flow_near, flow_far)
    there, landed = _splat_with_mass(step, flow_near * step)
    return torch.where(landed, there, step)


def _step(t: float, flow_near: Tensor, flow_far: Tensor) -> Tensor:
    return 2 * t * _ratio(flow_near, flow_far)


def _splat_with_mass(values: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """The average of what lands on every pixel, and where anything does (N, 1, H, W), bool."""
    ones = torch.ones_like(values[:, :1])
    out = splat(torch.cat((values, ones), 1), flow, "avg")
    return out[:, :-1], out[:, -1:] >= HOLE_BELOW
