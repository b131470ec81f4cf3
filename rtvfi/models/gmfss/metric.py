"""The metric of softmax splatting: the weight of a pixel where several are splatted to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from rtvfi.models.gmfss.layers import Layers
from rtvfi.models.warp import backwarp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rtvfi.models.tuning import Tuning

LOOSENESS = 0.01
"""In a visible pixel, both flows may disagree by this share of their lengths, plus ``SLACK``."""
SLACK = 0.5
"""Pixels."""


class Seen(NamedTuple):
    """How two pictures and their flows disagree, as (N, 1, h, w) float32 maps of both pictures."""

    errors: tuple[Tensor, Tensor]
    """Mean over the colours of the absolute difference to the other picture, warped by the flow."""
    occluded: tuple[Tensor, Tensor]
    """1 where the forward and backward flows are inconsistent, else 0."""


class MetricNet:
    """Seven convolutions over both pictures, both flows and ``Seen``.

    It is not symmetric: swapping the pictures does not simply swap the metrics.

    Args:
        state: parameters of the part ``metric``.
        tuning: device, dtype and layout.
        has_tanh: whether the weights were trained with a final 10 tanh(x); this cannot be
            recognised from the parameters.
    """

    def __init__(self, state: Mapping[str, Tensor], tuning: Tuning, *, has_tanh: bool) -> None:
        self._layers = Layers(state, tuning)
        self.has_tanh = has_tanh

    def __call__(self, a: Tensor, b: Tensor, ab: Tensor, ba: Tensor) -> tuple[Tensor, Tensor]:
        """The metrics of two pictures.

        Args:
            a: (N, 3, h, w) float32, [0, 1].
            b: the other picture.
            ab: (N, 2, h, w) float32, pixels: the flow from ``a`` to ``b``, on the grid of ``a``.
            ba: the flow from ``b`` to ``a``, on the grid of ``b``.

        Returns:
            (N, 1, h, w) float32 for the pixels of ``a`` and of ``b``.
        """
        seen = look(a, b, ab, ba)
        height, width = a.shape[-2:]
        half = ab.new_tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
        errors = [-error for error in seen.errors]
        x = torch.cat((a, b, *errors, ab / half, ba / half, *seen.occluded), 1)
        layers = self._layers
        x = layers.conv("metric_in", x)
        for i in (1, 2, 3):
            name = f"metric_net{i}"
            x = layers.conv(f"{name}.1", layers.prelu(f"{name}.0", x)) + x
        out = layers.conv("metric_out.1", layers.prelu("metric_out.0", x)).float()
        if self.has_tanh:
            out = 10 * out.tanh()
        return out[:, :1], out[:, 1:]


def look(a: Tensor, b: Tensor, ab: Tensor, ba: Tensor) -> Seen:
    """Compute how a pair disagrees; arguments as in ``MetricNet.__call__``."""
    fetched_b = backwarp(torch.cat((b, ba), 1), ab, outside="zero")
    fetched_a = backwarp(torch.cat((a, ab), 1), ba, outside="zero")
    allowed = LOOSENESS * (_length(ab) + _length(ba)) + SLACK
    return Seen(
        (
            (a - fetched_b[:, :3]).abs().mean(1, keepdim=True),
            (b - fetched_a[:, :3]).abs().mean(1, keepdim=True),
        ),
        (
            (_length(ab + fetched_b[:, 3:]) > allowed).float(),
            (_length(ba + fetched_a[:, 3:]) > allowed).float(),
        ),
    )


def _length(flow: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(flow, dim=1, keepdim=True)
    return length
