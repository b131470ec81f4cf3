"""RIFE with its blocks asked in both directions of time, as the original's ensemble does.

It takes twice the time, so the product has no such option; its stored outputs check the blocks with
other inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.models.rife.network import _Walk

if TYPE_CHECKING:
    from torch import Tensor


class Ensemble(_Walk):
    """A run in which a block's output is the mean of both directions."""

    def _ask(self, i: int, a: Tensor, b: Tensor, t: Tensor, rest: list[Tensor]) -> Tensor:
        self._asked = a, b, t, rest
        return super()._ask(i, a, b, t, rest)

    def _take(self, i: int, y: Tensor) -> None:
        a, b, t, rest = self._asked
        if rest:
            mask, flow = rest
            rest = [-mask, exchanged(flow)]
        other = super()._ask(i, b, a, 1 - t, rest)
        flow = (y[:, :4] + exchanged(other[:, :4])) / 2
        super()._take(i, torch.cat((flow, (y[:, 4:5] - other[:, 4:5]) / 2), 1))


def exchanged(flow: Tensor) -> Tensor:
    """Flow with the ways to img0 and to img1 exchanged."""
    return torch.cat((flow[:, 2:4], flow[:, :2]), 1)
