"""The feature network of GMFSS: its features are splatted with the picture, at three sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.models.gmfss.layers import Layers

if TYPE_CHECKING:
    from torch import Tensor


class FeatureNet(Layers):
    """The part ``feat``: three stages of two convolutions, each of which halves the size."""

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of a picture.

        Args:
            image: (N, 3, H, W), [0, 1]; H and W multiples of 8.

        Returns:
            (N, 64, H/2, W/2), (N, 128, H/4, W/4) and (N, 192, H/8, W/8).
        """
        first = self.activated("block1", image, stride=2)
        second = self.activated("block2", first, stride=2)
        return first, second, self.activated("block3", second, stride=2)
