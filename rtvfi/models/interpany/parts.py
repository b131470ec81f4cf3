"""The common interface of the four networks, and helper functions for warping.

Source of the architectures: Zhong et al., "Clearer Frames, Anytime: Resolving Velocity Ambiguity in
Video Frame Interpolation" (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import torch
from torch import nn

from rtvfi.models.warp import backwarp, enlarge

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Padding:
    """How a network needs its pictures padded."""

    multiple: int
    """Sizes are padded to multiples of this; below flow scale 1, of ``multiple / flow_scale``."""
    least: int = 1
    """Minimum padded size; below flow scale 1, ``least / flow_scale``."""
    fill: Literal["zero", "replicate"] = "replicate"
    is_centred: bool = True
    """Whether to pad on all sides (left and above: rounded down), or only on the right and below.
    """


class Reference(NamedTuple):
    """A picture between the same img0 and img1, with its distance index."""

    picture: Tensor
    """(N, 3, H, W)."""
    gone: Tensor
    """(N, 1, H, W): its distance index, 0..1."""


class Estimate(NamedTuple):
    """The output of a network for one distance index."""

    picture: Tensor
    """(N, 3, H, W), 0..1."""
    flows: list[Tensor]
    """Coarse to fine, (N, 4, h, w) float32: from the new frame to img0 and to img1, in pixels of
    that size."""
    merged: list[Tensor] = []  # noqa: RUF012 - never written to
    """Coarse to fine, (N, 3, H, W): both pictures warped and blended, without a residual."""
    masks: list[Tensor] = []  # noqa: RUF012
    """Coarse to fine, (N, 1, H, W): the weight of img0 in ``merged``."""


Encoded = Any
"""What all distance indices between two pictures share. ``Any``: each network has its own type."""


class Network(nn.Module):
    """Base class of the networks.

    ``encode`` computes what depends only on the two pictures, ``decode`` the rest for one distance
    index. Pictures must be padded as ``padding`` says; inputs are never modified.
    """

    padding: ClassVar[Padding]
    has_reference: bool
    """Whether ``decode`` needs a reference (the variants TR and DR)."""

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Encoded:
        """Compute what all distance indices between two pictures share.

        Args:
            img0: (N, 3, H, W), 0..1, in the dtype of the network.
            img1: the same.
            flow_scale: size at which motion is estimated, relative to the pictures.
        """
        raise NotImplementedError

    def decode(
        self, shared: Encoded, index: Tensor, reference: Reference | None = None
    ) -> Estimate:
        """Compute the picture at a distance index.

        Args:
            shared: the result of ``encode``.
            index: (N, 1, H, W) float32: how far each pixel of img0 has moved on its path to img1,
                0..1; for a timestep t, t everywhere.
            reference: required if ``has_reference``.
        """
        raise NotImplementedError

    def coarse_flow(self, shared: Encoded, index: Tensor, reference: Reference | None) -> Tensor:
        """A first estimate of the flow at little cost: (N, 4, H, W) float32, full-size pixels.

        From the new frame to img0 and to img1; arguments as in ``decode``.
        """
        raise NotImplementedError


def joined(*parts: Tensor) -> Tensor:
    """Concatenate the channels of all parts in the dtype of the first; a flow loses precision."""
    return torch.cat([part.to(parts[0].dtype) for part in parts], 1)


def fetched(img0: Tensor, img1: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Warp both pictures along a (N, 4, H, W) flow."""
    return backwarp(img0, flow[:, :2]), backwarp(img1, flow[:, 2:4])


def larger_flow(flow: Tensor, factor: float) -> Tensor:
    """Resize a flow by ``factor``, and scale its vectors to pixels of the new size."""
    return flow if factor == 1 else enlarge(flow, factor) * factor
