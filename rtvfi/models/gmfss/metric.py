"""How much each pixel counts where several land on one place: the metric of softmax splatting."""

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
"""Share of both motions by which they may miss each other, above ``SLACK``, in a visible pixel."""
SLACK = 0.5
"""Pixels."""


class Seen(NamedTuple):
    """What the network is told of a pair, one (N, 1, h, w) float32 map each per picture."""

    errors: tuple[Tensor, Tensor]
    """Mean over the colours of the distance to the other picture, fetched along the flow."""
    occluded: tuple[Tensor, Tensor]
    """1 where going there and back does not lead back, else 0."""


class MetricNet:
    """Seven convolutions over both pictures, both flows and where these disagree.

    It is not symmetric: the pictures exchanged do not give the metrics exchanged.

    Args:
        state: parameters of the part ``metric``.
        tuning: device, dtype and layout.
        has_tanh: whether these weights were trained with 10 tanh(x) at the end; nothing in the
            parameters tells.
    """

    def __init__(self, state: Mapping[str, Tensor], tuning: Tuning, *, has_tanh: bool) -> None:
        self._layers = Layers(state, tuning)
        self.has_tanh = has_tanh

    def __call__(self, a: Tensor, b: Tensor, ab: Tensor, ba: Tensor) -> tuple[Tensor, Tensor]:
        """The metrics of two pictures.

        Args:
            a: (N, 3, h, w) float32, [0, 1].
            b: the other picture.
            ab: (N, 2, h, w) float32, pixels, on the grid of ``a``: where each pixel is in ``b``.
            ba: the other way, on the grid of ``b``.

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
    """Where a pair disagrees; see ``MetricNet.__call__``."""
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
