"""The fusion network of GMFSS: a GridNet that computes the result from the splatted pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from rtvfi.models.gmfss.layers import Layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rtvfi.models.tuning import Tuning

STRIP_PIXELS = 1 << 17
"""Half-size pixels of a strip in the last step: 64 channels of the whole full-size picture would be
the largest tensor in memory.
"""


class GridNet:
    """The network. The rows of the grid are sizes (1/2, 1/4, 1/8), the columns are steps.

    Args:
        state: parameters of the part ``fusionnet``.
        tuning: device, dtype and layout.
    """

    def __init__(self, state: Mapping[str, Tensor], tuning: Tuning) -> None:
        self._layers = Layers(state, tuning)
        is_union = "residual_model_head0.1.weight" in state
        self._head = "residual_model_head0" if is_union else "residual_model_head"

    def __call__(self, images: Tensor, features: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Compute the picture.

        Args:
            images: (N, C, H/2, W/2), the splatted pictures and the other input channels.
            features: (N, 128, H/2, W/2), (N, 256, H/4, W/4) and (N, 384, H/8, W/8): the splatted
                features of both sides.

        Returns:
            (N, 3, H, W), not clamped.
        """
        layers = self._layers
        x0 = layers.activated(self._head, images)
        x0 += layers.activated("residual_model_head1", features[0])
        x1 = self._step("downsample_model_10", x0)
        x1 += layers.activated("residual_model_head2", features[1])
        x2 = self._step("downsample_model_20", x1)
        x2 += layers.activated("residual_model_head3", features[2])
        x0 = self._residual("residual_model_01", x0)
        x1 = self._residual("residual_model_11", x1)
        x1 += self._step("downsample_model_11", x0)
        x2 = self._residual("residual_model_21", x2)
        x2 += self._step("downsample_model_21", x1)
        for column in (4, 5):
            x2 = self._residual(f"residual_model_2{column}", x2)
            x1 = self._residual(f"residual_model_1{column}", x1)
            x1 += self._up(f"upsample_model_1{column}", x2)
            x0 = self._residual(f"residual_model_0{column}", x0)
            x0 += self._up(f"upsample_model_0{column}", x1)
        return self._picture(x0)

    def _residual(self, name: str, x: Tensor) -> Tensor:
        return self._layers.activated(name, x).add_(x)

    def _step(self, name: str, x: Tensor) -> Tensor:
        return self._layers.activated(name, x, stride=2)

    def _up(self, name: str, x: Tensor) -> Tensor:
        layers = self._layers
        x = layers.doubled(f"{name}.1", layers.prelu(f"{name}.0", x))
        return layers.conv(f"{name}.3", layers.prelu(f"{name}.2", x))

    def _picture(self, x: Tensor) -> Tensor:
        """Upscale to twice the size, one strip of rows at a time."""
        layers, tail = self._layers, "residual_model_tail"
        x = layers.conv(f"{tail}.conv_before_upsample.0", x)
        x = layers.prelu(f"{tail}.conv_before_upsample.1", x)
        batch, _, height, width = x.shape
        out = x.new_empty(batch, 3, 2 * height, 2 * width)
        rows = max(1, STRIP_PIXELS // width)
        for first in range(0, height, rows):
            last = min(first + rows, height)
            # Two more rows on each side: one for each of the two convolutions.
            top, bottom = max(first - 2, 0), min(last + 2, height)
            strip = layers.conv(f"{tail}.upsample.0", x[:, :, top:bottom])
            strip = layers.conv(f"{tail}.conv_last", functional.pixel_shuffle(strip, 2))
            begin = 2 * (first - top)
            out[:, :, 2 * first : 2 * last] = strip[:, :, begin : begin + 2 * (last - first)]
        return out
