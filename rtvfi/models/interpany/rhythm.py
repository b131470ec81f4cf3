"""Distance indices from the pace of each pixel, computed with the method of DRBA.

DRBA estimates how far every pixel of the centre picture moves to both sides, and passes the ratio
to RIFE as a timestep. RIFE expects it on the grid of the new frame, so DRBA has to splat it and
fill holes. A network with a distance index expects it on the grid of img0, which is the centre
picture here, so the ratio can be used as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.models.drba.drba import DrbaLink, flows_of, link_of, ratios
from rtvfi.models.interpany.model import Interpany, Prepared
from rtvfi.models.interpany.parts import Reference
from rtvfi.models.triple import Triples

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.models.triple import Both, Side, Three


class RhythmInterpany(Interpany, Triples[Prepared, DrbaLink]):
    """A ``TripleInterpolator``; with a third picture, every pixel moves at its own pace."""

    def link(self, a: Prepared, b: Prepared) -> DrbaLink:
        """The motion between ``a`` and ``b``, from the network's coarse flow."""
        index = self._index(a, 0.5)
        shared = self.net.encode(a.image, b.image, self.flow_scale)
        reference = None
        if self.net.has_reference:
            reference = Reference(a.image, torch.zeros_like(index))
        return link_of(self.net.coarse_flow(shared, index, reference))

    def _sides(self, frames: Three[Prepared], links: Both[DrbaLink]) -> Side:
        flows = flows_of(links)

        def make(sign: int, near: list[float]) -> Tensor:
            ratio = ratios(*flows[sign])
            indices = torch.cat([(2 * abs(t - 1) * ratio).clamp(0, 1) for t in near])
            return self.at_indices(frames[1], frames[1 + sign], indices)

        return make
