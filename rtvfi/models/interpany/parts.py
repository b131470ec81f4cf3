"""What the four networks have in common: what they take and give, and how they fetch pictures.

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
    """How a network wants its pictures enlarged."""

    multiple: int
    """Both sides become multiples of this; of ``multiple / flow_scale`` below flow scale 1."""
    least: int = 1
    """Both sides become at least this long, divided by the flow scale like ``multiple``."""
    fill: Literal["zero", "replicate"] = "replicate"
    is_centred: bool = True
    """Half of it left and above (the smaller half), else all of it right and below."""


class Reference(NamedTuple):
    """A picture of the same pair whose place is known."""

    picture: Tensor
    """(N, 3, H, W)."""
    gone: Tensor
    """(N, 1, H, W): how far each pixel has gone in it, 0..1."""


class Estimate(NamedTuple):
    """What a network says about one moment."""

    picture: Tensor
    """(N, 3, H, W), 0..1."""
    flows: list[Tensor]
    """Coarse to fine, (N, 4, h, w) float32: from the new frame to img0 and to img1, in pixels of
    the size at hand."""
    merged: list[Tensor] = []  # noqa: RUF012 - never written to
    """Coarse to fine, (N, 3, H, W): both pictures fetched and blended, nothing added."""
    masks: list[Tensor] = []  # noqa: RUF012
    """Coarse to fine, (N, 1, H, W): the weight of img0 in ``merged``."""


Encoded = Any
"""What all moments between two pictures share. Any and not object: each network takes its own."""


class Network(nn.Module):
    """One of the networks.

    What it computes from the two pictures alone is ``encode``; ``decode`` does the rest for one
    distance index. Pictures have sizes that fit ``padding``; nothing is written to.
    """

    padding: ClassVar[Padding]
    has_reference: bool
    """Whether ``decode`` needs a reference (the variants TR and DR)."""

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Encoded:
        """What all moments between two pictures share.

        Args:
            img0: (N, 3, H, W), 0..1, in the dtype of the network.
            img1: the same.
            flow_scale: motion is estimated at this share of the size.
        """
        raise NotImplementedError

    def decode(
        self, shared: Encoded, index: Tensor, reference: Reference | None = None
    ) -> Estimate:
        """The picture where ``index`` says.

        Args:
            shared: from ``encode``.
            index: (N, 1, H, W) float32: which share of its way from img0 to img1 each pixel has
                gone, on the grid of img0; a time t is the map that is t everywhere.
            reference: where ``has_reference``.
        """
        raise NotImplementedError

    def coarse_flow(self, shared: Encoded, index: Tensor, reference: Reference | None) -> Tensor:
        """A first, cheap estimate: (N, 4, H, W) float32, full-size pixels, as in ``Estimate``."""
        raise NotImplementedError


def joined(*parts: Tensor) -> Tensor:
    """Channels of all parts, in the dtype of the first; a flow among them loses precision here."""
    return torch.cat([part.to(parts[0].dtype) for part in parts], 1)


def fetched(img0: Tensor, img1: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures where a (N, 4, H, W) flow points."""
    return backwarp(img0, flow[:, :2]), backwarp(img1, flow[:, 2:4])


def larger_flow(flow: Tensor, factor: float) -> Tensor:
    """A flow at another size, in pixels of that."""
    return flow if factor == 1 else enlarge(flow, factor) * factor
